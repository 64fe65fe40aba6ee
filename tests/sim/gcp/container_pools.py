"""Google Kubernetes Engine: node pools."""
import secrets

from tests.sim.gcp import catalog
from tests.sim.gcp.container import NAME, channel_of, labels_valid, pools_of, spare, wanted
from tests.sim.gcp.container_operations import HOST, New, idle, operate
from tests.sim.gcp.container_versions import IMAGES, of_nodes
from tests.sim.gcp.errors import GoogleError, OperationError
from tests.sim.gcp.state import STATE, Thing, own

POOLS = "container.projects.locations.clusters.nodePools"
# Of an update's fields those that may come together; others come alone.
MACHINE, IMAGE = {"machineType", "diskType", "diskSizeGb", "bootDisk", "storagePools"}, {"nodeVersion", "imageType", "image", "imageProject"}
# field of the update: (field of the pool's config, member of its message or None)
CONFIG = {"machineType": None, "diskType": None, "diskSizeGb": None, "imageType": None, "accelerators": None, "labels": "labels", "taints": "taints", "tags": "tags",
          "resourceLabels": "labels", "workloadMetadataConfig": None, "gvnic": None, "gcfsConfig": None, "kubeletConfig": None, "linuxNodeConfig": None,
          "loggingConfig": None, "containerdConfig": None, "fastSocket": None, "maxRunDuration": None, "flexStart": None, "storagePools": None,
          "bootDisk": None, "confidentialNodes": None, "resourceManagerTags": None, "windowsNodeConfig": None, "taintConfig": None}
POOL = {"locations": "locations", "upgradeSettings": "upgradeSettings", "nodeNetworkConfig": "networkConfig", "queuedProvisioning": "queuedProvisioning",
        "nodeDrainConfig": "nodeDrainConfig", "maintenancePolicy": "maintenancePolicy"}
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}


def cluster_of(pool):
    return STATE.thing("container", pool.name.partition("/nodePools/")[0])


# --- what a pool may be ---


def check_machine(config, locations):
    machine = config["machineType"]
    for zone in locations:
        if catalog.machine_type("p", zone, machine) is None and catalog.custom_machine_type("p", zone, machine) is None:
            raise GoogleError(400, f"Machine type with name '{machine}' does not exist in zone '{zone}'.")
    if config.get("diskType") not in catalog.DISK_TYPES:
        raise GoogleError(400, f"Disk type \"{config.get('diskType')}\" does not exist.")
    if int(config.get("diskSizeGb", 100)) < 10:
        raise GoogleError(400, "The disk size must be at least 10 GB.")
    if config.get("imageType", "").upper() not in IMAGES:
        raise GoogleError(400, f"Image type \"{config.get('imageType')}\" is not supported.")
    built_in = catalog.MACHINES.get(machine, (0, 0, None, 0))[2:]
    for entry in config.get("accelerators") or []:
        kind, count = entry.get("acceleratorType", ""), int(entry.get("acceleratorCount", 0))
        if kind not in catalog.GPUS or any(not catalog.offered(kind, zone) for zone in locations):
            raise GoogleError(400, f"Accelerator type \"{kind}\" does not exist in zones {', '.join(locations)}.")
        if built_in[0] and built_in != (kind, count):
            raise GoogleError(400, f"Machine type \"{machine}\" has {built_in[1]} accelerators of type {built_in[0]}, not {count} of type {kind}.")
        if not built_in[0] and (kind not in catalog.ATTACHED or not machine.startswith(("n1-", "custom-"))):
            raise GoogleError(400, f"Accelerator type \"{kind}\" cannot be attached to machine type \"{machine}\".")


def check_account(config, project):
    """The service account of nodes has to be there, and known."""
    email = config.setdefault("serviceAccount", "default")
    if email == "default":
        return
    owner = email.partition("@")[2].split(".")[0]
    if STATE.project(owner) is None and not email.endswith("developer.gserviceaccount.com"):
        return
    path = f"projects/{project.id if STATE.project(owner) is None else owner}/serviceAccounts/{email}"
    if STATE.thing("iam", path) is None or STATE.is_young(path):
        raise GoogleError(400, f"Service account \"{email}\" does not exist.")


