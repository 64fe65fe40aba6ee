"""The policies of docs/guides/permissions.md are enough for the whole life of a platform, in the cloud and in its cluster, and have nothing to spare;
and what a denied call says."""
import base64
import fnmatch
import json
import re

import pytest

from conftest import CORES, ROOT, Core, aws_settings, destroy_in_spite_of_others, policy_in_role
from platform_aws import NAME, OURS, Leftovers, changed, clear, platform, volume, workload
from test_permissions import allows
from test_platform_gcp import BASE, REGISTRIES, STEPS, Ground, dev
from tests.kube.cluster import Cluster

PAGE = (ROOT / "docs/guides/permissions.md").read_text()
ACCOUNT = "123456789012"
GROUP = "llm-provider"


def part(cloud):
    return re.split(r"\n###? ", PAGE.split(f"### llm_platform_cluster on {cloud}\n")[1])[0]


def policy():
    return json.loads(re.search(r"```json\n(.*?)```", part("AWS"), re.DOTALL)[1])["Statement"]


def role_permissions():
    role = re.search(r"```yaml\n(.*?)```", part("Google Cloud"), re.DOTALL)[1]
    return set(re.findall(r"^  - (\S+)$", role, re.MULTILINE))


def in_cluster(cloud):
    """The table of what is needed in the cluster: (resource, API group, verb)."""
    table = part(cloud).split("What the same identity has to be allowed in the cluster")[1]
    return set(re.findall(r"`([a-z]+)(?:\.([a-z0-9.]+))?:([a-z]+)`", table)) - {("resource", "group", "verb")}


def cluster_role(cloud):
    return [{"apiGroups": [group], "resources": [resource], "verbs": [verb]} for resource, group, verb in sorted(in_cluster(cloud))]


RBAC = "/apis/rbac.authorization.k8s.io/v1"


def bind(kube, cloud):
    """Lets the group do what the page lists, and nothing else."""
    kube.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": GROUP}, "rules": cluster_role(cloud)})
    kube.request("POST", f"{RBAC}/clusterrolebindings", {
        "metadata": {"name": GROUP}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": GROUP},
        "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": GROUP}]})


@pytest.fixture(scope="module")
def kube(shared_simulator):
    """A cluster that lets its maker do what the page lists."""
    def authenticate(token):
        seen = shared_simulator.control(f"cluster_token?token={token}&cluster={NAME}")
        return (seen["arn"], [GROUP]) if seen["valid"] else None

    with Cluster(authenticate=authenticate) as cluster, cluster.controllers():
        bind(cluster, "AWS")
        yield cluster


@pytest.fixture
def ground(kube, sim, tmp_path, cloud):
    sim.control("cluster_endpoint", {"endpoint": kube.endpoint, "certificateAuthority": base64.b64encode(kube.ca_pem.encode()).decode()})
    sim.control("keys", {"provider": "secret"})  # what it calls is told from what the test does
    yield Core(CORES[sorted(CORES)[-1]], tmp_path, {**aws_settings(sim.endpoint), "AWS_ACCESS_KEY_ID": "provider", "AWS_SECRET_ACCESS_KEY": "secret"})
    clear(kube)


# ---- AWS


READS = {"api_groups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list"]}
NAMESPACE = {"labels": {"tier": "team"}, "quota": {"pods": "15"}, "limit_range": {"default_cpu": "500m", "default_memory": "512Mi"}, "config": {"A": "b"},
             "rbac": {"admins": ["leads"], "editors": ["team", "user:jo"], "viewers": ["all"], "roles": {"looks": {"rules": [READS], "subjects": ["all"]}}}}
FULL = {
    "kubernetes_version": "1.33",
    "network": {"nat": "single"},
    "access": {"admins": [f"arn:aws:iam::{ACCOUNT}:user/ops"], "viewers": [f"arn:aws:iam::{ACCOUNT}:user/eye"],
               "groups": {"leads": [f"arn:aws:iam::{ACCOUNT}:user/eye"]}},
    "node_pools": {"general": {"min": 1, "max": 3}, "gpu": {"machine_types": ["g5.xlarge"], "gpu": True, "provisioning": "spot", "min": 0, "max": 2}},
    "registries": {"names": ["gateway", "eval"]},
    "namespaces": {"quant": NAMESPACE, "eval": {}},
    "workloads": {"quant-api": {**workload("quant", "quant-*"), "policies": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}, "eval-api": {"namespace": "eval"}},
    "observability": {"retention_days": 30, "gpu_metrics": True, "alarms": {}},
    "leftovers": {"volumes": ["quant/models"]},
    "tags": {"team": "ai", "owner": "me"},
}


