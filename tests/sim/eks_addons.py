"""EKS: addons and their versions."""
import copy
import json
import uuid

from tests.sim.eks import VERSIONS, active, bad, begin_update, cluster_of, failure_of, in_use, minor, now, role_of
from tests.sim.state import STATE, Refused, own

# name -> (type, namespace, versions with the newest first, whether it needs nodes to be healthy); {minor} and {patch} follow Kubernetes.
ADDONS = {
    "vpc-cni": ("networking", "kube-system", ["v1.20.4-eksbuild.2", "v1.20.3-eksbuild.1"], False),
    "kube-proxy": ("networking", "kube-system", ["v1.{minor}.1-eksbuild.2", "v1.{minor}.0-eksbuild.2"], False),
    "coredns": ("networking", "kube-system", ["v1.{dns}.4-eksbuild.1", "v1.{dns}.3-eksbuild.1"], True),
    "aws-ebs-csi-driver": ("storage", "kube-system", ["v1.53.0-eksbuild.1", "v1.52.1-eksbuild.1"], True),
    "aws-efs-csi-driver": ("storage", "kube-system", ["v2.1.13-eksbuild.1"], True),
    "eks-pod-identity-agent": ("security", "kube-system", ["v1.3.9-eksbuild.3", "v1.3.8-eksbuild.2"], False),
    "eks-node-monitoring-agent": ("observability", "kube-system", ["v1.4.1-eksbuild.1"], False),
    "metrics-server": ("observability", "kube-system", ["v0.8.0-eksbuild.2"], True),
    "snapshot-controller": ("storage", "kube-system", ["v8.3.0-eksbuild.1"], True),
    "amazon-cloudwatch-observability": ("observability", "amazon-cloudwatch", ["v4.5.0-eksbuild.1"], False),
}
NEED_ROLE = ("vpc-cni", "aws-ebs-csi-driver", "aws-efs-csi-driver", "amazon-cloudwatch-observability")


def versions(name, kubernetes):
    """Those that fit a version of Kubernetes, the newest first; the last is the one that a cluster gets by default."""
    number = minor(kubernetes)
    return [v.format(minor=number, dns=number - 22) for v in ADDONS[name][2]]


@own("eks", "DescribeAddonVersions")
def describe_addon_versions(request):
    wanted, kubernetes = request.params.get("addonName"), request.params.get("kubernetesVersion")
    if wanted and wanted not in ADDONS:
        raise Refused("ResourceNotFoundException", f"Addon {wanted} specified is not supported", 404)
    if kubernetes and kubernetes not in VERSIONS:
        raise bad(f"Kubernetes version {kubernetes} is not supported")
    fitting = [kubernetes] if kubernetes else list(VERSIONS)
    found = []
    for name in [wanted] if wanted else ADDONS:
        names = list(dict.fromkeys(v for k in reversed(fitting) for v in versions(name, k)))
        found.append({"addonName": name, "type": ADDONS[name][0], "publisher": "eks", "owner": "aws", "defaultNamespace": ADDONS[name][1],
                      "addonVersions": [addon_version(name, v, fitting) for v in names]})
    return {"addons": found}


def addon_version(name, version, fitting):
    return {"addonVersion": version, "architecture": ["amd64", "arm64"], "computeTypes": ["ec2", "fargate"], "requiresConfiguration": False,
            "requiresIamPermissions": name in NEED_ROLE,
            "compatibilities": [{"clusterVersion": k, "platformVersions": ["*"], "defaultVersion": version == versions(name, k)[-1]}
                                for k in fitting if version in versions(name, k)]}


def addon_of(request):
    cluster, name = cluster_of(request), request.params["addonName"]
    if name not in cluster.addons:
        raise Refused("ResourceNotFoundException", f"No addon: {name} found in cluster: {cluster.name}", 404)
    return cluster, cluster.addons[name]


def check_settings(request, cluster):
    params = request.params
    if params.get("addonVersion") and params["addonVersion"] not in versions(params["addonName"], cluster.body["version"]):
        raise bad("Addon version specified is not supported")
    try:
        json.loads(params.get("configurationValues") or "{}")
    except ValueError:
        raise bad("ConfigurationValue provided in request is not supported: it is neither JSON nor YAML") from None
    if params.get("serviceAccountRoleArn") and not exists(request, params["serviceAccountRoleArn"]):
        raise bad(f"Cross-account pass role is not allowed, or the role {params['serviceAccountRoleArn']} does not exist.")
    for association in params.get("podIdentityAssociations", []):
        if role_of(request, association["roleArn"], "pods.eks.amazonaws.com", ("sts:AssumeRole", "sts:TagSession")) is None:
            raise bad(f"Trust policy of the role {association['roleArn']} does not let EKS Pod Identity assume it")


def exists(request, arn):
    from tests.sim import eks_access
    return eks_access.principal_exists(request, arn)


