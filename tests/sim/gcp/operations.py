"""Compute Engine's operations (zonal, regional and global: get, list, wait, delete), its projects, and the policies of its objects."""
import time

from tests.sim.gcp import compute, policy, quotas
from tests.sim.gcp.catalog import LINK
from tests.sim.gcp.errors import GoogleError, not_found
from tests.sim.gcp.state import STATE, own


def operation(request):
    path = f"{compute.scope_of(request)}/operations/{request.path_values['operation']}"
    found = STATE.operations.get(("compute", path)) or next(
        (o for (s, n), o in STATE.operations.items() if s == "compute" and n.startswith(path.rsplit("/", 1)[0]) and
         o.body["id"] == request.path_values["operation"]), None)
    if found is None:
        raise not_found(path)
    return found


@own("compute.zoneOperations.get", "compute.regionOperations.get", "compute.globalOperations.get")
def get(request):
    return operation(request).view()


@own("compute.zoneOperations.delete", "compute.regionOperations.delete", "compute.globalOperations.delete")
def delete(request):
    found = operation(request)
    del STATE.operations["compute", f"{found.scope}/operations/{found.name}"]
    return {}


@own("compute.zoneOperations.list", "compute.regionOperations.list", "compute.globalOperations.list")
def list_operations(request):
    scope = compute.scope_of(request)
    found = [o.view() for (s, n), o in STATE.operations.items() if s == "compute" and n.startswith(f"{scope}/operations/")]
    items, token = compute.page(request, found)
    body = {"kind": "compute#operationList", "id": f"{scope}/operations", "selfLink": f"{LINK}{scope}/operations", "items": items}
    if token:
        body["nextPageToken"] = token
    return body


def wait(request):
    """Called without the state's lock: answers when the operation is done, or after two minutes (the setting wait_s)."""
    deadline = time.time() + STATE.settings["wait_s"]
    while True:
        with STATE.lock:
            STATE.run_due()
            found = operation(request)
            if found.done or time.time() > deadline:
                return found.view()
        time.sleep(0.01)


WAITING = {"compute.zoneOperations.wait": wait, "compute.regionOperations.wait": wait, "compute.globalOperations.wait": wait}


@own("compute.projects.get")
def project(request):
    known = request.project
    entries = known.metadata
    return {"kind": "compute#project", "id": known.number, "name": known.id, "creationTimestamp": "2026-01-05T08:00:00.000-08:00",
            "selfLink": f"{LINK}projects/{known.id}", "quotas": quotas.of_project(known.id), "defaultNetworkTier": "PREMIUM",
            "defaultServiceAccount": f"{known.number}-compute@developer.gserviceaccount.com", "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
            "vmDnsSetting": "ZONAL_ONLY", "cloudArmorTier": "CA_STANDARD",
            "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": compute.fingerprint(entries), **({"items": entries} if entries else {})}}


@own("compute.projects.setCommonInstanceMetadata")
def set_common_metadata(request):
    from tests.sim.gcp import instances
    body, known = request.body or {}, request.project
    compute.check_fingerprint(body.get("fingerprint"), compute.fingerprint(known.metadata), "metadata")
    new = instances.metadata(body, "metadata")

    def effect():
        known.metadata = new.get("items", [])
    return compute.operate(request, "setMetadata", (f"projects/{known.id}/global/project", known.number), effect)


def get_policy(request):
    return policy.get(compute.wanted(request), request.params.get("optionsRequestedPolicyVersion", 1))


def set_policy(request):
    body = request.body or {}
    given = body.get("policy") or {k: body[k] for k in ("bindings", "etag") if k in body}
    if not given and not body:
        raise GoogleError(400, "Required field 'policy' not specified", "required")
    return policy.set(compute.wanted(request), given)


def test_permissions(request):
    compute.wanted(request)
    return {"permissions": (request.body or {}).get("permissions", [])}


compute.VERBS.update(getIamPolicy=get_policy, setIamPolicy=set_policy, testIamPermissions=test_permissions)
