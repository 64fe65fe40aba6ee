"""EKS: managed node groups."""
import copy
import uuid


from tests.sim import machines
from tests.sim.eks import VERSIONS, active, bad, begin_update, cluster_of, failure_of, in_use, minor, now, role_of, subnets_of
from tests.sim.state import STATE, Refused, own


def nodegroup_of(request):
    cluster, name = cluster_of(request), request.params["nodegroupName"]
    if name not in cluster.nodegroups:
        raise Refused("ResourceNotFoundException", f"No node group found for name: {name}.", 404)
    return cluster, cluster.nodegroups[name]


def release(version):
    return f"{version}.1-20251101"


# ---- create


def check_scaling(scaling):
    least, most, desired = scaling["minSize"], scaling["maxSize"], scaling["desiredSize"]
    if most < 1 or least < 0:
        raise bad("maxSize must be at least 1, minSize at least 0")
    if least > most:
        raise bad(f"Minimum capacity {least} can't be greater than maximum capacity {most}")
    if least > desired:
        raise bad(f"Minimum capacity {least} can't be greater than desired size {desired}")
    if desired > most:
        raise bad(f"desired capacity {desired} can't be greater than max size {most}")


def template_of(cluster, given):
    """The launch template that a node group names, and the version of it."""
    cloud = cluster.cloud()
    found = [t for t in cloud.launch_templates.values() if given.get("id", t.id) == t.id and given.get("name", t.name) == t.name]
    if not found or STATE.is_young(found[0].id):
        raise Refused("InvalidRequestException", f"Launch template with ID or name {given.get('id') or given.get('name')} does not exist.")
    number = given.get("version", "$Default")
    if number.isdigit() and int(number) > len(found[0].versions):
        raise Refused("InvalidRequestException", f"Launch template version {number} does not exist.")
    return found[0], found[0].get_version(number)


def check_template(cluster, params):
    if "launchTemplate" not in params:
        return None
    if "diskSize" in params:
        raise bad("Disk size must be specified within the launch template.")
    if "remoteAccess" in params:
        raise bad("Remote access configuration cannot be specified with a launch template.")
    template, version = template_of(cluster, params["launchTemplate"])
    for member in ("IamInstanceProfile", "SubnetId"):
        if member in version.data:
            raise bad(f"Launch template {template.name} should not specify {member}")
    if "InstanceType" in version.data and params.get("instanceTypes"):
        raise bad("You cannot specify instance types both in the launch template and in the node group")
    return {"id": template.id, "name": template.name, "version": str(version.number)}


def check_nodegroup(request, cluster):
    params = request.params
    active(cluster)
    if params["nodegroupName"] in cluster.nodegroups:
        raise in_use(f"NodeGroup already exists with name {params['nodegroupName']} and cluster name {cluster.name}")
    role = role_of(request, params["nodeRole"], "ec2.amazonaws.com")
    if role is None:
        raise bad("Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole "
                  f"{params['nodeRole']}")
    if any(s.vpc_id != cluster.body["resourcesVpcConfig"]["vpcId"] for s in subnets_of(cluster.cloud(), params["subnets"])):
        raise bad("Subnets are not in the VPC of the cluster")
    unknown = [k for k in params.get("instanceTypes", []) if not machines.describe(k)]
    if unknown:
        raise bad(f"The following supplied instance types do not exist: [{', '.join(unknown)}]")
    check_scaling(params.get("scalingConfig", DEFAULT_SCALING))
    check_version(cluster, params.get("version"))
    check_taints(params.get("taints", []))
    return role


DEFAULT_SCALING = {"minSize": 1, "maxSize": 2, "desiredSize": 2}


def check_version(cluster, version):
    if version is None:
        return
    if version not in VERSIONS or minor(version) > minor(cluster.body["version"]):
        raise bad(f"Requested Kubernetes version {version} is not supported for the cluster version {cluster.body['version']}")
    if minor(cluster.body["version"]) - minor(version) > 3:
        raise bad(f"Nodegroup version {version} is too old for the cluster version {cluster.body['version']}")


def check_taints(taints):
    seen = [(t.get("key"), t.get("effect")) for t in taints]
    if len(set(seen)) != len(seen):
        raise bad("Taints with the same key and effect are given more than once")