def check_taints(config):
    seen = set()
    for taint in config.get("taints") or []:
        if not taint.get("key") or taint.get("effect") in (None, "EFFECT_UNSPECIFIED"):
            raise GoogleError(400, "A taint needs a key and an effect.")
        if (taint["key"], taint["effect"]) in seen:
            raise GoogleError(400, f"Taint \"{taint['key']}\" is given twice with the effect {taint['effect']}.")
        seen.add((taint["key"], taint["effect"]))


def check_surge(settings):
    surge, unavailable = settings.get("maxSurge", 0), settings.get("maxUnavailable", 0)
    if settings.get("strategy", "SURGE") == "SURGE" and not 1 <= surge + unavailable <= 20:
        raise GoogleError(400, "The sum of max_surge and max_unavailable must be between 1 and 20.")


def check_autoscaling(given):
    if not given.get("enabled"):
        return {}
    if ("maxNodeCount" in given or "minNodeCount" in given) and ("totalMaxNodeCount" in given or "totalMinNodeCount" in given):
        raise GoogleError(400, "Only one of per-zone and total limits can be set.")
    low, high = (given.get("totalMinNodeCount", 0), given.get("totalMaxNodeCount", 0)) if "totalMaxNodeCount" in given else (
        given.get("minNodeCount", 0), given.get("maxNodeCount", 0))
    if low > high or high < 1:
        raise GoogleError(400, f"Autoscaling limits are not valid: {low} to {high} nodes.")
    return {"locationPolicy": "BALANCED", **given}


def check_management(cluster, management):
    if channel_of(cluster) not in (None, "UNSPECIFIED") and not (management.get("autoUpgrade") and management.get("autoRepair")):
        raise GoogleError(400, f"Auto_upgrade and auto_repair cannot be false when release_channel {channel_of(cluster)} is set.")
    return management


def prepared(request, cluster, pool):
    """A new pool of a cluster, checked and with its defaults."""
    pool = {k: v for k, v in pool.items() if v is not None}
    name = f"{cluster.name}/nodePools/{pool.get('name', '')}"
    if not NAME.fullmatch(pool.get("name", "")):
        raise GoogleError(400, f"Invalid value for field \"node_pool.name\": \"{pool.get('name', '')}\".")
    if STATE.thing("container", name):
        raise GoogleError(409, f"Already exists: {name}.", status="ALREADY_EXISTS")
    config = {"machineType": "e2-medium", "diskSizeGb": 100, "diskType": "pd-balanced", "imageType": "COS_CONTAINERD", **(pool.get("config") or {})}
    locations = pool.get("locations") or cluster.body["locations"]
    for zone in locations:
        if zone not in catalog.zones(catalog.region_of(cluster.body["locations"][0])):
            raise GoogleError(400, f"Location \"{zone}\" is not in the cluster's region.")
    config["imageType"] = config["imageType"].upper()
    check_machine(config, locations)
    check_account(config, request.project)
    check_taints(config)
    labels_valid(config.get("resourceLabels"))
    if config.get("spot") and config.get("preemptible"):
        raise GoogleError(400, "Only one of spot and preemptible can be set.")
    if config.get("accelerators") and not any(t["key"] == GPU_TAINT["key"] for t in config.get("taints") or []):
        config["taints"] = [*(config.get("taints") or []), dict(GPU_TAINT)]
    config["resourceLabels"] = {**(config.get("resourceLabels") or {}), "goog-gke-node-pool-provisioning-model": "spot" if config.get("spot") else "on-demand"}
    config["metadata"] = {"disable-legacy-endpoints": "true", **(config.get("metadata") or {})}
    config.setdefault("oauthScopes", ["https://www.googleapis.com/auth/cloud-platform"])
    config.setdefault("shieldedInstanceConfig", {"enableIntegrityMonitoring": True})
    if cluster.body.get("workloadIdentityConfig"):
        config.setdefault("workloadMetadataConfig", {"mode": "GKE_METADATA"})
    elif (config.get("workloadMetadataConfig") or {}).get("mode") == "GKE_METADATA":
        raise GoogleError(400, "GKE_METADATA needs Workload Identity on the cluster.")
    settings = pool.get("upgradeSettings") or {"maxSurge": 1, "strategy": "SURGE"}
    settings.setdefault("strategy", "SURGE")
    check_surge(settings)
    network = {"enablePrivateNodes": cluster.body["networkConfig"].get("defaultEnablePrivateNodes", False), **(pool.get("networkConfig") or {})}
    network.setdefault("podRange", cluster.body["ipAllocationPolicy"].get("clusterSecondaryRangeName", f"gke-{cluster.body['name']}-pods-{cluster.body['id'][:8]}"))
    body = {**pool, "config": config, "status": "PROVISIONING", "locations": list(locations), "upgradeSettings": settings, "networkConfig": network,
            "version": of_nodes(pool.get("version"), cluster.body["currentMasterVersion"], channel_of(cluster)), "etag": secrets.token_hex(8),
            "management": check_management(cluster, {"autoRepair": True, "autoUpgrade": True, **(pool.get("management") or {})}),
            "autoscaling": check_autoscaling(pool.get("autoscaling") or {}), "maxPodsConstraint": pool.get("maxPodsConstraint") or {"maxPodsPerNode": "110"},
            "podIpv4CidrSize": 24, "selfLink": HOST + name,
            "instanceGroupUrls": [f"{catalog.LINK}projects/{request.project.id}/zones/{z}/instanceGroupManagers/gke-{cluster.body['name']}-{pool['name']}-"
                                  f"{secrets.token_hex(4)}-grp" for z in locations]}
    return Thing("container", name, "nodePools", body, request.project.id)


