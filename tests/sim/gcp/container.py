"""Google Kubernetes Engine: clusters. Their node pools are in container_pools, versions and operations in files of their own."""
import base64
import ipaddress
import re
import secrets

from tests.sim.gcp import aip, catalog, compute, networks
from tests.sim.gcp.container_operations import HOST, busy, idle, operate
from tests.sim.gcp.container_versions import of_master, upgrade
from tests.sim.gcp.errors import GoogleError
from tests.sim.gcp.state import STATE, Thing, own

NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
CLUSTERS = "container.projects.locations.clusters"
CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").decode()
# Of these fields false is told from absent; others are left out of answers when they are false, 0 or empty.
TOLD = {"enablePublicEndpoint", "enabled", "allowExternalTraffic", "globalAccess", "defaultEnablePrivateNodes", "enablePrivateNodes"}
MAPS = {"resourceLabels", "labels", "metadata"}  # whose members are there whatever their value
TOLD_IN = {"ipEndpointsConfig", "dnsEndpointConfig", "networkConfig"}
# Which desired… fields may come in one update; others come alone.
TOGETHER = ({"desiredLoggingService", "desiredMonitoringService", "desiredLoggingConfig", "desiredMonitoringConfig"},
            {"desiredNodeVersion", "desiredNodePoolId", "desiredImageType", "desiredImage", "desiredImageProject"},
            {"desiredNodePoolAutoscaling", "desiredNodePoolId"})


