"""What Compute Engine has before anyone made anything: regions, zones, machine types, accelerators, disk types, public images. After "Regions
and zones", "GPU locations", "GPU machine types" and "Choose an image" of Compute Engine's documentation."""
import functools
import hashlib
import re

from tests.sim.gcp.state import STATE

LINK = "https://www.googleapis.com/compute/v1/"
MADE = "1969-12-31T16:00:00.000-08:00"

# Three zones, a to c, where not said otherwise.
REGIONS = {region: "abc" for region in (
    "africa-south1 asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 asia-south2 asia-southeast1 asia-southeast2 "
    "asia-southeast3 australia-southeast1 australia-southeast2 europe-central2 europe-north1 europe-north2 europe-southwest1 europe-west1 "
    "europe-west10 europe-west12 europe-west2 europe-west3 europe-west4 europe-west6 europe-west8 europe-west9 me-central1 me-central2 me-west1 "
    "northamerica-northeast1 northamerica-northeast2 northamerica-south1 southamerica-east1 southamerica-west1 us-central1 us-east1 us-east4 "
    "us-east5 us-south1 us-west1 us-west2 us-west3 us-west4").split()} | {"europe-west1": "bcd", "us-central1": "abcf", "us-east1": "bcd"}

# type: (name, quota, most cards, zones)
GPUS = {
    "nvidia-l4": ("NVIDIA L4", "NVIDIA_L4_GPUS", 8,
                  "us-central1-abc us-east1-bcd us-east4-ac us-west1-abc us-west4-ac northamerica-northeast2-ab asia-east1-abc "
                  "asia-northeast1-abc asia-northeast3-ab asia-south1-abc asia-southeast1-abc europe-west1-bc europe-west2-ab europe-west3-ab "
                  "europe-west4-abc europe-west6-bc me-central2-ac"),
    "nvidia-tesla-t4": ("NVIDIA T4", "NVIDIA_T4_GPUS", 4,
                        "us-central1-abcf us-east1-cd us-east4-abc us-west1-ab us-west2-bc us-west3-b us-west4-ab southamerica-east1-ac "
                        "europe-west1-bcd europe-west2-ab europe-west3-b europe-west4-abc europe-central2-bc asia-east1-ac asia-east2-ac "
                        "asia-northeast1-ac asia-northeast3-bc asia-south1-ab asia-southeast1-abc asia-southeast2-ab australia-southeast1-ac "
                        "northamerica-northeast1-c me-west1-bc"),
    "nvidia-tesla-v100": ("NVIDIA V100", "NVIDIA_V100_GPUS", 8, "us-central1-abcf us-west1-ab us-east1-c europe-west4-abc asia-east1-c"),
    "nvidia-tesla-p4": ("NVIDIA P4", "NVIDIA_P4_GPUS", 4,
                        "us-central1-ac us-east4-abc us-west2-bc northamerica-northeast1-abc europe-west4-bc asia-southeast1-bc "
                        "australia-southeast1-ab"),
    "nvidia-tesla-p100": ("NVIDIA P100", "NVIDIA_P100_GPUS", 4,
                          "us-central1-cf us-east1-bc us-west1-ab europe-west1-bd europe-west4-a asia-east1-ac australia-southeast1-c"),
    "nvidia-tesla-a100": ("NVIDIA A100 40GB", "NVIDIA_A100_GPUS", 16,
                          "us-central1-abcf us-east1-b us-west1-b us-west3-b us-west4-b europe-west4-ab asia-northeast1-ac "
                          "asia-northeast3-ab asia-southeast1-bc me-west1-ac"),
    "nvidia-a100-80gb": ("NVIDIA A100 80GB", "NVIDIA_A100_80GB_GPUS", 8,
                         "us-central1-ac us-east4-c us-east5-ab europe-west4-a asia-southeast1-c"),
    "nvidia-h100-80gb": ("NVIDIA H100 80GB", "GPUS_PER_GPU_FAMILY:NVIDIA_H100", 8,
                         "us-central1-abc us-east4-abc us-east5-a us-west1-ab us-west4-a europe-west1-bc europe-west4-bc asia-northeast1-b "
                         "asia-southeast1-bc asia-south1-c"),
    "nvidia-h100-mega-80gb": ("NVIDIA H100 80GB MEGA", "GPUS_PER_GPU_FAMILY:NVIDIA_H100_MEGA", 8,
                              "us-central1-abc us-east4-abc us-east5-a us-west1-a us-west4-a europe-west4-bc asia-northeast1-b "
                              "asia-southeast1-bc"),
    "nvidia-h200-141gb": ("NVIDIA H200 141GB", "GPUS_PER_GPU_FAMILY:NVIDIA_H200", 8,
                          "us-central1-b us-east4-b us-east5-a us-south1-b us-west1-c europe-west1-b asia-south1-b asia-south2-c"),
    "nvidia-b200": ("NVIDIA B200 180GB", "GPUS_PER_GPU_FAMILY:NVIDIA_B200", 8,
                    "us-central1-b us-east1-b us-east4-b us-south1-b us-west2-c us-west3-bc europe-west4-b asia-northeast1-b "
                    "asia-southeast1-b"),
    "nvidia-rtx-pro-6000": ("NVIDIA RTX PRO 6000", "GPUS_PER_GPU_FAMILY:NVIDIA_RTX_PRO_6000", 8,
                            "us-central1-bf us-east1-b us-east4-c us-east5-b us-south1-ab us-west1-a us-west3-a europe-west4-a "
                            "asia-southeast1-b"),
}