@own("eks", "CreateAddon")
def create_addon(request):
    params, cluster = request.params, active(cluster_of(request))
    name = params["addonName"]
    if name not in ADDONS:
        raise bad(f"Addon {name} specified is not supported")
    if name in cluster.addons:
        known = cluster.addons[name]
        if params.get("clientRequestToken") and known["_token"] == params["clientRequestToken"]:
            return {"addon": shown(known)}
        raise in_use("Addon already exists.")
    check_settings(request, cluster)
    body = cluster.addons[name] = {
        "addonName": name, "clusterName": cluster.name, "status": "CREATING", "health": {"issues": []}, "createdAt": now(), "modifiedAt": now(),
        "addonVersion": params.get("addonVersion") or versions(name, cluster.body["version"])[-1], "addonArn": cluster.arn("addon", name, str(uuid.uuid4())),
        "tags": dict(params.get("tags", {})), "namespaceConfig": params.get("namespaceConfig", {"namespace": ADDONS[name][1]}),
        "_token": params.get("clientRequestToken"), **{k: params[k] for k in ("serviceAccountRoleArn", "configurationValues") if k in params}}
    set_associations(request, cluster, body)
    answer = {"addon": shown(body)}
    STATE.after("CreateAddon", lambda: addon_made(cluster, body))
    return answer


def set_associations(request, cluster, body):
    """The pod identity associations that an addon owns."""
    from tests.sim import eks_access
    given = request.params.get("podIdentityAssociations")
    if given is None:
        return
    for identity in [i for i, a in cluster.associations.items() if a.get("ownerArn") == body["addonArn"]]:
        del cluster.associations[identity]
    made = [eks_access.associate(cluster, body["namespaceConfig"]["namespace"], a["serviceAccount"], a["roleArn"], {}, body["addonArn"]) for a in given]
    body["podIdentityAssociations"] = [a["associationArn"] for a in made]


def shown(body):
    return copy.deepcopy({k: v for k, v in body.items() if not k.startswith("_")})


def addon_made(cluster, body):
    if body["status"] != "CREATING":
        return
    issue = failure_of("CreateAddon", body["addonName"])
    if issue:
        body["status"], body["health"] = "CREATE_FAILED", {"issues": [issue]}
    else:
        settle(cluster, body)


def settle(cluster, body):
    """What runs as pods is not healthy before there are nodes."""
    nodes = any(g["status"] in ("ACTIVE", "UPDATING") and g["scalingConfig"]["desiredSize"] for g in cluster.nodegroups.values())
    lacking = ADDONS[body["addonName"]][3] and not nodes
    body["status"] = "DEGRADED" if lacking else "ACTIVE"
    issue = {"code": "InsufficientNumberOfReplicas", "message": "The add-on is unhealthy because it doesn't have the desired number of replicas.",
             "resourceIds": []}
    body["health"] = {"issues": [issue] if lacking else []}


def recover(cluster):
    """A node group has come."""
    for body in cluster.addons.values():
        if body["status"] == "DEGRADED":
            settle(cluster, body)


@own("eks", "DescribeAddon")
def describe_addon(request):
    return {"addon": shown(addon_of(request)[1])}


@own("eks", "ListAddons")
def list_addons(request):
    return {"addons": sorted(cluster_of(request).addons)}


@own("eks", "UpdateAddon")
def update_addon(request):
    (cluster, body), params = addon_of(request), request.params
    if body["status"] in ("CREATING", "UPDATING", "DELETING"):
        raise in_use(f"Addon {body['addonName']} is {body['status']}: it cannot be updated now")
    check_settings(request, cluster)
    new = {k: params[k] for k in ("addonVersion", "serviceAccountRoleArn", "configurationValues") if k in params}
    shown_params = {{"addonVersion": "AddonVersion", "serviceAccountRoleArn": "ServiceAccountRoleArn",
                     "configurationValues": "ConfigurationValues"}[k]: v for k, v in new.items()}

    def made():
        body.update(**new, modifiedAt=now())
        set_associations(request, cluster, body)
        settle(cluster, body)
    return begin_update(cluster, "UpdateAddon", "AddonUpdate", shown_params, made, ("addon", body["addonName"]), body)


@own("eks", "DeleteAddon")
def delete_addon(request):
    cluster, body = addon_of(request)
    if body["status"] in ("CREATING", "UPDATING"):
        raise in_use(f"Addon {body['addonName']} is {body['status']}: it cannot be deleted now")
    body["status"] = "DELETING"
    answer = {"addon": shown(body)}

    def gone():
        issue = failure_of("DeleteAddon", body["addonName"])
        if issue:
            body["status"], body["health"] = "DELETE_FAILED", {"issues": [issue]}
            return
        cluster.addons.pop(body["addonName"], None)
        for identity in [i for i, a in cluster.associations.items() if a.get("ownerArn") == body["addonArn"]]:
            del cluster.associations[identity]
    STATE.after("DeleteAddon", gone)
    return answer