def spare(value, where=None):
    """An answer without what has its default value, as the JSON form of protocol buffers has it."""
    if isinstance(value, list):
        return [spare(v) for v in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, inner in value.items():
        told = name in TOLD and where in TOLD_IN
        if inner in (False, 0, "", None, []) and not told and where not in MAPS or inner is None:
            continue
        kept[name] = spare(inner, name)
    return kept


def wanted(request, parameter="name"):
    thing = STATE.thing("container", aip.key_of(request, parameter))
    if thing is None:
        raise GoogleError(404, f"Not found: {aip.key_of(request, parameter)}.")
    return thing


def place_of(request, parameter="parent"):
    parent = aip.key_of(request, parameter)
    place = parent.split("/")[3]
    if place not in catalog.zones() and place not in catalog.REGIONS and place != "-":
        raise GoogleError(400, f"Location \"{place}\" does not exist.")
    return parent, place


def pools_of(cluster):
    return STATE.of("container", "nodePools", f"{cluster.name}/nodePools/")


def channel_of(cluster):
    return (cluster.body.get("releaseChannel") or {}).get("channel")


# --- create ---


def network_of(request, body, place):
    """Finds network and subnetwork, by name or link, and the secondary ranges in it: what the cluster shows of them."""
    project = request.project
    region = catalog.region_of(place) if place in catalog.zones() else place
    network = (body.get("network") or "default").rsplit("/", 1)[-1]
    found = STATE.thing("compute", f"projects/{project.id}/global/networks/{network}")
    if found is None:
        raise GoogleError(400, f"Project \"{project.number}\" has no network named \"{network}\".")
    name = (body.get("subnetwork") or network).rsplit("/", 1)[-1]
    subnetwork = STATE.thing("compute", f"projects/{project.id}/regions/{region}/subnetworks/{name}")
    if subnetwork is None or subnetwork.body["network"] != catalog.LINK + found.name:
        raise GoogleError(400, f"Subnetwork \"{name}\" does not exist in network \"{network}\" and region \"{region}\".")
    for thing in (found, subnetwork):
        if thing.operation is not None:
            raise GoogleError(400, f"The resource '{thing.name}' is not ready.", status="FAILED_PRECONDITION")
    body.update(network=network, subnetwork=name)
    body["networkConfig"] = {**body.get("networkConfig", {}), "network": found.name, "subnetwork": subnetwork.name}
    ranges(body, subnetwork)


def ranges(body, subnetwork):
    policy = {"useIpAliases": True, "stackType": "IPV4", **(body.get("ipAllocationPolicy") or {})}
    if policy.get("useRoutes"):
        raise GoogleError(400, "New clusters are VPC-native: use_routes is not supported here.")
    known = {r["rangeName"]: r["ipCidrRange"] for r in subnetwork.body.get("secondaryIpRanges", [])}
    for what, short, default in (("cluster", "Pod", "10.100.0.0/14"), ("services", "Services", "10.104.0.0/20")):
        name = policy.get(f"{what}SecondaryRangeName")
        if name and policy.get(f"{what}Ipv4CidrBlock"):
            raise GoogleError(400, f"Only one of {what}_secondary_range_name and {what}_ipv4_cidr_block can be specified.")
        if name and name not in known:
            raise GoogleError(400, f"{short} secondary range \"{name}\" does not exist in subnetwork \"{subnetwork.body['name']}\".")
        text = known.get(name) or policy.get(f"{what}Ipv4CidrBlock") or default
        try:
            block = ipaddress.ip_network(text if "/" in text.lstrip("/") else default)
        except ValueError as error:
            raise GoogleError(400, f"Invalid CIDR block \"{text}\" for {what}.") from error
        if what == "cluster" and block.prefixlen > 21:
            raise GoogleError(400, f"The pod range \"{text}\" is too small: at most a /21 is possible.")
        policy[f"{what}Ipv4CidrBlock"] = body[f"{what}Ipv4Cidr"] = str(block)
    if policy.get("clusterSecondaryRangeName") and policy.get("clusterSecondaryRangeName") == policy.get("servicesSecondaryRangeName"):
        raise GoogleError(400, "Pods and services must have different secondary ranges.")
    body["ipAllocationPolicy"] = policy


def components(body):
    for part, default in (("loggingConfig", ["SYSTEM_COMPONENTS", "WORKLOADS"]), ("monitoringConfig", ["SYSTEM_COMPONENTS"])):
        config = body.setdefault(part, {"componentConfig": {"enableComponents": default}})
        chosen = (config.get("componentConfig") or {}).get("enableComponents", [])
        if chosen and "SYSTEM_COMPONENTS" not in chosen:
            raise GoogleError(400, f"{part}: SYSTEM_COMPONENTS must be enabled when any other component is.")


def encryption(body, region):
    given = body.setdefault("databaseEncryption", {"state": "DECRYPTED"})
    state = given.get("state", "DECRYPTED")
    if (state in ("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED")) != bool(given.get("keyName")):
        raise GoogleError(400, "DatabaseEncryption.key_name must be set if and only if the state is ENCRYPTED.")
    match = KEY.fullmatch(given.get("keyName") or "")
    if given.get("keyName") and (not match or match[1] != region):
        raise GoogleError(400, f"The key \"{given['keyName']}\" must be a key of Cloud KMS in {region}.")
    given["currentState"] = "CURRENT_STATE_ENCRYPTED" if given.get("keyName") else "CURRENT_STATE_DECRYPTED"


def workload_pool(body, project):
    pool = (body.get("workloadIdentityConfig") or {}).get("workloadPool")
    if pool and pool != f"{project.id}.svc.id.goog":
        raise GoogleError(400, f"The workload pool must be \"{project.id}.svc.id.goog\".")
    return pool


def endpoints(body, number):
    """The two ways to ask for a private endpoint and authorized networks show the same."""
    old, new = dict(body.get("privateClusterConfig") or {}), dict(body.get("controlPlaneEndpointsConfig") or {})
    address = {"enabled": True, "enablePublicEndpoint": not old.get("enablePrivateEndpoint", False), **(new.get("ipEndpointsConfig") or {})}
    networks = address.get("authorizedNetworksConfig") or body.get("masterAuthorizedNetworksConfig") or {}
    for entry in networks.get("cidrBlocks", []):
        try:
            ipaddress.ip_network(entry.get("cidrBlock", ""))
        except ValueError as error:
            raise GoogleError(400, f"Invalid CIDR block \"{entry.get('cidrBlock')}\" in master authorized networks.") from error
    address.update(authorizedNetworksConfig=networks, publicEndpoint=f"34.118.0.{number % 250}", privateEndpoint=f"10.200.0.{number % 250}")
    private = old.get("enablePrivateNodes", (body.get("networkConfig") or {}).get("defaultEnablePrivateNodes", False))
    body["controlPlaneEndpointsConfig"] = {"dnsEndpointConfig": {"allowExternalTraffic": False, **(new.get("dnsEndpointConfig") or {}),
                                                                 "endpoint": f"gke-{body['id'][:20]}-{number}.{body['location']}.gke.goog"},
                                           "ipEndpointsConfig": address}
    body["masterAuthorizedNetworksConfig"] = networks
    body["privateClusterConfig"] = {**old, "enablePrivateEndpoint": not address["enablePublicEndpoint"], "enablePrivateNodes": private,
                                    "publicEndpoint": address["publicEndpoint"], "privateEndpoint": address["privateEndpoint"]}
    body.setdefault("networkConfig", {})["defaultEnablePrivateNodes"] = private


@own(f"{CLUSTERS}.create")
def create(request):
    from tests.sim.gcp import container_pools
    body = {k: v for k, v in ((request.body or {}).get("cluster") or {}).items() if v is not None}
    parent, place = place_of(request)
    if not NAME.fullmatch(body.get("name", "")):
        raise GoogleError(400, f"Invalid value for field \"cluster.name\": \"{body.get('name', '')}\".")
    name = f"{parent}/clusters/{body['name']}"
    if STATE.thing("container", name):
        raise GoogleError(409, f"Already exists: {name}.", status="ALREADY_EXISTS")
    pools, number = body.pop("nodePools", None), len(STATE.of("container", "clusters")) + 10
    automatic = (body.get("autopilot") or {}).get("enabled")
    if pools and (body.get("initialNodeCount") or body.get("nodeConfig")):
        raise GoogleError(400, "Cluster.node_pools must not be set with Cluster.initial_node_count or Cluster.node_config.")
    if not pools and not automatic and not body.get("initialNodeCount"):
        raise GoogleError(400, "Cluster.initial_node_count must be greater than zero.")
    if not pools and not automatic:
        pools = [{"name": "default-pool", "initialNodeCount": body["initialNodeCount"], "config": body.get("nodeConfig", {})}]
    body.update(location=place, id=secrets.token_hex(32), etag=secrets.token_hex(8), status="PROVISIONING", selfLink=HOST + name, createTime=aip.timestamp())
    network_of(request, body, place)
    endpoints(body, number)
    components(body)
    encryption(body, catalog.region_of(place) if place in catalog.zones() else place)
    workload_pool(body, request.project)
    labels_valid(body.get("resourceLabels"))
    body.setdefault("releaseChannel", {"channel": "REGULAR"})
    version = of_master(body.get("initialClusterVersion"), body["releaseChannel"].get("channel"))
    body = {"loggingService": "logging.googleapis.com/kubernetes", "monitoringService": "monitoring.googleapis.com/kubernetes",
            "shieldedNodes": {"enabled": True}, "autoscaling": {"autoscalingProfile": "BALANCED"}, "autopilot": {}, "legacyAbac": {},
            "defaultMaxPodsConstraint": {"maxPodsPerNode": "110"}, **body, "initialClusterVersion": version, "currentMasterVersion": version,
            "addonsConfig": {"kubernetesDashboard": {"disabled": True}, "networkPolicyConfig": {"disabled": True},
                             "gcePersistentDiskCsiDriverConfig": {"enabled": True}, **body.get("addonsConfig", {})},
            "locations": body.get("locations") or ([place] if place in catalog.zones() else list(catalog.zones(place)[:3])),
            "labelFingerprint": secrets.token_hex(4)}
    thing = Thing("container", name, "clusters", body, request.project.id)
    thing.data["number"] = number
    prepared = [container_pools.prepared(request, thing, pool) for pool in pools or []]
    STATE.add(thing)
    made = [STATE.add(p) for p in prepared]

    def effect():
        for pool in made:
            container_pools.stocked(pool)
        for other in [thing, *made]:
            other.body["status"] = "RUNNING"
        if thing.body.get("workloadIdentityConfig"):
            request.project.identity_pools.add(thing.body["workloadIdentityConfig"]["workloadPool"])

    def failed(error):
        for other in [thing, *made]:
            other.body.update(status="ERROR", statusMessage=error.message, conditions=[{"code": "UNKNOWN", "canonicalCode": "INTERNAL", "message": error.message}])
    return operate(request, "CREATE_CLUSTER", [thing, *made], effect, failed)


# --- reads ---


def shown(thing):
    pools = [p.body for p in pools_of(thing)]
    body = {**thing.body, **({"nodePools": pools} if pools else {}), "currentNodeCount": sum(p.get("initialNodeCount", 0) * len(p["locations"]) for p in pools)}
    if pools:
        body["currentNodeVersion"] = min(p["version"] for p in pools)
    if body["status"] == "RUNNING" and busy(thing):
        body["status"] = "RECONCILING"
    if body["status"] != "PROVISIONING":
        addresses = body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
        body["endpoint"] = addresses["publicEndpoint" if addresses["enablePublicEndpoint"] else "privateEndpoint"]
        body["masterAuth"] = {"clusterCaCertificate": CERTIFICATE}
        given = STATE.cluster_endpoints.get(body["name"]) or STATE.cluster_endpoints.get("*")
        if given:
            body["endpoint"] = given["endpoint"]
            body["masterAuth"] = {"clusterCaCertificate": given.get("clusterCaCertificate", CERTIFICATE)}
    return spare(body)


@own(f"{CLUSTERS}.get")
def get(request):
    return shown(wanted(request))


@own(f"{CLUSTERS}.list")
def list_clusters(request):
    parent, place = place_of(request)
    prefix = parent.rsplit("/", 1)[0] + "/" if place == "-" else f"{parent}/clusters/"
    return {"clusters": [shown(t) for t in STATE.of("container", "clusters", prefix)]}


@own(f"{CLUSTERS}.well-known.getOpenid-configuration")
def openid(request):
    issuer = HOST + wanted(request, "parent").name
    return {"issuer": issuer, "jwks_uri": f"{issuer}/jwks", "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"], "claims_supported": ["iss", "sub", "kubernetes.io"], "grant_types": ["urn:kubernetes:grant_type:programmatic_authorization"]}