# Of N1: cards -> most vCPUs, by accelerator.
ATTACHED = {"nvidia-tesla-t4": {1: 48, 2: 48, 4: 96}, "nvidia-tesla-v100": {1: 12, 2: 24, 4: 48, 8: 96},
            "nvidia-tesla-p4": {1: 24, 2: 48, 4: 96}, "nvidia-tesla-p100": {1: 16, 2: 32, 4: 96}}

DISK_TYPES = {"pd-standard": 10, "pd-balanced": 10, "pd-ssd": 10, "pd-extreme": 500, "local-ssd": 375, "hyperdisk-balanced": 4,
              "hyperdisk-extreme": 64, "hyperdisk-throughput": 2048, "hyperdisk-ml": 4}
# What disks a machine series takes, where it does not take all ("Machine families resource and comparison guide").
SERIES_DISKS = {"g2": {"pd-balanced", "pd-ssd", "hyperdisk-throughput", "hyperdisk-ml", "local-ssd"},
                "a2": {"pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-ml", "local-ssd"},
                "a3": {"pd-balanced", "pd-ssd", "hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-throughput", "hyperdisk-ml", "local-ssd"},
                "a3-ultragpu": {"hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-ml", "local-ssd"},
                "a4": {"hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-ml", "local-ssd"},
                "g4": {"hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-throughput", "hyperdisk-ml", "local-ssd"},
                "c3": {"pd-balanced", "pd-ssd", "hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-throughput", "hyperdisk-ml", "local-ssd"},
                "n1": set(DISK_TYPES) - {"pd-extreme", "hyperdisk-balanced", "hyperdisk-extreme"}}


def _series(name, sizes, gb_each):
    return {f"{name}-{n}": (n, int(n * gb_each * 1024), None, 0) for n in sizes}


def _built_in(rows, gpu):
    return {name: (cpus, gb * 1024, gpu, cards) for name, cpus, gb, cards in rows}


