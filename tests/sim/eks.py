"""EKS: clusters, their versions and updates, and tags. All of it is the simulator's own: moto's clusters are ready at once, and know neither
updates nor what belongs to a cluster. Node groups: eks_nodes.py; addons: eks_addons.py; who may do what: eks_access.py."""
import base64
import copy
import ipaddress
import json
import os
import uuid
from datetime import datetime, timezone

from moto.ec2.models import ec2_backends
from moto.iam.models import get_account_id_from, iam_backends

from tests.sim.state import STATE, Refused, own

# Minor versions of Kubernetes, the oldest first, and until when they are supported.
VERSIONS = {
    "1.29": ("EXTENDED_SUPPORT", "2024-01-23", "2025-03-23", "2026-03-23"), "1.30": ("EXTENDED_SUPPORT", "2024-05-23", "2025-07-23", "2026-07-23"),
    "1.31": ("EXTENDED_SUPPORT", "2024-09-26", "2025-11-26", "2026-11-26"), "1.32": ("STANDARD_SUPPORT", "2025-01-23", "2026-03-23", "2027-03-23"),
    "1.33": ("STANDARD_SUPPORT", "2025-05-29", "2026-07-29", "2027-07-29"), "1.34": ("STANDARD_SUPPORT", "2025-10-02", "2026-12-02", "2027-12-02"),
    "1.35": ("STANDARD_SUPPORT", "2026-01-28", "2027-03-28", "2028-03-28"),
}
DEFAULT_VERSION = "1.34"
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
CLUSTER_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def now():
    return datetime.fromtimestamp(int(STATE.now()), timezone.utc)


def minor(version):
    return int(version.partition(".")[2])


class Cluster:
    """A cluster and what belongs to it. `body` is what DescribeCluster answers."""

    def __init__(self, request, body):
        self.account, self.region, self.body = get_account_id_from(request.access_key), request.region, body
        self.nodegroups, self.addons, self.associations, self.updates = {}, {}, {}, {}
        self.entries = {}  # principal -> (entry, {policy: association})
        self.interfaces = []

    @property
    def name(self):
        return self.body["name"]

    @property
    def modes(self):
        return self.body["accessConfig"]["authenticationMode"]

    def cloud(self):
        return ec2_backends[self.account][self.region]

    def arn(self, kind, *parts):
        return f"arn:aws:eks:{self.region}:{self.account}:{kind}/{'/'.join([self.name, *parts])}"

    def shown(self):
        """The cluster as it is now: endpoint, certificate and issuer come when it is made."""
        body = copy.deepcopy(self.body)
        if body["status"] in ("CREATING", "FAILED"):
            return body
        given = STATE.cluster_endpoints.get(self.name) or STATE.cluster_endpoints.get(None) or {}
        body["endpoint"] = given.get("endpoint") or f"https://{self.number}.gr7.{self.region}.eks.amazonaws.com"
        body["certificateAuthority"] = {"data": given.get("certificateAuthority") or base64.b64encode(CERTIFICATE).decode()}
        body["identity"] = {"oidc": {"issuer": given.get("issuer") or f"https://oidc.eks.{self.region}.amazonaws.com/id/{self.number}"}}
        return body


CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n"


def clusters(request):
    """The clusters of the caller's account and region, by name."""
    return STATE.clusters.setdefault((get_account_id_from(request.access_key), request.region), {})


def cluster_of(request, member="clusterName"):
    name = request.params[member]
    found = clusters(request).get(name)
    if not found:
        raise Refused("ResourceNotFoundException", f"No cluster found for name: {name}.", 404)
    return found


def active(cluster):
    if cluster.body["status"] not in ("ACTIVE", "UPDATING"):
        raise Refused("InvalidRequestException", f"Cluster '{cluster.name}' is not in ACTIVE status")
    return cluster


def in_use(message):
    return Refused("ResourceInUseException", message, 409)


def bad(message):
    return Refused("InvalidParameterException", message)


