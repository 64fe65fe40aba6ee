"""Which Kubernetes versions GKE offers, in which release channel, and from which to which a cluster may go ("GKE versioning and support",
"Cluster upgrades", "Version skew policy")."""
import re

from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.state import own

# Newest first.
VERSIONS = ("1.35.0-gke.1300000", "1.34.1-gke.2000000", "1.34.0-gke.1500000", "1.33.5-gke.1200000", "1.33.4-gke.1100000", "1.32.9-gke.1000000",
            "1.31.13-gke.1000000")
CHANNELS = {"RAPID": VERSIONS[:4], "REGULAR": VERSIONS[1:6], "STABLE": VERSIONS[3:6], "EXTENDED": VERSIONS[1:]}
DEFAULT = VERSIONS[1]
IMAGES = ("COS_CONTAINERD", "UBUNTU_CONTAINERD")
OLDER_NODES = 2  # minors that nodes may be behind the control plane


def numbers(version):
    return tuple(int(n) for n in re.findall(r"\d+", version))


def offered(channel):
    return CHANNELS.get(channel, VERSIONS)


def resolved(text, channel, newest_default=DEFAULT):
    """The version that a text such as "1.34", "latest" or "-" stands for, or None."""
    versions = offered(channel)
    if text in (None, "", "-"):
        return newest_default if newest_default in versions else versions[0]
    if text == "latest":
        return versions[0]
    return next((v for v in versions if v == text or v.startswith((f"{text}.", f"{text}-"))), None)


def of_master(text, channel):
    found = resolved(text, channel)
    if found is None:
        raise GoogleError(400, f"Master version \"{text}\" is unsupported.")
    return found


def upgrade(current, text, channel, pools):
    """The version that a control plane goes to; one minor at a time, never back, and its nodes must not be too old for it."""
    new = of_master("latest" if text == "latest" else text, channel)
    if numbers(new) < numbers(current):
        raise GoogleError(400, f"Master cannot be upgraded to \"{text}\": specified version is not newer than the current version.")
    if numbers(new)[1] > numbers(current)[1] + 1:
        raise GoogleError(400, f"Master cannot be upgraded to \"{text}\": cannot upgrade the master more than one minor version at a time.")
    for pool in pools:
        if numbers(pool["version"])[1] < numbers(new)[1] - OLDER_NODES:
            raise GoogleError(400, f"Master cannot be upgraded to \"{text}\": node pool {pool['name']} is at {pool['version']}, which is too old for it.",
                              status="FAILED_PRECONDITION")
    return new


def of_nodes(text, master, channel):
    """The version of a node pool: at most the control plane's, and not too much older. "-" is the control plane's."""
    if text in (None, "", "-"):
        return master
    found = master if master == text or master.startswith((f"{text}.", f"{text}-")) else resolved(text, channel)
    if found is None:
        raise GoogleError(400, f"Node version \"{text}\" is unsupported.")
    if numbers(found)[:2] > numbers(master)[:2]:
        raise GoogleError(400, f"Node version \"{found}\" must not have a greater minor version than master version \"{master}\".")
    if numbers(found) > numbers(master):
        raise GoogleError(400, f"Node version \"{found}\" must not be greater than master version \"{master}\".")
    if numbers(found)[1] < numbers(master)[1] - OLDER_NODES:
        raise GoogleError(400, f"Node version \"{found}\" is too old for master version \"{master}\".")
    return found


@own("container.projects.locations.getServerConfig")
def server_config(request):
    from tests.sim.gcp.container import place_of
    place_of(request, "name")
    channels = [{"channel": c, "defaultVersion": resolved("-", c), "validVersions": list(v), "upgradeTargetVersion": resolved("-", c)} for c, v in CHANNELS.items()]
    return {"defaultClusterVersion": DEFAULT, "validMasterVersions": list(VERSIONS), "validNodeVersions": list(VERSIONS),
            "defaultImageType": IMAGES[0], "validImageTypes": list(IMAGES), "channels": channels}
