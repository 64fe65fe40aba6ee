"""Compute Engine's core: every collection of the document can be made, read, listed, changed and removed, by operations that take time, with
fingerprints, references between objects, and requestId. What an object needs beyond that is registered by the files of its kind:
@filled("networks") f(request, thing) checks and completes what is being made; @removed("networks") f(thing) before it goes."""
import base64
import datetime
import hashlib
import json
import random
import re
import secrets
import time
import unicodedata
import uuid

from tests.sim.gcp import catalog, filters, quotas
from tests.sim.gcp.catalog import LINK
from tests.sim.gcp.errors import HTTP_MESSAGE, GoogleError, OperationError, invalid_field, not_found
from tests.sim.gcp.state import OWN, STATE, Thing

URL = re.compile(r"(?:https?://[^/\s]+/(?:compute/)?(?:v1|beta|alpha)/)?"
                 r"((?:projects/[^/\s]+/)?(?:global|(?:zones|regions)/[^/\s]+)/[A-Za-z]+/(?:family/)?[^/\s]+|projects/[^/\s]+/(?:zones|regions)/[^/\s]+)")
# Their text is never a reference.
NO_LINKS = {"metadata", "description", "labels", "name", "selfLink", "kind", "zone", "region", "items"}
# What is named here points at something without keeping it from being removed.
LOOSE = {"users", "subnetworks", "peerings", "sourceDisk", "sourceImage", "sourceSnapshot", "sourceInstantSnapshot", "licenses", "region", "zone",
         "replicaZones", "machineType", "type", "diskType", "acceleratorType"}
KINDS = {"networks": "network", "subnetworks": "subnetwork", "disks": "disk", "addresses": "address", "routers": "router", "instances": "instance"}
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
FILLED, REMOVED, SECONDS = {}, {}, {}


def filled(*collections):
    return _register(FILLED, collections)


def removed(*collections):
    return _register(REMOVED, collections)


def _register(table, names):
    def register(function):
        for name in names:
            table[name] = function
        return function
    return register


def stamp():
    """The cloud's time as Compute Engine writes it."""
    zone = datetime.timezone(datetime.timedelta(hours=-7))
    return datetime.datetime.fromtimestamp(STATE.now(), zone).isoformat(timespec="milliseconds")


def new_id():
    return str(random.randrange(10 ** 17, 9 * 10 ** 18))


def fingerprint(value):
    if value in ({}, None, []):
        return "42WmSpB8rSM="
    return base64.b64encode(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:8]).decode()


# --- names and references ---


def scope_of(request):
    """ "projects/p/zones/z", "projects/p/regions/r" or "projects/p/global"."""
    project = f"projects/{request.project.id}"
    if "zone" in request.path_values and request.method.collection != "zones":
        return f"{project}/zones/{known_zone(request, request.path_values['zone'])}"
    if "region" in request.path_values and request.method.collection != "regions":
        return f"{project}/regions/{known_region(request.path_values['region'])}"
    return project if request.method.collection in ("zones", "regions") else f"{project}/global"


def known_zone(_, zone):
    if zone not in catalog.zones():
        raise invalid_field("zone", zone, "Unknown zone.")
    return zone


def known_region(region):
    if region not in catalog.REGIONS:
        raise invalid_field("region", region, "Unknown region.")
    return region


def item_path(request):
    """Of the object that the request's path names."""
    scope_of(request)
    values = {**request.path_values, "project": request.project.id}
    template = re.match(r".*\{[^}]+\}", request.method.path)[0]
    path = re.sub(r"\{\+?([^}]+)\}", lambda m: values[m[1]], template)
    if path.rsplit("/", 1)[1].isdigit():  # by its id
        found = next((t for t in STATE.of("compute", prefix=path.rsplit("/", 1)[0] + "/") if t.body["id"] == path.rsplit("/", 1)[1]), None)
        return found.name if found else path
    return path


def absolute(request, text):
    """The path that a full or partial URL names, or None: it is no URL."""
    match = URL.fullmatch(text)
    if not match:
        return None
    path = match[1] if match[1].startswith("projects/") else f"projects/{request.project.id}/{match[1]}"
    parts = path.split("/")
    known = STATE.project(parts[1])
    return "/".join(["projects", known.id if known else parts[1], *parts[2:]])


