"""Cloud Storage's JSON API: buckets and objects, with generations, metagenerations and preconditions; uploads in one request."""
import base64
import binascii
import email
import hashlib
import json
import re
import urllib.parse

from tests.sim.gcp import aip, filters, policy
from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.secret_manager import crc32c
from tests.sim.gcp.state import STATE, Thing, own

BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
CONDITIONS = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch")


class Media:
    """An answer that is an object's bytes."""

    def __init__(self, kind, data, generation):
        self.kind, self.data, self.generation = kind, data, generation


def link(path):
    return f"https://www.googleapis.com/storage/v1/{path}"


def bucket(request):
    thing = STATE.thing("storage", f"b/{request.params.get('bucket', '')}")
    if thing is None:
        raise GoogleError(404, "The specified bucket does not exist.", "notFound")
    if request.method.collection == "buckets":
        conditions(request, thing)
    return thing


def conditions(request, thing):
    """ifGenerationMatch and its kin; a generation of 0 means: there is no such object."""
    body = thing.body if thing else {"generation": "0", "metageneration": "0"}
    for name in CONDITIONS:
        if name not in request.params:
            continue
        field = "metageneration" if "Meta" in name else "generation"
        same = str(body.get(field)) == str(request.params[name])
        if same == ("NotMatch" in name):
            raise GoogleError(412, "At least one of the pre-conditions you specified did not hold.", "conditionNotMet")


@own("storage.buckets.insert")
def make_bucket(request):
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    name = body.get("name", "")
    if not BUCKET.fullmatch(name):
        raise GoogleError(400, f"Invalid bucket name: '{name}'", "invalid")
    if STATE.thing("storage", f"b/{name}"):
        raise GoogleError(409, "Your previous request to create the named bucket succeeded and you already own it.", "conflict")
    project = STATE.project(request.params.get("project", ""))
    if project is None:
        raise GoogleError(400, f"Unknown project id: {request.params.get('project')}", "invalid")
    now = aip.timestamp()
    body.update(kind="storage#bucket", id=name, selfLink=link(f"b/{name}"), projectNumber=project.number, timeCreated=now, updated=now, metageneration="1",
                etag="CAE=", location=body.get("location", "US").upper(), storageClass=body.get("storageClass", "STANDARD"))
    body.setdefault("locationType", "multi-region" if body["location"] in ("US", "EU", "ASIA") else "region")
    body["iamConfiguration"] = {"bucketPolicyOnly": {"enabled": False}, "uniformBucketLevelAccess": {"enabled": False}, "publicAccessPrevention": "inherited",
                                **body.get("iamConfiguration", {})}
    return STATE.add(Thing("storage", f"b/{name}", "buckets", body, project.id)).body


@own("storage.buckets.get")
def get_bucket(request):
    return bucket(request).body


@own("storage.buckets.list")
def list_buckets(request):
    found = [t.body for t in STATE.of("storage", "buckets") if t.project == getattr(STATE.project(request.params["project"]), "id", None)]
    return {"kind": "storage#buckets", **items(request, [b for b in found if b["name"].startswith(request.params.get("prefix", ""))])}


def items(request, found):
    size, start = request.params.get("maxResults", 1000), filters.page_start(request.params.get("pageToken"))
    size = min(size, STATE.settings["page_size"] or size)
    body = {"items": found[start:start + size]} if found[start:start + size] else {}
    if start + size < len(found):
        body["nextPageToken"] = filters.page_token(start + size)
    return body


@own("storage.buckets.patch", "storage.buckets.update")
def patch_bucket(request):
    from tests.sim.gcp.compute import merged
    thing = bucket(request)
    given = {k: v for k, v in (request.body or {}).items() if k != "name"}
    thing.body = merged(thing.body, given)
    thing.body.update(updated=aip.timestamp(), metageneration=str(int(thing.body["metageneration"]) + 1))
    return thing.body


