"""Google Kubernetes Engine: clusters and node pools, with the operations of its own (projects.locations.operations)."""
import re
import secrets
import time

from tests.sim.gcp import aip, catalog
from tests.sim.gcp.errors import GoogleError, OperationError
from tests.sim.gcp.state import STATE, Thing, own

VERSION = "1.34.1-gke.2000000"
HOST = "https://container.googleapis.com/v1/"
NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
CLUSTERS, POOLS = "container.projects.locations.clusters", "container.projects.locations.clusters.nodePools"


class Operation:
    def __init__(self, request, kind, target):
        self.began, self.done, self.error = aip.timestamp(), False, None
        self.name, self.kind, self.target = f"operation-{int(time.time() * 1000)}-{secrets.token_hex(16)}", kind, target
        parts = target.split("/")
        self.place, self.path = parts[3], "/".join(parts[:4])
        self.number = request.project.number

    def view(self):
        place = "zone" if self.place in catalog.zones() else "location"
        body = {"name": self.name, "operationType": self.kind, "status": "DONE" if self.done else "RUNNING", "startTime": self.began, place: self.place,
                "location": self.place, "selfLink": f"{HOST}projects/{self.number}/locations/{self.place}/operations/{self.name}",
                "targetLink": HOST + self.target}
        if self.done:
            body["endTime"] = self.ended
        if self.error:
            body["error"] = {"code": 13, "message": self.error.message}
        return body


def operate(request, kind, target, effect, failed=None):
    operation = Operation(request, kind, target)
    planned = next((r for r in request.rules if "operation_ms" in r or "operation_error" in r), {})
    seconds = STATE.settle.get(request.method.id, STATE.settings["operation_s"])
    if "operation_ms" in planned:
        seconds = planned["operation_ms"] / 1000

    def end():
        try:
            if "operation_error" in planned:
                raise OperationError("INTERNAL", planned["operation_error"].get("message", "simulated"))
            effect()
        except OperationError as error:
            operation.error = error
            if failed:
                failed()
        operation.done, operation.ended = True, aip.timestamp()
    operation.end = end
    STATE.operations["container", f"{operation.path}/operations/{operation.name}"] = operation
    if seconds == 0:
        end()
    elif seconds > 0:
        STATE.at(seconds, lambda: operation.done or end())
    return operation.view()


@own("container.projects.locations.operations.get")
def get_operation(request):
    found = STATE.operations.get(("container", aip.key_of(request)))
    if found is None:
        raise GoogleError(404, f"Not found: {request.path_values['name']}.")
    return found.view()


@own("container.projects.locations.operations.list")
def list_operations(request):
    prefix = aip.key_of(request, "parent") + "/operations/"
    return {"operations": [o.view() for (s, n), o in STATE.operations.items() if s == "container" and n.startswith(prefix)]}


def wanted(request, parameter="name"):
    thing = STATE.thing("container", aip.key_of(request, parameter))
    if thing is None:
        raise GoogleError(404, f"Not found: {aip.key_of(request, parameter)}.")
    return thing


def idle(thing):
    if thing.operation:
        raise GoogleError(400, f"Cluster is running incompatible operation {thing.operation}.", status="FAILED_PRECONDITION")
    return thing


def place_of(request, parameter="parent"):
    parent = aip.key_of(request, parameter)
    place = parent.split("/")[3]
    if place not in catalog.zones() and place not in catalog.REGIONS and place != "-":
        raise GoogleError(400, f"Location \"{place}\" does not exist.")
    return parent, place


def link_of(name):
    return HOST + name


