"""A front before a cluster's API server: records what is asked, and can let each request wait. HTTP/1.1 over TLS with an authority of its own."""
import contextlib
import http.client
import http.server
import json
import ssl
import tempfile
import threading
import time
import urllib.parse

from tests.kube.cluster import authority, certificate, ec, pem


def params_of(path, body):
    """What a request is about: the parts of its path, and what its object is called."""
    about = json.loads(body).get("metadata", {}) if body else {}
    return {"path": urllib.parse.urlsplit(path).path.split("/")[3:], "name": about.get("name"), "namespace": about.get("namespace")}


def kind_of(path):
    """The plural of the kind: what stands before the name, or last."""
    parts = urllib.parse.urlsplit(path).path.strip("/").split("/")
    parts = parts[2 if parts[0] == "api" else 3:]
    if len(parts) > 2 and parts[0] == "namespaces":
        parts = parts[2:]
    return parts[0] if parts else ""


def handler(front):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self):
            super().setup()
            self.there = http.client.HTTPSConnection(front.host, context=front.trust)

        def finish(self):
            self.there.close()
            with contextlib.suppress(OSError):
                super().finish()

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            call = {"operation": f"{self.command} {kind_of(self.path)}", "params": params_of(self.path, body), "dry_run": "dryRun=" in self.path,
                    "start": time.time()}
            front.calls.append(call)
            time.sleep(front.delay_s)
            self.there.request(self.command, self.path, body or None, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")})
            answer = self.there.getresponse()
            content = answer.read()
            call["end"], call["status"] = time.time(), answer.status
            self.send_response_only(answer.status)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *_):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients go away."""


class Front:
    """`with Front(cluster) as front:` front.endpoint and front.ca_pem lead there; front.calls is what was asked (operation, params, start, end)."""

    def __init__(self, cluster):
        self.host, self.trust = cluster.endpoint.partition("//")[2], ssl.create_default_context(cadata=cluster.ca_pem)
        self.delay_s, self.calls = 0, []

    def __enter__(self):
        key, ca = authority("front")
        mine = ec.generate_private_key(ec.SECP256R1())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as chain:
            chain.write(pem(mine) + certificate("127.0.0.1", mine, "front", key))
            chain.flush()
            context.load_cert_chain(chain.name)
        self.ca_pem = ca.decode()
        self.server = Server(("127.0.0.1", 0), handler(self))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.endpoint = f"https://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
