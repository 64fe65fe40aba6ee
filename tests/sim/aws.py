"""An AWS for tests and the demo: moto's server behind a front that checks each request against botocore's models and botocore's signer,
records it, answers and refuses what moto does not, and can be told to be slow, full, broken or wrong.

    python -m tests.sim.aws [--port N] [--port-file FILE]

Control, JSON over HTTP below /_sim/:

    POST reset                  an empty account, no rules, nothing recorded
    GET calls, DELETE calls     what was called: n, service, operation, region, access_key, params, status, code, start, end, running (calls
                                at work, this one included, when it came)
    GET violations, GET advice  what no model or signer allows; enumeration values that the models do not list
    POST rules, DELETE rules, GET rules     see tests/sim/faults.py
    POST quotas {code: vCPUs}, POST offers {"g5.xlarge": ["us-east-1a"]}, POST clock {"offset_s": N}: the cloud's clock is ahead
    POST settle {"CreateNatGateway": 2}     seconds until the effect of an operation is there: NAT gateways, instances and volumes pass
                                through their states, EC2 learns of instance profiles, a deleted secret's name is free again; clusters,
                                node groups, addons and their updates likewise, and EKS learns of roles ("CreateRole"); SageMaker's
                                endpoints and components too, and what rolls back ("RollingBack")
    POST failures [{"operation": "CreateNodegroup", "name": "gpu", "code": …, "message": …, "resource_ids": […], "times": 1}]
                                what operations of EKS end with: a health issue, or an update's error; and those of SageMaker: a failed
                                endpoint or component, or an update that is rolled back (code UpdateRollbackFailed: not even that)
    POST cluster_endpoint {"endpoint": "https://127.0.0.1:N", "certificateAuthority": base64 PEM, "issuer": …, "cluster": name}
                                what is behind a simulated cluster; behind all of them without a name
    GET cluster_token?token=k8s-aws-v1.…[&cluster=NAME]     whether it lets anyone in, and whom: see tests/sim/cluster_token.py
    POST visible {"CreateVpc": 2}           seconds until other calls know what a create made
    POST settings {"page_size": 2, "check_signatures": false, "issued_for_s": 60}
    POST keys {access key: secret key}
    POST tags {"resource": id, "tags": {key: value}, "region": …}   sets tags as if the object did it
    POST finish                 what has not settled yet settles now
    POST kill

Credentials from elsewhere than STS: see tests/sim/identity.py."""
import argparse
import functools
import json
import os
import pathlib
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
os.environ.setdefault("MOTO_AMIS_PATH", str(pathlib.Path(__file__).with_name("images.json")))  # moto's own are hundreds in each region
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

import moto.backends  # noqa: E402
import moto.core.responses  # noqa: E402
from moto.ec2.models import ec2_backends  # noqa: E402
from moto.moto_api._internal import moto_api_backend  # noqa: E402

from tests.sim import answer, cluster_token, faults, identity, perform  # noqa: E402
from tests.sim.model import Request, service_model  # noqa: E402
from tests.sim.state import ACCOUNT, STATE, Key  # noqa: E402

BODY_LIMIT = 64 << 20

# moto lists its modules and a class's methods at each request.
moto.core.responses.method_names_from_class = functools.lru_cache(None)(moto.core.responses.method_names_from_class)
moto.backends.list_of_moto_modules = functools.partial(frozenset, frozenset(moto.backends.list_of_moto_modules()))


def answered(request):
    """(status, headers, body) by the rules and the cloud; or a rule whose bytes are the answer."""
    rules = faults.taken(request, perform.zone_of)
    faults.begin(rules)
    for rule in rules:
        if "error" in rule:
            error = rule["error"]
            status, headers, body = answer.failure(request, error["code"], error.get("message", "simulated"), error.get("status"))
            return status, {**headers, **({"retry-after": str(error["retry_after"])} if "retry_after" in error else {})}, body
        if "rate" in rule:
            return answer.failure(request, faults.THROTTLED[request.protocol], "Rate exceeded", None)
        if "raw" in rule:
            return rule["raw"]
    result = perform.call(request)
    faults.end(rules)
    for rule in rules:
        if "rewrite" in rule:
            old, new = rule["rewrite"]
            result = result[0], result[1], result[2].replace(old.encode(), new.encode())
        if "set" in rule and result[0] < 300:
            output = answer.parse(request, result)
            for path, value in rule["set"].items():
                faults.assign(output, path, value)
            result = answer.success(request, output)
    return faults.spoiled(rules, result)