@own(f"{CLUSTERS}.create")
def create(request):
    body = {k: v for k, v in ((request.body or {}).get("cluster") or {}).items() if v is not None}
    parent, place = place_of(request)
    if not NAME.fullmatch(body.get("name", "")):
        raise GoogleError(400, f"Invalid value for field \"cluster.name\": \"{body.get('name', '')}\".")
    name = f"{parent}/clusters/{body['name']}"
    if STATE.thing("container", name):
        raise GoogleError(409, f"Already exists: {name}.", status="ALREADY_EXISTS")
    pools = body.pop("nodePools", None)
    automatic = (body.get("autopilot") or {}).get("enabled")
    if not pools and not automatic and not body.get("initialNodeCount"):
        raise GoogleError(400, "Cluster.initial_node_count must be greater than zero.")
    if not pools and not automatic:
        pools = [{"name": "default-pool", "initialNodeCount": body["initialNodeCount"], "config": body.get("nodeConfig", {})}]
    number = len(STATE.of("container", "clusters")) + 10
    body = {"network": "default", "subnetwork": "default", "loggingService": "logging.googleapis.com/kubernetes", **body, "status": "PROVISIONING",
            "monitoringService": "monitoring.googleapis.com/kubernetes", "selfLink": link_of(name), "location": place, "id": secrets.token_hex(32),
            "createTime": aip.timestamp(), "currentMasterVersion": VERSION, "initialClusterVersion": VERSION, "currentNodeVersion": VERSION,
            "endpoint": f"34.118.0.{number % 250}", "etag": secrets.token_hex(8),
            "masterAuth": {"clusterCaCertificate": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="},
            "locations": body.get("locations") or ([place] if place in catalog.zones() else list(catalog.zones(place)[:3])), "labelFingerprint": secrets.token_hex(4)}
    thing = STATE.add(Thing("container", name, "clusters", body, request.project.id))
    made = [add_pool(request, thing, pool) for pool in pools or []]
    thing.operation = "CREATE_CLUSTER"

    def effect():
        thing.operation = None
        for other in [thing, *made]:
            other.body["status"], other.operation = "RUNNING", None

    def failed():
        thing.operation = None
        thing.body["status"] = "ERROR"
    return operate(request, "CREATE_CLUSTER", name, effect, failed)


def add_pool(request, cluster, pool):
    pool = {k: v for k, v in pool.items() if v is not None}
    name = f"{cluster.name}/nodePools/{pool.get('name', '')}"
    if not NAME.fullmatch(pool.get("name", "")):
        raise GoogleError(400, f"Invalid value for field \"node_pool.name\": \"{pool.get('name', '')}\".")
    if STATE.thing("container", name):
        raise GoogleError(409, f"Already exists: {name}.", status="ALREADY_EXISTS")
    config = {"machineType": "e2-medium", "diskSizeGb": 100, "diskType": "pd-balanced", "imageType": "COS_CONTAINERD", **(pool.get("config") or {})}
    if config["machineType"] not in catalog.MACHINES:
        raise GoogleError(400, f"Machine type with name '{config['machineType']}' does not exist.")
    body = {**pool, "config": config, "status": "PROVISIONING", "version": VERSION, "selfLink": link_of(name), "locations": pool.get("locations") or cluster.body["locations"],
            "etag": secrets.token_hex(8)}
    return STATE.add(Thing("container", name, "nodePools", body, request.project.id))


def shown(thing):
    pools = [p.body for p in STATE.of("container", "nodePools", f"{thing.name}/nodePools/")]
    return {**thing.body, **({"nodePools": pools} if pools else {}), "currentNodeCount": sum(p.get("initialNodeCount", 0) for p in pools)}


@own(f"{CLUSTERS}.get")
def get(request):
    return shown(wanted(request))


@own(f"{CLUSTERS}.list")
def list_clusters(request):
    parent, place = place_of(request)
    prefix = parent.rsplit("/", 1)[0] + "/" if place == "-" else f"{parent}/clusters/"
    return {"clusters": [shown(t) for t in STATE.of("container", "clusters", prefix)]}


@own(f"{CLUSTERS}.update")
def update(request):
    thing, change = idle(wanted(request)), (request.body or {}).get("update") or {}

    def effect():
        thing.operation = None
        thing.body["status"] = "RUNNING"
        for name, value in change.items():
            field = name.removeprefix("desired")
            field = field[:1].lower() + field[1:]
            if field in request.method.schema("Cluster")["properties"]:
                thing.body[field] = value
            elif field == "masterVersion":
                thing.body["currentMasterVersion"] = VERSION if value in ("-", "latest") else value
    thing.operation, thing.body["status"] = "UPDATE_CLUSTER", "RECONCILING"
    return operate(request, "UPDATE_CLUSTER", thing.name, effect)


@own(f"{CLUSTERS}.setResourceLabels")
def set_labels(request):
    thing, body = idle(wanted(request)), request.body or {}
    if body.get("labelFingerprint") != thing.body["labelFingerprint"]:
        raise GoogleError(412, "Labels could not be set due to fingerprint mismatch.", status="FAILED_PRECONDITION")
    return operate(request, "UPDATE_CLUSTER", thing.name, lambda: thing.body.update(resourceLabels=body.get("resourceLabels", {}),
                                                                                  labelFingerprint=secrets.token_hex(4)))


@own(f"{CLUSTERS}.delete")
def delete(request):
    thing = idle(wanted(request))
    thing.operation, thing.body["status"] = "DELETE_CLUSTER", "STOPPING"

    def effect():
        for pool in STATE.of("container", "nodePools", f"{thing.name}/"):
            STATE.remove(pool)
        STATE.remove(thing)
    return operate(request, "DELETE_CLUSTER", thing.name, effect)


@own(f"{POOLS}.create")
def create_pool(request):
    cluster = idle(wanted(request, "parent"))
    pool = add_pool(request, cluster, (request.body or {}).get("nodePool") or {})
    cluster.operation = "CREATE_NODE_POOL"

    def effect():
        pool.body["status"], cluster.operation = "RUNNING", None

    def failed():
        pool.body["status"], cluster.operation = "ERROR", None
    return operate(request, "CREATE_NODE_POOL", pool.name, effect, failed)


@own(f"{POOLS}.get")
def get_pool(request):
    return wanted(request).body


@own(f"{POOLS}.list")
def list_pools(request):
    return {"nodePools": [t.body for t in STATE.of("container", "nodePools", f"{wanted(request, 'parent').name}/nodePools/")]}


@own(f"{POOLS}.setSize")
def set_size(request):
    pool = wanted(request)
    return operate(request, "SET_NODE_POOL_SIZE", pool.name, lambda: pool.body.update(initialNodeCount=(request.body or {}).get("nodeCount", 0)))


@own(f"{POOLS}.setAutoscaling")
def set_autoscaling(request):
    pool = wanted(request)
    return operate(request, "SET_NODE_POOL_SIZE", pool.name, lambda: pool.body.update(autoscaling=(request.body or {}).get("autoscaling") or {}))


@own(f"{POOLS}.setManagement")
def set_management(request):
    pool = wanted(request)
    return operate(request, "SET_NODE_POOL_MANAGEMENT", pool.name, lambda: pool.body.update(management=(request.body or {}).get("management") or {}))


@own(f"{POOLS}.delete")
def delete_pool(request):
    pool = wanted(request)
    cluster = idle(STATE.thing("container", pool.name.partition("/nodePools/")[0]))
    pool.body["status"], cluster.operation = "STOPPING", "DELETE_NODE_POOL"

    def effect():
        cluster.operation = None
        STATE.remove(pool)
    return operate(request, "DELETE_NODE_POOL", pool.name, effect)


@own("container.projects.locations.getServerConfig")
def server_config(request):
    place_of(request, "name")
    return {"defaultClusterVersion": VERSION, "validMasterVersions": [VERSION], "validNodeVersions": [VERSION], "defaultImageType": "COS_CONTAINERD",
            "validImageTypes": ["COS_CONTAINERD", "UBUNTU_CONTAINERD"], "channels": [{"channel": "REGULAR", "defaultVersion": VERSION, "validVersions": [VERSION]}]}