def failure_of(operation, name):
    """What a test wants an operation to end with, as a health issue; None when it goes well."""
    for entry in STATE.failures:
        if entry["operation"] == operation and entry.get("name", name) == name and entry.get("times", 1) > 0:
            if "times" in entry:
                entry["times"] -= 1
            return {"code": entry["code"], "message": entry["message"], "resourceIds": entry.get("resource_ids", [name])}
    return None


# ---- roles, networks


def role_of(request, arn, service, actions=("sts:AssumeRole",)):
    """The role, which exists, is known to EKS by now, and trusts the service; None when it is not so."""
    account = get_account_id_from(request.access_key)
    role = next((r for r in iam_backends[account]["aws"].roles.values() if r.arn == arn), None)
    if role is None or STATE.is_young(("role", role.name)):
        return None
    document = role.assume_role_policy_document
    statements = (json.loads(document) if isinstance(document, str) else document).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        trusted, allowed = listed(statement.get("Principal", {}).get("Service", [])), listed(statement.get("Action", []))
        if service in trusted and statement.get("Effect") == "Allow" and all(a in allowed or "sts:*" in allowed for a in actions):
            return role
    return None


def listed(value):
    return value if isinstance(value, list) else [value]


def subnets_of(cloud, names):
    known = {s.id: s for zone in cloud.subnets.values() for s in zone.values()}
    missing = [n for n in names if n not in known]
    if missing or any(STATE.is_young(n) for n in names):
        raise bad(f"The subnet ID '{(missing or names)[0]}' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidSubnetID.NotFound)")
    return [known[n] for n in names]


def check_network(cloud, config):
    """The subnets of a new cluster's control plane."""
    subnets = subnets_of(cloud, config.get("subnetIds", []))
    if len({s.availability_zone for s in subnets}) < 2:
        raise bad("Subnets specified must be in at least two different AZs")
    if len({s.vpc_id for s in subnets}) > 1:
        raise bad("Subnets are not in the same VPC")
    check_groups(cloud, subnets[0].vpc_id, config)
    check_endpoint(config)
    return subnets


def check_groups(cloud, vpc, config):
    for group in config.get("securityGroupIds", []):
        if group not in cloud.groups.get(vpc, {}):
            raise bad(f"Security group(s) [{group}] are not in the same VPC as the subnets, or do not exist.")


def check_endpoint(config):
    if not config.get("endpointPublicAccess", True) and not config.get("endpointPrivateAccess", False):
        raise bad("Private and public endpoint access cannot be false")
    for cidr in config.get("publicAccessCidrs", []):
        try:
            private = ipaddress.ip_network(cidr).is_private and cidr != "0.0.0.0/0"
        except ValueError:
            private = True
        if private:
            raise bad(f"The following CIDRs are invalid in publicAccessCidrs: [{cidr}]")


def make_network(cluster, subnets):
    """What a control plane keeps in its network: a security group, and interfaces in two subnets."""
    cloud, tags = cluster.cloud(), {"Name": f"eks-cluster-sg-{cluster.name}", f"kubernetes.io/cluster/{cluster.name}": "owned",
                                    "aws:eks:cluster-name": cluster.name}
    group = cloud.create_security_group(f"eks-cluster-sg-{cluster.name}-{cluster.number[:8]}", "EKS created security group applied to ENI that is "
                                        "attached to EKS Control Plane master nodes, as well as any managed workloads.", subnets[0].vpc_id, tags)
    cluster.body["resourcesVpcConfig"]["clusterSecurityGroupId"] = group.id
    zones = {s.availability_zone: s for s in reversed(subnets)}
    groups = [group.id, *cluster.body["resourcesVpcConfig"]["securityGroupIds"]]
    cluster.interfaces = [cloud.create_network_interface(zones[z], None, group_ids=groups, description=f"Amazon EKS {cluster.name}").id
                          for z in sorted(zones)[:2]]