# name: (vCPUs, MiB, accelerator built in, how many)
MACHINES = {
    "e2-micro": (2, 1024, None, 0), "e2-small": (2, 2048, None, 0), "e2-medium": (2, 4096, None, 0),
    "f1-micro": (1, 614, None, 0), "g1-small": (1, 1740, None, 0),
    **_series("e2-standard", (2, 4, 8, 16, 32), 4), **_series("e2-highmem", (2, 4, 8, 16), 8), **_series("e2-highcpu", (2, 4, 8, 16, 32), 1),
    **_series("n1-standard", (1, 2, 4, 8, 16, 32, 64, 96), 3.75), **_series("n1-highmem", (2, 4, 8, 16, 32, 64, 96), 6.5),
    **_series("n1-highcpu", (2, 4, 8, 16, 32, 64, 96), 0.9), **_series("n2-standard", (2, 4, 8, 16, 32, 48, 64, 80, 96, 128), 4),
    **_series("n2-highmem", (2, 4, 8, 16, 32, 48, 64, 80, 96, 128), 8), **_series("c3-standard", (4, 8, 22, 44, 88, 176), 4),
    **_built_in([("g2-standard-4", 4, 16, 1), ("g2-standard-8", 8, 32, 1), ("g2-standard-12", 12, 48, 1), ("g2-standard-16", 16, 64, 1),
                 ("g2-standard-24", 24, 96, 2), ("g2-standard-32", 32, 128, 1), ("g2-standard-48", 48, 192, 4),
                 ("g2-standard-96", 96, 384, 8)], "nvidia-l4"),
    **_built_in([("a2-highgpu-1g", 12, 85, 1), ("a2-highgpu-2g", 24, 170, 2), ("a2-highgpu-4g", 48, 340, 4), ("a2-highgpu-8g", 96, 680, 8),
                 ("a2-megagpu-16g", 96, 1360, 16)], "nvidia-tesla-a100"),
    **_built_in([("a2-ultragpu-1g", 12, 170, 1), ("a2-ultragpu-2g", 24, 340, 2), ("a2-ultragpu-4g", 48, 680, 4),
                 ("a2-ultragpu-8g", 96, 1360, 8)], "nvidia-a100-80gb"),
    **_built_in([("a3-highgpu-1g", 26, 234, 1), ("a3-highgpu-2g", 52, 468, 2), ("a3-highgpu-4g", 104, 936, 4), ("a3-highgpu-8g", 208, 1872, 8),
                 ("a3-edgegpu-8g", 208, 1872, 8)], "nvidia-h100-80gb"),
    **_built_in([("a3-megagpu-8g", 208, 1872, 8)], "nvidia-h100-mega-80gb"),
    **_built_in([("a3-ultragpu-8g", 224, 2952, 8)], "nvidia-h200-141gb"),
    **_built_in([("a4-highgpu-8g", 224, 3968, 8)], "nvidia-b200"),
    **_built_in([("g4-standard-48", 48, 180, 1), ("g4-standard-96", 96, 360, 2), ("g4-standard-192", 192, 720, 4),
                 ("g4-standard-384", 384, 1440, 8)], "nvidia-rtx-pro-6000"),
}

_CUDA = [f"cu{v}-{d}" for v in (118, 121, 123, 124, 126, 128, 129) for d in ("debian-11", "debian-12", "ubuntu-2204", "ubuntu-2404")]
_DRIVERS = [f"cu{v}-{d}-nvidia-{n}" for v in (124, 126, 128, 129) for d in ("debian-12", "ubuntu-2204", "ubuntu-2404") for n in (550, 570, 580)]
# project: {family: GB}
FAMILIES = {
    "deeplearning-platform-release": {f"{f}-{c}": 50 for f in ("common", "pytorch-2-7", "pytorch-2-9", "tf-2-17") for c in _CUDA + _DRIVERS} |
                                     {"common-cpu": 50, "common-gpu": 50, "common-cu128": 50, "common-cpu-debian-12": 50},
    "ml-images": {f"common-{c}": 50 for c in _CUDA + _DRIVERS} | {"common-cpu": 50, "common-gpu": 50},
    "ubuntu-os-accelerator-images": {f"ubuntu-accelerator-{v}-amd64-with-nvidia-{n}": 10 for v in (2204, 2404) for n in (550, 570, 580)},
    "debian-cloud": {"debian-11": 10, "debian-12": 10, "debian-13": 10},
    "ubuntu-os-cloud": {"ubuntu-2204-lts": 10, "ubuntu-2404-lts-amd64": 10, "ubuntu-minimal-2404-lts-amd64": 10},
    "cos-cloud": {"cos-stable": 10, "cos-121-lts": 10}, "rocky-linux-cloud": {"rocky-linux-9": 20},
}
FIRST_VERSION = "20261020"