def stocked(pool):
    """Raises if the zones of a pool with nodes have no machines left."""
    config = pool.body["config"]
    cards = [e["acceleratorType"] for e in config.get("accelerators") or []] or [k for k in [catalog.MACHINES.get(config["machineType"], (0, 0, None, 0))[2]] if k]
    asked = [config["machineType"], *cards, *([f"spot:{c}" for c in cards] if config.get("spot") else [])]
    if not pool.body.get("initialNodeCount") and not pool.body["autoscaling"].get("minNodeCount"):
        return
    for zone in pool.body["locations"]:
        if any(STATE.stock.get(zone, {}).get(what) == 0 for what in asked):
            raise OperationError("RESOURCE_EXHAUSTED", "Google Compute Engine: Not all instances running in IGM after 35m. Expected 1, running 0, transitioning 1. "
                                 f"Current errors: [GCE_STOCKOUT]: Instance 'gke-{pool.body['name']}' creation failed: The zone "
                                 f"'projects/{pool.project}/zones/{zone}' does not have enough resources available to fulfill the request.")


# --- calls ---


@own(f"{POOLS}.create")
def create_pool(request):
    cluster = wanted(request, "parent")
    idle(cluster, New)
    pool = STATE.add(prepared(request, cluster, (request.body or {}).get("nodePool") or {}))

    def effect():
        stocked(pool)
        pool.body["status"] = "RUNNING"

    def failed(error):
        pool.body.update(status="ERROR", statusMessage=error.message,
                         conditions=[{"code": "GCE_STOCKOUT" if "STOCKOUT" in error.message else "UNKNOWN", "message": error.message}])
    return operate(request, "CREATE_NODE_POOL", [pool], effect, failed)


def shown(pool):
    body = dict(pool.body)
    if body["status"] == "RUNNING" and pool.operation:
        body["status"] = "RECONCILING"
    return spare(body)


@own(f"{POOLS}.get")
def get_pool(request):
    return shown(wanted(request))


@own(f"{POOLS}.list")
def list_pools(request):
    return {"nodePools": [shown(t) for t in pools_of(wanted(request, "parent"))]}


def changed(request, pool, kind, new):
    """An operation that gives a pool new fields."""
    idle(cluster_of(pool), pool)
    return operate(request, kind, [pool], lambda: pool.body.update(new, etag=secrets.token_hex(8)))