def drop_network(cluster):
    cloud = cluster.cloud()
    for interface in cluster.interfaces:
        cloud.enis.pop(interface, None)
    group = cluster.body["resourcesVpcConfig"].get("clusterSecurityGroupId")
    for groups in cloud.groups.values():
        groups.pop(group, None)


# ---- clusters


def logging_of(given):
    """Every kind of log is on or off; what a request does not name stays as it was."""
    wanted = {t: entry.get("enabled", False) for entry in (given or {}).get("clusterLogging", []) for t in entry.get("types", [])}
    return {t: wanted.get(t) for t in LOG_TYPES}


def logging_body(state):
    groups = [{"types": [t for t in LOG_TYPES if bool(state[t]) is on], "enabled": on} for on in (True, False)]
    return {"clusterLogging": [g for g in groups if g["types"]]}


def new_body(request, subnets):
    params, account = request.params, get_account_id_from(request.access_key)
    network, given = params["resourcesVpcConfig"], params.get("kubernetesNetworkConfig", {})
    access = params.get("accessConfig", {})
    return {
        "name": params["name"], "arn": f"arn:aws:eks:{request.region}:{account}:cluster/{params['name']}", "createdAt": now(), "status": "CREATING",
        "version": params.get("version", DEFAULT_VERSION), "roleArn": params["roleArn"], "platformVersion": "eks.1",
        "resourcesVpcConfig": {
            "subnetIds": network["subnetIds"], "securityGroupIds": network.get("securityGroupIds", []), "vpcId": subnets[0].vpc_id,
            "endpointPublicAccess": network.get("endpointPublicAccess", True), "endpointPrivateAccess": network.get("endpointPrivateAccess", False),
            "publicAccessCidrs": network.get("publicAccessCidrs") or (["0.0.0.0/0"] if network.get("endpointPublicAccess", True) else [])},
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": given.get("serviceIpv4Cidr", "10.100.0.0/16"), "ipFamily": given.get("ipFamily", "ipv4")},
        "logging": logging_body(logging_of(params.get("logging"))), "tags": dict(params.get("tags", {})), "health": {"issues": []},
        "encryptionConfig": params.get("encryptionConfig", []), "upgradePolicy": params.get("upgradePolicy", {"supportType": "EXTENDED"}),
        "accessConfig": {"authenticationMode": access.get("authenticationMode", "CONFIG_MAP"),
                         "bootstrapClusterCreatorAdminPermissions": access.get("bootstrapClusterCreatorAdminPermissions", True)},
        "deletionProtection": params.get("deletionProtection", False),
        **({"clientRequestToken": params["clientRequestToken"]} if "clientRequestToken" in params else {}),
    }


@own("eks", "CreateCluster")
def create_cluster(request):
    params, known = request.params, clusters(request)
    cloud = ec2_backends[get_account_id_from(request.access_key)][request.region]
    if params["name"] in known:
        existing = known[params["name"]]
        if params.get("clientRequestToken") and existing.body.get("clientRequestToken") == params["clientRequestToken"]:
            return {"cluster": existing.shown()}
        raise in_use(f"Cluster already exists with name: {params['name']}")
    if params.get("version", DEFAULT_VERSION) not in VERSIONS:
        raise bad(f"unsupported Kubernetes version {params['version']}")
    if role_of(request, params["roleArn"], "eks.amazonaws.com") is None:
        raise bad(f"Role with arn: {params['roleArn']}, could not be assumed because it does not exist or the trusted entity is not correct")
    subnets = check_network(cloud, params["resourcesVpcConfig"])
    cluster = known[params["name"]] = Cluster(request, new_body(request, subnets))
    cluster.number = os.urandom(16).hex().upper()
    answer = {"cluster": cluster.shown()}
    first_entry(cluster, request)
    STATE.after("CreateCluster", lambda: cluster_made(cluster, subnets))
    return answer


