"""One call that reached the cloud: refused, answered by us, or by moto; and its effects."""
import base64
import functools
import io
import json
import re
import sys
import time
import urllib.parse

from moto.server import DomainDispatcherApplication, create_backend_app

from tests.sim import (answer, appautoscaling, cloudwatch, ec2, eks, eks_access, eks_addons, eks_nodes, faults, iam, sagemaker,  # noqa: F401
                       sagemaker_components, services, signature)  # (they register themselves)
from tests.sim.model import SESSION, MODEL_NAMES
from tests.sim.state import CHECKS, EDITS, EFFECTS, OWN, STATE, Refused

APP = DomainDispatcherApplication(create_backend_app)
# Members that carry a client token.
TOKENS = ("ClientToken", "ClientRequestToken", "clientRequestToken")


def zone_of(request):
    """The zone that a call is about, by its subnet; None when it is about none."""
    placed = faults.member(request.params, "Placement.AvailabilityZone")
    subnet = request.params.get("SubnetId")
    if placed or not subnet:
        return placed
    with STATE.moto_lock:
        cloud = ec2.backend(request)
        return cloud.get_subnet(subnet).availability_zone if ec2.exists(cloud, subnet) else None


def call(request):
    """(status, headers, body) of a call that no rule fails."""
    with STATE.moto_lock:
        STATE.run_due()
        try:
            signature.check(request) if STATE.settings["check_signatures"] else None
            if request.violations:
                raise Refused(*wire_error(request))
            return paged(request) if STATE.settings["page_size"] else once(request)
        except Refused as no:
            return answer.failure(request, no.code, no.message, no.status)
        except Exception as error:  # a defect of the simulator must not look like a broken connection
            STATE.violation(f"{request.service}.{request.operation}: the simulator failed: {error!r}")
            return answer.failure(request, "SimulatorDefect", repr(error), 400)


def wire_error(request):
    """AWS's refusal of a request that its model does not allow."""
    text = request.violations[0]
    if request.protocol == "ec2":
        return ("MissingParameter" if "Missing required" in text else "UnknownParameter" if "unknown" in text else "InvalidParameterValue"), text
    return ("ValidationError" if request.protocol == "query" else "ValidationException"), text


def once(request):
    key = token_key(request)
    if key in STATE.tokens:
        return again(request, *STATE.tokens[key])
    result = performed(request)
    if key and result[0] < 300:
        STATE.tokens[key] = request.params, result
    return result


def token_key(request):
    """EC2 and EKS give the same answer to the same token; moto does not."""
    token = next((request.params[t] for t in TOKENS if t in request.params), None)
    return (request.region, request.operation, token) if token and request.service in ("ec2", "eks") else None


def again(request, params, result):
    if params != request.params and request.service == "eks":
        raise Refused("InvalidParameterException", "The client request token has been used with other parameters")
    if params != request.params:
        raise Refused("IdempotentParameterMismatch", "The request uses the same client token as a previous, but non-identical request. "
                                                     "Do not reuse a client token with different requests, unless the requests are identical")
    if request.operation != "RunInstances":
        return result
    output = answer.parse(request, result)
    for instance in output["Instances"]:
        now = ec2.get_instance(ec2.backend(request), instance["InstanceId"])
        instance["State"] = {"Code": now.state_code, "Name": now.state}
    return answer.success(request, output)


def performed(request):
    key = request.service, request.operation
    if request.service == "ec2":
        known_by_now(request)
        ec2.check_all_tags(request)
    for allowed in CHECKS.get(key, ()):
        allowed(request)
    if request.params.get("DryRun") is True:
        raise Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    output = next((o for o in (f(request) for f in OWN.get(key, ())) if o is not None), None)
    result = answer.success(request, output) if output is not None else moto(request)
    if result[0] >= 300:
        return result
    for has in EFFECTS.get(key, ()):
        has(request, functools.partial(answer.parse, request, result))
    edits = [function for function, when in EDITS.get(key, ()) if when is None or when(request)]
    if edits:
        output = answer.parse(request, result)
        for function in edits:
            function(request, output)
        result = answer.success(request, output)
    return visible(request, result) if request.service == "ec2" else result


# ---- objects that are so new that not all parts of EC2 know them yet

IDENTITY = re.compile(r"^[a-z]+-[0-9a-f]{8,17}$")