@own(f"{POOLS}.update")
def update_pool(request):
    pool = wanted(request)
    cluster = cluster_of(pool)
    change = {k: v for k, v in (request.body or {}).items() if v is not None and k not in ("name", "projectId", "zone", "clusterId", "nodePoolId", "etag")}
    if (request.body or {}).get("etag") not in (None, "", pool.body["etag"]):
        raise GoogleError(409, "The etag is not that of the node pool.", status="ABORTED")
    idle(cluster, pool)
    if not change:
        raise GoogleError(400, "Must specify a field to update.")
    if len(change) > 1 and not any(set(change) <= group for group in (MACHINE, IMAGE)):
        raise GoogleError(400, f"These fields cannot be updated with one request: {', '.join(sorted(change))}.")
    config, new = dict(pool.body["config"]), {}
    for name, value in change.items():
        if name == "nodeVersion":
            new["version"] = of_nodes(value, cluster.body["currentMasterVersion"], channel_of(cluster))
        elif name in CONFIG:
            config[name] = (value.get(CONFIG[name]) or ({} if "abels" in name else [])) if CONFIG[name] else int(value) if name == "diskSizeGb" else value
        elif name in POOL:
            new[POOL[name]] = {**pool.body.get(POOL[name], {}), **value} if isinstance(value, dict) else value
    if "resourceLabels" in change:
        config["resourceLabels"] = {**config["resourceLabels"], "goog-gke-node-pool-provisioning-model": "spot" if config.get("spot") else "on-demand"}
    if "upgradeSettings" in change:
        check_surge(new["upgradeSettings"])
    check_machine(config, new.get("locations", pool.body["locations"]))
    check_taints(config)
    kind = "UPGRADE_NODES" if change.keys() & (MACHINE | IMAGE) else "UPDATE_CLUSTER"
    return changed(request, pool, kind, {**new, "config": config})


def by_cluster(request, cluster, change):
    """clusters.update on a node pool, or on all of them."""
    pools = [p for p in pools_of(cluster) if change.get("desiredNodePoolId") in (None, "", "-", p.body["name"])]
    if not pools:
        raise GoogleError(404, f"Not found: node pool {change.get('desiredNodePoolId')}.")
    idle(cluster)
    new, image = {}, change.get("desiredImageType", IMAGES[0]).upper()
    if image not in IMAGES:
        raise GoogleError(400, f"Image type \"{image}\" is not supported.")
    if "desiredNodeVersion" in change:
        new["version"] = of_nodes(change["desiredNodeVersion"], cluster.body["currentMasterVersion"], channel_of(cluster))
    if "desiredNodePoolAutoscaling" in change:
        new["autoscaling"] = check_autoscaling(change["desiredNodePoolAutoscaling"])

    def effect():
        for pool in pools:
            pool.body.update(new, etag=secrets.token_hex(8))
            if "desiredImageType" in change:
                pool.body["config"] = {**pool.body["config"], "imageType": image}
    return operate(request, "UPGRADE_NODES", [cluster, *pools], effect)


@own(f"{POOLS}.setSize")
def set_size(request):
    pool, count = wanted(request), (request.body or {}).get("nodeCount", 0)
    idle(cluster_of(pool), pool)
    before = pool.body.get("initialNodeCount", 0)

    def effect():
        pool.body["initialNodeCount"] = count
        if count > before:
            stocked(pool)

    def failed(error):
        pool.body.update(status="RUNNING_WITH_ERROR", conditions=[{"code": "GCE_STOCKOUT", "message": error.message}])
    return operate(request, "SET_NODE_POOL_SIZE", [pool], effect, failed)


@own(f"{POOLS}.setAutoscaling")
def set_autoscaling(request):
    return changed(request, wanted(request), "SET_NODE_POOL_SIZE", {"autoscaling": check_autoscaling((request.body or {}).get("autoscaling") or {})})


@own(f"{POOLS}.setManagement")
def set_management(request):
    pool = wanted(request)
    return changed(request, pool, "SET_NODE_POOL_MANAGEMENT", {"management": check_management(cluster_of(pool), (request.body or {}).get("management") or {})})


@own(f"{POOLS}.delete")
def delete_pool(request):
    pool = wanted(request)
    idle(cluster_of(pool), pool)
    pool.body["status"] = "STOPPING"

    def failed(error):
        pool.body.update(status="RUNNING_WITH_ERROR", statusMessage=error.message)
    return operate(request, "DELETE_NODE_POOL", [pool], lambda: STATE.remove(pool), failed)