def first_entry(cluster, request):
    """Who makes a cluster may administer it, unless it asks for the opposite."""
    from tests.sim import eks_access
    access = cluster.body["accessConfig"]
    if access["bootstrapClusterCreatorAdminPermissions"] and access["authenticationMode"] != "CONFIG_MAP":
        eks_access.add_entry(cluster, eks_access.caller(request), "STANDARD", [], {}, policies=[CLUSTER_POLICY])


def cluster_made(cluster, subnets):
    if cluster.body["status"] != "CREATING":
        return
    issue = failure_of("CreateCluster", cluster.name)
    if issue:
        cluster.body["status"], cluster.body["health"] = "FAILED", {"issues": [issue]}
        return
    cluster.body["status"] = "ACTIVE"
    make_network(cluster, subnets)


@own("eks", "DescribeCluster")
def describe_cluster(request):
    return {"cluster": cluster_of(request, "name").shown()}


@own("eks", "ListClusters")
def list_clusters(request):
    return {"clusters": sorted(clusters(request))}


@own("eks", "ListFargateProfiles")
def list_fargate_profiles(request):
    """Nobody can make one here."""
    cluster_of(request, "clusterName")
    return {"fargateProfileNames": []}


@own("eks", "DeleteCluster")
def delete_cluster(request):
    cluster = cluster_of(request, "name")
    if cluster.body["deletionProtection"]:
        raise Refused("InvalidRequestException", f"Cannot delete cluster {cluster.name} because deletion protection is enabled")
    if cluster.nodegroups:
        raise in_use("Cluster has nodegroups attached")
    if cluster.body["status"] in ("CREATING", "UPDATING", "DELETING"):
        raise in_use(f"Cannot delete because cluster {cluster.name} is currently {cluster.body['status']}")
    cluster.body["status"] = "DELETING"
    answer = {"cluster": cluster.shown()}

    def gone():
        issue = failure_of("DeleteCluster", cluster.name)
        if issue:
            cluster.body["status"], cluster.body["health"] = "FAILED", {"issues": [issue]}
            return
        drop_network(cluster)
        clusters(request).pop(cluster.name, None)
    STATE.after("DeleteCluster", gone)
    return answer


@own("eks", "DescribeClusterVersions")
def describe_versions(request):
    wanted = request.params.get("clusterVersions")
    date = lambda text: datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    return {"clusterVersions": [
        {"clusterVersion": v, "clusterType": "eks", "defaultPlatformVersion": "eks.1", "defaultVersion": v == DEFAULT_VERSION, "versionStatus": status,
         "status": status.lower().replace("_", "-"), "releaseDate": date(made), "endOfStandardSupportDate": date(standard),
         "endOfExtendedSupportDate": date(extended)}
        for v, (status, made, standard, extended) in reversed(VERSIONS.items())
        if (not wanted or v in wanted) and (not request.params.get("defaultOnly") or v == DEFAULT_VERSION)
        and request.params.get("versionStatus", status) == status]}


# ---- updates: one at a time for each cluster, node group and addon


def begin_update(cluster, operation, kind, params, made, scope=("cluster", None), body=None):
    """An update of the cluster, or of what is in it; `made()` changes what it is about when it has settled."""
    body = cluster.body if body is None else body
    update = {"id": str(uuid.uuid4()), "status": "InProgress", "type": kind, "createdAt": now(), "errors": [],
              "params": [{"type": k, "value": v if isinstance(v, str) else json.dumps(v)} for k, v in params.items()]}
    cluster.updates[update["id"]] = (update, scope)
    body["status"] = "UPDATING"
    answer = {"update": copy.deepcopy(update)}

    def end():
        if body["status"] != "UPDATING":
            update["status"] = "Cancelled"
            return
        issue = failure_of(operation, scope[1] or cluster.name)
        update["status"], body["status"] = ("Failed" if issue else "Successful"), "ACTIVE"
        if issue:
            update["errors"] = [{"errorCode": issue["code"], "errorMessage": issue["message"], "resourceIds": issue["resourceIds"]}]
        else:
            made()
    STATE.after(operation, end)
    return answer