# --- changes ---


def labels_valid(labels):
    for key, value in (labels or {}).items():
        if not compute.label_valid(key, value):
            raise GoogleError(400, f"Invalid label: {key}={value}.")


def merged(old, new):
    """Messages are merged, lists and scalars replaced."""
    return {**old, **{k: merged(old.get(k) or {}, v) if isinstance(v, dict) and isinstance(old.get(k), dict) else v for k, v in new.items()}}


def one_change(change):
    """The fields of an update without its etag: exactly one, or some that belong together."""
    names = {n for n, v in change.items() if n != "etag" and v is not None}
    if not names:
        raise GoogleError(400, "Must specify one field to update.")
    if len(names) > 1 and not any(names <= group for group in TOGETHER):
        raise GoogleError(400, f"At most one field can be updated with each request, not {', '.join(sorted(names))}.")
    return names


def apply_change(thing, name, value, region, project):
    """Into thing.body, what a desired… field says."""
    body, field = thing.body, name.removeprefix("desired")
    field = field[:1].lower() + field[1:]
    if field == "controlPlaneEndpointsConfig":
        body[field] = merged(body[field], value)
        if "authorizedNetworksConfig" in (value.get("ipEndpointsConfig") or {}):
            body[field]["ipEndpointsConfig"]["authorizedNetworksConfig"] = value["ipEndpointsConfig"]["authorizedNetworksConfig"]
    elif field == "masterAuthorizedNetworksConfig":
        body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["authorizedNetworksConfig"] = value
    elif field == "enablePrivateEndpoint":
        body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["enablePublicEndpoint"] = not value
    elif field == "defaultEnablePrivateNodes":
        body["networkConfig"] = {**body["networkConfig"], field: value}
        body["privateClusterConfig"]["enablePrivateNodes"] = value
    elif field in ("dnsConfig", "gatewayApiConfig", "serviceExternalIpsConfig"):
        body["networkConfig"] = {**body["networkConfig"], field: value}
    elif field == "addonsConfig":
        body[field] = {**body.get(field, {}), **value}
    elif field == "clusterAutoscaling":
        body["autoscaling"] = value
    elif field == "workloadIdentityConfig":
        body[field] = value
        if workload_pool(body, project):
            project.identity_pools.add(value["workloadPool"])
    else:
        body[field] = value
    if field == "databaseEncryption":
        encryption(body, region)
    components(body)
    endpoints(body, thing.data["number"])


