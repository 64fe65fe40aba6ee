"""Secret Manager: secrets with their replication and version aliases, versions, access."""
import base64
import re

from tests.sim.gcp import aip, compute, filters
from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.state import STATE, Thing, own

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
BOTH = ("secretmanager.projects.secrets", "secretmanager.projects.locations.secrets")
PAYLOAD = 65536


def numbered(name):
    """Secret Manager names projects by their number."""
    parts = name.split("/")
    return "/".join([parts[0], STATE.project(parts[1]).number, *parts[2:]])


def missing(name):
    kind = "Secret Version" if "/versions/" in name else "Secret"
    return GoogleError(404, f"{kind} [{numbered(name)}] not found.", status="NOT_FOUND")


def wanted(request, parameter="name"):
    name = aip.canonical(request, request.path_values.get(parameter) or next(iter(request.path_values.values())))
    thing = STATE.thing("secretmanager", name)
    if thing is None:
        raise missing(name)
    return thing


def check_labels(body):
    for key, value in (body.get("labels") or {}).items():
        if not compute.label_valid(key, value):
            raise GoogleError(400, f"Label {key}={value} is not valid.")


def no_own_name(request, name):
    if STATE.thing("secretmanager", name):
        raise GoogleError(409, f"Secret [{numbered(name)}] already exists.", status="ALREADY_EXISTS")


@own(*(f"{b}.create" for b in BOTH))
def create(request):
    body, secret_id = {k: v for k, v in (request.body or {}).items() if v is not None}, request.params.get("secretId", "")
    parent = aip.key_of(request, "parent")
    if not NAME.fullmatch(secret_id):
        raise GoogleError(400, f"The provided Secret ID [{secret_id}] does not match the expected format [[a-zA-Z_0-9]+]")
    replication = body.get("replication")
    if "/locations/" not in parent and not replication:
        raise GoogleError(400, "secret.replication: must be set.")
    if replication is not None and len(replication) != 1:
        raise GoogleError(400, "secret.replication: exactly one of automatic and userManaged must be set.")
    if "userManaged" in (replication or {}) and not replication["userManaged"].get("replicas"):
        raise GoogleError(400, "secret.replication.user_managed.replicas: must not be empty.")
    if "ttl" in body and "expireTime" in body:
        raise GoogleError(400, "Only one of ttl and expire_time may be set.")
    check_labels(body)
    name = f"{parent}/secrets/{secret_id}"
    no_own_name(request, name)
    if body.pop("ttl", None):
        body["expireTime"] = aip.timestamp()
    thing = Thing("secretmanager", name, "secrets", {**body, "name": numbered(name), "createTime": aip.timestamp(), "etag": aip.etag()}, request.project.id)
    return STATE.add(thing).body


@own(*(f"{b}.get" for b in BOTH), *(f"{b}.versions.get" for b in BOTH))
def get(request):
    if "/versions/" in request.path_values["name"]:
        return version(request).body
    return wanted(request).body


@own(*(f"{b}.list" for b in BOTH))
def list_secrets(request):
    prefix = aip.key_of(request, "parent") + "/secrets/"
    found = [t.body for t in STATE.of("secretmanager", "secrets", prefix)]
    found = filters.filtered(found, request.params.get("filter"))
    return {**aip.page(request, found, "secrets"), "totalSize": len(found)}


@own(*(f"{b}.patch" for b in BOTH))
def patch(request):
    thing, body = wanted(request), request.body or {}
    if not request.params.get("updateMask"):
        raise GoogleError(400, "Request contains an invalid argument: update_mask must be set.")
    if body.get("etag") and body["etag"] != thing.body["etag"]:
        raise conflict(thing.body["etag"], body["etag"])
    for name in request.params["updateMask"].split(","):
        if aip.snake_to_camel(name.split(".")[0]) in ("replication", "name", "createTime", "etag"):
            raise GoogleError(400, f"Cannot update field [{name}].")
    check_labels(body)
    fields = request.method.schema("Secret")["properties"]
    thing.body = {**aip.masked(request, thing.body, body, request.params["updateMask"], fields), "etag": aip.etag()}
    return thing.body


def conflict(current, given):
    return GoogleError(400, f"The etag provided [{given}] does not match the current etag [{current}].", status="FAILED_PRECONDITION")


