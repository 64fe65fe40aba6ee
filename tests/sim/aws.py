"""An AWS for tests and the demo: moto's server behind a front that checks each request against botocore's models,
records it, answers what moto lacks, and can be told to be slow, full, broken or wrong.

    python -m tests.sim.aws [--port N] [--port-file FILE]

Control, JSON over HTTP below /_sim/: POST reset, GET calls, GET violations, POST rules (a list of rules), DELETE rules, POST
quotas ({code: value}), POST clock ({"offset_s": N}: the cloud's clock is ahead).
A rule: {"operation": "RunInstances", "match": {"SubnetId": "subnet-1"}, "times": 1, "skip": 0, and one of
"error": {"code", "message", "status"}, "delay_ms": N, "drop": "before" | "after", "raw": {"status", "type", "body", "repeat"},
"rewrite": [from, to], "kill": true}. "times": -1 is for ever. An operation "*" is any.
"""
import argparse
import calendar
import io
import json
import os
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

from moto.ec2.models import ec2_backends  # noqa: E402
from moto.moto_api._internal import moto_api_backend  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402

from tests.sim.model import Request, service_model  # noqa: E402

ACCOUNT = "123456789012"
IMAGE_PARAMETER = re.compile(r"^/aws/service/deeplearning/ami/")
KEYS = {"test": "test", "AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
# Default vCPU quotas of the families, as a new account with GPUs would have them after a request.
QUOTAS = {
    "L-DB2E81BA": ("Running On-Demand G and VT instances", 768.0),
    "L-3819A6DF": ("All G and VT Spot Instance Requests", 768.0),
    "L-417A185B": ("Running On-Demand P instances", 768.0),
    "L-7212CCBC": ("All P4, P3 and P2 Spot Instance Requests", 768.0),
    "L-C4BD4855": ("All P5 Spot Instance Requests", 768.0),
}


class State:
    """What the front itself remembers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.moto_lock = threading.Lock()
        self.app = DomainDispatcherApplication(create_backend_app)
        self.reset()

    def reset(self):
        self.calls, self.violations, self.rules, self.running = [], [], [], 0
        self.quotas = {code: value for code, (_, value) in QUOTAS.items()}
        self.images = {}
        self.clock_offset_s = 0  # of the cloud's clock to this machine's
        self.tokens = {}  # answers to calls with a client token: AWS gives the same one again, moto does not

    def image(self, region):
        """The current Deep Learning image of a region: a real image of the simulator."""
        with self.moto_lock:
            if region not in self.images:
                backend = ec2_backends[ACCOUNT][region]
                source = next(iter(backend.describe_images(filters={"architecture": ["x86_64"]})))
                image = backend.copy_image(source.id, region, "Deep Learning Base OSS Nvidia Driver GPU AMI")
                self.images[region] = image.id
            return self.images[region]


STATE = State()


def error_answer(request, code, message, status):
    """An error in the shape of the service's protocol."""
    protocol = service_model(request.service).metadata["protocol"] if request.service else "ec2"
    if protocol == "ec2":
        body = (f"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{escape(code)}</Code>"
                f"<Message>{escape(message)}</Message></Error></Errors><RequestID>req-sim</RequestID></Response>")
        return status, {"content-type": "text/xml"}, body.encode()
    if protocol == "query":
        body = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
                "</Error><RequestId>req-sim</RequestId></ErrorResponse>")
        return status, {"content-type": "text/xml"}, body.encode()
    body = json.dumps({"__type": code, "message": message})
    return status, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "req-sim"}, body.encode()


def json_answer(value):
    return 200, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "req-sim"}, json.dumps(value).encode()


def own_answer(request):
    """What moto lacks; None for all that it has."""
    operation, params = request.operation, request.params
    if request.service == "servicequotas" and params.get("ServiceCode") == "ec2" and operation in (
            "GetServiceQuota", "GetAWSDefaultServiceQuota"):
        code = params.get("QuotaCode")
        if code not in STATE.quotas:
            return error_answer(request, "NoSuchResourceException", "The request failed because the specified resource does not exist.", 400)
        return json_answer({"Quota": {
            "ServiceCode": "ec2", "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)", "QuotaCode": code,
            "QuotaName": QUOTAS[code][0], "Value": STATE.quotas[code], "Unit": "None", "Adjustable": True, "GlobalQuota": False}})
    if request.service == "ssm" and operation == "GetParameter" and IMAGE_PARAMETER.match(params.get("Name", "")):
        return json_answer({"Parameter": {
            "Name": params["Name"], "Type": "String", "Value": STATE.image(request.region), "Version": 1, "DataType": "aws:ec2:image",
            "ARN": f"arn:aws:ssm:{request.region}::parameter{params['Name']}"}})
    return None