@own(f"{CLUSTERS}.update")
def update(request):
    thing, change = wanted(request), (request.body or {}).get("update") or {}
    names = one_change(change)
    if change.get("etag") and change["etag"] != thing.body["etag"]:
        raise GoogleError(409, f"The etag \"{change['etag']}\" is not that of the cluster.", status="ABORTED")
    if "desiredMasterVersion" in names:
        return upgrade_master(request, thing, change["desiredMasterVersion"])
    if names & {"desiredNodeVersion", "desiredNodePoolId", "desiredNodePoolAutoscaling", "desiredImageType"}:
        from tests.sim.gcp import container_pools
        return container_pools.by_cluster(request, thing, change)
    idle(thing)
    place = thing.body["location"]
    region = catalog.region_of(place) if place in catalog.zones() else place
    candidate = Thing("container", thing.name, "clusters", {**thing.body, "privateClusterConfig": dict(thing.body["privateClusterConfig"])}, thing.project)
    candidate.body["controlPlaneEndpointsConfig"] = merged({}, merged(thing.body["controlPlaneEndpointsConfig"], {"ipEndpointsConfig": dict(
        thing.body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"])}))
    candidate.data = thing.data
    for name in names:
        apply_change(candidate, name, change[name], region, request.project)

    def effect():
        thing.body = {**candidate.body, "etag": secrets.token_hex(8)}
    return operate(request, "UPDATE_CLUSTER", [thing], effect)


@own(f"{CLUSTERS}.updateMaster")
def update_master(request):
    return upgrade_master(request, wanted(request), (request.body or {}).get("masterVersion"))


def upgrade_master(request, thing, text):
    idle(thing)
    version = upgrade(thing.body["currentMasterVersion"], text, channel_of(thing), [p.body for p in pools_of(thing)])
    return operate(request, "UPGRADE_MASTER", [thing], lambda: thing.body.update(currentMasterVersion=version, etag=secrets.token_hex(8)))


@own(f"{CLUSTERS}.setResourceLabels")
def set_labels(request):
    thing, body = wanted(request), request.body or {}
    idle(thing)
    if body.get("labelFingerprint") != thing.body["labelFingerprint"]:
        raise GoogleError(412, "Labels could not be set due to fingerprint mismatch.", status="FAILED_PRECONDITION")
    labels_valid(body.get("resourceLabels"))
    new = {"resourceLabels": body.get("resourceLabels") or {}, "labelFingerprint": secrets.token_hex(4), "etag": secrets.token_hex(8)}
    return operate(request, "UPDATE_CLUSTER", [thing], lambda: thing.body.update(new))


@own(f"{CLUSTERS}.setMaintenancePolicy")
def set_maintenance(request):
    thing, body = wanted(request), request.body or {}
    idle(thing)
    return operate(request, "SET_MAINTENANCE_POLICY", [thing], lambda: thing.body.update(maintenancePolicy=body.get("maintenancePolicy") or {}))


@own(f"{CLUSTERS}.delete")
def delete(request):
    thing = wanted(request)
    idle(thing)
    pools = pools_of(thing)
    before = thing.body["status"]
    for each in [thing, *pools]:
        each.body["status"] = "STOPPING"

    def effect():
        for each in [*pools, thing]:
            STATE.remove(each)

    def failed(error):
        for each in [thing, *pools]:
            each.body.update(status="ERROR" if before == "ERROR" else "RUNNING", statusMessage=error.message)
    return operate(request, "DELETE_CLUSTER", [thing, *pools], effect, failed)


def users(path):
    """Of a network or subnetwork: a node of a cluster in it."""
    for thing in STATE.of("container", "clusters"):
        if path in (thing.body["networkConfig"]["network"], thing.body["networkConfig"]["subnetwork"]):
            yield f"projects/{thing.project}/zones/{thing.body['locations'][0]}/instances/gke-{thing.body['name']}-{thing.body['id'][:8]}"


def range_users(path, name):
    """Of a secondary range: the clusters whose pods or services are in it."""
    for thing in STATE.of("container", "clusters"):
        policy = thing.body["ipAllocationPolicy"]
        if path == thing.body["networkConfig"]["subnetwork"] and name in (policy.get("clusterSecondaryRangeName"), policy.get("servicesSecondaryRangeName")):
            yield thing.name


compute.OTHER_USERS.append(users)
networks.RANGE_USERS.append(range_users)