def known_by_now(request):
    if not STATE.young or request.operation.startswith("Describe") and not any(k.endswith("Ids") for k in request.params):
        return
    for text in strings({k: v for k, v in request.params.items() if k != "Filters"}):
        if STATE.is_young(text):
            raise ec2.not_found(text)


def strings(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def visible(request, result):
    """Marks what was made as new, and leaves out of descriptions what is."""
    seconds = STATE.settings.get("visible_after_s", {}).get(request.operation, 0)
    if seconds:
        for text in primary_ids(answer.parse(request, result)):
            STATE.young[text] = time.time() + seconds
    if request.operation.startswith("Describe") and any(isinstance(k, str) and STATE.is_young(k) for k in STATE.young):
        output = answer.parse(request, result)
        return answer.success(request, without_young(output))
    return result


def primary_ids(output):
    """The ids of what a create made: those of the first structure that has one."""
    own = [v for v in output.values() if isinstance(v, str) and IDENTITY.match(v)]
    inner = [primary_ids(i) for v in output.values() for i in (v if isinstance(v, list) else [v]) if isinstance(i, dict)]
    nested = next((i for i in inner if i), [])
    return (own or nested)[:1] if not nested or own else nested


def without_young(value):
    if isinstance(value, dict):
        return {k: without_young(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_young(v) for v in value
                if not (isinstance(v, dict) and any(isinstance(i, str) and STATE.is_young(i) for i in v.values()))]
    return value


# ---- pages


@functools.lru_cache(maxsize=None)
def pages_of(service, operation):
    try:
        return SESSION.get_paginator_model(MODEL_NAMES.get(service, service)).get_paginator(operation)
    except Exception:
        return None


def paged(request):
    """Answers in pages of page_size, whatever the caller asked for, as AWS may."""
    model = pages_of(request.service, request.operation)
    if not model or isinstance(model["input_token"], list) or any(k.endswith("Ids") for k in request.params):
        return once(request)
    given = request.params.pop(model["input_token"], None)
    start = 0
    if given is not None:
        match = re.fullmatch(r"page-(\d+)", base64.b64decode(given + "==").decode(errors="replace"))
        if not match:
            raise Refused("InvalidNextToken", "The specified token is not valid.")
        start = int(match[1])
    result = performed(request)
    if result[0] >= 300:
        return result
    output = answer.parse(request, result)
    end, more = start + STATE.settings["page_size"], False
    for key in model["result_key"] if isinstance(model["result_key"], list) else [model["result_key"]]:
        more = more or len(output.get(key, [])) > end
        output[key] = output.get(key, [])[start:end]
    output.pop(model["output_token"], None)
    if more:
        output[model["output_token"]] = base64.b64encode(f"page-{end}".encode()).decode().rstrip("=")
    if model.get("more_results"):
        output[model["more_results"]] = more
    return answer.success(request, output)


# ---- moto


def moto(request):
    body = without_token(request) if STATE.settings["page_size"] else request.body
    environ = {
        "REQUEST_METHOD": request.method, "PATH_INFO": unquoted(request.path), "QUERY_STRING": request.query, "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "RAW_URI": request.path + (f"?{request.query}" if request.query else ""),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": request.headers.get("content-type", ""), "REMOTE_ADDR": "127.0.0.1",
    }
    for name, value in request.headers.items():
        environ.setdefault("HTTP_" + name.upper().replace("-", "_"), value)
    environ["HTTP_CONTENT_LENGTH"] = str(len(body))
    given = {}

    def start_response(status, headers, exc_info=None):
        given["status"], given["headers"] = int(status.split()[0]), {k.lower(): v for k, v in headers}

    body = b"".join(APP(environ, start_response))
    return given["status"], given["headers"], body


def unquoted(path):
    """WSGI wants the decoded path, its bytes as Latin-1."""
    return urllib.parse.unquote_to_bytes(path).decode("latin-1")


def without_token(request):
    """Our own page tokens mean nothing to moto."""
    model = pages_of(request.service, request.operation)
    if not model or isinstance(model["input_token"], list):
        return request.body
    if request.protocol in ("ec2", "query"):
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True)
        return urllib.parse.urlencode([(k, v) for k, v in pairs if k != model["input_token"]]).encode()
    if request.protocol == "json":
        value = json.loads(request.body or b"{}")
        value.pop(model["input_token"], None)
        return json.dumps(value).encode()
    return request.body