def no_update_runs(cluster, kind):
    running = next((u["id"] for u, scope in cluster.updates.values() if scope[0] == "cluster" and u["status"] == "InProgress"), None)
    if running:
        raise in_use(f"Cannot {kind} because cluster {cluster.name} currently has update {running} in progress")
    if cluster.body["status"] != "ACTIVE":
        raise Refused("InvalidRequestException", f"Cluster '{cluster.name}' is not in ACTIVE status")


@own("eks", "UpdateClusterVersion")
def update_cluster_version(request):
    cluster, version = cluster_of(request, "name"), request.params["version"]
    no_update_runs(cluster, "VersionUpdate")
    old = cluster.body["version"]
    if version not in VERSIONS:
        raise bad(f"unsupported Kubernetes version {version}")
    if version == old:
        raise bad(f"Cluster is already at the desired Kubernetes version {version}")
    if minor(version) != minor(old) + 1:
        raise bad(f"Unsupported Kubernetes minor version update from {old} to {version}")
    late = [n for n, group in cluster.nodegroups.items() if minor(version) - minor(group["version"]) > 3]
    if late:
        raise Refused("InvalidRequestException", f"Nodegroups {', '.join(late)} must be updated to match cluster version {old} before updating "
                                                 "cluster version")
    return begin_update(cluster, "UpdateClusterVersion", "VersionUpdate", {"Version": version, "PlatformVersion": "eks.1"},
                        lambda: cluster.body.update(version=version))


# Members of UpdateClusterConfig, of which a call has one, and the kind of update that each makes.
CONFIGS = {"resourcesVpcConfig": "VpcConfigUpdate", "logging": "LoggingUpdate", "accessConfig": "AccessConfigUpdate",
           "upgradePolicy": "UpgradePolicyUpdate", "deletionProtection": "DeletionProtectionUpdate"}


@own("eks", "UpdateClusterConfig")
def update_cluster_config(request):
    cluster, params = cluster_of(request, "name"), request.params
    given = [k for k in CONFIGS if k in params]
    if len(given) != 1:
        raise bad("Only one type of update can be allowed." if given else "No update is specified.")
    return {"resourcesVpcConfig": update_network, "logging": update_logging}.get(given[0], update_member)(cluster, given[0], params[given[0]])


def update_network(cluster, member, given):
    endpoint = {k: given[k] for k in ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs") if k in given}
    places = {k: given[k] for k in ("subnetIds", "securityGroupIds") if k in given}
    kind = "EndpointAccessUpdate" if endpoint else "VpcConfigUpdate"
    no_update_runs(cluster, kind)
    if endpoint and places:
        raise bad("Only one type of update can be allowed.")
    old = cluster.body["resourcesVpcConfig"]
    new = {**old, **given}
    if all(sorted(old[k]) == sorted(v) if isinstance(v, list) else old[k] == v for k, v in given.items()):
        raise bad(f"Cluster is already at the desired configuration with endpointPrivateAccess: {str(old['endpointPrivateAccess']).lower()} , "
                  f"endpointPublicAccess: {str(old['endpointPublicAccess']).lower()}, and Public Endpoint Restrictions: {old['publicAccessCidrs']}")
    check_endpoint(new)
    if "subnetIds" in places and any(s.vpc_id != old["vpcId"] for s in check_network(cluster.cloud(), new)):
        raise bad("Provided subnets belong to different VPC than the existing subnets of the cluster.")
    check_groups(cluster.cloud(), old["vpcId"], new)
    names = {"endpointPublicAccess": "EndpointPublicAccess", "endpointPrivateAccess": "EndpointPrivateAccess", "subnetIds": "Subnets",
             "publicAccessCidrs": "PublicAccessCidrs", "securityGroupIds": "SecurityGroups"}
    return begin_update(cluster, "UpdateClusterConfig", kind, {names[k]: v for k, v in given.items()}, lambda: old.update(given))


def update_logging(cluster, member, given):
    no_update_runs(cluster, "LoggingUpdate")
    old, wanted = logging_of({"clusterLogging": [e for e in cluster.body["logging"]["clusterLogging"] if e["enabled"]]}), logging_of(given)
    new = {t: bool(old[t] if wanted[t] is None else wanted[t]) for t in LOG_TYPES}
    if new == {t: bool(v) for t, v in old.items()}:
        raise bad("No changes needed for the logging config provided")
    return begin_update(cluster, "UpdateClusterConfig", "LoggingUpdate", {"ClusterLogging": given},
                        lambda: cluster.body.update(logging=logging_body(new)))


def update_member(cluster, member, given):
    no_update_runs(cluster, CONFIGS[member])
    old = cluster.body[member]
    new = {**old, **given} if isinstance(given, dict) else given
    if new == old:
        raise bad(f"No changes needed for the {member} provided")
    modes = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]
    if member == "accessConfig" and modes.index(new["authenticationMode"]) < modes.index(old["authenticationMode"]):
        raise bad(f"Unsupported authentication mode update from {old['authenticationMode']} to {new['authenticationMode']}")
    shown = {"AuthenticationMode": new["authenticationMode"]} if member == "accessConfig" else {}
    return begin_update(cluster, "UpdateClusterConfig", CONFIGS[member], shown, lambda: cluster.body.update({member: new}))