def steps(key):
    """Configurations one after the other, which change whatever can be changed."""
    settings = changed(FULL, tags={"team": "ml"}, network__nat="per_zone", observability__retention_days=90, observability__alarms={"node_cpu_percent": 70},
                       observability__gpu_metrics=None, observability__cluster_logs=["api"], endpoint={"public_cidrs": ["8.8.8.0/24"]},
                       encryption={"kms_key": key}, node_pools__general={"min": 2, "max": 5, "labels": {"a": "b"}, "disk_gib": 80},
                       registries={"names": ["gateway"], "immutable_tags": True, "scan_on_push": False, "keep_tagged": 3},
                       access={"admins": [f"arn:aws:iam::{ACCOUNT}:user/eye"]}, namespaces__quant__quota={"pods": "40"},
                       namespaces__quant__labels={"tier": "other"}, namespaces__quant__config={"A": "c"})
    settings["workloads"] = {"quant-api": {"namespace": "quant", "policies": ["arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"]}}
    settings["namespaces"] = {"quant": {**settings["namespaces"]["quant"], "rbac": {"viewers": ["team"]}}}
    same = changed(settings, node_pools__general__max=6, node_pools__general__min=3, node_pools__general__labels={"a": "c"})
    newer = changed(same, kubernetes_version="1.34", node_pools__gpu=None, network__nat="none", observability__dashboard=False)
    return [FULL, changed(FULL, deletion_protection=True), settings, same, newer]


def meddle(cloud):
    """What others may do to a platform, and an apply undoes."""
    iam, ec2 = cloud.client("iam"), cloud.client("ec2")
    cloud.client("ecr").delete_lifecycle_policy(repositoryName=f"{NAME}/gateway")
    role = f"llm-k8s-{NAME}-us-east-1-nodes"
    [provider] = [p["Arn"] for p in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}))
    iam.update_role_description(RoleName=role, Description="mine")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="sts.amazonaws.com")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="other")
    tables = ec2.describe_route_tables()["RouteTables"]
    owned = {t["Value"]: r for r in tables for t in r["Tags"] if t["Key"] == "llm:component"}
    [first] = [a for a in owned["route_table.private-a"]["Associations"] if not a.get("Main")]
    ec2.replace_route_table_association(AssociationId=first["RouteTableAssociationId"], RouteTableId=owned["route_table.private-b"]["RouteTableId"])
    ec2.modify_vpc_attribute(VpcId=owned["route_table.private-a"]["VpcId"], EnableDnsHostnames={"Value": False})


def pool_in_cluster(cloud):
    eks = cloud.client("eks")
    role = f"arn:aws:iam::{ACCOUNT}:role/llm-k8s-{NAME}-us-east-1-nodes"

    def put():
        subnets = eks.describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]["subnetIds"]
        eks.create_nodegroup(clusterName=NAME, nodegroupName="theirs", nodeRole=role, subnets=subnets)
    return put, "In the way: node group theirs.", lambda: eks.delete_nodegroup(clusterName=NAME, nodegroupName="theirs")


def life(core, cloud):
    for user in ("ops", "eye"):
        cloud.client("iam").create_user(UserName=user)
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    for settings in steps(key):
        core.write(platform(**settings))
        core.apply_ok()
        core.no_difference()
    (core.directory / "terraform.tfstate").unlink()
    core.ok("import", "-no-color", "llm_platform_cluster.p", f"aws/us-east-1/{NAME}")
    core.no_difference()
    meddle(cloud)
    core.apply_ok()
    core.no_difference()
    left = Leftovers(cloud)
    left.interface(**{"cluster.k8s.amazonaws.com/name": NAME})
    group, other = left.group("k8s-traffic", **OURS), left.group("k8s-elb", **{f"kubernetes.io/cluster/{NAME}": "owned"})
    left.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": group}]}])
    left.balancer("gateway", group, **OURS)
    left.classic("old", other, **{f"kubernetes.io/cluster/{NAME}": "owned"})
    volume(cloud, "quant/models")
    destroy_in_spite_of_others(core, policy_in_role(cloud, f"llm-k8s-{NAME}-us-east-1-w-quant-api"), pool_in_cluster(cloud))