def error_code(status, body):
    if status < 300:
        return None
    found = re.search(rb'<Code>([^<]+)|"__type": ?"([^"]+)', body[:4096])
    return (found[1] or found[2]).decode() if found else None


class Controls:
    """What can be asked of the simulator itself: one method per name below /_sim/."""

    def reset(self, _):
        with STATE.moto_lock:
            moto_api_backend.reset()
            STATE.reset()
        return {}

    def calls(self, _):
        return STATE.calls

    def delete_calls(self, _):
        STATE.calls = []
        return {}

    def violations(self, _):
        return STATE.violations

    def advice(self, _):
        return STATE.advice

    def rules(self, given):
        STATE.rules.extend(given or [])
        return STATE.rules

    def delete_rules(self, _):
        STATE.rules = []
        return {}

    def quotas(self, given):
        STATE.quotas.update(given)
        return STATE.quotas

    def offers(self, given):
        STATE.offers.update(given)
        return STATE.offers

    def clock(self, given):
        STATE.clock_offset_s = given["offset_s"]
        return {}

    def settle(self, given):
        STATE.settle = given
        return {}

    def failures(self, given):
        STATE.failures = given
        return {}

    def cluster_endpoint(self, given):
        STATE.cluster_endpoints[given.get("cluster")] = given
        return {}

    def cluster_token(self, given):
        return cluster_token.look(given["token"], given.get("cluster"))

    def visible(self, given):
        STATE.settings["visible_after_s"] = given
        return {}

    def settings(self, given):
        STATE.settings.update(given or {})
        return STATE.settings

    def keys(self, given):
        STATE.keys.update({key: Key(secret) for key, secret in given.items()})
        return {}

    def tags(self, given):
        with STATE.moto_lock:
            ec2_backends[ACCOUNT][given.get("region", "us-east-1")].create_tags([given["resource"]], given["tags"])
        return {}

    def finish(self, _):
        STATE.later = [(0, effect) for _, effect in STATE.later]
        STATE.young = {}
        return {}

    def kill(self, _):
        os._exit(9)