@own("eks", "AssociateEncryptionConfig")
def associate_encryption(request):
    cluster, wanted = cluster_of(request), request.params["encryptionConfig"]
    no_update_runs(cluster, "AssociateEncryptionConfig")
    if cluster.body["encryptionConfig"]:
        raise bad("Encryption config is already associated with the cluster")
    return begin_update(cluster, "AssociateEncryptionConfig", "AssociateEncryptionConfig", {"EncryptionConfig": wanted},
                        lambda: cluster.body.update(encryptionConfig=wanted))


def scope_of(request):
    for member, kind in (("nodegroupName", "nodegroup"), ("addonName", "addon")):
        if member in request.params:
            return kind, request.params[member]
    return "cluster", None


@own("eks", "DescribeUpdate")
def describe_update(request):
    cluster, identity = cluster_of(request, "name"), request.params["updateId"]
    update, scope = cluster.updates.get(identity, (None, None))
    if update is None or scope != scope_of(request):
        raise Refused("ResourceNotFoundException", f"No update found for ID: {identity}", 404)
    return {"update": copy.deepcopy(update)}


@own("eks", "ListUpdates")
def list_updates(request):
    cluster, wanted = cluster_of(request, "name"), scope_of(request)
    return {"updateIds": [i for i, (_, scope) in cluster.updates.items() if scope == wanted]}


# ---- tags


def tags_of(request):
    """The tags of what an ARN names."""
    arn = request.params["resourceArn"]
    for cluster in clusters(request).values():
        bodies = [cluster.body, *cluster.nodegroups.values(), *cluster.addons.values(), *cluster.associations.values(),
                  *(entry for entry, _ in cluster.entries.values())]
        for body in bodies:
            if arn in [body.get(k) for k in ("arn", "nodegroupArn", "addonArn", "associationArn", "accessEntryArn")]:
                return body["tags"]
    raise Refused("NotFoundException", f"Resource not found: {arn}", 404)


@own("eks", "TagResource")
def tag_resource(request):
    if any(key.lower().startswith("aws:") for key in request.params["tags"]):
        raise Refused("BadRequestException", "Caller is not allowed to set tags with reserved prefix aws:")
    tags_of(request).update(request.params["tags"])
    return {}


@own("eks", "UntagResource")
def untag_resource(request):
    for key in request.params["tagKeys"]:
        tags_of(request).pop(key, None)
    return {}


@own("eks", "ListTagsForResource")
def list_tags(request):
    return {"tags": dict(tags_of(request))}