# What AWS checks besides the calls: of whom roles are passed to, of service-linked roles, keys and launch templates.
CHECKED_BY_AWS = {"iam:PassRole", "iam:CreateServiceLinkedRole", "ec2:RunInstances", "kms:CreateGrant", "kms:DescribeKey"}
SERVICES = {"monitoring": "cloudwatch", "elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
NAMES = {"RoleName": f"iam::{ACCOUNT}:role/{{}}", "logGroupName": f"logs:us-east-1:{ACCOUNT}:log-group:{{}}", "DashboardName": f"cloudwatch::{ACCOUNT}:dashboard/{{}}",
         "AlarmName": f"cloudwatch:us-east-1:{ACCOUNT}:alarm:{{}}", "DashboardNames": f"cloudwatch::{ACCOUNT}:dashboard/{{}}",
         "AlarmNames": f"cloudwatch:us-east-1:{ACCOUNT}:alarm:{{}}", "OpenIDConnectProviderArn": "{}", "resourceArn": "{}", "ResourceARN": "{}"}


def resources(call):
    """The ARNs of what a call of IAM, CloudWatch or its logs is for."""
    found, params = [], call["params"]
    if call["operation"] == "CreateOpenIDConnectProvider":
        found.append(f"arn:aws:iam::{ACCOUNT}:oidc-provider/" + params["Url"].partition("://")[2])
    for key, form in NAMES.items():
        named = params.get(key) if call["service"] in ("iam", "logs", "monitoring") else None
        for name in named if isinstance(named, list) else [named] if named else []:
            found.append(name if name.startswith("arn:") else "arn:aws:" + form.format(name))
    return found or [None]


def asked(sim):
    """What the provider has asked for: (action, ARN) of each call."""
    return [(f"{SERVICES.get(c['service'], c['service'])}:{c['operation']}", r) for c in sim.calls() if c["access_key"] == "provider" for r in resources(c)]


def test_policy_is_enough_on_aws(ground, sim, cloud, kube):
    statements = policy()
    life(ground, cloud)
    calls = asked(sim)
    assert sum(resource is not None for _, resource in calls) > 200
    assert [c for c in calls if not any(allows(s, *c) for s in statements)] == []
    assert {a for s in statements for a in s["Action"]} - {a for a, _ in calls} == CHECKED_BY_AWS


def test_policy_removes_only_what_the_provider_made_on_aws(ground, sim, cloud, kube):
    """Whatever EC2 may remove by its tag has had that tag when it was removed."""
    [tagged] = [s for s in policy() if "aws:ResourceTag/llm:resource" in json.dumps(s.get("Condition", {}))]
    pattern = tagged["Condition"]["StringLike"]["aws:ResourceTag/llm:resource"]
    ground.write(platform())
    ground.apply_ok()
    tags = {t["ResourceId"]: t["Value"] for t in cloud.client("ec2").describe_tags(Filters=[{"Name": "key", "Values": ["llm:resource"]}])["Tags"]}
    assert ground.destroy().status == 0
    removed = [c["params"] for c in sim.calls() if f"ec2:{c['operation']}" in tagged["Action"]]
    assert len(removed) >= len(tagged["Action"])
    for params in removed:
        [object_id] = [v for k, v in params.items() if k.endswith("Id")]
        assert fnmatch.fnmatchcase(tags.get(object_id, ""), pattern), params


def test_roles_are_passed_to_who_trusts_them(ground, cloud, kube):
    """The policy's condition names the services of the roles that EKS is given: those that their trust policies name."""
    [passing] = [s for s in policy() if s["Action"] == ["iam:PassRole"]]
    [services] = passing["Condition"]["StringLike"].values()
    ground.write(platform(**FULL))
    for user in ("ops", "eye"):
        cloud.client("iam").create_user(UserName=user)
    ground.apply_ok()
    eks = cloud.client("eks")
    groups = [eks.describe_nodegroup(clusterName=NAME, nodegroupName=n)["nodegroup"]["nodeRole"] for n in eks.list_nodegroups(clusterName=NAME)["nodegroups"]]
    given = {eks.describe_cluster(name=NAME)["cluster"]["roleArn"], *groups}
    trusted = {s for arn in given for t in cloud.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]["Statement"]
               for s in [t["Principal"]["Service"]]}
    assert trusted == {"eks.amazonaws.com", "ec2.amazonaws.com"}
    assert all(any(fnmatch.fnmatchcase(t, s) for s in services) for t in trusted)
    assert all(allows(passing, "iam:PassRole", arn) for arn in given)
    assert ground.destroy().status == 0