@own(*(f"{b}.delete" for b in BOTH))
def delete(request):
    thing = wanted(request)
    given = request.params.get("etag")
    if given and given != thing.body["etag"]:
        raise conflict(thing.body["etag"], given)
    for other in STATE.of("secretmanager", "versions", f"{thing.name}/versions/"):
        STATE.remove(other)
    STATE.remove(thing)
    return {}


@own(*(f"{b}.addVersion" for b in BOTH))
def add_version(request):
    thing = wanted(request, "parent")
    payload = (request.body or {}).get("payload") or {}
    data = base64.b64decode(payload.get("data", "").replace("-", "+").replace("_", "/") + "==")
    if not data:
        raise GoogleError(400, "Secret Payload cannot be empty.")
    if len(data) > PAYLOAD:
        raise GoogleError(400, f"The size of the secret payload [{len(data)}] exceeds the maximum [{PAYLOAD}].")
    if payload.get("dataCrc32c") and int(payload["dataCrc32c"]) != crc32c(data):
        raise GoogleError(400, "Request contains an invalid argument: payload.data_crc32c does not match the payload.")
    thing.data["last"] = number = thing.data.get("last", 0) + 1
    name = f"{thing.name}/versions/{number}"
    replication = {k: {} if k == "automatic" else {"replicas": [{"location": r["location"]} for r in v["replicas"]]}
                   for k, v in (thing.body.get("replication") or {}).items()}
    body = {"name": numbered(name), "createTime": aip.timestamp(), "state": "ENABLED", "etag": aip.etag(), "replicationStatus": replication,
            "clientSpecifiedPayloadChecksum": bool(payload.get("dataCrc32c"))}
    made = STATE.add(Thing("secretmanager", name, "versions", body, thing.project))
    made.data["payload"] = data
    return body


def version(request):
    name = aip.canonical(request, request.path_values["name"])
    secret_name, _, which = name.rpartition("/versions/")
    secret = STATE.thing("secretmanager", secret_name)
    if secret is None:
        raise missing(secret_name)
    if which == "latest":
        thing = next(reversed(STATE.of("secretmanager", "versions", f"{secret_name}/versions/")), None)
    else:
        which = (secret.body.get("versionAliases") or {}).get(which, which)
        thing = STATE.thing("secretmanager", f"{secret_name}/versions/{which}")
    if thing is None:
        raise missing(name)
    return thing


@own(*(f"{b}.versions.list" for b in BOTH))
def list_versions(request):
    secret = wanted(request, "parent")
    found = [t.body for t in reversed(STATE.of("secretmanager", "versions", f"{secret.name}/versions/"))]
    found = filters.filtered(found, request.params.get("filter"))
    return {**aip.page(request, found, "versions"), "totalSize": len(found)}


@own(*(f"{b}.versions.access" for b in BOTH))
def access(request):
    thing = version(request)
    if thing.body["state"] != "ENABLED":
        raise GoogleError(400, f"Secret Version [{thing.body['name']}] is in {thing.body['state']} state.", status="FAILED_PRECONDITION")
    data = thing.data["payload"]
    return {"name": thing.body["name"], "payload": {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))}}


def turn(request, state):
    thing, given = version(request), (request.body or {}).get("etag")
    if given and given != thing.body["etag"]:
        raise conflict(thing.body["etag"], given)
    if thing.body["state"] == "DESTROYED" and state != "DESTROYED":
        raise GoogleError(400, f"Secret Version [{thing.body['name']}] is in DESTROYED state.", status="FAILED_PRECONDITION")
    thing.body.update(state=state, etag=aip.etag())
    if state == "DESTROYED":
        thing.body["destroyTime"] = aip.timestamp()
        thing.data["payload"] = b""
    return thing.body


@own(*(f"{b}.versions.enable" for b in BOTH))
def enable(request):
    return turn(request, "ENABLED")


@own(*(f"{b}.versions.disable" for b in BOTH))
def disable(request):
    return turn(request, "DISABLED")


@own(*(f"{b}.versions.destroy" for b in BOTH))
def destroy(request):
    return turn(request, "DESTROYED")


def crc32c(data):
    """Castagnoli's, as Secret Manager's checksums are."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF

