"""Cloud Monitoring: dashboards (v1), alert policies and notification channels (v3)."""
import re
import secrets

from tests.sim.gcp import aip, filters
from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.state import STATE, Thing, own

DASHBOARDS, POLICIES, CHANNELS = (f"monitoring.projects.{c}" for c in ("dashboards", "alertPolicies", "notificationChannels"))
LAYOUTS = ("gridLayout", "mosaicLayout", "rowLayout", "columnLayout")
ID = re.compile(r"[a-z0-9-]{1,64}|[a-zA-Z0-9_-]{1,64}")
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
CHANNEL_LABELS = {"email": {"email_address"}, "pubsub": {"topic"}, "webhook_tokenauth": {"url"}, "slack": {"channel_name"}, "sms": {"number"},
                  "pagerduty": set()}


def numbered():
    return str(secrets.randbelow(9 * 10 ** 18) + 10 ** 18)


def record(request):
    return {"mutateTime": aip.timestamp(), "mutatedBy": request.identity or "anonymous"}


def project_name(request, parameter):
    return f"projects/{request.project.id}" if request.path_values[parameter].startswith("projects/") else request.path_values[parameter]


def user_labels(labels):
    for key, value in (labels or {}).items():
        if not LABEL.fullmatch(key) or len(value) > 63:
            raise GoogleError(400, f"Field user_labels has an invalid label: \"{key}\" = \"{value}\"")


# --- dashboards ---


def dashboard_valid(body):
    if not body.get("displayName"):
        raise GoogleError(400, "Field dashboard.displayName must be set.")
    given = [n for n in LAYOUTS if n in body]
    if len(given) > 1:
        raise GoogleError(400, f"Only one layout is possible, not {', '.join(given)}.")
    mosaic = body.get("mosaicLayout") or {}
    columns = mosaic.get("columns", 12)
    if not 1 <= columns <= 48:
        raise GoogleError(400, "Field dashboard.mosaicLayout.columns must be between 1 and 48.")
    taken = set()
    for index, tile in enumerate(mosaic.get("tiles") or []):
        left, top, width, height = (tile.get(k, 0) for k in ("xPos", "yPos", "width", "height"))
        if width < 1 or height < 1 or left + width > columns:
            raise GoogleError(400, f"Field dashboard.mosaicLayout.tiles[{index}] does not fit into {columns} columns.")
        cells = {(x, y) for x in range(left, left + width) for y in range(top, min(top + height, top + 100))}
        if cells & taken:
            raise GoogleError(400, f"Field dashboard.mosaicLayout.tiles[{index}] overlaps with another tile.")
        taken |= cells
    for key in body.get("labels") or {}:
        if not LABEL.fullmatch(key):
            raise GoogleError(400, f"Field dashboard.labels has an invalid key: {key}")


def dashboard_name(request, name):
    """Dashboards are named by the project's number."""
    parts = name.split("/")
    return "/".join(["projects", request.project.number, *parts[2:]])


def dashboard(request):
    found = STATE.thing("monitoring", aip.key_of(request))
    if found is None:
        raise GoogleError(404, f"Requested entity was not found: {request.path_values['name']}")
    return found


def dashboard_shown(body):
    tiles = (body.get("mosaicLayout") or {}).get("tiles")
    if not tiles:
        return body
    spare = [{k: v for k, v in t.items() if v not in (0, None)} for t in tiles]
    return {**body, "mosaicLayout": {**body["mosaicLayout"], "tiles": spare}}


@own(f"{DASHBOARDS}.create")
def create_dashboard(request):
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    chosen = body.get("name", "").rsplit("/", 1)[-1] or f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(6)}"
    if not ID.fullmatch(chosen):
        raise GoogleError(400, f"Field dashboard.name has an invalid ID: {chosen}")
    dashboard_valid(body)
    name = f"projects/{request.project.id}/dashboards/{chosen}"
    if STATE.thing("monitoring", name):
        raise GoogleError(409, f"Dashboard {name} already exists.", status="ALREADY_EXISTS")
    body.update(name=dashboard_name(request, name), etag=secrets.token_hex(16))
    if request.params.get("validateOnly"):
        return body
    return dashboard_shown(STATE.add(Thing("monitoring", name, "dashboards", body, request.project.id)).body)