# Calls in the middle of a create, in their order, in the words that each service has for them.
DENIED = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: {} on resource: * because no identity-based policy allows the {} action"
ENCODED = "You are not authorized to perform this operation. Encoded authorization failure message: c2VjcmV0"
CHAIN = [("ec2:CreateSubnet", "UnauthorizedOperation", ENCODED), ("eks:CreateCluster", "AccessDeniedException", DENIED),
         ("eks:CreateAddon", "AccessDeniedException", DENIED), ("eks:CreateNodegroup", "AccessDeniedException", DENIED)]
# Of other services: what is added to a platform, one by one.
ADDED = [("ecr:CreateRepository", "AccessDeniedException", {"registries": {"names": ["gateway"]}}),
         ("cloudwatch:PutMetricAlarm", "AccessDenied", {"observability": {"alarms": {}}}), ("iam:CreateRole", "AccessDenied", {"workloads": {"w": {"namespace": "quant", "service_account": "w"}}})]


def denied(core, sim, action, code, message):
    sim.fail(action.partition(":")[2], code, message.format(action, action), status=403)
    failed = core.apply()
    assert failed.status == 1 and action in failed.text and "Grant" in failed.text, failed.output
    named = set(re.findall(r"(?:ec2|eks|ecr|iam|cloudwatch|logs):[A-Z]\w+", failed.text))
    assert named == {action}, failed.output


def test_a_denied_call_names_the_action_and_the_next_apply_goes_on(ground, sim, cloud, kube):
    ground.write(platform(namespaces={"quant": {}}))
    for action, code, message in CHAIN:
        denied(ground, sim, action, code, message)
    since = len(sim.calls())
    ground.apply_ok()
    assert not {"CreateVpc", "CreateCluster"} & {c["operation"] for c in sim.calls()[since:]}
    ground.no_difference()
    config = {"namespaces": {"quant": {}}}
    for action, code, more in ADDED:
        config = {**config, **more}
        ground.write(platform(**config))
        denied(ground, sim, action, code, DENIED)
        ground.apply_ok()
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


# ---- Google Cloud


@pytest.fixture(scope="module")
def gcp_kube():
    """A cluster that lets who has the token "maker" do what the page lists."""
    with Cluster(authenticate=lambda token: ("maker", [GROUP]) if token == "maker" else None) as cluster, cluster.controllers():
        bind(cluster, "Google Cloud")
        yield cluster


@pytest.fixture
def gcp_ground(tmp_path, gcp_sim, gcp_cloud, gcp_kube):
    gcp_sim.control("tokens", {"maker": {"identity": "ci@example.com", "owner": True}})
    ground = Ground(tmp_path, gcp_sim, gcp_cloud, gcp_kube)
    ground.core.env["GOOGLE_OAUTH_ACCESS_TOKEN"] = "maker"
    yield ground
    ground.clean()


ROLES = """rbac = { viewers = ["all"], roles = { looks = { rules = [{ resources = ["pods"], verbs = ["get"] }], subjects = ["all"] } } }"""
T4 = 't4 = { machine_types = ["n1-standard-8+nvidia-tesla-t4:1"], gpu = true, min = 0, max = 1 }'