@own("eks", "CreateNodegroup")
def create_nodegroup(request):
    params, cluster = request.params, cluster_of(request)
    known = cluster.nodegroups.get(params["nodegroupName"])
    if known and params.get("clientRequestToken") and known["_token"] == params["clientRequestToken"]:
        return {"nodegroup": shown(known)}
    role = check_nodegroup(request, cluster)
    template, identity = check_template(cluster, params), str(uuid.uuid4())
    version = params.get("version", cluster.body["version"])
    body = cluster.nodegroups[params["nodegroupName"]] = {
        "nodegroupName": params["nodegroupName"], "nodegroupArn": cluster.arn("nodegroup", params["nodegroupName"], identity),
        "clusterName": cluster.name, "version": version, "releaseVersion": params.get("releaseVersion", release(version)), "createdAt": now(),
        "modifiedAt": now(), "status": "CREATING", "capacityType": params.get("capacityType", "ON_DEMAND"),
        "scalingConfig": params.get("scalingConfig", dict(DEFAULT_SCALING)), "subnets": params["subnets"], "nodeRole": params["nodeRole"],
        "amiType": params.get("amiType", "AL2023_x86_64_STANDARD"), "labels": dict(params.get("labels", {})), "taints": params.get("taints", []),
        "resources": {}, "health": {"issues": []}, "updateConfig": params.get("updateConfig", {"maxUnavailable": 1}),
        "tags": dict(params.get("tags", {})), "_token": params.get("clientRequestToken"),
        **({"launchTemplate": template} if template else {"diskSize": params.get("diskSize", 20)}),
        **({"remoteAccess": params["remoteAccess"]} if "remoteAccess" in params else {}),
    }
    if not template or params.get("instanceTypes"):
        body["instanceTypes"] = params.get("instanceTypes") or ["t3.medium"]
    answer = {"nodegroup": shown(body)}
    STATE.after("CreateNodegroup", lambda: nodegroup_made(cluster, body, role, identity))
    return answer


def shown(body):
    return copy.deepcopy({k: v for k, v in body.items() if not k.startswith("_")})


def nodegroup_made(cluster, body, role, identity):
    if body["status"] != "CREATING":
        return
    body["resources"] = {"autoScalingGroups": [{"name": f"eks-{body['nodegroupName']}-{identity}"}]}
    issue = failure_of("CreateNodegroup", body["nodegroupName"]) or trouble(cluster, body, role)
    body["status"], body["modifiedAt"] = ("CREATE_FAILED" if issue else "ACTIVE"), now()
    if issue:
        body["health"] = {"issues": [issue]}
        return
    linux_entry(cluster, body["nodeRole"])
    from tests.sim import eks_addons
    eks_addons.recover(cluster)


def trouble(cluster, body, role):
    """Why its machines do not start or do not join, as a health issue; None when they do."""
    name = body["nodegroupName"]
    if not role.managed_policies and not role.policies:
        return {"code": "NodeCreationFailure", "message": "Instances failed to join the kubernetes cluster", "resourceIds": [name]}
    kinds, spot, desired = body.get("instanceTypes", []), body["capacityType"] == "SPOT", body["scalingConfig"]["desiredSize"]
    zones = {s.availability_zone for s in subnets_of(cluster.cloud(), body["subnets"])}
    offered = [k for k in kinds if zones & set(machines.zones(k, cluster.region))]
    if kinds and desired and not offered:
        return {"code": "AsgInstanceLaunchFailures", "resourceIds": [body["resources"]["autoScalingGroups"][0]["name"]],
                "message": f"Your requested instance type ({kinds[0]}) is not supported in your requested Availability Zone ({sorted(zones)[0]}). "
                           "Launching EC2 instance failed."}
    if kinds and all(over_quota(k, spot, desired) for k in kinds):
        code = machines.quota_code(kinds[0], spot)
        text = "MaxSpotInstanceCountExceeded - Max spot instance count exceeded" if spot else (
            f"VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of {int(machines.quota_value(code))} allows "
            "for the instance bucket that the specified instance type belongs to.")
        return {"code": "AsgInstanceLaunchFailures", "message": f"Could not launch instances. {text} Launching EC2 instance failed.",
                "resourceIds": [body["resources"]["autoScalingGroups"][0]["name"]]}
    return None


def over_quota(kind, spot, count):
    code = machines.quota_code(kind, spot)
    return code is not None and machines.vcpus(kind) * count > machines.quota_value(code)


def linux_entry(cluster, role):
    """EKS lets the nodes in by itself, where access entries are used."""
    from tests.sim import eks_access
    if cluster.modes != "CONFIG_MAP" and role not in cluster.entries:
        eks_access.add_entry(cluster, role, "EC2_LINUX", ["system:nodes"], {}, username="system:node:{{EC2PrivateDNSName}}")


@own("eks", "DescribeNodegroup")
def describe_nodegroup(request):
    return {"nodegroup": shown(nodegroup_of(request)[1])}


@own("eks", "ListNodegroups")
def list_nodegroups(request):
    return {"nodegroups": sorted(cluster_of(request).nodegroups)}