@own(f"{DASHBOARDS}.get")
def get_dashboard(request):
    return dashboard_shown(dashboard(request).body)


@own(f"{DASHBOARDS}.list")
def list_dashboards(request):
    found = [dashboard_shown(t.body) for t in STATE.of("monitoring", "dashboards", f"projects/{request.project.id}/")]
    return aip.page(request, found, "dashboards")


@own(f"{DASHBOARDS}.patch")
def patch_dashboard(request):
    """Replaces it whole; the etag must be the newest."""
    thing = dashboard(request)
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    dashboard_valid(body)
    if body.get("etag") and body["etag"] != thing.body["etag"]:
        raise GoogleError(409, "The dashboard was changed meanwhile: its etag is another one.", status="ABORTED")
    new = {**body, "name": thing.body["name"], "etag": secrets.token_hex(16)}
    if not request.params.get("validateOnly"):
        thing.body = new
    return dashboard_shown(new)


@own(f"{DASHBOARDS}.delete")
def delete_dashboard(request):
    STATE.remove(dashboard(request))
    return {}


# --- alert policies ---


def policy_valid(body):
    if not body.get("displayName"):
        raise GoogleError(400, "Field alert_policy.display_name must be non-empty.")
    conditions = body.get("conditions") or []
    if not 1 <= len(conditions) <= 6:
        raise GoogleError(400, "Field alert_policy.conditions must have between 1 and 6 conditions.")
    if body.get("combiner", "COMBINE_UNSPECIFIED") == "COMBINE_UNSPECIFIED" and len(conditions) > 1:
        raise GoogleError(400, "Field alert_policy.combiner must be set when there is more than one condition.")
    for index, condition in enumerate(conditions):
        field = f"alert_policy.conditions[{index}]"
        kinds = [k for k in condition if k.startswith("condition")]
        if len(kinds) != 1:
            raise GoogleError(400, f"Field {field} must have exactly one kind of condition.")
        if not condition.get("displayName"):
            raise GoogleError(400, f"Field {field}.display_name must be non-empty.")
        inner = condition[kinds[0]]
        if kinds[0] in ("conditionThreshold", "conditionAbsent"):
            threshold_valid(inner, f"{field}.{kinds[0]}")
        elif kinds[0] == "conditionPrometheusQueryLanguage" and not inner.get("query"):
            raise GoogleError(400, f"Field {field}.condition_prometheus_query_language.query must be non-empty.")
    user_labels(body.get("userLabels"))
    for channel in body.get("notificationChannels") or []:
        if STATE.thing("monitoring", channel) is None:
            raise GoogleError(404, f"Notification channel {channel} does not exist.")


def threshold_valid(inner, field):
    text = inner.get("filter", "")
    for part in ("metric.type", "resource.type"):
        if part not in text:
            raise GoogleError(400, f"Field {field}.filter had an invalid value of \"{text}\": must specify a restriction on \"{part}\".")
    seconds = float(inner.get("duration", "0s").rstrip("s") or 0)
    if seconds % 60 or seconds > 84600:
        raise GoogleError(400, f"Field {field}.duration had an invalid value of \"{inner.get('duration')}\": must be a multiple of one minute.")
    if field.endswith("Threshold") and inner.get("comparison") not in ("COMPARISON_GT", "COMPARISON_LT"):
        raise GoogleError(400, f"Field {field}.comparison must be COMPARISON_GT or COMPARISON_LT.")
    for entry in inner.get("aggregations") or []:
        if float(entry.get("alignmentPeriod", "60s").rstrip("s")) < 60:
            raise GoogleError(400, f"Field {field}.aggregations.alignment_period must be at least 60s.")


def wanted(request):
    found = STATE.thing("monitoring", aip.key_of(request))
    if found is None:
        raise GoogleError(404, f"Cannot find {request.path_values['name']}.")
    return found