def find(path):
    """The body of what is at a path: made, or Google's."""
    thing = STATE.thing("compute", path)
    return thing.body if thing else catalog.find(path)


def thing_at(path):
    thing = STATE.thing("compute", path)
    if thing is None:
        raise not_found(path)
    return thing


def wanted(request):
    return thing_at(item_path(request))


def linked(request, field, text, collection=None, must=True):
    """The path behind a URL of a request; what it names has to be there and ready."""
    path = absolute(request, text) if isinstance(text, str) else None
    if path is None or (collection and f"/{collection}/" not in path):
        raise invalid_field(field, text, "The URL is malformed." if path is None else "The referenced resource has another type.")
    if must:
        thing = STATE.thing("compute", path)
        if thing is None and catalog.find(path) is None:
            raise not_found(path)
        if thing is not None:
            ready(thing)
    return path


def ready(thing):
    if thing.operation is not None:
        raise GoogleError(400, f"The resource '{thing.name}' is not ready", "resourceNotReady")
    return thing


def full_links(request, value, key=""):
    """A body with its URLs as Compute Engine shows them."""
    if key in NO_LINKS:
        return value
    if isinstance(value, dict):
        return {k: full_links(request, v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [full_links(request, v, key) for v in value]
    path = absolute(request, value) if isinstance(value, str) else None
    return LINK + path if path else value


def links(value, key=""):
    """What a body points at and keeps: paths."""
    if key in NO_LINKS:
        return
    if isinstance(value, dict):
        for k, v in value.items():
            yield from links(v, k)
        if isinstance(value.get("name"), str) and value["name"].startswith(LINK):  # a NAT's subnetworks
            yield value["name"][len(LINK):]
    elif isinstance(value, list):
        for v in value:
            yield from links(v, key)
    elif isinstance(value, str) and value.startswith(LINK) and key not in LOOSE:
        yield value[len(LINK):]


OTHER_USERS = []  # f(path): names of what other services keep there


def users_of(path):
    found = [t.name for t in STATE.of("compute") if t.name != path and not t.data.get("automatic") and path in set(links(t.body))]
    return found + [user for others in OTHER_USERS for user in others(path)]


def check_unused(thing):
    user = next(iter(users_of(thing.name)), None)
    if user:
        kind = KINDS.get(thing.collection, thing.collection)
        raise GoogleError(400, f"The {kind} resource '{thing.name}' is already being used by '{user}'", "resourceInUseByAnotherResource")


# --- operations ---


class Operation:
    def __init__(self, request, kind, target, scope, seconds):
        self.began, self.seconds, self.done, self.error = time.time(), seconds, False, None
        self.scope, self.service, self.wake = scope, "compute", None
        millis = int(self.began * 1000)
        self.name = f"operation-{millis}-{secrets.token_hex(7)[:13]}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
        now = stamp()
        self.body = {"kind": "compute#operation", "id": new_id(), "name": self.name, "operationType": kind, "user": request.identity or "anonymous",
                     "insertTime": now, "selfLink": f"{LINK}{scope}/operations/{self.name}", "targetLink": LINK + target[0], "targetId": target[1]}
        place = scope.split("/")
        if place[2] != "global":
            self.body[place[2][:-1]] = LINK + scope
        if request.params.get("requestId"):
            self.body["clientOperationId"] = request.params["requestId"]

    def view(self):
        body = dict(self.body)
        past = time.time() - self.began
        if self.done:
            body.update(status="DONE", progress=100, startTime=body["insertTime"], endTime=self.ended)
            if self.error:
                error = {"code": self.error.code, "message": self.error.message}
                if self.error.details:
                    error["errorDetails"] = self.error.details
                body.update(error={"errors": [error]}, httpErrorStatusCode=self.error.http,
                            httpErrorMessage=HTTP_MESSAGE.get(self.error.http, "BAD REQUEST"))
        elif past < self.seconds / 4 or self.seconds < 0:
            body.update(status="PENDING" if self.seconds >= 0 else "RUNNING", progress=0)
        else:
            body.update(status="RUNNING", progress=min(99, int(100 * past / self.seconds)), startTime=body["insertTime"])
        return body

    def finish(self, error=None):
        self.done, self.error, self.ended = True, error, stamp()


def operate(request, kind, target, effect, failed=None, scope=None):
    """Starts an operation on target (path, id). effect() has the effect when it ends and may raise OperationError; failed() takes back."""
    seconds = STATE.settle.get(request.method.id, SECONDS.get(request.method.id, STATE.settings["operation_s"]))
    planned = next((r for r in request.rules if "operation_ms" in r or "operation_error" in r), {})
    if "operation_ms" in planned:
        seconds = planned["operation_ms"] / 1000 if planned["operation_ms"] >= 0 else -1
    scope = scope or "/".join(target[0].split("/")[:4] if target[0].split("/")[2] in ("zones", "regions") else [*target[0].split("/")[:2], "global"])
    operation = Operation(request, kind, target, scope, seconds)
    STATE.operations["compute", f"{scope}/operations/{operation.name}"] = operation

    def end():
        try:
            if "operation_error" in planned:
                given = planned["operation_error"]
                raise OperationError(given["code"], given.get("message", "simulated"), given.get("status", 400), given.get("details"))
            effect()
            operation.finish()
        except OperationError as error:
            if failed:
                failed()
            operation.finish(error)
        except GoogleError as error:
            if failed:
                failed()
            code = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", error.reason).upper()
            operation.finish(OperationError(code, error.message, error.code))
    operation.end = end
    if seconds == 0:
        end()
    elif seconds > 0:
        STATE.at(seconds, lambda: operation.done or end())
    return operation


def repeated(request):
    """The answer that the same requestId had, or None."""
    given = request.params.get("requestId")
    if given is None:
        return None
    try:
        valid = uuid.UUID(given).int != 0
    except ValueError:
        valid = False
    if not valid:
        raise invalid_field("requestId", given, "Must be a valid UUID other than zero.")
    return STATE.requests.get((given, request.method.id, request.path))


def remember(request, operation):
    if request.params.get("requestId"):
        STATE.requests[request.params["requestId"], request.method.id, request.path] = operation


def answer(request):
    """Compute Engine's answer to a request."""
    if request.project is None:  # of an organization
        return None
    before = repeated(request)
    if before is not None:
        return before.view()
    handler = OWN.get(request.method.id) or VERBS.get(request.method.verb)
    if handler is None or handler in (get, delete, patch, update) and not request.method.path.endswith("}"):
        return None
    result = handler(request)
    if isinstance(result, Operation):
        remember(request, result)
        return result.view()
    return result


# --- what every collection has ---


def schema_of(request):
    return request.method.schema(request.method.request)["properties"]


def label_valid(key, value):
    """What Secret Manager's discovery document says of Secret.labels, in words: lowercase letters and letters without case (Ll, Lo), digits, _ and -,
    at most 63 characters and 128 bytes; a key starts with a letter."""
    letter = lambda c: unicodedata.category(c) in ("Ll", "Lo")
    fits = lambda text: len(text) <= 63 and len(text.encode()) <= 128 and all(letter(c) or unicodedata.category(c)[0] == "N" or c in "_-" for c in text)
    return key != "" and letter(key[0]) and fits(key) and fits(value)


def labels_valid(labels, field="resource.labels"):
    if len(labels or {}) > 64:
        raise invalid_field(field, len(labels), "At most 64 labels.")
    for key, value in (labels or {}).items():
        if not label_valid(key, value):
            raise invalid_field(field, f"{key}={value}", "Label keys and values have at most 63 lowercase letters, digits, '_' and '-'.")


def basics(request, thing, properties):
    """What every object has when it is made."""
    body = thing.body
    body.update(id=new_id(), creationTimestamp=stamp(), selfLink=LINK + thing.name)
    kind = properties.get("kind", {}).get("default") or f"compute#{thing.collection.rstrip('s')}"
    body["kind"] = kind
    place = thing.name.split("/")
    if place[2] in ("zones", "regions") and place[2][:-1] in properties:
        body[place[2][:-1]] = LINK + "/".join(place[:4])
    labels_valid(body.get("labels"))
    if "labelFingerprint" in properties:
        body["labelFingerprint"] = fingerprint(body.get("labels"))


def print_again(thing, properties):
    """A fingerprint of what can be changed."""
    if "fingerprint" in properties:
        thing.body["fingerprint"] = fingerprint({k: v for k, v in thing.body.items() if k not in ("fingerprint", "status", "id")})


def insert(request):
    collection = request.method.collection
    properties = schema_of(request)
    body = {k: v for k, v in full_links(request, request.body or {}).items() if v is not None and k != "params"}
    name = body.get("name", "")
    if "name" in properties and not NAME.fullmatch(name):
        raise invalid_field("resource.name", name, "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'")
    path = f"{scope_of(request)}/{request.method.path.rsplit('/', 1)[1]}/{name}"
    if STATE.thing("compute", path):
        raise GoogleError(409, f"The resource '{path}' already exists", "alreadyExists")
    thing = Thing("compute", path, collection, body, request.project.id)
    basics(request, thing, properties)
    for target in set(links(body)):
        referred(target)
    if collection in FILLED:
        FILLED[collection](request, thing)
    print_again(thing, properties)
    return made(request, thing)


def referred(path):
    """A body may point only at what is there and ready."""
    collection = path.split("/")[-2]
    thing = STATE.thing("compute", path)
    if thing is not None:
        ready(thing)
    elif catalog.find(path) is None and (collection in catalog.COLLECTIONS or any(f"compute.{collection}.insert" == m for m in _inserts())):
        raise not_found(path)


def _inserts():
    from tests.sim.gcp.model import document
    return document("compute", "v1").by_id


def made(request, thing, effect=None, failed=None):
    """Adds a thing that an operation makes; quota is looked at when the operation ends."""
    STATE.add(thing)
    thing.data["properties"] = schema_of(request)

    def end():
        over(thing)
        if "settle" in thing.data:
            thing.data.pop("settle")()
        if effect:
            effect()
        thing.operation = None

    def back():
        STATE.remove(thing)
        if "undo" in thing.data:
            thing.data.pop("undo")()
        if failed:
            failed()
    thing.operation = operation = operate(request, "insert", (thing.name, thing.body["id"]), end, back)
    if operation.done:
        thing.operation = None
    return operation


def over(thing):
    """Raises if a thing that is there already is more than the quota."""
    wants = quotas.of_thing(thing)
    quotas.check(thing.project, wants, wants)


def get(request):
    found = find(item_path(request))
    if found is None:
        raise not_found(item_path(request))
    return found


def delete(request):
    thing = ready(wanted(request))
    check_unused(thing)
    before = thing.body.get("status")
    if thing.collection in REMOVED:
        REMOVED[thing.collection](thing)

    def effect():
        check_unused(thing)
        if "gone" in thing.data:
            thing.data.pop("gone")()
        STATE.remove(thing)

    def failed():
        thing.operation = None
        if before:
            thing.body["status"] = before
    thing.operation = operation = operate(request, "delete", (thing.name, thing.body["id"]), effect, failed)
    return operation


def merged(old, new):
    """JSON merge patch: null takes away."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    result = {k: v for k, v in old.items() if k not in new}
    for key, value in new.items():
        if value is not None:
            result[key] = merged(old.get(key), value)
    return result


def check_fingerprint(given, current, what, always=True):
    if given != current and (given or always):
        raise GoogleError(412, f"Supplied fingerprint does not match current {what} fingerprint.", "conditionNotMet")


def patch(request):
    return change(request, lambda thing, body: merged(thing.body, body))


def update(request):
    def replaced(thing, body):
        kept = {k: v for k, v in thing.body.items() if k in ("id", "kind", "name", "selfLink", "creationTimestamp", "zone", "region", "status")}
        return {**body, **kept}
    return change(request, replaced)


def change(request, combine):
    thing = ready(wanted(request))
    properties = schema_of(request)
    body = full_links(request, request.body or {})
    if "fingerprint" in properties:
        text = " ".join(properties["fingerprint"].get("description", "").split())
        must = "fingerprint must be provided in order" in text
        check_fingerprint(body.get("fingerprint"), thing.body.get("fingerprint"), "resource", must)
    if body.get("name") not in (None, thing.body["name"]):
        raise invalid_field("resource.name", body["name"], "The name of a resource cannot be changed.")
    candidate = Thing("compute", thing.name, thing.collection, combine(thing, body), thing.project)
    candidate.data, candidate.old = dict(thing.data), thing.body
    for target in set(links(candidate.body)) - set(links(thing.body)):
        referred(target)
    if thing.collection in FILLED:
        FILLED[thing.collection](request, candidate)
    print_again(candidate, properties)

    def effect():
        thing.body = candidate.body
        if "settle" in candidate.data:
            candidate.data.pop("settle")()
        thing.data.update(candidate.data)
        thing.operation = None

    def failed():
        thing.operation = None
    thing.operation = operation = on(request, thing, effect, failed)
    if operation.done:
        thing.operation = None
    return operation


def on(request, thing, effect, failed=None, kind=None):
    """An operation on something that stays usable meanwhile."""
    return operate(request, kind or request.method.verb, (thing.name, thing.body["id"]), effect, failed)


def set_labels(request):
    thing = ready(wanted(request))
    body = request.body or {}
    if body.get("labelFingerprint") != thing.body.get("labelFingerprint"):
        raise GoogleError(412, "Labels fingerprint either invalid or resource labels have changed", "conditionNotMet")
    labels_valid(body.get("labels"), "labels")

    def effect():
        thing.body["labels"] = body.get("labels") or {}
        if not thing.body["labels"]:
            del thing.body["labels"]
        thing.body["labelFingerprint"] = fingerprint(thing.body.get("labels"))
    return on(request, thing, effect)


# --- lists ---


def members(request, project=None, scope=None):
    collection = request.method.collection
    tail = f"/{request.method.path.rsplit('/', 1)[1]}/"
    project = project or request.project.id
    own = [t.body for t in STATE.of("compute", collection) if t.name.startswith(f"{scope}{tail}")]
    if collection in catalog.COLLECTIONS:
        own += catalog.everything(project, collection, "/".join(scope.split("/")[2:]))
    return own


def page(request, items):
    """(one page of items, the token of the next or None)."""
    items = filters.filtered(items, request.params.get("filter"))
    order = request.params.get("orderBy")
    if order not in (None, "name", "creationTimestamp desc"):
        raise invalid_field("orderBy", order, "Must be name or creationTimestamp desc.")
    newest = order == "creationTimestamp desc"
    items = sorted(items, key=lambda b: b.get("creationTimestamp" if newest else "name", ""), reverse=newest)
    size = request.params.get("maxResults", 500)
    if not 0 <= size <= 500:
        raise invalid_field("maxResults", size, "Must be between 0 and 500.")
    size = min(size or 500, STATE.settings["page_size"] or 500)
    start = filters.page_start(request.params.get("pageToken"))
    token = filters.page_token(start + size) if start + size < len(items) else None
    return items[start:start + size], token


def list_all(request):
    scope = scope_of(request)
    items, token = page(request, members(request, scope=scope))
    properties = request.method.schema(request.method.response)["properties"]
    body = {"kind": properties.get("kind", {}).get("default"), "id": f"{scope}/{request.method.collection}",
            "selfLink": f"{LINK}{scope}/{request.method.collection}"}
    body = {k: v for k, v in body.items() if k in properties and v}
    if items:
        body["items"] = items
    if token:
        body["nextPageToken"] = token
    return body


def aggregated_list(request):
    project, collection = request.project.id, request.method.collection
    schema = request.method.schema(request.method.response)
    inner = request.method.schema(schema["properties"]["items"]["additionalProperties"]["$ref"])["properties"]
    field = next(n for n, p in inner.items() if p.get("type") == "array")
    places = [f"zones/{z}" for z in catalog.zones()] + [f"regions/{r}" for r in catalog.REGIONS] + ["global"]
    entries = []
    for place in places:
        entries += [(place, body) for body in members(request, project, f"projects/{project}/{place}")]
    page_of, token = page(request, [body for _, body in entries])
    items, shown = {}, {id(body) for body in page_of}
    for place, body in entries:
        if id(body) in shown:
            items.setdefault(place, {}).setdefault(field, []).append(body)
    for place in places:
        if place not in items and not request.params.get("returnPartialSuccess"):
            items[place] = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": f"There are no results for scope '{place}' on this page.",
                                        "data": [{"key": "scope", "value": place}]}}
    answer_body = {"kind": schema["properties"].get("kind", {}).get("default"), "id": f"projects/{project}/aggregated/{collection}", "items": items,
                   "selfLink": f"{LINK}projects/{project}/aggregated/{collection}"}
    if token:
        answer_body["nextPageToken"] = token
    return answer_body


VERBS = {"insert": insert, "get": get, "delete": delete, "patch": patch, "update": update, "setLabels": set_labels, "list": list_all,
         "aggregatedList": aggregated_list}
