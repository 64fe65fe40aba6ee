"""A server before the API server, with its certificate: it passes calls on, notes them, and does to them what rules say (tests/sim/faults.py), which
are those of the simulated clouds. A call is named "kubernetes.RESOURCE.VERB": kubernetes.namespaces.create, kubernetes.resourcequotas.patch."""
import http.client
import json
import re
import ssl
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.sim import faults

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PATH = re.compile(r"/(?:api|apis/[^/]+)/[^/]+/(?:namespaces/(?P<namespace>[^/]+)/)?(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/[a-z]+)?")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 429: "TooManyRequests", 500: "InternalError",
           503: "ServiceUnavailable"}


class Request:
    """A call as rules see it."""
    service = "kubernetes"

    def __init__(self, method, path):
        plain, _, query = path.partition("?")
        found = PATH.fullmatch(plain)
        self.params = {**(found.groupdict() if found else {}), **dict(urllib.parse.parse_qsl(query))}
        verb = "list" if method == "GET" and found and not found["name"] else VERBS.get(method, method.lower())
        self.operation = f"kubernetes.{found['resource'] if found else plain}.{verb}"


class State:
    def __init__(self):
        self.lock = threading.RLock()
        self.rules, self.calls, self.clock_offset_s = [], [], 0


def failure(error):
    """An answer with the status that a rule wants, as the API server words it."""
    status = error.get("status", 500)
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": error.get("message", "simulated"),
            "reason": error.get("code") or REASONS.get(status, ""), "code": status}
    headers = {"content-type": "application/json"}
    if "retry_after" in error:
        headers["retry-after"] = str(error["retry_after"])
    return status, headers, json.dumps(body).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream = None

    def log_message(self, *args):
        pass

    def forward(self, body):
        """What the API server says: (status, headers, body)."""
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        for attempt in range(2):
            self.upstream = self.upstream or self.server.connect()
            try:
                self.upstream.request(self.command, self.path, body or None, headers)
                answer = self.upstream.getresponse()
                content = answer.read()
                return answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}, content
            except (OSError, http.client.HTTPException):  # the server has closed it meanwhile
                self.upstream = None
                if attempt:
                    raise
        return None

    def answered(self, request, body):
        state = self.server.state
        rules = faults.taken(request, lambda _: None, state)
        faults.begin(rules, state)
        error = next((r["error"] for r in rules if "error" in r), None)
        result = failure(error) if error else self.forward(body)
        faults.end(rules, state)
        return faults.spoiled(rules, result)

    def handle_any(self):
        state, length = self.server.state, int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client went away in the middle of its request")
        request = Request(self.command, self.path)
        call = {"service": "kubernetes", "operation": request.operation, "params": request.params, "start": time.time(), "status": 0}
        with state.lock:
            state.calls.append(call)
        try:
            result = self.answered(request, body)
            call["status"] = result["status"] if isinstance(result, dict) else result[0]
        except faults.Dropped as dropped:
            result = dropped
        finally:
            call["end"] = time.time()
        self.respond(result)

    def respond(self, result):
        try:
            if isinstance(result, faults.Dropped):
                self.close_connection = True
                faults.hang_up(self.connection, result, self.server.socket)
            elif isinstance(result, dict):
                self.send(result["status"], {"content-type": result["type"], "connection": "close"}, faults.raw_body(result), 2 if result.get("cut") else 1)
                self.close_connection = True
            else:
                self.send(*result)
        except OSError:  # the client has gone
            self.close_connection = True

    def send(self, status, headers, body, promised=1):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) * promised))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any


class Proxy(ThreadingHTTPServer):
    """`with Proxy(cluster) as proxy:` proxy.endpoint is where to call it; rules(), clear_rules(), calls() and forget() as a simulator has them."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, cluster):
        super().__init__(("127.0.0.1", 0), Handler)
        self.state, self.to = State(), urllib.parse.urlsplit(cluster.endpoint).netloc
        self.trusted = ssl.create_default_context(cadata=cluster.ca_pem)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cluster.path("server.pem"), cluster.path("server.key"))
        self.tls.set_alpn_protocols(["http/1.1"])
        self.endpoint = f"https://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def connect(self):
        return http.client.HTTPSConnection(self.to, context=self.trusted, timeout=60)

    def finish_request(self, request, client_address):
        """In the connection's own thread: a client that does not shake hands keeps nobody waiting."""
        request.settimeout(60)
        with self.tls.wrap_socket(request, server_side=True) as connection:
            self.RequestHandlerClass(connection, client_address, self)

    def handle_error(self, request, client_address):
        """Clients that go away are no news."""

    def rules(self, rules=None):
        with self.state.lock:
            if rules is not None:
                self.state.rules = rules
            return self.state.rules

    def clear_rules(self):
        self.rules([])

    def calls(self):
        with self.state.lock:
            return list(self.state.calls)

    def forget(self):
        with self.state.lock:
            self.state.calls = []
