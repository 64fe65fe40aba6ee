"""Cloud Logging: buckets with their retention and soft deletion, sinks, exclusions, entries."""
import re

from tests.sim.gcp import aip
from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.state import PROJECT, STATE, Thing, own, prepare

BUCKETS = [f"logging{p}.buckets" for p in (".projects.locations", ".locations", ".organizations.locations", ".folders.locations",
                                           ".billingAccounts.locations")]
SINKS = [f"logging{p}.sinks" for p in ("", ".projects", ".organizations", ".folders", ".billingAccounts")]
DESTINATION = re.compile(r"(logging|storage|bigquery|pubsub)\.googleapis\.com/.+")


@prepare
def built_in():
    for project in list(STATE.projects) or [PROJECT]:
        for_project(project)


def for_project(project):
    """Every project has the buckets _Default and _Required, and sinks into them."""
    for name, days, locked in (("_Default", 30, False), ("_Required", 400, True)):
        path = f"projects/{project}/locations/global/buckets/{name}"
        body = {"name": path, "retentionDays": days, "lifecycleState": "ACTIVE", "description": f"{name[1:]} bucket"}
        if locked:
            body["locked"] = True
        STATE.add(Thing("logging", path, "buckets", body, project))
        sink = f"projects/{project}/sinks/{name}"
        STATE.add(Thing("logging", sink, "sinks", {"name": name, "destination": f"logging.googleapis.com/{path}", "resourceName": sink,
                                                  "filter": "LOG_ID(\"cloudaudit.googleapis.com/activity\")" if locked else ""}, project))


def days(body):
    value = body.get("retentionDays")
    if value is not None and not 1 <= int(value) <= 3650:
        raise GoogleError(400, "Retention days must be between 1 and 3650.")


@own(*(f"{b}.create" for b in BUCKETS), *(f"{b}.createAsync" for b in BUCKETS))
def create_bucket(request):
    bucket_id = request.params.get("bucketId", "")
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", bucket_id):
        raise GoogleError(400, f"Invalid bucket ID '{bucket_id}'.")
    days(body)
    path = f"{aip.key_of(request, 'parent')}/buckets/{bucket_id}"
    if STATE.thing("logging", path):
        raise GoogleError(409, f"Bucket '{path}' already exists", status="ALREADY_EXISTS")
    now = aip.timestamp()
    body = {"retentionDays": 30, **body, "name": path, "lifecycleState": "ACTIVE", "createTime": now, "updateTime": now}
    thing = Thing("logging", path, "buckets", body, aip.owner(request))
    if request.method.verb == "createAsync":
        body["lifecycleState"] = "CREATING"
        STATE.add(thing)
        return aip.operate(request, path, lambda: body.update(lifecycleState="ACTIVE") or body, lambda: STATE.remove(thing),
                           response_type="type.googleapis.com/google.logging.v2.LogBucket")
    return STATE.add(thing).body


@own(*(f"{b}.get" for b in BUCKETS))
def get_bucket(request):
    thing = STATE.thing("logging", aip.key_of(request))
    if thing is None:
        raise GoogleError(404, f"Bucket `{request.path_values['name'].rsplit('/', 1)[1]}` does not exist", status="NOT_FOUND")
    return thing.body


@own(*(f"{b}.patch" for b in BUCKETS), *(f"{b}.updateAsync" for b in BUCKETS))
def patch_bucket(request):
    get_bucket(request)
    thing, body = STATE.thing("logging", aip.key_of(request)), request.body or {}
    if not request.params.get("updateMask"):
        raise GoogleError(400, "Update mask must be set.")
    if thing.body.get("locked") or thing.body["lifecycleState"] != "ACTIVE":
        raise GoogleError(400, "The bucket is locked or being deleted and cannot be updated.", status="FAILED_PRECONDITION")
    days(body)
    new = {**aip.masked(request, thing.body, body, request.params["updateMask"], request.method.schema("LogBucket")["properties"]),
           "updateTime": aip.timestamp()}

    def effect():
        thing.body = new
        return new
    if request.method.verb == "updateAsync":
        return aip.operate(request, thing.name, effect, response_type="type.googleapis.com/google.logging.v2.LogBucket")
    return effect()


