"""A GCP for tests and the demo. It routes and checks each call by Google's discovery documents, keeps what is made, records every call, and can
be told to be slow, full, broken or wrong.

    python -m tests.sim.gcp [--port N] [--port-file FILE]

Where calls go. All services have one address. A path finds its service by
  1. the Host header, when it is one of Google's: compute.googleapis.com, iam.googleapis.com …
  2. a prefix: /iam/v1/projects/…, /secretmanager/v1/projects/… (any service's name)
  3. the path as the documents have it: /compute/v1/projects/…, /v1/projects/p/secrets, /v2/projects/p/sinks …
Custom endpoints are set as http://127.0.0.1:PORT/<service>/ or http://127.0.0.1:PORT/; with the Google provider's variables
GOOGLE_COMPUTE_CUSTOM_ENDPOINT=http://127.0.0.1:PORT/compute/v1/, GOOGLE_IAM_CUSTOM_ENDPOINT=http://127.0.0.1:PORT/iam/v1/ and so on. Also here:
/token (OAuth 2.0), /v1/token (STS), /computeMetadata/v1/ (GCE_METADATA_HOST=127.0.0.1:PORT).

The world: one project, test-project (number 123456789012), with all APIs enabled and no network; the bearer token "test" is its owner.

Control, JSON over HTTP below /_sim/:

    POST reset                  an empty world, no rules, nothing recorded
    GET calls, DELETE calls     what was called: n, service, operation (the method's id), project, identity, quota_project, params (with "body"),
                                status, code (the reason), start, end, running
    GET violations              what the documents do not allow; GET advice: read-only fields that came back with a change; GET defects: answers of
                                the simulator that the documents do not know
    POST rules, DELETE rules, GET rules     see tests/sim/faults.py; operation: a method's id; match: "project", "zone", "body.name" …; error:
                                {"status": 429, "code": "rateLimitExceeded", "message"}; and "operation_error": {"code", "message", "status",
                                "details"}, "operation_ms": N (-1: never ends) of the operation that a call starts. The endpoints outside the
                                documents are oauth2.token, sts.token and "GET /computeMetadata/v1/…"
    POST quotas {"NVIDIA_L4_GPUS": 0, "us-central1/NVIDIA_L4_GPUS": 8, "GPUS_ALL_REGIONS": 0,
                "us-central1/custom_model_serving_nvidia_l4_gpus": 0}
    POST images ["us-central1-docker.pkg.dev/test-project/models/vllm:1"]     that Artifact Registry has
    POST stock {"us-central1-a": {"nvidia-l4": 0, "g2-standard-4": 2, "spot:nvidia-l4": 0}}     what is left there; absent: enough
    POST offers {"nvidia-l4": ["us-central1-a"]}    the zones that have it; {"image versions": ["20261115"]}: newer public images
    POST cluster_endpoint {"endpoint": "127.0.0.1:N", "clusterCaCertificate": base64 PEM, "cluster": name or absent: all}  where clusters say they are
    POST clock {"offset_s": N}
    POST settle {"compute.instances.insert": 2}     seconds until the effect of a method is there
    POST visible {"iam.projects.serviceAccounts.create": 2}     seconds until other calls know what it made
    POST settings {"check_tokens": true, "operation_s": 0.1, "wait_s": 120, "page_size": 0, "issued_for_s": 3600, "stockout_details": true,
                "concurrent_pools": true}
    POST permissions {"allowed": [names] or null, "denied": [names]}    what callers hold; without it, everything. GET permissions: "used" too
    POST projects {"other": {"number": "1", "services": ["compute.googleapis.com"]}}    makes or changes; "services": the enabled ones
    POST guest {"instance or *": {"namespace/key": value}}      guest attributes (and "serial": the serial port's output)
    POST tokens {token: {"identity": email, "expires_in": 3600, "owner": false}}
    POST keys {"email": "ci@test-project.iam.gserviceaccount.com"}      makes a key (and the account): answers the credentials file
    POST users {"refresh_token": {"client_id", "client_secret", "identity"}}
    POST federation {"service_account": email or absent}    a pool, a provider and a workload's credentials file (source: /_oidc/token)
    POST subjects {subject token: subject}  that STS takes for any provider
    POST aws_keys {access key: secret key}  whose signed GetCallerIdentity STS takes for a provider with an AWS account
    POST metadata {"email": …}              who the metadata server's token is
    POST edit {"resource": "projects/…", "service": "compute", "set": {"labels.a": "b"}}    changes an object by another hand
    POST remove {"resource": "projects/…", "service": "compute"}    POST preempt {"instance": name}
    GET things, GET things?service=compute  everything that exists, by service and name
    POST finish                 ends all operations now
    POST kill"""
