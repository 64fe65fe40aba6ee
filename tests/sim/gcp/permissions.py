"""What permissions a call needs, after the reference pages of the methods and "Permissions" of each service. Nobody is refused until a test says
which permissions are allowed or denied; which were used is recorded."""
import re

from tests.sim.gcp.errors import GoogleError, error_info
from tests.sim.gcp.state import PUBLIC, STATE

VERBS = {"insert": "create", "aggregatedList": "list", "patch": "update", "createAsync": "create", "updateAsync": "update",
         "listUsable": "list", "batchGet": "get", "batchEnable": "enable"}
# Services whose permissions have another first word, and collections with another name in permissions.
SERVICES = {"cloudresourcemanager": "resourcemanager"}
COLLECTIONS = {"globalAddresses": "globalAddresses", "keys": "serviceAccountKeys", "workloadIdentityPools": "workloadIdentityPools",
               "providers": "workloadIdentityPoolProviders", "regionDisks": "disks", "consumerQuotaMetrics": "quotas"}
POLICY = "compute.networks.updatePolicy"
ALSO = {f"compute.{c}.{v}": [POLICY] for c in ("firewalls", "subnetworks", "routers", "routes") for v in ("insert", "delete")} | {
    "compute.firewalls.patch": [POLICY], "compute.firewalls.update": [POLICY], "compute.routers.patch": [POLICY], "compute.routers.update": [POLICY],
    "compute.disks.createSnapshot": ["compute.snapshots.create"], "compute.snapshots.insert": ["compute.disks.createSnapshot"],
    "compute.instances.attachDisk": ["compute.disks.use"], "compute.instances.detachDisk": ["compute.disks.use"],
    "compute.instances.setServiceAccount": ["iam.serviceAccounts.actAs"]}
# Node pools are part of their cluster ("GKE API permissions").
CLUSTER = {"setResourceLabels": "update", "updateMaster": "update", "setMaintenancePolicy": "update", "getServerConfig": "list"}
NONE = ("sts", "oauth2", "iamcredentials")  # they look at policies themselves


def direct(method):
    """The permission that has the method's name."""
    parts = method.id.split(".")
    service, collection, verb = SERVICES.get(parts[0], parts[0]), parts[-2], VERBS.get(parts[-1], parts[-1])
    if method.service == "compute":
        verb = {"wait": "get"}.get(verb, verb) if collection.endswith("Operations") else verb
    if method.service == "iam" and verb == "list" and collection == "roles":
        return "iam.roles.list"
    if method.service == "container" and collection in ("clusters", "nodePools", "locations", "well-known"):
        verb = CLUSTER.get(verb, verb if collection == "clusters" else "get" if verb in ("get", "list", "getOpenid-configuration") else "update")
        return f"container.clusters.{verb}"
    if method.service == "aiplatform" and verb in ("deployModel", "undeployModel", "mutateDeployedModel"):
        verb = {"deployModel": "deploy", "undeployModel": "undeploy", "mutateDeployedModel": "update"}[verb]
    if method.id == "secretmanager.projects.secrets.addVersion":
        return "secretmanager.versions.add"
    return f"{service}.{COLLECTIONS.get(collection, collection)}.{verb}"


def needed(request):
    """All permissions that a call needs."""
    if request.service in NONE or request.project is None or request.project.number == PUBLIC:
        return []
    if request.method.id == "artifactregistry.projects.locations.operations.get" or request.service == "aiplatform" and request.method.collection == "operations":
        return []
    found = [direct(request.method), *ALSO.get(request.method.id, [])]
    body = request.body or {}
    if request.method.id in ("container.projects.locations.clusters.create", "container.projects.locations.clusters.nodePools.create"):
        found.append("iam.serviceAccounts.actAs")
    if request.method.id == "aiplatform.projects.locations.endpoints.deployModel":
        found += ["aiplatform.models.get", *(["iam.serviceAccounts.actAs"] if (body.get("deployedModel") or {}).get("serviceAccount") else [])]
    if request.method.id == "compute.instances.insert":
        found += of_instance(body)
    if request.method.verb == "insert" and body.get("labels") and request.service == "compute":
        found.append(direct(request.method).rpartition(".")[0] + ".setLabels")
    return found


def of_instance(body):
    """Of a new instance's parts ("Method: instances.insert")."""
    found = ["compute.subnetworks.use"]
    for disk in body.get("disks") or []:
        made = disk.get("initializeParams") is not None
        found.append("compute.disks.create" if made else "compute.disks.useReadOnly" if disk.get("mode") == "READ_ONLY" else "compute.disks.use")
        if made and disk["initializeParams"].get("labels"):
            found.append("compute.disks.setLabels")
    for nic in body.get("networkInterfaces") or []:
        if nic.get("accessConfigs"):
            found.append("compute.subnetworks.useExternalIp")
        if re.search("[a-z]", nic.get("networkIP") or ""):
            found.append("compute.addresses.useInternal")
    for part, name in (("metadata", "setMetadata"), ("tags", "setTags")):
        if (body.get(part) or {}).get("items"):
            found.append(f"compute.instances.{name}")
    if body.get("serviceAccounts"):
        found += ["compute.instances.setServiceAccount", "iam.serviceAccounts.actAs"]
    return found


def held(asked):
    """Those of the permissions that the caller has."""
    allowed = STATE.allowed_permissions
    return [p for p in asked if (allowed is None or p in allowed) and p not in STATE.denied_permissions]


def check(request):
    """Records what is used, and refuses what a test does not allow."""
    for permission in dict.fromkeys(needed(request)):
        STATE.used_permissions.add(permission)
        if not held([permission]):
            raise denied(request, permission)


def denied(request, permission):
    resource = f"projects/{request.project.id}"
    if request.service == "compute":
        path = re.sub(r"^/?(compute/)?compute/v1/", "", request.path.lstrip("/"))
        return GoogleError(403, f"Required '{permission}' permission for '{path}'", "forbidden")
    text = {"cloudresourcemanager": "The caller does not have permission",
            "iam": f"Permission '{permission}' denied on resource (or it may not exist)."}.get(
                request.service, f"Permission '{permission}' denied for resource '{resource}' (or it may not exist).")
    return GoogleError(403, text, details=[error_info("IAM_PERMISSION_DENIED", f"{request.service}.googleapis.com", permission=permission, resource=resource)])