@own("eks", "DeleteNodegroup")
def delete_nodegroup(request):
    cluster, body = nodegroup_of(request)
    if body["status"] in ("CREATING", "UPDATING", "DELETING"):
        raise in_use(f"Nodegroup {body['nodegroupName']} cannot be deleted while it is {body['status']}")
    body["status"] = "DELETING"
    answer = {"nodegroup": shown(body)}

    def gone():
        issue = failure_of("DeleteNodegroup", body["nodegroupName"])
        if issue:
            body["status"], body["health"] = "DELETE_FAILED", {"issues": [issue]}
            return
        cluster.nodegroups.pop(body["nodegroupName"], None)
        entry = cluster.entries.get(body["nodeRole"])
        if entry and entry[0]["type"] == "EC2_LINUX" and not any(g["nodeRole"] == body["nodeRole"] for g in cluster.nodegroups.values()):
            del cluster.entries[body["nodeRole"]]
    STATE.after("DeleteNodegroup", gone)
    return answer


# ---- updates


def free(body):
    if body["status"] == "UPDATING":
        raise in_use(f"Nodegroup {body['nodegroupName']} currently has an update in progress")
    if body["status"] not in ("ACTIVE", "DEGRADED"):
        raise Refused("InvalidRequestException", f"Nodegroup {body['nodegroupName']} is not in ACTIVE status")


@own("eks", "UpdateNodegroupConfig")
def update_nodegroup_config(request):
    (cluster, body), params = nodegroup_of(request), request.params
    free(body)
    given = {k: params[k] for k in ("labels", "taints", "scalingConfig", "updateConfig", "nodeRepairConfig") if k in params}
    if not given:
        raise bad("No update is specified.")
    labels, taints = params.get("labels", {}), params.get("taints", {})
    new = {"scalingConfig": {**body["scalingConfig"], **params.get("scalingConfig", {})},
           "labels": {**body["labels"], **labels.get("addOrUpdateLabels", {})}, "taints": merged(body["taints"], taints),
           "updateConfig": params.get("updateConfig", body["updateConfig"])}
    for key in labels.get("removeLabels", []):
        if key not in body["labels"]:
            raise bad(f"Label(s) [{key}] cannot be removed: they do not exist")
        new["labels"].pop(key)
    check_scaling(new["scalingConfig"])
    names = {"minSize": "MinSize", "maxSize": "MaxSize", "desiredSize": "DesiredSize"}
    shown_params = {names[k]: str(v) for k, v in params.get("scalingConfig", {}).items()}
    shown_params.update({kind: value for kind, value in {
        "LabelsToAdd": labels.get("addOrUpdateLabels"), "LabelsToRemove": labels.get("removeLabels"),
        "TaintsToAdd": taints.get("addOrUpdateTaints"), "TaintsToRemove": taints.get("removeTaints")}.items() if value})
    return begin_update(cluster, "UpdateNodegroupConfig", "ConfigUpdate", shown_params, lambda: body.update(**new, modifiedAt=now()),
                        ("nodegroup", body["nodegroupName"]), body)


def merged(old, change):
    key = lambda taint: (taint.get("key"), taint.get("effect"))
    added, removed = change.get("addOrUpdateTaints", []), change.get("removeTaints", [])
    check_taints([*added, *removed])
    missing = [t for t in removed if key(t) not in map(key, old)]
    if missing:
        raise bad(f"Taint(s) {[t.get('key') for t in missing]} cannot be removed: they do not exist")
    touched = {key(t) for t in [*added, *removed]}
    return [t for t in old if key(t) not in touched] + added


@own("eks", "UpdateNodegroupVersion")
def update_nodegroup_version(request):
    (cluster, body), params = nodegroup_of(request), request.params
    free(body)
    template = params.get("launchTemplate")
    if template:
        old = body.get("launchTemplate")
        if not old:
            raise Refused("InvalidRequestException", "The node group was made without a launch template, and cannot be given one")
        found, number = template_of(cluster, template)
        if found.id != old["id"]:
            raise Refused("InvalidRequestException", "A node group cannot be given another launch template, only another version of it")
        template = {"id": found.id, "name": found.name, "version": str(number.number)}
    if body["amiType"] == "CUSTOM" and ("version" in params or "releaseVersion" in params):
        raise bad("You cannot specify the field version or releaseVersion when using a custom AMI")
    version = params.get("version") or (body["version"] if template else cluster.body["version"])
    check_version(cluster, version)
    if minor(version) < minor(body["version"]):
        raise bad(f"Nodegroup Kubernetes version {version} is older than the present one, {body['version']}")
    new = {"version": version, "releaseVersion": params.get("releaseVersion", release(version)), **({"launchTemplate": template} if template else {})}
    shown_params = {"Version": version, "ReleaseVersion": new["releaseVersion"], **({"LaunchTemplateVersion": template["version"]} if template else {})}
    return begin_update(cluster, "UpdateNodegroupVersion", "VersionUpdate", shown_params, lambda: body.update(**new, modifiedAt=now()),
                        ("nodegroup", body["nodegroupName"]), body)
