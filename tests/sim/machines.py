"""GPU machines and their quotas: what moto's tables lack, where they are offered, how many vCPUs an account may run."""
import fnmatch

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from tests.sim.state import STATE

# code -> (name, value). Values as an account with GPUs would have them after a request.
QUOTAS = {
    "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 1152.0),
    "L-34B43A08": ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 1152.0),
    "L-DB2E81BA": ("Running On-Demand G and VT instances", 768.0),
    "L-3819A6DF": ("All G and VT Spot Instance Requests", 768.0),
    "L-417A185B": ("Running On-Demand P instances", 768.0),
    "L-7212CCBC": ("All P4, P3 and P2 Spot Instance Requests", 768.0),
    "L-C4BD4855": ("All P5 Spot Instance Requests", 768.0),
    "L-0263D0A3": ("EC2-VPC Elastic IPs", 20.0),
}
# What a new account has: no GPUs.
DEFAULTS = {code: 5.0 if "Standard" in name or "Elastic IPs" in name else 0.0 for code, (name, _) in QUOTAS.items()}


def _v100(kind, vcpus, memory_mib, gpus):
    return {
        "InstanceType": kind, "CurrentGeneration": True, "FreeTierEligible": False, "SupportedUsageClasses": ["on-demand", "spot"],
        "SupportedRootDeviceTypes": ["ebs"], "SupportedVirtualizationTypes": ["hvm"], "BareMetal": False, "Hypervisor": "xen",
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"], "SustainedClockSpeedInGhz": 2.7},
        "VCpuInfo": {"DefaultVCpus": vcpus, "DefaultCores": vcpus // 2, "DefaultThreadsPerCore": 2},
        "MemoryInfo": {"SizeInMiB": memory_mib}, "InstanceStorageSupported": False,
        "GpuInfo": {"Gpus": [{"Name": "V100", "Manufacturer": "NVIDIA", "Count": gpus, "MemoryInfo": {"SizeInMiB": 16384}}],
                    "TotalGpuMemoryInMiB": 16384 * gpus},
        "PlacementGroupInfo": {"SupportedStrategies": ["cluster", "partition", "spread"]}, "HibernationSupported": False,
        "BurstablePerformanceSupported": False, "DedicatedHostsSupported": True, "AutoRecoverySupported": True,
        "SupportedBootModes": ["legacy-bios"],
    }


EXTRA = {t["InstanceType"]: t for t in (_v100("p3.2xlarge", 8, 62464, 1), _v100("p3.8xlarge", 32, 249856, 4), _v100("p3.16xlarge", 64, 499712, 8))}
EXTRA_ZONES = {"us-east-1": "abcdf", "us-east-2": "ab", "us-west-2": "abc", "eu-west-1": "abc", "eu-central-1": "ab", "ap-northeast-1": "ac"}


def describe(kind):
    return INSTANCE_TYPES.get(kind) or EXTRA.get(kind)


def vcpus(kind):
    return (describe(kind) or {"VCpuInfo": {"DefaultVCpus": 1}})["VCpuInfo"]["DefaultVCpus"]


def as_output(value):
    """moto's entry without what botocore's shape does not have."""
    return {k: v for k, v in value.items() if k in EXTRA["p3.2xlarge"]}


def quota_code(kind, spot):
    """The quota that counts a machine's vCPUs; None for families that tests have no use for."""
    family = kind.partition(".")[0]
    if family.startswith(("g", "vt")):
        return "L-3819A6DF" if spot else "L-DB2E81BA"
    if family.startswith("p"):
        if not spot:
            return "L-417A185B"
        return "L-C4BD4855" if family.startswith("p5") else "L-7212CCBC"
    if family[0] in "acdhimrtz":
        return "L-34B43A08" if spot else "L-1216C47A"
    return None


def quota_value(code):
    return STATE.quotas.get(code, QUOTAS[code][1])


def zones(kind, region):
    """The zones of a region that offer a machine."""
    if kind in STATE.offers:
        return [z for z in STATE.offers[kind] if z.startswith(region)]
    if kind in EXTRA:
        return [region + letter for letter in EXTRA_ZONES.get(region, "")]
    return sorted(o["Location"] for o in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, []) if o["InstanceType"] == kind)


def offers_differ(request):
    wanted = {v for f in request.params.get("Filters", []) if f["Name"] == "instance-type" for v in f["Values"]}
    names = {*EXTRA, *STATE.offers}
    return not wanted or any(fnmatch.fnmatch(n, w) for n in names for w in wanted)


def offerings(request, given):
    filters = {f["Name"]: f["Values"] for f in request.params.get("Filters", [])}
    where = request.params.get("LocationType", "region")
    names = {*EXTRA, *STATE.offers}
    result = [o for o in given if o["InstanceType"] not in names]
    for name in sorted(names):
        if "instance-type" in filters and not any(fnmatch.fnmatch(name, w) for w in filters["instance-type"]):
            continue
        found = zones(name, request.region)
        places = found if where == "availability-zone" else [request.region] if found and where == "region" else []
        result += [{"InstanceType": name, "LocationType": where, "Location": p} for p in places if p in filters.get("location", places)]
    return result