def with_names(body, name):
    """Conditions get names of their own."""
    for condition in body["conditions"]:
        if not condition.get("name", "").startswith(f"{name}/conditions/"):
            condition["name"] = f"{name}/conditions/{numbered()}"
        inner = condition.get("conditionThreshold", {})
        if inner.get("thresholdValue") == 0:
            del inner["thresholdValue"]


@own(f"{POLICIES}.create")
def create_policy(request):
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    policy_valid(body)
    name = f"{project_name(request, 'name')}/alertPolicies/{numbered()}"
    body = {"enabled": True, "combiner": "OR", **body, "name": name, "creationRecord": record(request), "mutationRecord": record(request)}
    with_names(body, name)
    return STATE.add(Thing("monitoring", name, "alertPolicies", body, request.project.id)).body


@own(f"{POLICIES}.get")
def get_policy(request):
    return wanted(request).body


def listed(request, collection):
    found = [t.body for t in STATE.of("monitoring", collection, f"projects/{request.project.id}/")]
    found = [f for f in filters.filtered([{**b, "user_labels": b.get("userLabels", {}), "display_name": b.get("displayName")} for b in found],
                                         request.params.get("filter"))]
    return {**aip.page(request, [{k: v for k, v in b.items() if k not in ("user_labels", "display_name")} for b in found], collection), "totalSize": len(found)}


@own(f"{POLICIES}.list")
def list_policies(request):
    return listed(request, "alertPolicies")


@own(f"{POLICIES}.patch")
def patch_policy(request):
    thing = wanted(request)
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    fields = request.method.schema("AlertPolicy")["properties"]
    if request.params.get("updateMask"):
        new = aip.masked(request, thing.body, body, request.params["updateMask"], fields)
    else:
        new = body
    new = {**new, "name": thing.name, "creationRecord": thing.body["creationRecord"], "mutationRecord": record(request)}
    policy_valid(new)
    new.setdefault("enabled", True)
    with_names(new, thing.name)
    thing.body = new
    return new


@own(f"{POLICIES}.delete")
def delete_policy(request):
    STATE.remove(wanted(request))
    return {}


# --- notification channels ---


@own(f"{CHANNELS}.create")
def create_channel(request):
    body = {k: v for k, v in (request.body or {}).items() if v is not None}
    channel_valid(body)
    name = f"{project_name(request, 'name')}/notificationChannels/{numbered()}"
    body = {"enabled": True, **body, "name": name, "creationRecord": record(request), "mutationRecords": [record(request)]}
    return STATE.add(Thing("monitoring", name, "notificationChannels", body, request.project.id)).body


def channel_valid(body):
    if body.get("type") not in CHANNEL_LABELS:
        raise GoogleError(400, f"Field notification_channel.type had an invalid value of \"{body.get('type', '')}\".")
    lacking = CHANNEL_LABELS[body["type"]] - set(body.get("labels") or {})
    if lacking:
        raise GoogleError(400, f"Field notification_channel.labels lacks {', '.join(sorted(lacking))}.")
    user_labels(body.get("userLabels"))


@own(f"{CHANNELS}.get")
def get_channel(request):
    return wanted(request).body


@own(f"{CHANNELS}.list")
def list_channels(request):
    return listed(request, "notificationChannels")


@own(f"{CHANNELS}.patch")
def patch_channel(request):
    thing = wanted(request)
    new = aip.masked(request, thing.body, request.body or {}, request.params.get("updateMask"), request.method.schema("NotificationChannel")["properties"])
    channel_valid(new)
    thing.body = {**new, "name": thing.name, "type": thing.body["type"]}
    return thing.body


@own(f"{CHANNELS}.delete")
def delete_channel(request):
    thing = wanted(request)
    users = [t for t in STATE.of("monitoring", "alertPolicies") if thing.name in t.body.get("notificationChannels", [])]
    if users and not request.params.get("force"):
        raise GoogleError(400, f"Notification channel {thing.name} is used by {users[0].name}.", status="FAILED_PRECONDITION")
    for user in users:
        user.body["notificationChannels"] = [c for c in user.body["notificationChannels"] if c != thing.name]
    STATE.remove(thing)
    return {}
