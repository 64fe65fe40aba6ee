"""Compute Engine's quotas: limits, what counts against them, and what is said when there is not enough. After "Allocation quotas" and "GPU
quotas". A test sets limits as "METRIC" or "region/METRIC"."""
from tests.sim.gcp import catalog
from tests.sim.gcp.errors import OperationError
from tests.sim.gcp.state import STATE

GLOBAL = {"NETWORKS": 50, "FIREWALLS": 1000, "ROUTERS": 100, "SUBNETWORKS": 500, "SNAPSHOTS": 5000, "IMAGES": 2000, "GPUS_ALL_REGIONS": 64,
          "CPUS_ALL_REGIONS": 5000, "STATIC_ADDRESSES": 100}
REGIONAL = {"CPUS": 2400, "N2_CPUS": 2400, "A2_CPUS": 1000, "C3_CPUS": 1000, "DISKS_TOTAL_GB": 102400, "SSD_TOTAL_GB": 102400, "LOCAL_SSD_TOTAL_GB": 50000,
            "STATIC_ADDRESSES": 8, "IN_USE_ADDRESSES": 64, "INSTANCES": 6000, "PREEMPTIBLE_CPUS": 2400}
GPU_DEFAULT = 16
FAMILY = "GPUS_PER_GPU_FAMILY"
# Families whose spot quota is a metric of its own.
SPOT_METRICS = {"GPUS_PER_GPU_FAMILY:NVIDIA_H100": "PREEMPTIBLE_NVIDIA_H100_GPUS"}


def gpu_metric(gpu, spot):
    metric = catalog.GPUS[gpu][1]
    if not spot:
        return metric
    return SPOT_METRICS.get(metric, f"PREEMPTIBLE_{metric}")


def _gpu_metrics():
    return [gpu_metric(g, spot) for g in catalog.GPUS for spot in (False, True)]


def limit(metric, region=None):
    """In a region; None: of the project."""
    for key in ([f"{region}/{metric}", metric] if region else [f"global/{metric}", metric]):
        if key in STATE.quotas:
            return float(STATE.quotas[key])
    return float((REGIONAL if region else GLOBAL).get(metric, GPU_DEFAULT))


def is_spot(body):
    scheduling = body.get("scheduling", {})
    return scheduling.get("provisioningModel") == "SPOT" or bool(scheduling.get("preemptible"))


def _add(wanted, place, metric, amount):
    if amount:
        wanted[place, metric] = wanted.get((place, metric), 0) + amount


def of_machine(body, zone):
    """What a running instance counts: {(region or None, metric): amount}."""
    region, wanted, spot = catalog.region_of(zone), {}, is_spot(body)
    kind = body["machineType"].rsplit("/", 1)[1]
    cpus = (catalog.MACHINES.get(kind) or (4,))[0]
    series = kind.split("-")[0]
    metric = {"n2": "N2_CPUS", "a2": "A2_CPUS", "c3": "C3_CPUS"}.get(series, "CPUS")
    _add(wanted, region, metric, cpus)
    _add(wanted, None, "CPUS_ALL_REGIONS", cpus)
    for gpu in body.get("guestAccelerators", []):
        name = gpu["acceleratorType"].rsplit("/", 1)[1]
        _add(wanted, region, gpu_metric(name, spot), gpu["acceleratorCount"])
        _add(wanted, None, "GPUS_ALL_REGIONS", gpu["acceleratorCount"])
    return wanted


def of_disk(body, place):
    wanted = {}
    region = catalog.region_of(place) if place in catalog.zones() else place
    kind = body.get("type", "pd-standard").rsplit("/", 1)[-1]
    metric = "DISKS_TOTAL_GB" if kind == "pd-standard" else "LOCAL_SSD_TOTAL_GB" if kind == "local-ssd" else "SSD_TOTAL_GB"
    _add(wanted, region, metric, int(body.get("sizeGb", 0)))
    return wanted


def of_thing(thing):
    if thing.collection == "instances":
        wanted = of_machine(thing.body, thing.name.split("/")[3]) if thing.body.get("status") not in ("TERMINATED", "SUSPENDED") else {}
        _add(wanted, catalog.region_of(thing.name.split("/")[3]), "INSTANCES", 1)
        return wanted
    if thing.collection in ("disks", "regionDisks"):
        return of_disk(thing.body, thing.name.split("/")[3])
    if thing.collection == "addresses" and thing.body.get("addressType") != "INTERNAL":
        return {(thing.name.split("/")[3], "STATIC_ADDRESSES"): 1}
    metric = {"networks": "NETWORKS", "firewalls": "FIREWALLS", "routers": "ROUTERS", "subnetworks": "SUBNETWORKS", "snapshots": "SNAPSHOTS",
              "images": "IMAGES", "globalAddresses": "STATIC_ADDRESSES"}.get(thing.collection)
    return {(None, metric): 1} if metric else {}


def used(project):
    total = {}
    for thing in STATE.of("compute", prefix=f"projects/{project}/"):
        for (place, metric), amount in of_thing(thing).items():
            _add(total, place, metric, amount)
    return total


def check(project, wanted, also=None):
    """Raises QUOTA_EXCEEDED if `wanted` is more than is left. also: amounts that are counted already."""
    total = used(project)
    for (place, metric), amount in wanted.items():
        most = limit(metric, place)
        if total.get((place, metric), 0) - (also or {}).get((place, metric), 0) + amount > most:
            raise exceeded(metric, place, most)


def exceeded(metric, region, most):
    name, _, family = metric.partition(":")
    where = f"in region {region}" if region else "globally"
    dimensions = {"region": region} if region else {"global": "global"}
    if family:
        dimensions["gpu_family"] = family
    limit_name = name.replace("_", "-") + ("-per-project-region" if region else "-per-project")
    info = {"quotaInfo": {"metricName": f"compute.googleapis.com/{name.lower()}", "limitName": limit_name, "dimensions": dimensions, "limit": most}}
    return OperationError("QUOTA_EXCEEDED", f"Quota '{name}' exceeded.  Limit: {most} {where}.", 403, [info])


def _rows(project, place, metrics):
    total = used(project)
    return [{"metric": m, "limit": limit(m, place), "usage": float(total.get((place, m), 0))} for m in metrics if ":" not in m]


def of_region(project, region):
    return _rows(project, region, list(REGIONAL) + sorted(set(_gpu_metrics())))


def of_project(project):
    return _rows(project, None, list(GLOBAL))