def number(name):
    """The id that an object of this name has: 19 digits."""
    return str(10 ** 18 + int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))


@functools.lru_cache(None)
def zones(region=None):
    return tuple(f"{r}-{z}" for r, letters in REGIONS.items() if region in (None, r) for z in letters)


def region_of(zone):
    return zone.rpartition("-")[0]


@functools.lru_cache(None)
def gpu_zones(gpu):
    return tuple(f"{part.rpartition('-')[0]}-{z}" for part in GPUS[gpu][3].split() for z in part.rpartition("-")[2])


def offered(name, zone):
    """Whether a zone has a machine type or an accelerator."""
    if name in STATE.offers:
        return zone in STATE.offers[name]
    gpu = MACHINES[name][2] if name in MACHINES else name
    if gpu is None:
        return zone in zones()
    if name in MACHINES and gpu in STATE.offers:
        return zone in STATE.offers[gpu]
    return gpu in GPUS and zone in gpu_zones(gpu)


def machine_type(project, zone, name):
    return machine_type_body(project, zone, name) if name in MACHINES and offered(name, zone) else None


@functools.lru_cache(None)
def machine_type_body(project, zone, name):
    cpus, memory, gpu, cards = MACHINES[name]
    path = f"projects/{project}/zones/{zone}/machineTypes/{name}"
    body = {"kind": "compute#machineType", "id": number(name), "creationTimestamp": MADE, "name": name, "description": f"{cpus} vCPUs, {memory / 1024:g} GB RAM",
            "guestCpus": cpus, "memoryMb": memory, "imageSpaceGb": 0, "maximumPersistentDisks": 128, "maximumPersistentDisksSizeGb": "263168",
            "zone": zone, "selfLink": LINK + path, "isSharedCpu": name.endswith(("micro", "small", "medium")), "architecture": "X86_64"}
    if gpu:
        body["accelerators"] = [{"guestAcceleratorType": gpu, "guestAcceleratorCount": cards}]
    return body


def custom_machine_type(project, zone, name):
    """n1, n2 and e2 also have types of any size: custom-4-16384, n2-custom-8-32768."""
    match = re.fullmatch(r"(?:(n1|n2|e2)-)?custom-(\d+)-(\d+)(-ext)?", name)
    if not match or int(match[2]) % 2 and match[2] != "1" or int(match[3]) % 256:
        return None
    path = f"projects/{project}/zones/{zone}/machineTypes/{name}"
    return {"kind": "compute#machineType", "id": number(name), "creationTimestamp": MADE, "name": name, "guestCpus": int(match[2]),
            "memoryMb": int(match[3]), "maximumPersistentDisks": 128, "maximumPersistentDisksSizeGb": "263168", "zone": zone,
            "selfLink": LINK + path, "isSharedCpu": False, "description": "Custom created machine type.", "architecture": "X86_64"}


def accelerator_type(project, zone, name):
    if name not in GPUS or not offered(name, zone):
        return None
    path = f"projects/{project}/zones/{zone}/acceleratorTypes/{name}"
    return {"kind": "compute#acceleratorType", "id": number(name), "creationTimestamp": MADE, "name": name, "description": GPUS[name][0],
            "zone": f"{LINK}projects/{project}/zones/{zone}", "selfLink": LINK + path, "maximumCardsPerInstance": GPUS[name][2]}


def disk_type(project, scope, name):
    if name not in DISK_TYPES:
        return None
    path = f"projects/{project}/{scope}/diskTypes/{name}"
    kind, _, place = scope.partition("/")
    return {"kind": "compute#diskType", "id": number(name), "creationTimestamp": MADE, "name": name, "description": name,
            "validDiskSize": f"{DISK_TYPES[name]}GB-65536GB", "defaultDiskSizeGb": "100" if name != "local-ssd" else "375",
            kind[:-1]: f"{LINK}projects/{project}/{scope}", "selfLink": LINK + path}


