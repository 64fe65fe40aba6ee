"""The core of all services but Compute Engine and Cloud Storage: what "Standard methods" of the API design guide says, driven by the document.
A service's file registers with @own what is particular; the rest is create, get, list, patch and delete as the document has them."""
import base64
import datetime
import re
import secrets
import time
import uuid

from tests.sim.gcp import catalog, filters, policy
from tests.sim.gcp.errors import GoogleError, OperationError, error_info
from tests.sim.gcp.state import OWN, STATE, Thing, own

MADE, GONE = {}, {}  # method id -> f(request, thing): completes what a create makes, or looks before a delete


def made(*methods):
    return _register(MADE, methods)


def gone(*methods):
    return _register(GONE, methods)


def _register(table, names):
    def register(function):
        for name in names:
            table[name] = function
        return function
    return register


def timestamp():
    return datetime.datetime.fromtimestamp(STATE.now(), datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def etag(definition=None):
    """A new one, in the form that the schema's field has."""
    return base64.b64encode(secrets.token_bytes(8)).decode() if (definition or {}).get("format") == "byte" else f'"{secrets.token_hex(7)}"'


def answer(request):
    handler = OWN.get(request.method.id) or OWN.get(f"{request.method.service}.*.{request.method.verb}")
    if handler is None:
        standard = VERBS.get(request.method.verb)
        handler = standard if standard and fits(request.method) else None
    return handler(request) if handler else None


def fits(method):
    """Whether a method has the form of the standard one."""
    if method.verb == "create":
        return method.http == "POST" and "{+parent}" in method.path and (method.long or made_schema(method) == method.response)
    if method.verb == "list" and items_field(method) is None:
        return False
    shows = method.response not in ("Empty", None) and not method.long
    if method.verb in ("patch", "delete", "get") and shows and "name" not in method.schema(method.response)["properties"]:
        return False
    if method.verb in ("getIamPolicy", "setIamPolicy", "testIamPermissions"):
        return "{+resource}" in method.path
    return method.path.endswith("{+name}") or method.verb == "list" and "{+" in method.path


def canonical(request, name):
    """A name with its project's id."""
    parts = name.split("/")
    if parts[0] == "projects" and len(parts) > 1 and STATE.project(parts[1]):
        parts[1] = STATE.project(parts[1]).id
    return "/".join(parts)


def missing(name):
    return GoogleError(404, f"Resource '{name}' was not found.", status="NOT_FOUND")


def key_of(request, parameter="name"):
    return canonical(request, request.path_values.get(parameter) or request.path_values.get("name") or next(iter(request.path_values.values())))


def wanted(request, parameter="name"):
    key = key_of(request, parameter)
    thing = STATE.thing(request.method.service, key)
    if thing is None or thing.data.get("deleted"):
        raise missing(key)
    return thing


def schema(request):
    return request.method.schema(made_schema(request.method))["properties"]


def collection_of(request):
    return request.method.path.rsplit("/", 1)[1]


def chosen_id(request):
    """What the caller calls the new thing: a parameter such as secretId, or the body's name; else a number is given."""
    for name, definition in request.method.own_parameters.items():
        if name.endswith("Id") and definition.get("location") == "query" and name in request.params and name != "requestId":
            return request.params[name]
    inner = wrapper(request.method)
    for name in ([f"{inner}Id"] if inner else []):
        if (request.body or {}).get(name):
            return request.body[name]
    name = (request.body or {}).get("name") or (request.body or {}).get("id")
    return name.rsplit("/", 1)[-1] if name else str(secrets.randbelow(10 ** 19 - 10 ** 18) + 10 ** 18)


def wrapper(method):
    """The field of a Create…Request that holds the new thing, or None: the body itself is the thing."""
    match = re.fullmatch(r"(?:.*V\d+)?Create(\w+)Request", method.request or "")
    if not match:
        return None
    properties = method.schema(method.request)["properties"]
    return next((n for n, p in properties.items() if "$ref" in p and n.lower() == match[1].lower()), None)


def made_schema(method):
    """The schema of what a create makes."""
    inner = wrapper(method)
    return method.schema(method.request)["properties"][inner]["$ref"] if inner else method.request


def items_field(method):
    properties = method.schema(method.response)["properties"] if method.response else {}
    return next((n for n, p in properties.items() if p.get("type") == "array" and "$ref" in p.get("items", {})), None)


def create(request):
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    body = dict(body.get(wrapper(request.method)) or {}) if wrapper(request.method) else body
    parent = key_of(request, "parent")
    name = f"{parent}/{collection_of(request)}/{chosen_id(request)}"
    exists(request, name)
    return finish_create(request, Thing(request.method.service, name, collection_of(request), body, owner(request)))


def owner(request):
    """The project of what a request makes; None: an organization, a folder or a billing account has it."""
    return request.project.id if request.project else None


def exists(request, name):
    if STATE.thing(request.method.service, name):
        raise GoogleError(409, f"Resource '{name}' already exists.", status="ALREADY_EXISTS", details=[])


def finish_create(request, thing):
    fields, now = schema(request), timestamp()
    for field, value in (("name", thing.name), ("createTime", now), ("updateTime", now), ("uid", str(uuid.uuid4())),
                         ("etag", etag(fields.get("etag")))):
        if field in fields:
            thing.body[field] = value
    states = fields.get("state", {}).get("enum", [])
    for state in ("ACTIVE", "READY", "RUNNING", "ENABLED"):
        if state in states and "state" not in thing.body:
            thing.body["state"] = state
    if request.method.id in MADE:
        MADE[request.method.id](request, thing)
    STATE.young[thing.name] = time.time() + STATE.visible.get(request.method.id, 0)
    if request.method.long:
        final = thing.body.get("state")

        def effect():
            if final:
                thing.body["state"] = final
            thing.operation = None
            return thing.body
        thing.operation = True
        STATE.add(thing)
        for state in ("CREATING", "PROVISIONING"):
            if final and state in states:
                thing.body["state"] = state
        return operate(request, thing.name, effect, lambda: STATE.remove(thing))
    STATE.add(thing)
    return thing.body


def get(request):
    if request.method.collection == "locations":
        return location(request, *key_of(request).split("/")[1::2])
    return wanted(request).body


def location(request, project, region):
    if region != "global" and region not in catalog.REGIONS:
        raise missing(f"projects/{project}/locations/{region}")
    return {"name": f"projects/{project}/locations/{region}", "locationId": region}


def page_size(request):
    size = request.params.get("pageSize", 0)
    if size < 0:
        raise GoogleError(400, "page_size must not be negative.")
    return min(size or 100, STATE.settings["page_size"] or 1000)


def page(request, items, field, token_field="nextPageToken"):
    start, size = filters.page_start(request.params.get("pageToken")), page_size(request)
    body = {field: items[start:start + size]} if items[start:start + size] else {}
    if start + size < len(items):
        body[token_field] = filters.page_token(start + size)
    return body


def list_all(request):
    parent = next(canonical(request, v) for k, v in request.path_values.items())
    if request.method.collection == "locations" and parent.startswith("projects/"):
        return page(request, [location(request, parent.split("/")[1], r) for r in catalog.REGIONS], "locations")
    prefix = f"{parent}/{collection_of(request)}/"
    field = items_field(request.method)
    pattern = re.compile(re.escape(prefix).replace(r"/\-/", "/[^/]+/") + "[^/]+")
    found = [t.body for t in STATE.of(request.method.service) if pattern.fullmatch(t.name) and not t.data.get("deleted")]
    return page(request, filters.filtered(found, request.params.get("filter")), field)


def snake_to_camel(text):
    return re.sub(r"_([a-z])", lambda m: m[1].upper(), text)


def masked(request, old, new, mask, properties, whole=True):
    """old with the parts of new that an update mask names. No mask: what new has (whole: all of it)."""
    result = dict(old)
    names = [snake_to_camel(m) for m in (mask or "").split(",") if m]
    if names == ["*"] or not names and whole:
        names = [k for k in new]
    for name in names:
        first, _, rest = name.partition(".")
        if first not in properties:
            raise GoogleError(400, f"Invalid update mask: unknown field '{name}'.")
        if rest:
            inner = dict(result.get(first) or {})
            if rest in (new.get(first) or {}):
                inner[rest] = new[first][rest]
            else:
                inner.pop(rest, None)
            result[first] = inner
        elif new.get(first) is None:
            result.pop(first, None)
        else:
            result[first] = new[first]
    return result


def check_etag(request, thing, given):
    if given and given != thing.body.get("etag") and "etag" in thing.body:
        raise GoogleError(409, f"The etag '{given}' does not match '{thing.body['etag']}'.", status="ABORTED")


def patch(request):
    thing = wanted(request)
    body = request.body or {}
    check_etag(request, thing, body.get("etag"))
    fields = schema(request)
    kept = {k: thing.body[k] for k in ("name", "createTime", "uid", "state") if k in thing.body}
    new = {**masked(request, thing.body, body, request.params.get("updateMask"), fields), **kept}
    if "updateTime" in fields:
        new["updateTime"] = timestamp()
    if "etag" in fields:
        new["etag"] = etag(fields["etag"])

    def effect():
        thing.body = new
        return new
    return operate(request, thing.name, effect) if request.method.long else effect()


def delete(request):
    thing = wanted(request)
    check_etag(request, thing, request.params.get("etag"))
    if request.method.id in GONE:
        GONE[request.method.id](request, thing)

    def effect():
        STATE.remove(thing)
        for other in STATE.of(request.method.service, prefix=f"{thing.name}/"):
            STATE.remove(other)
        return {}
    if request.method.long:
        return operate(request, thing.name, effect)
    effect()
    return {} if request.method.response in ("Empty", None) else thing.body


# --- policies ---


def get_policy(request):
    body = request.body or {}
    version = request.params.get("options.requestedPolicyVersion") or (body.get("options") or {}).get("requestedPolicyVersion") or 1
    return policy.get(wanted(request, "resource"), version)


def set_policy(request):
    given = (request.body or {}).get("policy")
    if given is None:
        raise GoogleError(400, "Request contains an invalid argument: policy is required.")
    return policy.set(wanted(request, "resource"), given)


def test_permissions(request):
    wanted(request, "resource")
    return {"permissions": (request.body or {}).get("permissions", [])}


VERBS = {"create": create, "get": get, "list": list_all, "patch": patch, "delete": delete, "getIamPolicy": get_policy, "setIamPolicy": set_policy,
         "testIamPermissions": test_permissions}


# --- google.longrunning ---


class Operation:
    def __init__(self, name, metadata):
        self.name, self.metadata, self.done, self.error, self.response = name, metadata, False, None, None

    def view(self):
        body = {"name": self.name}
        if self.metadata:
            body["metadata"] = self.metadata
        if self.done:
            body["done"] = True
            if self.error:
                body["error"] = {k: v for k, v in zip(("code", "message", "details"), self.error) if v}
            else:
                body["response"] = self.response
        return body


def operate(request, target, effect, failed=None, name=None, metadata=None, response_type=None):
    """Starts a long-running operation; effect() returns the response."""
    service = request.method.service
    parts = target.split("/")
    parent = "/".join(parts[:4]) + "/" if parts[2:3] == ["locations"] else ""
    if service == "iam":
        parent = target + "/"
    name = name or f"{parent}operations/{secrets.token_hex(12)}"
    operation = Operation(name, metadata or {"@type": f"type.googleapis.com/google.{service}.{request.method.version}.OperationMetadata"})
    planned = next((r for r in request.rules if "operation_ms" in r or "operation_error" in r), {})
    seconds = STATE.settle.get(request.method.id, STATE.settings["operation_s"])
    if "operation_ms" in planned:
        seconds = planned["operation_ms"] / 1000

    def end():
        try:
            if "operation_error" in planned:
                given = planned["operation_error"]
                raise OperationError(given.get("code", 13), given.get("message", "simulated"), details=given.get("details"))
            value = effect()
            kind = response_type or f"type.googleapis.com/google.{service}.{request.method.version}.{request.method.response}"
            operation.response = {"@type": kind, **(value or {})}
        except (OperationError, GoogleError) as error:
            if failed:
                failed()
            operation.error = (error.code if isinstance(error.code, int) and error.code < 20 else 13, error.message, error.details)
        operation.done = True
    STATE.operations[service, name] = operation
    operation.end = end
    if seconds == 0:
        end()
    elif seconds > 0:
        STATE.at(seconds, lambda: operation.done or end())
    return operation.view()


def get_operation(request):
    name = canonical(request, request.path_values.get("name") or "")
    found = STATE.operations.get((request.method.service, name))
    if found is None:
        raise GoogleError(404, f"Operation '{name}' was not found.", status="NOT_FOUND", details=[error_info("RESOURCE_NOT_FOUND")])
    return found.view()


@own("serviceusage.operations.get", "cloudresourcemanager.operations.get")
def plain_operation(request):
    return get_operation(request)


def operation_method(method):
    """get of an operations collection, in any service."""
    return method.verb == "get" and method.collection == "operations"