import argparse
import json
import os
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.sim import faults
from tests.sim.gcp import compute, federation, iam, identity, instances, logs, model, perform, storage
from tests.sim.gcp.errors import REASON, GoogleError
from tests.sim.gcp.state import STATE

BODY_LIMIT = 64 << 20
PLAIN = {"content-type": "application/json; charset=UTF-8", "vary": "Origin, X-Origin, Referer", "server": "ESF", "cache-control": "private"}


def encoded(value):
    return json.dumps(value, indent=2, default=str).encode() + b"\n"


def failure(error, service):
    return error.code, {**PLAIN, **error.headers}, encoded(error.body(service))


def of_rule(given):
    """The error that a rule asks for. code: a reason (camelCase) or a canonical code."""
    status, code = given.get("status", 400), given.get("code") or given.get("reason") or ""
    canonical = code if code.isupper() else given.get("canonical")
    reason = code if code and not code.isupper() else REASON.get(status)
    headers = {"retry-after": str(given["retry_after"])} if "retry_after" in given else {}
    return GoogleError(status, given.get("message", "simulated"), reason, canonical, given.get("details"), domain=given.get("domain", "global"), headers=headers)


def answered(request):
    """(status, headers, body) by the rules and the cloud; or a rule whose bytes are the answer."""
    request.rules = rules = faults.taken(request, lambda _: None, STATE)
    faults.begin(rules, STATE)
    for rule in rules:
        if "error" in rule:
            raise of_rule(rule["error"])
        if "rate" in rule:
            raise GoogleError(429, "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'.", "rateLimitExceeded", domain="usageLimits")
        if "raw" in rule:
            return rule["raw"]
    not_seen_yet(request)
    body = perform.call(request)
    if isinstance(body, storage.Media):
        return 200, {"content-type": body.kind, "x-goog-generation": body.generation}, body.data
    faults.end(rules, STATE)
    for rule in rules:
        if "hide" in rule:
            hide(body, rule["hide"])
        for path, value in rule.get("set", {}).items():
            faults.assign(body, path, value)
    result = encoded(body)
    for rule in rules:
        if "rewrite" in rule:
            result = result.replace(rule["rewrite"][0].encode(), rule["rewrite"][1].encode())
    status = 204 if request.method.response is None and body == {} else 200
    return faults.spoiled(rules, (status, PLAIN, b"" if status == 204 else result))


def hide(body, reads):
    """What this call has made is not found by the next reads."""
    name = body.get("targetLink", "").split("/v1/")[-1] or body.get("name", "")
    about, _, _ = name.partition("/operations/")
    if len(about.split("/")) > 4:  # an operation on an object of a location, which has its name before its own
        name = about
    with STATE.lock:
        STATE.hidden[name] = reads


def not_seen_yet(request):
    """Raises for a read of what is hidden."""
    path = request.path.split(":")[0]
    with STATE.lock:
        name = next((n for n, left in STATE.hidden.items() if left > 0 and path.endswith(f"/{n}")), None)
        if name and (request.http == "GET" or request.path.endswith(":getIamPolicy")):
            STATE.hidden[name] -= 1
            raise GoogleError(404, f"The resource '{name}' was not found", "notFound")


def known_methods(names):
    """Raises KeyError for a name that no call will ever have: a mistake of the test."""
    for name in names:
        service = name.split(".")[0]
        if name in ("oauth2.token", "sts.token") or name.endswith("*") or "/" in name:
            continue
        if service not in model.VERSIONS or not any(name in d.by_id for d in model.documents(service)):
            raise KeyError(f"no method {name}")