def test_role_is_enough_on_google_cloud(gcp_ground):
    """The simulator refuses whatever the role does not hold, and the API server what the table does not."""
    g, listed = gcp_ground, role_permissions()
    g.sim.control("permissions", {"allowed": sorted(listed)})
    g.apply(dev(version='"1.33"').replace('rbac        = { editors = ["${n}-team"] }', ROLES))
    for settings, _, _ in STEPS:
        g.change(dev(**{**settings, "version": '"1.33"'}))
    g.change(dev(gpu=T4, observability="retention_days = 7, alarms = { node_cpu_percent = 60 }"))
    g.change(dev(observability="retention_days = 7, alarms = { node_cpu_percent = 70 }"))
    g.core = g.new_core("second")
    g.core.env["GOOGLE_OAUTH_ACCESS_TOKEN"] = "maker"
    g.core.write(dev(observability="retention_days = 7, alarms = { node_cpu_percent = 70 }"))
    g.core.ok("import", "-no-color", "-input=false", "llm_platform_cluster.p", "gcp/us-central1/dev")
    g.core.no_difference()
    g.edit("compute", f"projects/test-project/regions/us-central1/subnetworks/{BASE}", privateIpGoogleAccess=False)
    g.edit("logging", f"projects/test-project/sinks/{BASE}", filter="severity = ERROR")
    [dashboard] = [n for n in g.cloud.things("monitoring") if "/dashboards/" in n]
    g.edit("monitoring", dashboard, displayName="mine")
    g.edit("iam", f"projects/test-project/serviceAccounts/{g.state()['node_role']}", displayName="mine")
    g.core.apply_ok()
    g.core.no_difference()
    g.destroy()
    g.apply(dev())  # the log bucket is restored
    g.destroy()
    used = set(g.sim.control("permissions")["used"])
    inside = {p for p in listed if re.match(r"container\.(?!clusters\.|operations\.)", p)}
    # only for what a cluster has left in its network
    left = {f"compute.{kind}.{verb}" for kind, verb in (
        ("firewalls", "delete"), ("forwardingRules", "list"), ("forwardingRules", "delete"), ("targetPools", "delete"), ("regionBackendServices", "delete"),
        ("networkEndpointGroups", "delete"), ("disks", "delete"), ("zoneOperations", "get"))} | {"container.clusters.list"}
    assert used <= listed
    assert inside <= listed - used <= inside | left, listed - used - inside - left


def test_the_role_and_the_table_say_the_same_of_the_cluster():
    """GKE takes either: its IAM names the resources in camel case, and has no patch ("GKE RBAC and IAM")."""
    of_iam = {p.removeprefix("container.").lower() for p in role_permissions() if re.match(r"container\.(?!clusters\.|operations\.)", p)}
    assert of_iam == {f"{resource}.{'update' if verb == 'patch' else verb}" for resource, _, verb in in_cluster("Google Cloud")}


def test_a_denied_permission_is_named_and_the_next_apply_goes_on(gcp_ground):
    g = gcp_ground

    def is_denied(permission):
        g.sim.control("permissions", {"denied": [permission]})
        failed = g.core.apply()
        assert failed.status == 1 and "Grant" in failed.text, failed.output
        assert set(re.findall(r"(?:compute|container|artifactregistry|iam|logging|monitoring)\.[a-zA-Z]+\.[a-zA-Z]+(?= permission|'|\.$|\. )", failed.text)) \
            == {permission}, failed.output
        g.sim.control("permissions", {"denied": []})

    g.core.write(dev())
    for permission in ("compute.networks.create", "compute.subnetworks.create", "container.clusters.create", "container.clusters.update"):
        is_denied(permission)
    since = len(g.sim.calls())
    g.core.apply_ok()
    assert not {"compute.networks.insert", "container.projects.locations.clusters.create"} & {c["operation"] for c in g.sim.calls()[since:]}
    g.core.no_difference()
    g.core.write(dev(registries=[*REGISTRIES, "one-more"]))
    is_denied("artifactregistry.repositories.create")
    g.core.apply_ok()
    g.core.no_difference()
    g.destroy()