def moto_answer(request):
    environ = {
        "REQUEST_METHOD": request.method, "PATH_INFO": request.path, "QUERY_STRING": request.query, "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(request.body)), "CONTENT_TYPE": request.headers.get("content-type", ""), "REMOTE_ADDR": "127.0.0.1",
    }
    for name, value in request.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    result = {}

    def start_response(status, headers, exc_info=None):
        result["status"], result["headers"] = int(status.split()[0]), {k.lower(): v for k, v in headers}

    try:
        with STATE.moto_lock:
            body = b"".join(STATE.app(environ, start_response))
    except Exception as error:  # a defect of the simulator must not look like a broken connection
        STATE.violations.append(f"{request.service}.{request.operation}: the simulator failed: {error!r}")
        return error_answer(request, "SimulatorDefect", repr(error), 400)
    return result["status"], result["headers"], body


def matching_rules(request):
    """The rules that apply to this call, each used up by one."""
    found = []
    with STATE.lock:
        for rule in STATE.rules:
            if rule.get("operation", "*") not in ("*", request.operation) or rule.get("times", 1) == 0:
                continue
            if any(str(flat(request.params, key)) != str(value) for key, value in rule.get("match", {}).items()):
                continue
            if rule.get("skip", 0) > 0:
                rule["skip"] -= 1
                continue
            if rule.get("times", 1) > 0:
                rule["times"] = rule.get("times", 1) - 1
            found.append(rule)
    return found


def flat(params, key):
    """A parameter by dotted path; list members by index."""
    for part in key.split("."):
        if isinstance(params, list):
            params = params[int(part)] if part.isdigit() and int(part) < len(params) else None
        elif isinstance(params, dict):
            params = params.get(part)
        else:
            return None
    return params


class Dropped(Exception):
    """The connection ends without an answer."""


def is_skewed(request):
    """Signed at a time that is more than five minutes from the cloud's."""
    signed = request.headers.get("x-amz-date")
    if not signed:
        return False
    then = calendar.timegm(time.strptime(signed, "%Y%m%dT%H%M%SZ"))
    return abs(time.time() + STATE.clock_offset_s - then) > 300


def answer(request):
    if is_skewed(request):
        return error_answer(request, "SignatureDoesNotMatch", f"Signature expired: {request.headers['x-amz-date']} is not now", 403)
    rules = matching_rules(request)
    result = None
    for rule in rules:
        if "delay_ms" in rule:
            time.sleep(rule["delay_ms"] / 1000)
        if rule.get("drop") == "before":
            raise Dropped
        if rule.get("kill"):
            os._exit(9)
        if "error" in rule:
            e = rule["error"]
            result = error_answer(request, e["code"], e.get("message", "simulated"), e.get("status", 400))
        if "raw" in rule:
            raw = rule["raw"]
            result = raw.get("status", 200), {"content-type": raw.get("type", "text/html")}, raw["body"].encode() * raw.get("repeat", 1)
    if result is None:
        token = request.params.get("ClientToken") or request.params.get("ClientRequestToken")
        key = (request.service, request.region, request.operation, token)
        result = STATE.tokens.get(key) if token else None
        if result is None:
            result = own_answer(request) or moto_answer(request)
            if token and result[0] < 300:
                STATE.tokens[key] = result
    for rule in rules:
        if "rewrite" in rule:
            old, new = rule["rewrite"]
            result = result[0], result[1], result[2].replace(old.encode(), new.encode())
        if rule.get("drop") == "after":
            raise Dropped
    return result


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def send(self, status, headers, body):
        self.send_response_only(status)
        self.send_header("date", self.date_time_string(time.time() + STATE.clock_offset_s))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def control(self, name, body):
        with STATE.lock:
            if name == "reset":
                with STATE.moto_lock:
                    moto_api_backend.reset()
                STATE.reset()
                value = {}
            elif name == "calls":
                value = STATE.calls
            elif name == "violations":
                value = STATE.violations
            elif name == "quotas":
                STATE.quotas.update(json.loads(body))
                value = STATE.quotas
            elif name == "clock":
                STATE.clock_offset_s = json.loads(body)["offset_s"]
                value = {}
            elif name == "rules" and self.command == "DELETE":
                STATE.rules, value = [], {}
            elif name == "rules":
                STATE.rules.extend(json.loads(body))
                value = {}
            else:
                value = {"error": f"no control {name}"}
        self.send(200, {"content-type": "application/json"}, json.dumps(value, default=str).encode())

    def handle_any(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if path.startswith("/_sim/"):
            return self.control(path[len("/_sim/"):], body)
        request = Request(self.command, path, query, {k.lower(): v for k, v in self.headers.items()}, body)
        request.check_signature(KEYS)
        call = {"service": request.service, "access_key": request.access_key, "operation": request.operation, "region": request.region, "params": request.params, "start": time.time()}
        with STATE.lock:
            STATE.violations.extend(request.violations)
            STATE.calls.append(call)
            STATE.running += 1
            call["running"] = STATE.running
        status = 0
        try:
            status, headers, answered = answer(request)
            self.send(status, headers, answered)
        except Dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with STATE.lock:
                STATE.running -= 1
                call["status"], call["end"] = status, time.time()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    if options.port_file:
        with open(options.port_file + ".new", "w") as out:
            out.write(str(server.server_address[1]))
        os.rename(options.port_file + ".new", options.port_file)
    print(f"AWS simulator on http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