class Controls:
    """What can be asked of the simulator itself: one method per name below /_sim/."""

    def reset(self, _):
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

    def defects(self, _):
        return STATE.defects

    def rules(self, given):
        for rule in given or []:
            names = rule.get("operation", "*")
            known_methods(names if isinstance(names, list) else [names])
        STATE.rules.extend(given or [])
        return STATE.rules

    def delete_rules(self, _):
        STATE.rules, STATE.hidden = [], {}
        return {}

    def images(self, given):
        STATE.images.update(given)
        return sorted(STATE.images)

    def quotas(self, given):
        STATE.quotas.update(given)
        return STATE.quotas

    def stock(self, given):
        STATE.stock.update(given or {})
        return STATE.stock

    def offers(self, given):
        STATE.offers.update(given)
        return STATE.offers

    def cluster_endpoint(self, given):
        STATE.cluster_endpoints[given.get("cluster", "*")] = {k: given[k] for k in ("endpoint", "clusterCaCertificate") if k in given}
        return STATE.cluster_endpoints

    def clock(self, given):
        STATE.clock_offset_s = given["offset_s"]
        return {}

    def settle(self, given):
        known_methods(given)
        STATE.settle.update(given)
        return STATE.settle

    def visible(self, given):
        known_methods(given)
        STATE.visible.update(given)
        return STATE.visible

    def settings(self, given):
        STATE.settings.update(given or {})
        return STATE.settings

    def projects(self, given):
        for name, fields in (given or {}).items():
            new = name not in STATE.projects
            project = STATE.add_project(name, fields.get("number"))
            if "services" in fields:
                project.services = set(fields["services"])
            if new:
                iam.default_account(project)
                logs.for_project(name)
        return {p.id: {"number": p.number, "services": sorted(p.services)} for p in STATE.projects.values()}

    def permissions(self, given):
        for name, value in (given or {}).items():
            setattr(STATE, f"{name}_permissions", None if value is None else set(value))
        allowed = STATE.allowed_permissions
        return {"used": sorted(STATE.used_permissions), "allowed": None if allowed is None else sorted(allowed), "denied": sorted(STATE.denied_permissions)}

    def guest(self, given):
        for name, values in given.items():
            STATE.guest.setdefault(name, {}).update(values)
        return STATE.guest

    def tokens(self, given):
        for value, fields in given.items():
            STATE.tokens[value] = identity.Token(fields.get("identity"), STATE.now() + fields.get("expires_in", 3600), owner=fields.get("owner", False))
        return {}

    def users(self, given):
        STATE.users.update({token: {"owner": False, **fields} for token, fields in given.items()})
        return {}

    def keys(self, given):
        email = given["email"]
        project = STATE.project(email.split("@")[1].split(".")[0]) or next(iter(STATE.projects.values()))
        thing = STATE.thing("iam", f"projects/{project.id}/serviceAccounts/{email}") or iam.add_account(project.id, email, {})
        return iam.add_key(thing, given["base_url"])[1]

    def federation(self, given):
        return federation.make(given["base_url"], given)

    def subjects(self, given):
        STATE.subjects.update(given)
        return {}

    def aws_keys(self, given):
        STATE.aws_keys.update(given)
        return {}

    def metadata(self, given):
        STATE.metadata_identity = given["email"]
        return {}

    def edit(self, given):
        thing = STATE.thing(given.get("service", "compute"), given["resource"])
        for path, value in given["set"].items():
            faults.assign(thing.body, path, value)
        if "labelFingerprint" in thing.body:
            thing.body["labelFingerprint"] = compute.fingerprint(thing.body.get("labels"))
        return thing.body

    def remove(self, given):
        thing = STATE.thing(given.get("service", "compute"), given["resource"])
        if thing.collection == "instances":
            instances.remove(thing)
        else:
            STATE.remove(thing)
        return {}

    def preempt(self, given):
        found = [t for t in STATE.of("compute", "instances") if t.body["name"] == given["instance"]]
        for thing in found:
            instances.preempt(thing)
        return {"preempted": len(found)}

    def things(self, given):
        found = {}
        for (service, name), thing in STATE.things.items():
            if given in (None, {}) or given.get("service") == service:
                found.setdefault(service, {})[name] = thing.body
        return found

    def finish(self, _):
        for operation in list(STATE.operations.values()):
            if not operation.done:
                operation.end()
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

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def send(self, status, headers, body):
        self.send_response_only(status)
        self.send_header("date", self.date_time_string(STATE.now()))
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
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
            return self.send(404, PLAIN, encoded({"error": f"no control {name}"}))
        given = json.loads(body) if body else dict(urllib.parse.parse_qsl(query)) or None
        if name in ("keys", "federation"):
            given = {"base_url": self.base_url, **(given or {})}
        try:
            with STATE.lock:
                STATE.run_due()
                value = encoded(function(given))
        except (KeyError, AttributeError, TypeError) as error:
            return self.send(400, PLAIN, encoded({"error": f"{type(error).__name__}: {error}"}))
        return self.send(200, PLAIN, value)

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
        if path.startswith("/_oidc/"):
            with STATE.lock:
                status, value = federation.answer(path, dict(urllib.parse.parse_qsl(query)), headers, self.base_url)
            return self.send(status, PLAIN, encoded(value))
        kind = self.plain_kind(path, headers)
        if kind:
            return self.plain_call(kind, path, query, headers, body)
        if self.command in perform.BODY_METHODS and "content-length" not in headers and "transfer-encoding" not in headers:
            return self.send(411, {"content-type": "text/html; charset=UTF-8"}, b"<html><title>Error 411 (Length Required)!!1</title></html>")
        return self.api_call(perform.Request(self.command, path, query, headers, body, self.base_url))

    def plain_kind(self, path, headers):
        """The endpoints that are not in a document, or take forms."""
        host = headers.get("host", "").split(":")[0]
        if path.startswith("/computeMetadata") or host == "metadata.google.internal" or path == "/" and self.command == "GET":
            return "metadata"
        if self.command == "POST" and path in ("/token", "/oauth2/token", "/oauth2/v4/token", "/o/oauth2/token"):
            return "oauth2"
        return "sts" if self.command == "POST" and path in ("/v1/token", "/sts/v1/token") else None

    def plain_call(self, kind, path, query, headers, body):
        names = {"metadata": f"{self.command} {path}", "oauth2": "oauth2.token", "sts": "sts.token"}
        request = Plain(kind, names[kind], headers)

        def answer():
            with STATE.lock:
                STATE.run_due()
                if kind == "metadata":
                    return identity.metadata(path, dict(urllib.parse.parse_qsl(query)), headers)
                try:
                    value, request.params = identity.token_endpoint(headers, body, self.base_url) if kind == "oauth2" else identity.sts_token(headers, body)
                    return 200, PLAIN, encoded(value)
                except identity.OAuthError as error:
                    return error.status, PLAIN, encoded({"error": error.code, "error_description": error.text})
        self.run(request, lambda: by_rules(request, answer))

    def api_call(self, request):
        with STATE.lock:
            STATE.violations.extend(request.violations())
            STATE.advice.extend(request.advice())
        self.run(request, lambda: answered(request) if request.method else
                 (404, {"content-type": "text/html; charset=UTF-8"}, b"<!DOCTYPE html>\n<title>Error 404 (Not Found)!!1</title>\n"))

    def run(self, request, function):
        """Answers and records a call."""
        call = {"service": request.service, "operation": request.operation, "params": request.flat(), "start": time.time(), "code": None,
                "http": f"{self.command} {self.path.partition('?')[0]}", "quota_project": request.headers.get("x-goog-user-project"),
                "request_reason": request.headers.get("x-goog-request-reason"), "user_agent": request.headers.get("user-agent")}
        with STATE.lock:
            call["n"] = len(STATE.calls)
            STATE.calls.append(call)
            STATE.running += 1
            call["running"] = STATE.running
        result, status = None, 0
        try:
            result = function()
            status = result.get("status", 200) if isinstance(result, dict) else result[0]
        except faults.Dropped as dropped:
            result = dropped
        except GoogleError as error:
            result, status = failure(error, request.service), error.code
            call["code"] = error.reason if error.named else error.status
        except Exception as error:  # pylint: disable=broad-except
            with STATE.lock:
                STATE.defects.append(f"{request.operation}: {type(error).__name__}: {error}")
            result = failure(GoogleError(500, f"The simulator failed: {type(error).__name__}: {error}"), request.service)
            status = 500
            sys.excepthook(*sys.exc_info())
        finally:
            # Whoever has the answer finds the call recorded whole.
            with STATE.lock:
                STATE.running -= 1
                call.update(status=status, end=time.time(), identity=request.identity, project=request.project.id if request.project else None)
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


class Plain:
    """A call of an endpoint outside the documents."""
    identity = project = method = None

    def __init__(self, service, operation, headers):
        self.service, self.operation, self.headers, self.params, self.protocol = service, operation, headers, {}, "json"

    def flat(self):
        return {}


def by_rules(request, answer):
    rules = faults.taken(request, lambda _: None, STATE)
    faults.begin(rules, STATE)
    for rule in rules:
        if "error" in rule:
            given = rule["error"]
            return given.get("status", 400), PLAIN, encoded({"error": given.get("code", "server_error"), "error_description": given.get("message", "simulated")})
        if "raw" in rule:
            return rule["raw"]
    result = answer()
    faults.end(rules, STATE)
    return faults.spoiled(rules, result)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients that go away are no news; anything else is a defect."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    threading.stack_size(1 << 20)
    for service in ("compute", "iam", "secretmanager", "cloudresourcemanager", "logging", "serviceusage", "iamcredentials"):
        model.documents(service)
    iam.private_key()
    STATE.reset()
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="ascii") as out:
            out.write(str(server.server_address[1]))
        os.rename(options.port_file + ".new", options.port_file)
    print(f"GCP simulator on http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