@own(*(f"{b}.delete" for b in BUCKETS))
def delete_bucket(request):
    get_bucket(request)
    thing = STATE.thing("logging", aip.key_of(request))
    if thing.name.rsplit("/", 1)[1].startswith("_") or thing.body.get("locked"):
        raise GoogleError(400, "This bucket cannot be deleted.", status="FAILED_PRECONDITION")
    thing.body["lifecycleState"] = "DELETE_REQUESTED"  # for seven days
    return {}


@own(*(f"{b}.undelete" for b in BUCKETS))
def undelete_bucket(request):
    get_bucket(request)
    thing = STATE.thing("logging", aip.key_of(request))
    if thing.body["lifecycleState"] != "DELETE_REQUESTED":
        raise GoogleError(400, "The bucket is not being deleted.", status="FAILED_PRECONDITION")
    thing.body["lifecycleState"] = "ACTIVE"
    return {}


def sink_name(request):
    return aip.canonical(request, request.path_values["sinkName"])


def sink(request):
    thing = STATE.thing("logging", sink_name(request))
    if thing is None:
        raise GoogleError(404, f"Sink {sink_name(request).rsplit('/', 1)[1]} does not exist", status="NOT_FOUND")
    return thing


def check_sink(body):
    if not DESTINATION.fullmatch(body.get("destination", "")):
        raise GoogleError(400, f"Unsupported sink destination '{body.get('destination', '')}'")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", body.get("name", "")):
        raise GoogleError(400, f"Invalid sink name '{body.get('name', '')}'.")


@own(*(f"{s}.create" for s in SINKS))
def create_sink(request):
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    check_sink(body)
    path = f"{aip.key_of(request, 'parent')}/sinks/{body['name']}"
    if STATE.thing("logging", path):
        raise GoogleError(409, f"Sink {body['name']} already exists", status="ALREADY_EXISTS")
    now = aip.timestamp()
    body.update(createTime=now, updateTime=now, resourceName=path)
    if request.params.get("uniqueWriterIdentity") or not body["destination"].startswith(f"logging.googleapis.com/{path.rsplit('/sinks', 1)[0]}/"):
        number = request.project.number if request.project else "org-100000000001"
        body["writerIdentity"] = f"serviceAccount:service-{number}@gcp-sa-logging.iam.gserviceaccount.com"
    return STATE.add(Thing("logging", path, "sinks", body, aip.owner(request))).body


@own(*(f"{s}.get" for s in SINKS))
def get_sink(request):
    return sink(request).body


@own(*(f"{s}.update" for s in SINKS), *(f"{s}.patch" for s in SINKS))
def update_sink(request):
    thing, body = sink(request), request.body or {}
    mask = request.params.get("updateMask") or "destination,filter,includeChildren"
    new = {**aip.masked(request, thing.body, body, mask, request.method.schema("LogSink")["properties"]), "updateTime": aip.timestamp()}
    check_sink(new)
    thing.body = new
    return new


@own(*(f"{s}.delete" for s in SINKS))
def delete_sink(request):
    thing = sink(request)
    if thing.name.endswith("/_Required"):
        raise GoogleError(400, "The _Required sink cannot be deleted.", status="FAILED_PRECONDITION")
    STATE.remove(thing)
    return {}


@aip.made("logging.projects.exclusions.create")
def made_exclusion(request, thing):
    thing.body["name"] = (request.body or {}).get("name", "")


@own("logging.entries.write")
def write(request):
    body = request.body or {}
    for entry in body.get("entries", []):
        if not (entry.get("logName") or body.get("logName")):
            raise GoogleError(400, "A log name must be specified.")
    return {}