@own("storage.buckets.delete")
def delete_bucket(request):
    thing = bucket(request)
    if STATE.of("storage", "objects", f"{thing.name}/o/"):
        raise GoogleError(409, "The bucket you tried to delete is not empty.", "conflict")
    STATE.remove(thing)
    return {}


def storage_policy(thing, found):
    return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{thing.body['name']}", **found}


@own("storage.buckets.getIamPolicy")
def get_policy(request):
    thing = bucket(request)
    return storage_policy(thing, policy.get(thing, request.params.get("optionsRequestedPolicyVersion", 1)))


@own("storage.buckets.setIamPolicy")
def set_policy(request):
    thing = bucket(request)
    return storage_policy(thing, policy.set(thing, request.body or {}))


# --- objects ---


def object_name(request):
    return f"b/{request.params['bucket']}/o/{request.params['object']}"


def found_object(request):
    bucket(request)
    thing = STATE.thing("storage", object_name(request))
    if thing is None or request.params.get("generation", thing.body["generation"]) != thing.body["generation"]:
        raise GoogleError(404, f"No such object: {request.params['bucket']}/{request.params['object']}", "notFound")
    conditions(request, thing)
    return thing


def upload(request, raw, kind):
    """An object whose bytes come with the request: uploadType media or multipart."""
    metadata = dict(request.body or {})
    if request.params.get("uploadType") == "multipart":
        metadata, kind, raw = parts(raw, kind)
    name = request.params.get("name") or metadata.get("name")
    if not name:
        raise GoogleError(400, "Required", "required")
    request.params.update(object=name)
    bucket(request)
    old = STATE.thing("storage", object_name(request))
    conditions(request, old)
    now, generation = aip.timestamp(), str(int(STATE.now() * 1e6))
    bucket_name = request.params["bucket"]
    body = {**{k: v for k, v in metadata.items() if v is not None}, "kind": "storage#object", "name": name, "bucket": bucket_name, "generation": generation,
            "metageneration": "1", "id": f"{bucket_name}/{name}/{generation}", "size": str(len(raw)), "timeCreated": now, "updated": now,
            "selfLink": link(f"b/{bucket_name}/o/{urllib.parse.quote(name, safe='')}"), "contentType": metadata.get("contentType") or kind,
            "storageClass": "STANDARD", "etag": base64.b64encode(generation.encode()).decode(), "md5Hash": base64.b64encode(hashlib.md5(raw).digest()).decode(),
            "crc32c": base64.b64encode(crc32c(raw).to_bytes(4, "big")).decode()}
    thing = STATE.add(Thing("storage", object_name(request), "objects", body, None))
    thing.data["bytes"] = raw
    return body


def parts(raw, kind):
    message = email.message_from_bytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + raw)
    pieces = message.get_payload() if message.is_multipart() else []
    if len(pieces) != 2:
        raise GoogleError(400, "Malformed multipart body.", "badRequest")
    try:
        return json.loads(pieces[0].get_payload(decode=True)), pieces[1].get_content_type(), pieces[1].get_payload(decode=True)
    except (ValueError, binascii.Error) as error:
        raise GoogleError(400, "Malformed multipart body.", "parseError") from error


@own("storage.objects.insert")
def insert_object(request):
    return upload(request, b"", "application/octet-stream")


@own("storage.objects.get")
def get_object(request):
    thing = found_object(request)
    if request.params.get("alt") == "media":
        return Media(thing.body.get("contentType", "application/octet-stream"), thing.data["bytes"], thing.body["generation"])
    return thing.body


@own("storage.objects.list")
def list_objects(request):
    prefix = request.params.get("prefix", "")
    found = [t.body for t in STATE.of("storage", "objects", f"{bucket(request).name}/o/") if t.body["name"].startswith(prefix)]
    return {"kind": "storage#objects", **items(request, sorted(found, key=lambda b: b["name"]))}


@own("storage.objects.delete")
def delete_object(request):
    STATE.remove(found_object(request))
    return {}