CONTROLS = Controls()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args):
        pass

    def handle_expect_100(self):
        result = super().handle_expect_100()
        self.wfile.flush()
        return result

    def send(self, status, headers, body):
        self.send_response_only(status)
        self.send_header("date", self.date_time_string(STATE.now()))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def send_raw(self, raw):
        """The bytes of a rule, however wrong."""
        body = faults.raw_body(raw)
        self.send_response_only(raw.get("status", 200))
        for name, value in {"content-type": raw.get("type", "text/html"), **raw.get("headers", {})}.items():
            self.send_header(name, value)
        if not raw.get("endless"):
            self.send_header("content-length", str(len(body) * (2 if raw.get("cut") else 1)))
        self.send_header("connection", "close")
        self.close_connection = True
        self.end_headers()
        if raw.get("chunk_ms"):
            for index in range(len(body)):
                self.wfile.write(body[index:index + 1])
                self.wfile.flush()
                time.sleep(raw["chunk_ms"] / 1000)
            return
        self.wfile.write(body)
        while raw.get("endless"):
            self.wfile.write(body)
        self.wfile.flush()

    def control(self, name, query, body):
        function = getattr(CONTROLS, f"delete_{name}" if self.command == "DELETE" else name, None)
        if function is None or name.startswith("_"):
            return self.send(404, {"content-type": "application/json"}, json.dumps({"error": f"no control {name}"}).encode())
        if name == "reset":  # takes moto's lock first, as calls do
            value = function(None)
        else:
            given = json.loads(body) if body else dict(urllib.parse.parse_qsl(query)) or None
            value = function(given) if name == "tags" else self.locked(function, given)
        return self.send(200, {"content-type": "application/json"}, json.dumps(value, default=str).encode())

    def locked(self, function, given):
        with STATE.lock:
            return json.loads(json.dumps(function(given), default=str))

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return self.chunks()
        length = min(int(self.headers.get("content-length") or 0), BODY_LIMIT)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client went away in the middle of its request")
        return body

    def chunks(self):
        parts, size = [], 0
        while True:
            length = int(self.rfile.readline().split(b";")[0], 16)
            size += length
            if size > BODY_LIMIT:
                raise ConnectionError("the body is too large")
            parts.append(self.rfile.read(length))
            self.rfile.readline()
            if length == 0:
                return b"".join(parts)

    def handle_any(self):
        path, _, query = self.path.partition("?")
        body = self.body()
        if path.startswith("/_sim/"):
            return self.control(path[len("/_sim/"):], query, body)
        headers = {k.lower(): v for k, v in self.headers.items()}
        known = identity.answer(self.command, path, headers)
        if known:
            self.record_plain(path, known[0])
            return self.send(*known)
        return self.api_call(Request(self.command, path, query, headers, body, identity.unsigned_service(path, headers)))

    def record_plain(self, path, status):
        with STATE.lock:
            STATE.calls.append({"n": len(STATE.calls), "service": "metadata", "operation": f"{self.command} {path}", "region": None,
                                "access_key": None, "params": {}, "status": status, "code": None, "start": time.time(), "end": time.time(),
                                "running": 1})

    def api_call(self, request):
        call = {"service": request.service, "access_key": request.access_key, "operation": request.operation, "region": request.region,
                "params": request.params, "start": time.time(), "code": None}
        with STATE.lock:
            STATE.violations.extend(request.violations or ([] if request.service else [f"{request.method} {request.path}: not signed"]))
            STATE.advice.extend(request.advice)
            call["n"] = len(STATE.calls)
            STATE.calls.append(call)
            STATE.running += 1
            call["running"] = STATE.running
        result, status = None, 0
        try:
            result = answered(request) if request.service else answer.failure(request, "MissingAuthenticationToken", "Missing Authentication Token")
            status = result.get("status", 200) if isinstance(result, dict) else result[0]
            call["code"] = None if isinstance(result, dict) else error_code(status, result[2])
        except faults.Dropped as dropped:
            result = dropped
        finally:
            # Whoever has the answer finds the call recorded whole.
            with STATE.lock:
                STATE.running -= 1
                call["status"], call["end"] = status, time.time()
        self.respond(result)

    def respond(self, result):
        """Sends what was made of the request; a Dropped: the connection breaks."""
        try:
            if isinstance(result, faults.Dropped):
                self.close_connection = True
                faults.hang_up(self.connection, result, self.server.socket)
            elif isinstance(result, dict):
                self.send_raw(result)
            else:
                self.send(*result)
        except OSError:  # the client has gone
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients that go away are no news; anything else is a defect."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def warm_up():
    """Loads models and backends, so that the first calls are as fast as the others."""
    for service in ("ec2", "iam", "sts", "ssm", "secretsmanager", "logs", "servicequotas"):
        service_model(service)
    for service in ("ec2", "iam", "sts", "ssm", "secretsmanager", "logs"):
        perform.APP.get_application({"HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, x",
                                     "HTTP_HOST": "localhost", "PATH_INFO": "/", "REQUEST_METHOD": "POST", "wsgi.input": None})
    ec2_backends[ACCOUNT]["us-east-1"].describe_images()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    threading.stack_size(1 << 20)
    warm_up()
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="ascii") as out:
            out.write(str(server.server_address[1]))
        os.rename(options.port_file + ".new", options.port_file)
    print(f"AWS simulator on http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