def zone(project, name):
    if name not in zones():
        return None
    return {"kind": "compute#zone", "id": number(name), "creationTimestamp": MADE, "name": name, "description": name, "status": "UP",
            "region": f"{LINK}projects/{project}/regions/{region_of(name)}", "selfLink": f"{LINK}projects/{project}/zones/{name}",
            "availableCpuPlatforms": ["Intel Skylake", "Intel Cascade Lake", "Intel Ice Lake", "Intel Sapphire Rapids"], "supportsPzs": False}


def region(project, name):
    if name not in REGIONS:
        return None
    from tests.sim.gcp import quotas
    return {"kind": "compute#region", "id": number(name), "creationTimestamp": MADE, "name": name, "description": name, "status": "UP",
            "zones": [f"{LINK}projects/{project}/zones/{z}" for z in zones(name)], "quotas": quotas.of_region(project, name),
            "selfLink": f"{LINK}projects/{project}/regions/{name}", "supportsPzs": False}


def versions():
    """Of public images, newest last."""
    return [FIRST_VERSION] + STATE.offers.get("image versions", [])


def image(project, name):
    match = re.fullmatch(r"(.+)-v(\d{8})", name)
    if not match or match[1] not in FAMILIES.get(project, {}) or match[2] not in versions():
        return None
    family, version = match.groups()
    path = f"projects/{project}/global/images/{name}"
    body = {"kind": "compute#image", "id": number(name), "creationTimestamp": f"{version[:4]}-{version[4:6]}-{version[6:]}T02:00:00.000-07:00",
            "name": name, "description": f"Google, {family}", "sourceType": "RAW", "status": "READY", "family": family, "architecture": "X86_64",
            "archiveSizeBytes": "7000000000", "diskSizeGb": str(FAMILIES[project][family]), "selfLink": LINK + path, "labelFingerprint": "42WmSpB8rSM=",
            "licenses": [f"https://www.googleapis.com/compute/v1/projects/{project}/global/licenses/{family}"], "storageLocations": ["us"],
            "guestOsFeatures": [{"type": t} for t in ("UEFI_COMPATIBLE", "VIRTIO_SCSI_MULTIQUEUE", "GVNIC", "SEV_CAPABLE")]}
    if version != versions()[-1]:
        body["deprecated"] = {"state": "DEPRECATED", "replacement": f"{LINK}projects/{project}/global/images/{family}-v{versions()[-1]}"}
    return body


def find(path):
    """What Google has at a path, as the API shows it, or None."""
    parts = path.split("/")
    if len(parts) < 4:
        return None
    project = parts[1]
    if parts[2:4] == ["global", "images"] and len(parts) == 5:
        return image(project, parts[4])
    if parts[2] == "zones" and len(parts) == 4:
        return zone(project, parts[3])
    if parts[2] == "regions" and len(parts) == 4:
        return region(project, parts[3])
    if len(parts) != 6 or parts[2] not in ("zones", "regions"):
        return None
    if parts[4] == "diskTypes":
        return disk_type(project, "/".join(parts[2:4]), parts[5])
    if parts[2] == "regions" or parts[3] not in zones():
        return None
    if parts[4] == "machineTypes":
        return machine_type(project, parts[3], parts[5]) or custom_machine_type(project, parts[3], parts[5])
    return accelerator_type(project, parts[3], parts[5]) if parts[4] == "acceleratorTypes" else None


def in_family(project, family):
    return image(project, f"{family}-v{versions()[-1]}") if family in FAMILIES.get(project, {}) else None


COLLECTIONS = ("zones", "regions", "machineTypes", "acceleratorTypes", "diskTypes", "images")


def everything(project, collection, scope):
    """What Google has in a collection. scope: "zones/z", "regions/r" or "global"."""
    names = {"zones": zones, "regions": lambda: list(REGIONS), "machineTypes": lambda: list(MACHINES), "acceleratorTypes": lambda: list(GPUS),
             "diskTypes": lambda: list(DISK_TYPES),
             "images": lambda: [f"{f}-v{v}" for f in FAMILIES.get(project, {}) for v in versions()]}[collection]()
    prefix = f"projects/{project}/" + ("" if collection in ("zones", "regions") else f"{scope}/")
    found = [find(f"{prefix}{collection}/{n}") for n in names]
    return [f for f in found if f]
