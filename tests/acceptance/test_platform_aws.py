"""llm_platform_cluster on AWS with a real core: the simulated cloud, and behind its cluster a real API server that lets in whom the cloud knows."""
import base64
import collections
import ipaddress
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import CORES, ROOT, Core, aws_settings
from tests.kube.cluster import Cluster, Refused, Way

NAME = "llmplatform-dev"


@pytest.fixture(scope="module")
def kube(shared_simulator):
    """A control plane that asks the simulated cloud about tokens, and what controllers do in a cluster."""
    def authenticate(token):
        seen = shared_simulator.control(f"cluster_token?token={token}&cluster={NAME}")
        return (seen["arn"], ["system:masters"]) if seen["valid"] else None

    with Cluster(authenticate=authenticate) as cluster, cluster.controllers():
        yield cluster


@pytest.fixture
def ground(kube, sim, tmp_path, cloud):
    sim.control("cluster_endpoint", {"endpoint": kube.endpoint, "certificateAuthority": base64.b64encode(kube.ca_pem.encode()).decode()})
    yield Core(CORES[sorted(CORES)[-1]], tmp_path, aws_settings(sim.endpoint))
    clear(kube)


def clear(kube):
    """What a test that failed has left in the cluster that all share."""
    left = [f"/api/v1/namespaces/{n}" for n in names(kube, "/api/v1/namespaces") if n != "default" and not n.startswith("kube-")]
    for path in [*left, "/api/v1/namespaces/kube-system/configmaps/llm-platform-cluster", "/apis/apps/v1/namespaces/kube-system/daemonsets/nvidia-device-plugin"]:
        try:
            kube.request("DELETE", path)
        except Refused as why:
            assert why.status in (404, 409), why
    until = time.monotonic() + 10
    while set(left) & {f"/api/v1/namespaces/{n}" for n in names(kube, "/api/v1/namespaces")} and time.monotonic() < until:
        time.sleep(0.1)


def platform(name=NAME, **attributes):
    settings = {"name": name, "cloud": "aws", "deletion_protection": False, **attributes}
    return 'resource "llm_platform_cluster" "p" {\n' + "".join(f"  {k} = {json.dumps(v)}\n" for k, v in settings.items()) + "}\n"


def kinds(cloud):
    return collections.Counter(kind for kind, _, _ in cloud.owned())


def namespace(tier, cpu, memory, pods, **config):
    return {"labels": {"tier": tier}, "annotations": {"description": f"{tier} namespace"},
            "quota": {"requests.cpu": str(cpu), "requests.memory": f"{memory}Gi", "limits.cpu": str(2 * cpu), "limits.memory": f"{2 * memory}Gi",
                      "pods": str(pods)},
            "limit_range": {"default_cpu": "500m", "default_memory": "512Mi", "default_request_cpu": "100m", "default_request_memory": "128Mi",
                            "max_cpu": "2", "max_memory": "4Gi", "min_cpu": "50m", "min_memory": "64Mi"},
            **({"config": config} if config else {})}


def workload(team, *endpoints):
    return {"namespace": team, "metrics": True, **({"invoke_endpoints": list(endpoints)} if endpoints else {})}


# The requirement's development environment.
DEV = {
    "network": {"cidr": "10.0.0.0/16", "zones": 3, "nat": "single"},
    "node_pools": {"general": {"machine_types": ["m6i.large", "m5.large"], "min": 1, "max": 3, "desired": 2},
                   "gpu": {"machine_types": ["g5.xlarge"], "gpu": True, "provisioning": "spot", "min": 0, "max": 2}},
    "registries": {"names": ["gateway", "quant-api", "finetune-api", "eval-api", "grafana-plugin"]},
    "namespaces": {"platform": namespace("platform", 4, 8, 20, AWS_REGION="us-east-1", LOG_LEVEL="INFO"),
                   "quant": namespace("team", 8, 16, 15, SAGEMAKER_ENDPOINT="quant-endpoint"),
                   "finetune": namespace("team", 4, 8, 10, SAGEMAKER_ENDPOINT="finetune-endpoint"),
                   "eval": namespace("team", 4, 8, 10, SAGEMAKER_ENDPOINT="eval-endpoint"), "observability": namespace("platform", 8, 16, 30)},
    "workloads": {"gateway": workload("platform"), "quant-api": workload("quant", "quant-*"), "finetune-api": workload("finetune", "finetune-*"),
                  "eval-api": workload("eval", "eval-*")},
    "observability": {"retention_days": 30, "alarms": {"actions": ["arn:aws:sns:us-east-1:123456789012:oncall"]}},
    "tags": {"Project": "llmplatform", "Environment": "dev"},
}


def test_two_lines(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    ground.no_difference()
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []


def test_development(ground, sim, cloud, kube):
    people = [cloud.client("iam").create_role(RoleName=n, AssumeRolePolicyDocument="{}")["Role"]["Arn"] for n in ("quant-leads", "ops")]
    ground.write(platform(**DEV, access={"admins": people[1:], "groups": {"quant-leads": people, "eval-leads": people[1:]}}))
    ground.apply_ok()
    assert_made(cloud, kube)
    assert_access(cloud.client("eks"), *people)
    state = ground.state()["llm_platform_cluster.p"]
    assert_outputs(state, cloud, kube)
    sim.control("calls", method="DELETE")
    ground.no_difference()
    calls = [c["operation"] for c in sim.calls()]
    assert not {c for c in calls if not c.startswith(("Describe", "Get", "List"))}
    assert not {"DescribeAvailabilityZones", "DescribeAddonVersions", "DescribeClusterVersions", "DescribeInstanceTypeOfferings"} & set(calls)
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []
    assert not [n for n in names(kube, "/api/v1/namespaces") if n in DEV["namespaces"]]


def assert_access(eks, leads, ops):
    for arn, groups, policies in ((leads, {"quant-leads"}, []), (ops, {"quant-leads", "eval-leads"}, ["AmazonEKSClusterAdminPolicy"])):
        entry = eks.describe_access_entry(clusterName=NAME, principalArn=arn)["accessEntry"]
        assert (set(entry["kubernetesGroups"]), entry["type"]) == (groups, "STANDARD")
        listed = eks.list_associated_access_policies(clusterName=NAME, principalArn=arn)["associatedAccessPolicies"]
        assert [p["policyArn"].rpartition("/")[2] for p in listed] == policies


def names(kube, path):
    return [item["metadata"]["name"] for item in kube.get(path)["items"]]


def tags_of(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


def assert_made(cloud, kube):
    """What the requirement lists, as boto3 and the cluster's own API show it."""
    found = kinds(cloud)
    assert {k: found[k] for k in EXPECTED} == EXPECTED
    assert_network(cloud.client("ec2"))
    assert_cluster(cloud.client("eks"))
    assert_nodes(cloud.client("eks"), cloud.client("ec2"))
    assert_registries(cloud.client("ecr"))
    assert_roles(cloud.client("iam"), cloud.client("eks"))
    assert_cluster_contents(kube)


EXPECTED = {"VPC": 1, "internet gateway": 1, "subnet": 6, "route table": 4, "route table association": 6, "Elastic IP address": 1, "NAT gateway": 1,
            "security group": 1, "log group": 1, "EKS cluster": 1, "OIDC provider": 1, "EKS node group": 2, "launch template": 2, "EKS addon": 5,
            "ECR repository": 5, "IAM role": 9, "CloudWatch dashboard": 1, "CloudWatch alarm": 3}


def assert_network(ec2):
    subnets = {tags_of(s)["llm:component"]: s for s in ec2.describe_subnets()["Subnets"] if "llm:component" in tags_of(s)}
    public, private = ([subnets[f"subnet.{side}-{z}"] for z in "abc"] for side in ("public", "private"))
    assert len({s["AvailabilityZone"] for s in private}) == 3
    assert all(tags_of(s)["kubernetes.io/role/elb"] == "1" for s in public)
    assert all(tags_of(s)["kubernetes.io/role/internal-elb"] == "1" and tags_of(s)[f"kubernetes.io/cluster/{NAME}"] == "shared" for s in private)
    ranges = [ipaddress.ip_network(s["CidrBlock"]) for s in public + private]
    assert all(r.subnet_of(ipaddress.ip_network("10.0.0.0/16")) for r in ranges)
    assert not any(a.overlaps(b) for i, a in enumerate(ranges) for b in ranges[:i])
    assert min(r.num_addresses for r in ranges[3:]) >= 16384, "pods have addresses of the private subnets"
    [nat] = ec2.describe_nat_gateways()["NatGateways"]
    assert nat["SubnetId"] in [s["SubnetId"] for s in public]
    tables = [t for t in ec2.describe_route_tables()["RouteTables"] if any(r.get("NatGatewayId") == nat["NatGatewayId"] for r in t["Routes"])]
    assert {a["SubnetId"] for t in tables for a in t["Associations"]} == {s["SubnetId"] for s in private}


def assert_cluster(eks):
    seen = eks.describe_cluster(name=NAME)["cluster"]
    assert seen["version"] == "1.34" and seen["status"] == "ACTIVE"
    logging = {t: s["enabled"] for s in seen["logging"]["clusterLogging"] for t in s["types"]}
    assert logging == dict.fromkeys(["api", "audit", "authenticator", "controllerManager", "scheduler"], True)
    assert seen["resourcesVpcConfig"]["endpointPublicAccess"] and seen["resourcesVpcConfig"]["endpointPrivateAccess"]
    assert seen["tags"]["Project"] == "llmplatform" and "llm:claim" not in seen["tags"]
    assert sorted(eks.list_addons(clusterName=NAME)["addons"]) == ["aws-ebs-csi-driver", "coredns", "eks-pod-identity-agent", "kube-proxy", "vpc-cni"]
    cni = eks.describe_addon(clusterName=NAME, addonName="vpc-cni")["addon"]
    assert json.loads(cni["configurationValues"]) == {"enableNetworkPolicy": "true"}, "default-deny policies are enforced"


def pools(eks):
    return {n.rpartition("-")[0]: eks.describe_nodegroup(clusterName=NAME, nodegroupName=n)["nodegroup"]
            for n in eks.list_nodegroups(clusterName=NAME)["nodegroups"]}


def assert_nodes(eks, ec2):
    general, gpu = (pools(eks)[n] for n in ("general", "gpu"))
    assert (general["amiType"], general["capacityType"], general["instanceTypes"]) == ("AL2023_x86_64_STANDARD", "ON_DEMAND", ["m6i.large", "m5.large"])
    assert general["scalingConfig"] == {"minSize": 1, "maxSize": 3, "desiredSize": 2}
    assert (gpu["amiType"], gpu["capacityType"]) == ("AL2023_x86_64_NVIDIA", "SPOT")
    assert gpu["labels"] == {"nvidia.com/gpu.present": "true"}
    assert gpu["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    template = ec2.describe_launch_template_versions(LaunchTemplateId=gpu["launchTemplate"]["id"], Versions=["$Latest"])["LaunchTemplateVersions"][0]
    data = template["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required" and data["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    disk = data["BlockDeviceMappings"][0]["Ebs"]
    assert disk["Encrypted"] and disk["VolumeSize"] == 200 and disk["VolumeType"] == "gp3"
    assert {t["Key"]: t["Value"] for t in data["TagSpecifications"][0]["Tags"]}["Project"] == "llmplatform"


def assert_registries(ecr):
    found = {r["repositoryName"]: r for r in ecr.describe_repositories()["repositories"]}
    assert sorted(found) == sorted(f"{NAME}/{n}" for n in DEV["registries"]["names"])
    one = found[f"{NAME}/gateway"]
    assert one["imageScanningConfiguration"]["scanOnPush"] and one["encryptionConfiguration"]["encryptionType"] == "KMS"
    rules = json.loads(ecr.get_lifecycle_policy(repositoryName=f"{NAME}/gateway")["lifecyclePolicyText"])["rules"]
    assert [r["selection"]["countNumber"] for r in rules] == [15, 7]


def assert_roles(iam, eks):
    issuer = eks.describe_cluster(name=NAME)["cluster"]["identity"]["oidc"]["issuer"].partition("://")[2]
    role = iam.get_role(RoleName=f"llm-k8s-{NAME}-us-east-1-w-quant-api")["Role"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"] == {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": "system:serviceaccount:quant:quant-sa"}
    [provider] = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert trust["Principal"] == {"Federated": provider["Arn"]} and provider["Arn"].endswith(issuer)
    policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="platform")["PolicyDocument"]
    by = {s["Sid"]: s for s in policy["Statement"]}
    assert by["Endpoints"]["Resource"] == ["arn:aws:sagemaker:us-east-1:123456789012:endpoint/quant-*"]
    assert by["Metrics"]["Action"] == ["cloudwatch:PutMetricData"]
    gateway = iam.get_role_policy(RoleName=f"llm-k8s-{NAME}-us-east-1-w-gateway", PolicyName="platform")["PolicyDocument"]
    assert "sagemaker" not in json.dumps(gateway)


def assert_cluster_contents(kube):
    assert set(DEV["namespaces"]) <= set(names(kube, "/api/v1/namespaces"))
    quota = kube.get("/api/v1/namespaces/quant/resourcequotas/quant-quota")["spec"]["hard"]
    assert quota == {"requests.cpu": "8", "requests.memory": "16Gi", "limits.cpu": "16", "limits.memory": "32Gi", "pods": "15"}
    account = kube.get("/api/v1/namespaces/quant/serviceaccounts/quant-sa")["metadata"]["annotations"]
    assert account["eks.amazonaws.com/role-arn"] == f"arn:aws:iam::123456789012:role/llm-k8s-{NAME}-us-east-1-w-quant-api"
    assert names(kube, "/apis/networking.k8s.io/v1/namespaces/eval/networkpolicies") == ["default-deny"]
    assert kube.get("/api/v1/namespaces/platform/configmaps/platform-config")["data"]["LOG_LEVEL"] == "INFO"
    plugin = kube.get("/apis/apps/v1/namespaces/kube-system/daemonsets/nvidia-device-plugin")
    assert plugin["spec"]["template"]["spec"]["nodeSelector"] == {"nvidia.com/gpu.present": "true"}


def assert_outputs(state, cloud, kube):
    assert {c["state"] for c in state["components"].values()} == {"ready"}
    assert state["cluster_endpoint"] == kube.endpoint and state["cluster_ca_certificate"] == kube.ca_pem
    assert state["registry_urls"]["gateway"].endswith(f"/{NAME}/gateway")
    assert state["workload_identities"]["eval-api"].endswith("w-eval-api")
    assert len(state["private_subnet_ids"]) == len(state["public_subnet_ids"]) == 3
    assert state["kubeconfig_command"] == f"aws eks update-kubeconfig --region us-east-1 --name {NAME}"
    assert state["workload_pool"] is None and state["kubernetes_version"] == "1.34"


# ---- changes


def changed(base, **paths):
    """A copy of a configuration with other values: node_pools__general__max=5; None takes one away."""
    new = json.loads(json.dumps(base))
    for path, value in paths.items():
        *parents, last = path.split("__")
        at = new
        for name in parents:
            at = at.setdefault(name, {})
        at[last] = value
        if value is None:
            del at[last]
    return new


def writes(sim, since):
    return [c["operation"] for c in sim.calls()[since:] if not c["operation"].startswith(("Describe", "Get", "List"))]


def apply_change(ground, sim, config):
    ground.write(platform(**config))
    plan = ground.plan()
    assert plan.status == 0 and "will be updated in-place" in plan.output, plan.output
    since = len(sim.calls())
    ground.apply_ok()
    done = writes(sim, since)
    ground.no_difference()
    return plan, done


SMALL = {"node_pools": {"general": {"min": 1, "max": 3, "desired": 2}}, "registries": {"names": ["gateway"]},
         "namespaces": {"quant": namespace("team", 8, 16, 15, LOG_LEVEL="INFO")}, "workloads": {"quant-api": workload("quant", "quant-*")}}


def test_a_service_account_changes_hands(ground, sim, cloud, kube):
    """It stays the same object when its workload is called otherwise, and when it is no workload's any more."""
    ground.write(platform(**SMALL))
    ground.apply_ok()

    def account():
        seen = kube.get("/api/v1/namespaces/quant/serviceaccounts/quant-sa")["metadata"]
        return seen["uid"], seen.get("annotations", {}).get("eks.amazonaws.com/role-arn", "").rpartition("/")[2]
    first, role = account()
    assert role == f"llm-k8s-{NAME}-us-east-1-w-quant-api"
    config = {**SMALL, "workloads": {"server": SMALL["workloads"]["quant-api"]}}
    apply_change(ground, sim, config)
    assert account() == (first, f"llm-k8s-{NAME}-us-east-1-w-server")
    apply_change(ground, sim, {**config, "workloads": {}})
    assert account() == (first, "")
    apply_change(ground, sim, SMALL)
    assert account() == (first, role)
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_changes_in_place(ground, sim, cloud, kube):
    ground.write(platform(**SMALL))
    ground.apply_ok()
    eks = cloud.client("eks")
    config = changed(SMALL, node_pools__general__min=3, node_pools__general__max=5, node_pools__general__desired=3)
    _, done = apply_change(ground, sim, config)
    assert done == ["UpdateNodegroupConfig"]
    assert pools(eks)["general"]["scalingConfig"] == {"minSize": 3, "maxSize": 5, "desiredSize": 3}, "its size was outside of what is allowed"
    taint = {"key": "team", "value": "quant", "effect": "PREFER_NO_SCHEDULE"}
    config = changed(config, node_pools__general__labels={"team": "quant"}, node_pools__general__taints=[taint], node_pools__general__max_unavailable=2)
    _, done = apply_change(ground, sim, config)
    assert set(done) == {"UpdateNodegroupConfig"}
    seen = pools(eks)["general"]
    assert seen["labels"] == {"team": "quant"} and seen["taints"] == [taint] and seen["updateConfig"]["maxUnavailable"] == 2
    config = changed(config, namespaces__quant__quota__pods="40", namespaces__quant__config__LOG_LEVEL="DEBUG", observability={"retention_days": 90},
                     endpoint={"public_cidrs": ["8.8.8.0/24"]}, registries={"names": ["gateway", "eval"], "keep_tagged": 20, "immutable_tags": True},
                     access={"admins": ["arn:aws:iam::123456789012:user/moto2"]})
    cloud.client("iam").create_user(UserName="moto2")
    _, done = apply_change(ground, sim, config)
    assert set(done) == {"UpdateClusterConfig", "PutRetentionPolicy", "CreateRepository", "PutLifecyclePolicy", "PutImageTagMutability",
                         "CreateAccessEntry", "AssociateAccessPolicy"}
    assert eks.describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]["publicAccessCidrs"] == ["8.8.8.0/24"]
    assert kube.get("/api/v1/namespaces/quant/resourcequotas/quant-quota")["spec"]["hard"]["pods"] == "40"
    assert cloud.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 90
    for groups in ({"quant-leads": ["arn:aws:iam::123456789012:user/moto2"]}, {}):
        config = changed(config, access__groups=groups)
        _, done = apply_change(ground, sim, config)
        assert done == ["UpdateAccessEntry"]
        entry = eks.describe_access_entry(clusterName=NAME, principalArn="arn:aws:iam::123456789012:user/moto2")["accessEntry"]
        assert entry["kubernetesGroups"] == list(groups)
    config = changed(config, registries=None, access=None)
    config["workloads"]["quant-api"] = {"namespace": "quant"}
    _, done = apply_change(ground, sim, config)
    assert set(done) == {"DeleteRepository", "DeleteAccessEntry", "DeleteRolePolicy"}
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_an_upgrade_goes_from_the_control_plane_to_the_pools(ground, sim, cloud, kube):
    config = {"kubernetes_version": "1.32", "node_pools": {"general": {"min": 1, "max": 2}}}
    ground.write(platform(**config))
    ground.apply_ok()
    for version, said in (("1.34", "skipped"), ("1.31", "does not go back"), ("1.99", "does not offer Kubernetes 1.99; it offers: 1.")):
        ground.write(platform(**{**config, "kubernetes_version": version}))
        plan = ground.plan()
        assert plan.status == 1 and "kubernetes_version" in plan.output, plan.output
        assert said in plan.text and ("skipped" in plan.text) == (said == "skipped"), plan.output
    plan, done = apply_change(ground, sim, {**config, "kubernetes_version": "1.33"})
    assert done[0] == "UpdateClusterVersion" and done[-1] == "UpdateNodegroupVersion", done
    assert set(done[1:-1]) == {"UpdateAddon"}
    assert "its nodes are replaced" in plan.text
    eks = cloud.client("eks")
    assert eks.describe_addon(clusterName=NAME, addonName="kube-proxy")["addon"]["addonVersion"].startswith("v1.33.")
    assert pools(eks)["general"]["version"] == "1.33"
    # What an update has left half done is gone on with.
    sim.control("failures", [{"operation": "UpdateAddon", "name": "coredns", "code": "Unknown", "message": "no luck", "times": 1}])
    ground.write(platform(**{**config, "kubernetes_version": "1.34"}))
    failed = ground.apply()
    assert failed.status == 1 and "no luck" in failed.text, failed.output
    assert pools(eks)["general"]["version"] == "1.33"
    ground.apply_ok()
    assert pools(eks)["general"]["version"] == "1.34"
    assert eks.describe_addon(clusterName=NAME, addonName="coredns")["addon"]["addonVersion"].startswith("v1.12.")
    ground.no_difference()
    eks.update_addon(clusterName=NAME, addonName="coredns", addonVersion="v1.12.4-eksbuild.1")
    ground.apply_ok()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_a_new_pool_comes_before_the_old_one_goes(ground, sim, cloud, kube):
    ground.write(platform(node_pools={"general": {"machine_types": ["m6i.large"]}}))
    ground.apply_ok()
    ground.write(platform(node_pools={"general": {"machine_types": ["m7i.large"]}}))
    plan = ground.plan()
    assert "will be updated in-place" in plan.output, plan.output
    since = len(sim.calls())
    ground.apply_ok()
    done = [w for w in writes(sim, since) if "Nodegroup" in w]
    assert done == ["CreateNodegroup", "DeleteNodegroup"]
    assert pools(cloud.client("eks"))["general"]["instanceTypes"] == ["m7i.large"]
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_drift_shows_and_is_repaired(ground, sim, cloud, kube):
    ground.write(platform(**SMALL))
    ground.apply_ok()
    eks = cloud.client("eks")
    eks.update_cluster_config(name=NAME, resourcesVpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["1.2.3.0/24"]})
    [group] = eks.list_nodegroups(clusterName=NAME)["nodegroups"]
    eks.update_nodegroup_config(clusterName=NAME, nodegroupName=group, scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 3})
    quota = "/api/v1/namespaces/quant/resourcequotas/quant-quota"
    kube.merge(quota, {"spec": {"hard": {"pods": "1"}}}, manager="an-operator")
    kube.request("DELETE", "/api/v1/namespaces/quant/configmaps/quant-config")
    cloud.client("ecr").delete_repository(repositoryName=f"{NAME}/gateway")
    plan = ground.plan("-detailed-exitcode")
    assert plan.status == 2, plan.output
    for said in ("changed (public_access_cidrs)", '"missing" -> "ready"', "resource_quota.quant"):
        assert said in plan.output, plan.output
    assert "desired_size" not in plan.output, "an autoscaler sets it"
    refused = ground.apply()
    assert refused.status == 1, refused.output
    assert 'has set fields of ResourceQuota "quant-quota" in "quant" to other values: "an-operator" using v1' in refused.text, refused.output
    assert "has .spec.hard.pods. Nothing was changed. Have that manager give the fields up, take them out of the configuration" in refused.text
    kube.merge(quota, {"spec": {"hard": {"pods": "15"}}}, manager="an-operator")
    ground.apply_ok()
    assert kube.get("/api/v1/namespaces/quant/configmaps/quant-config")["data"] == {"LOG_LEVEL": "INFO"}
    ground.no_difference()
    assert ground.destroy().status == 0


def test_import_gives_the_same(ground, sim, cloud, kube):
    ground.write(platform(**DEV))
    ground.apply_ok()
    made = set(ground.state()["llm_platform_cluster.p"]["components"])
    (ground.directory / "terraform.tfstate").unlink()
    ground.ok("import", "-no-color", "llm_platform_cluster.p", f"aws/us-east-1/{NAME}")
    assert set(ground.state()["llm_platform_cluster.p"]["components"]) == made
    ground.no_difference()
    [group] = [g for g in cloud.client("eks").list_nodegroups(clusterName=NAME)["nodegroups"] if g.startswith("general")]
    cloud.client("eks").update_nodegroup_config(clusterName=NAME, nodegroupName=group, scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 3})
    ground.no_difference()
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []


def test_an_import_shows_an_id_of_its_kind(one_core):
    one_core.write(platform())
    refused = one_core.run("import", "-no-color", "llm_platform_cluster.p", NAME)
    assert refused.status == 1 and '"cloud/region/name", for example "aws/eu-west-1/llmplatform-dev"' in refused.text, refused.output


def test_protection(ground, sim, cloud, kube):
    ground.write(platform(deletion_protection=True))
    ground.apply_ok()
    refused = ground.destroy()
    assert refused.status == 1 and "protected" in refused.text, refused.output
    made = cloud.client("eks").describe_cluster(name=NAME)["cluster"]["createdAt"]
    refused = ground.apply("-replace=llm_platform_cluster.p")
    assert refused.status == 1 and "protected" in refused.text, refused.output
    ground.ok("taint", "llm_platform_cluster.p")
    refused = ground.apply()
    assert refused.status == 1 and "protected" in refused.text, refused.output
    ground.ok("untaint", "llm_platform_cluster.p")
    assert cloud.client("eks").describe_cluster(name=NAME)["cluster"]["createdAt"] == made
    ground.no_difference()
    ground.write(platform())
    ground.apply_ok()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_what_a_change_takes_away_is_said(ground, sim, cloud, kube):
    pools = {"main": {"min": 2, "max": 5}, "extra": {}}
    ground.write(platform(node_pools=pools, namespaces={"quant": {}}, registries={"names": ["a"]}))
    ground.apply_ok()
    ground.write(platform(node_pools={"main": {"min": 2, "max": 5, "desired": 4}}, endpoint={"public": False}, network={"nat": "none"}))
    said = ground.plan()
    for summary in ("Nodes lose their way out", "A namespace is removed", "Nodes are removed", "A registry is removed", "The number of nodes stays", "gets no public address"):
        assert summary in said.text, (summary, said.output)
    ground.write(platform(node_pools=pools, network={"cidr": "10.9.0.0/16"}))
    said = ground.plan()
    assert "All of it is destroyed, and made anew" in said.text, said.output


def test_a_destroy_stops_before_registries_with_images(ground, sim, cloud, kube):
    ground.write(platform(registries={"names": ["a"]}))
    ground.apply_ok()
    ecr = cloud.client("ecr")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": [],
                           "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": "sha256:" + "0" * 64}})
    ecr.put_image(repositoryName=f"{NAME}/a", imageManifest=manifest, imageTag="v1")
    refused = ground.destroy()
    assert refused.status == 1 and "RepositoryNotEmptyException" in refused.text, refused.output
    assert cloud.client("eks").list_clusters()["clusters"] == [NAME]
    ground.write(platform(registries={"names": ["a"], "force_delete": True}))
    ground.apply_ok()
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []


# ---- what goes wrong


def test_a_pool_that_fails_says_why(ground, sim, cloud, kube):
    sim.control("failures", [{"operation": "CreateNodegroup", "code": "AsgInstanceLaunchFailures", "times": 1,
                              "message": "Could not launch instances. VcpuLimitExceeded - You have requested more vCPU capacity"}])
    ground.write(platform())
    failed = ground.apply()
    assert failed.status == 1
    assert "AsgInstanceLaunchFailures" in failed.text and "VcpuLimitExceeded - You have requested more vCPU capacity" in failed.text, failed.output
    ground.apply_ok()
    assert pools(cloud.client("eks"))["general"]["status"] == "ACTIVE"
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_a_pool_that_fails_later_is_made_anew(ground, sim, cloud, kube):
    """Added to a platform that is there: the object that takes its place is another one than the plan began with."""
    ground.write(platform())
    ground.apply_ok()
    sim.control("failures", [{"operation": "CreateNodegroup", "code": "AsgInstanceLaunchFailures", "times": 1, "message": "no machines"}])
    ground.write(platform(node_pools={"general": {}, "two": {"autoscaling": False, "desired": 5}}))
    assert ground.apply().status == 1
    ground.apply_ok()
    two = pools(cloud.client("eks"))["two"]
    assert two["status"] == "ACTIVE" and two["scalingConfig"]["desiredSize"] == 5
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_a_default_that_is_written_down_is_no_change(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    written = {"network": {"cidr": "10.0.0.0/16", "zones": 3}}
    _, done = apply_change(ground, sim, written)
    assert done == [], done
    _, done = apply_change(ground, sim, {})
    assert done == [], done
    ground.write(platform(network={"cidr": "10.0.0.0/16", "zones": 2}, deletion_protection=True))
    refused = ground.plan()
    assert refused.status == 1 and "protected" in refused.text, refused.output
    ground.write(platform(network={"cidr": "10.1.0.0/16"}))
    assert "forces replacement" in ground.plan().output
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_amounts_are_written_as_the_server_does(ground, sim, cloud, kube):
    """So that what another one has set to the same is no conflict."""
    ground.write(platform(namespaces={"quant": {"quota": {"requests.memory": "1024Mi", "pods": "10"},
                                                "limit_range": {"default_request_cpu": "0.5"}}}))
    ground.apply_ok()
    quota, limits = "/api/v1/namespaces/quant/resourcequotas/quant-quota", "/api/v1/namespaces/quant/limitranges/quant-limits"
    for amount in ("2Gi", "1Gi"):
        kube.merge(quota, {"spec": {"hard": {"requests.memory": amount}}})
    kube.merge(limits, {"spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "500m"}}]}})
    ground.apply_ok()
    ground.no_difference()
    assert kube.get(quota)["spec"]["hard"] == {"requests.memory": "1Gi", "pods": "10"}
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def diagnostics(result, severity="error"):
    """What a run with -json has said: by summary, the line of the configuration that it points to, and the words."""
    lines = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    said = [line["diagnostic"] for line in lines if line.get("type") == "diagnostic"]
    return [(d["summary"], d.get("snippet", {}).get("code", "").strip(), d["detail"]) for d in said if d["severity"] == severity]


def test_errors_point_to_what_they_are_about(ground, sim, cloud, kube):
    ground.write("""
resource "llm_platform_cluster" "p" {
  name = "%s"
  cloud = "aws"
  namespaces = { a = {} }
  workloads = {
    first = { namespace = "a" }
    second = {
      namespace = "a", service_account = "own"
    }
  }
  deletion_protection = false
}
""" % NAME)
    sim.fail("CreateRole", "AccessDenied", "not you", status=403, match={"RoleName": f"llm-k8s-{NAME}-us-east-1-w-second"}, times=-1)
    failed = ground.apply("-json")
    [(summary, line, detail)] = [d for d in diagnostics(failed) if "AccessDenied" in d[2]]
    assert failed.status == 1 and line == "second = {", (line, failed.output)
    assert 'role.workload-second' in summary and "iam.CreateRole" in detail
    sim.clear_rules()
    ground.apply_ok()
    assert ground.destroy().status == 0


def foreign_namespace(kube, name):
    kube.request("POST", "/api/v1/namespaces?fieldManager=helm-operator", {"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": name, "labels": {"app.kubernetes.io/managed-by": "Helm"}}})
    return kube.get(f"/api/v1/namespaces/{name}")["metadata"]["uid"]


def hand_over(kube, name):
    """As the guide says it."""
    guide = (ROOT / "docs/guides/troubleshooting.md").read_text()
    [script] = re.findall(r"```shell\n(kubectl create namespace .*?)```", guide, re.DOTALL)
    kubectl = f"{ROOT / '.cache/bin/kubectl'} --server {kube.endpoint} --certificate-authority {kube.path('ca.pem')} --token {kube.admin}"
    script = script.replace("kubectl ", f"{kubectl} ").replace("PLATFORM", NAME).replace("NAMESPACE", name)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_namespace_of_others(ground, sim, cloud, kube):
    """It is refused in the plan where the cluster is there, else by the apply, in the same words; its owner may hand it over."""
    base = {"name": NAME, "cloud": "aws", "deletion_protection": False, "namespaces": {"a": {}, "theirs": {"quota": {"pods": "3"}}}}
    text = 'resource "llm_platform_cluster" "p" {\n' + "".join(f"  {k} = {json.dumps(v)}\n" for k, v in base.items() if k != "namespaces")
    both = text + '  namespaces = {\n    a = {}\n    theirs = { quota = { pods = "3" } }\n  }\n}\n'
    words = ('Component "namespace.theirs" of llm_platform_cluster "%s" cannot be made: the Namespace "theirs" was made by "helm-operator"; its label '
             'app.kubernetes.io/managed-by is "Helm".' % NAME)
    uid = foreign_namespace(kube, "theirs")
    ground.write(both)
    failed = ground.apply("-json")
    assert failed.status == 1
    [(summary, line, detail)] = [d for d in diagnostics(failed) if "theirs" in d[2] and "is not complete" not in d[0]]
    assert (summary, line) == ("The name is taken", 'theirs = { quota = { pods = "3" } }') and words in detail, failed.output
    ground.write(text + "  namespaces = { a = {} }\n}\n")
    ground.apply_ok()
    ground.write(both)
    since = len(sim.calls())
    refused = ground.plan("-json")
    assert refused.status == 1 and diagnostics(refused) == [(summary, line, detail)], refused.output
    assert writes(sim, since) == []
    hand_over(kube, "theirs")
    ground.apply_ok()
    assert kube.get("/api/v1/namespaces/theirs")["metadata"]["uid"] == uid
    assert kube.get("/api/v1/namespaces/theirs/resourcequotas/theirs-quota")["spec"]["hard"] == {"pods": "3"}
    ground.no_difference()
    assert ground.destroy().status == 0


def test_a_principal_with_an_access_entry(ground, sim, cloud, kube):
    """Who makes a cluster has one, and so has whom others have let in: the plan says so, and so does an apply that finds one."""
    iam, eks = cloud.client("iam"), cloud.client("eks")
    other = iam.create_role(RoleName="other", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    text = 'resource "llm_platform_cluster" "p" {\n  name = "%s"\n  cloud = "aws"\n  deletion_protection = false\n  access = {\n    admins = %%s\n  }\n}\n' % NAME
    ground.write(text % "[]")
    ground.apply_ok()
    maker = cloud.client("sts").get_caller_identity()["Arn"].replace(":sts:", ":iam:")
    assert maker in eks.list_access_entries(clusterName=NAME)["accessEntries"]
    eks.create_access_entry(clusterName=NAME, principalArn=other)
    for principal in (maker, other):
        ground.write(text % json.dumps([principal]))
        since = len(sim.calls())
        refused = ground.plan("-json")
        [(summary, _, detail)] = diagnostics(refused)
        assert summary == "The EKS access entry is there already", refused.output
        assert f"there is one for {principal}, which is not this resource's. EKS has one access entry" in detail and "Leave that principal out" in detail
        assert writes(sim, since) == []
    eks.delete_access_entry(clusterName=NAME, principalArn=other)
    ground.ok("plan", "-no-color", "-input=false", "-out=made")
    eks.create_access_entry(clusterName=NAME, principalArn=other)
    failed = ground.run("apply", "-json", "made")
    assert (summary, detail) in [(d[0], d[2]) for d in diagnostics(failed)], failed.output
    eks.delete_access_entry(clusterName=NAME, principalArn=other)
    ground.apply_ok()
    ground.no_difference()
    assert ground.destroy().status == 0


def test_an_object_of_others_in_a_namespace_of_ours(ground, sim, cloud, kube):
    ground.write(platform(namespaces={"a": {}}))
    ground.apply_ok()
    kube.request("POST", "/api/v1/namespaces/a/configmaps?fieldManager=a-script", {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a-config"}, "data": {"x": "1"}})
    refused(ground, "The name is taken", 'the ConfigMap "a-config" in "a" was made by "a-script"', namespaces={"a": {"config": {"x": "1"}}})
    ground.write(platform(namespaces={"a": {}}))
    assert ground.destroy().status == 0


def test_what_failed_on_another_network_is_made_anew(ground, sim, cloud, kube):
    """What a failed create has made cannot be gone on with: its cluster, which needs no replacement, is in a network that does."""
    sim.control("failures", [{"operation": "CreateNodegroup", "code": "AsgInstanceLaunchFailures", "times": 1, "message": "no machines"}])
    ground.write(platform(**SMALL))
    assert ground.apply().status == 1
    [before] = vpcs(cloud)
    left = Leftovers(cloud)
    left.interface(**{"cluster.k8s.amazonaws.com/name": NAME})
    ground.write(platform(**SMALL, network={"cidr": "10.64.0.0/16"}))
    start = len(sim.calls())
    ground.apply_ok()
    [vpc] = vpcs(cloud)
    assert vpc["VpcId"] != before["VpcId"] and vpc["CidrBlock"] == "10.64.0.0/16"
    done = writes(sim, start)
    assert done.count("DeleteCluster") == 1 and done.index("DeleteCluster") < done.index("DeleteSecurityGroup") < done.index("CreateVpc"), done
    assert cloud.client("eks").describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]["vpcId"] == vpc["VpcId"]
    assert "llm:claim" not in cloud.client("eks").describe_cluster(name=NAME)["cluster"]["tags"]
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def vpcs(cloud):
    return [v for v in cloud.client("ec2").describe_vpcs()["Vpcs"] if tags_of(v).get("llm:component") == "vpc"]


def refused(ground, *said, session=None, **attributes):
    ground.write(platform(**attributes))
    plan = ground.plan(**session or {})
    assert plan.status == 1, plan.output
    for text in said:
        assert text in plan.text, plan.output


def test_plans_that_the_cloud_would_refuse(ground, sim, cloud):
    caller = cloud.client("sts").get_caller_identity()["Arn"].replace(":sts:", ":iam:")
    refused(ground, "Who makes the cluster administers it", access={"admins": [caller, "arn:aws:iam::123456789012:role/ops"]})
    made = cloud.client("iam").create_role(RoleName="ci", Path="/teams/", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    keys = cloud.client("sts").assume_role(RoleArn=made, RoleSessionName="run")["Credentials"]
    session = {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"], "AWS_SESSION_TOKEN": keys["SessionToken"]}
    refused(ground, f"{made} is who makes the cluster", access={"viewers": [made]}, session=session)
    refused(ground, f"{made} is who makes the cluster", access={"groups": {"team": [made]}}, session=session)
    refused(ground, "EKS in us-east-1 does not offer Kubernetes 1.99; it offers: 1.", ", 1.34, 1.33, ", kubernetes_version="1.99")
    refused(ground, "EC2 does not offer x9z.large in us-east-1", node_pools={"general": {"machine_types": ["x9z.large"]}})
    ec2 = cloud.client("ec2")
    vpc, other = (ec2.create_vpc(CidrBlock=f"10.{i}.0.0/16")["Vpc"]["VpcId"] for i in (8, 9))
    make = lambda where, i, zone: ec2.create_subnet(VpcId=where, CidrBlock=f"10.{8 if where == vpc else 9}.{i}.0/24",
                                                    AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
    a, a2, b, foreign = make(vpc, 0, "a"), make(vpc, 1, "a"), make(vpc, 2, "b"), make(other, 0, "b")
    network = lambda *ids: {"network": {"vpc_id": vpc, "private_subnet_ids": list(ids)}}
    refused(ground, "EKS needs two zones", **network(a, a2))
    refused(ground, "Overlapping ranges", f'10.8.0.0/16 and the subnet "{a}" (10.8.0.0/24)',
            network={**network(a, b)["network"], "services_cidr": "10.8.0.0/16"})
    refused(ground, "is in another VPC", f'"{foreign}" belongs to {other}', **network(a, foreign))
    refused(ground, 'no subnet "subnet-0123"', **network(a, "subnet-0123"))
    role = cloud.client("iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "eks.amazonaws.com"}}]}))["Role"]["Arn"]
    cloud.client("eks").create_cluster(name=NAME, roleArn=role, resourcesVpcConfig={"subnetIds": [a, b]})
    refused(ground, "The name is taken", "was not made as a platform")
    assert not [c for c in sim.calls() if c["operation"] == "CreateVpc"][2:], "nothing was made"


def test_quotas_of_the_network(ground, sim, cloud):
    """VPCs, addresses and NAT gateways are counted before anything is made, and asked for only when they are made."""
    ec2 = cloud.client("ec2")
    sim.control("quotas", {"L-0263D0A3": 2})
    refused(ground, "The quota is too small", 'makes 3 more in us-east-1 of what the quota "EC2-VPC Elastic IPs" (L-0263D0A3) counts, which is 2 there, with 0 in use',
            "--service-code ec2 --quota-code L-0263D0A3 --region us-east-1 --desired-value 3", network={"nat": "per_zone"})
    ground.write(platform())
    assert ground.plan().status == 0
    for _ in range(2):
        ec2.allocate_address(Domain="vpc")
    refused(ground, "The quota is too small", "with 2 in use")
    sim.control("calls", method="DELETE")
    ground.write(platform(network={"nat": "none"}))
    assert ground.plan().status == 0
    assert [c["params"]["QuotaCode"] for c in sim.calls("GetServiceQuota")] == ["L-F678F1CE"]
    sim.control("quotas", {"L-0263D0A3": 20})
    [vpc, *_] = [ec2.create_vpc(CidrBlock=f"10.{i}.0.0/16")["Vpc"]["VpcId"] for i in range(100, 104)]
    refused(ground, 'of what the quota "VPCs per Region" (L-F678F1CE) counts, which is 5 there, with 5 in use', "`network.vpc_id`", network={"nat": "none"})
    for other in [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if v["VpcId"] != vpc and not v["IsDefault"]]:
        ec2.delete_vpc(VpcId=other)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.100.0.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    ec2.attach_internet_gateway(InternetGatewayId=ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"], VpcId=vpc)
    for _ in range(5):
        ec2.create_nat_gateway(SubnetId=subnet, AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])
    refused(ground, 'makes 1 more in us-east-1a of what the quota "NAT gateways per Availability Zone" (L-FE5A380F) counts, which is 5 there, with 5 in use')
    ground.write(platform(network={"zone_names": ["us-east-1b", "us-east-1c"]}))
    assert ground.plan().status == 0
    sim.fail("GetServiceQuota", "AccessDeniedException", "no quotas for you", status=403, times=-1)
    ground.write(platform(network={"zone_names": ["us-east-1b", "us-east-1c"]}))
    plan = ground.plan()
    assert plan.status == 0 and plan.text.count("The quota was not checked") == 1 and "no quotas for you" in plan.text, plan.output


def test_quotas_of_machines(ground, sim, cloud):
    gpu = {"machine_types": ["g5.xlarge"], "gpu": True, "provisioning": "spot", "min": 0, "max": 3, "desired": 2}
    sim.control("quotas", {"L-3819A6DF": 4})
    refused(ground, "The vCPU quota is too small", 'g5.xlarge has 4 vCPUs, and the quota "All G and VT Spot Instance Requests" (L-3819A6DF) is 4, with 0 in use',
            "begins with 2 nodes", node_pools={"general": {}, "gpu": gpu})
    sim.control("quotas", {"L-3819A6DF": 8})
    pools = {"general": {}, "gpu": gpu}
    ground.write(platform(node_pools=pools))
    plan = ground.plan()
    assert plan.status == 0 and "too small for the largest size" in plan.text and "may have 3 nodes" in plan.text, plan.output
    refused(ground, "with 8 in use", node_pools={**pools, "more": {**gpu, "desired": 1}})
    ground.write(platform(node_pools={"general": {}, "gpu": {**gpu, "max": 2}}))
    assert "quota" not in ground.plan().text
    sim.control("calls", method="DELETE")
    ground.write(platform(node_pools={"general": {}}, network={"nat": "none"}))
    assert ground.plan().status == 0
    assert not sim.calls("DescribeInstances") and len(sim.calls("GetServiceQuota")) == 1


def test_a_name_that_another_state_has(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    state = ground.directory / "terraform.tfstate"
    state.rename(ground.directory / "kept")
    refused(ground, "The name is taken", f"import it: aws/us-east-1/{NAME}")
    (ground.directory / "kept").rename(state)
    assert ground.destroy().status == 0


def test_an_existing_network_is_left_as_it_is(ground, sim, cloud, kube):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"] for i, z in enumerate("abc")]
    ground.write(platform(network={"vpc_id": vpc, "private_subnet_ids": subnets[:2], "public_subnet_ids": subnets[2:]}))
    ground.apply_ok()
    ground.no_difference()
    state = ground.state()["llm_platform_cluster.p"]
    assert (state["vpc_id"], state["private_subnet_ids"], state["public_subnet_ids"]) == (vpc, subnets[:2], subnets[2:])
    assert not {"VPC", "subnet", "NAT gateway", "route table"} & set(kinds(cloud))
    assert not any("Tags" in s and s["Tags"] for s in ec2.describe_subnets(SubnetIds=subnets)["Subnets"])
    interfaces = [ec2.create_network_interface(SubnetId=subnets[0], TagSpecifications=[{"ResourceType": "network-interface", "Tags": [
        {"Key": "cluster.k8s.amazonaws.com/name", "Value": name}]}])["NetworkInterface"]["NetworkInterfaceId"] for name in (NAME, "another")]
    assert ground.destroy().status == 0
    assert cloud.owned() == [] and len(ec2.describe_subnets(SubnetIds=subnets)["Subnets"]) == 3
    assert [i["NetworkInterfaceId"] for i in ec2.describe_network_interfaces()["NetworkInterfaces"]] == interfaces[1:], "what is the other cluster's stays"


BAD = [
    ({"leftovers": {"volumes": ["models"]}}, "a persistent volume claim is named as NAMESPACE/CLAIM"),
    ({"network": {"zones": 1}}, "EKS needs subnets in at least two zones"), ({"network": {"cidr": "10.0.0.0/24"}}, "network.cidr"),
    ({"endpoint": {"public": False, "private": False}}, "Nobody reaches"), ({"release_channel": "REGULAR"}, "Not on this cloud"),
    ({"network": {"services_cidr": "8.8.0.0/16"}}, "EKS takes a range of"),
    ({"observability": {"retention_days": 8}}, "CloudWatch has no such retention"), ({"encryption": {"kms_key": "mine"}}, "ARN of a KMS key"),
    ({"access": {"admins": ["somebody@example.com"]}}, "ARN of an IAM role or user"),
    ({"access": {"groups": {"system:masters": ["arn:aws:iam::123456789012:role/ops"]}}}, "EKS takes no group that starts with system:"),
    ({"namespaces": {"a": {}}, "workloads": {"w": {"namespace": "a", "policies": ["roles/viewer"]}}}, "ARN of an IAM policy"),
    ({"node_pools": {"a": {"machine_types": ["m6i.large", "m6g.large"]}}}, "different processors"),
    ({"node_pools": {"a": {"machine_types": ["m6i.large"], "gpu": True}}}, "has none"),
    ({"node_pools": {"a": {"machine_types": ["g5.xlarge"]}}}, "or `gpu = false` to see to them yourself"),
    ({"node_pools": {"a": {}, "g": {"gpu": True, "image_type": "AL2023_x86_64_STANDARD"}}}, "AL2023_x86_64_STANDARD has no drivers for NVIDIA's GPUs"),
    ({"node_pools": {"a": {}, "g": {"gpu": True, "machine_types": ["g5g.xlarge"], "image_type": "BOTTLEROCKET_ARM_64_FIPS"}}},
     "Choose AL2023_ARM_64_NVIDIA or BOTTLEROCKET_ARM_64_NVIDIA, leave"),
    ({"node_pools": {"a": {"image_type": "AL2023_ARM_64_STANDARD"}}}, "is for Arm processors, and m6i.large has x86"),
    ({"endpoint": {"public_cidrs": ["203.0.113.0/24"]}}, "EKS does not take 203.0.113.0/24"),
    ({"registries": {"names": ["a-"]}}, "hyphens, starting and ending with a letter or digit"),
    ({"namespaces": {"default": {}}}, "The namespace is Kubernetes' own"), ({"namespaces": {"kube-public": {}}}, '"kube-public" is there in every cluster'),
    ({"namespaces": {"a": {"quota": {"requests.cpus": "1"}}}}, "Did you mean requests.cpu?"),
    ({"namespaces": {"a": {"quota": {"nvidia.com/gpu": "1"}}}}, "Did you mean requests.nvidia.com/gpu?"),
    ({"namespaces": {"a": {"quota": {"pods": "1.5"}}}}, '"1.5" is not a whole number'),
    ({"namespaces": {"a": {"rbac": {"roles": {"r": {"subjects": ["x"]}}}}}}, "A role without rules"),
    ({"name": "a" * 30, "region": "ap-southeast-2", "namespaces": {"a": {}}, "workloads": {"w" * 24: {"namespace": "a"}}}, "IAM allows 64"),
]


@pytest.mark.parametrize("attributes, said", BAD, ids=[said.replace(" ", "-") for _, said in BAD])
def test_bad_settings(one_core, attributes, said):
    one_core.write(platform(**attributes))
    result = one_core.validate()
    assert result.status == 1 and said in result.text, result.output


def test_machines_whose_gpus_are_the_users_own_affair(one_core):
    one_core.write(platform(node_pools={"general": {}, "own": {"machine_types": ["g5.xlarge"], "gpu": False}}))
    result = one_core.validate()
    assert result.status == 0 and "g5.xlarge has GPUs, for which the pool is not set up" in result.text, result.output
    one_core.write(platform(node_pools={"general": {}, "gpu": {"machine_types": ["g5.xlarge"], "gpu": True}}))
    assert "has GPUs" not in one_core.validate().text


# ---- what a cluster leaves in its network


class Leftovers:
    """What controllers make in a cluster's network."""

    def __init__(self, cloud):
        self.cloud, self.ec2, self.elb = cloud, cloud.client("ec2"), cloud.client("elbv2")
        [vpc] = [v for v in self.ec2.describe_vpcs()["Vpcs"] if tags_of(v).get("llm:component") == "vpc"]
        self.vpc = vpc["VpcId"]
        self.subnets = {tags_of(s)["llm:component"]: s["SubnetId"] for s in self.ec2.describe_subnets()["Subnets"] if "llm:component" in tags_of(s)}

    def interface(self, **tags):
        made = self.ec2.create_network_interface(SubnetId=self.subnets["subnet.private-a"], Description="aws-K8S-i-0123")["NetworkInterface"]["NetworkInterfaceId"]
        if tags:
            self.ec2.create_tags(Resources=[made], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return made

    def group(self, name, **tags):
        made = self.ec2.create_security_group(GroupName=name, Description="of a load balancer", VpcId=self.vpc)["GroupId"]
        if tags:
            self.ec2.create_tags(Resources=[made], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return made

    def balancer(self, name, group, **tags):
        pairs = [{"Key": k, "Value": v} for k, v in tags.items()]
        subnets = [self.subnets[f"subnet.public-{z}"] for z in "ab"]
        made = self.elb.create_load_balancer(Name=name, Subnets=subnets, SecurityGroups=[group], Tags=pairs)["LoadBalancers"][0]["LoadBalancerArn"]
        self.elb.create_target_group(Name=f"{name}-pods", Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType="ip", Tags=pairs)
        return made

    def classic(self, name, group, **tags):
        self.cloud.client("elb").create_load_balancer(
            LoadBalancerName=name, Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}], Subnets=[self.subnets["subnet.public-a"]],
            SecurityGroups=[group], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])


OURS = {"elbv2.k8s.aws/cluster": NAME}


def test_a_destroy_takes_what_the_cluster_has_left(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    left = Leftovers(cloud)
    left.interface(**{"cluster.k8s.amazonaws.com/name": NAME, "node.k8s.amazonaws.com/instance_id": "i-0123"})
    group, other = left.group("k8s-traffic", **OURS), left.group("k8s-elb", **{f"kubernetes.io/cluster/{NAME}": "owned"})
    left.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": group}]}])
    left.balancer("gateway", group, **OURS)
    left.classic("old", other, **{f"kubernetes.io/cluster/{NAME}": "owned"})
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []
    assert left.elb.describe_load_balancers()["LoadBalancers"] == [] and left.elb.describe_target_groups()["TargetGroups"] == []
    assert cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"] == []
    assert left.vpc not in [v["VpcId"] for v in left.ec2.describe_vpcs()["Vpcs"]]


def test_a_destroy_says_what_keeps_a_namespace(ground, sim, cloud, kube):
    ground.write(platform(namespaces={"quant": {}})[:-2] + '  timeouts {\n    delete = "15s"\n  }\n}\n')
    ground.apply_ok()
    theirs = "/api/v1/namespaces/quant/configmaps"
    kube.request("POST", theirs, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    failed = ground.destroy()
    assert failed.status == 1, failed.output
    kept = 'its last state was Terminating: Some resources are remaining: configmaps. has 1 resource instances; Some content in the namespace has'
    assert kept in failed.text and "example.com/hold in 1 resource instances" in failed.text and "successfully discovered" not in failed.text, failed.output
    kube.merge(f"{theirs}/held", {"metadata": {"finalizers": None}})
    again = ground.destroy()
    assert again.status == 0, again.output
    assert cloud.owned() == []


def volume(cloud, claim, cluster=NAME, size=10):
    namespace, _, name = claim.partition("/")
    tags = {f"kubernetes.io/cluster/{cluster}": "owned", "ebs.csi.aws.com/cluster": "true", "CSIVolumeName": f"pvc-{name}",
            "kubernetes.io/created-for/pvc/name": name, "kubernetes.io/created-for/pvc/namespace": namespace}
    return cloud.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=size, TagSpecifications=[
        {"ResourceType": "volume", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}])["VolumeId"]


def test_volumes_that_a_cluster_has_left(ground, sim, cloud, kube):
    """Those of claims that are named go, where nobody uses them; others of the cluster are said, and others' are not looked at."""
    ec2 = cloud.client("ec2")
    ground.write(platform(leftovers={"volumes": ["quant/models", "eval/in-use"]}))
    ground.apply_ok()
    ground.no_difference()
    gone, kept, used, theirs = volume(cloud, "quant/models"), volume(cloud, "quant/data", size=20), volume(cloud, "eval/in-use"), volume(
        cloud, "quant/models", cluster="another")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    machine = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, Placement={"AvailabilityZone": "us-east-1a"})["Instances"][0]["InstanceId"]
    ec2.attach_volume(VolumeId=used, InstanceId=machine, Device="/dev/sdf")
    destroyed = ground.destroy()
    assert destroyed.status == 0 and "The cluster has left volumes" in destroyed.text, destroyed.output
    assert f"{kept}, 20 GiB, of the claim quant/data" in destroyed.text and f"{used}, 10 GiB, of the claim eval/in-use: it is in use" in destroyed.text
    assert gone not in destroyed.text and theirs not in destroyed.text
    left = {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]}
    assert {kept, used, theirs} <= left and gone not in left


def test_a_destroy_says_what_of_others_is_in_the_way(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    left = Leftovers(cloud)
    theirs = left.interface(team="other")
    mine = left.interface(**{"cluster.k8s.amazonaws.com/name": NAME})
    group = left.group("database", **{"elbv2.k8s.aws/cluster": "another"})
    failed = ground.destroy()
    assert failed.status == 1
    assert f"network interface {theirs}" in failed.text and f'security group {group} ("database")' in failed.text, failed.output
    assert "aws-K8S-i-0123" in failed.text and mine not in failed.text
    there = [i["NetworkInterfaceId"] for i in left.ec2.describe_network_interfaces()["NetworkInterfaces"]]
    assert theirs in there and mine not in there
    assert cloud.client("eks").list_clusters()["clusters"] == [] and "VPC" in kinds(cloud)
    left.ec2.delete_network_interface(NetworkInterfaceId=theirs)
    left.ec2.delete_security_group(GroupId=group)
    again = ground.destroy()
    assert again.status == 0, again.output
    assert cloud.owned() == []


def test_a_destroy_names_policies_that_others_have_put_on_a_role(ground, sim, cloud, kube):
    """It does not wait for what will not go by itself; what is in the way stays as it is."""
    iam, role = cloud.client("iam"), f"llm-k8s-{NAME}-us-east-1-w-quant-api"
    ground.write(platform(**SMALL))
    ground.apply_ok()
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]})
    arn = iam.create_policy(PolicyName="theirs", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.put_role_policy(RoleName=role, PolicyName="written-in", PolicyDocument=document)
    refused = ground.destroy()
    assert refused.status != 0
    said = " ".join(re.sub("[│╷╵]", " ", refused.output).split())
    assert f"In the way: attached policy {arn}, inline policy written-in." in said, refused.output
    assert "aws iam detach-role-policy" in said and "role.workload-quant-api" in said
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] and iam.list_role_policies(RoleName=role)["PolicyNames"] == ["written-in"]
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    iam.delete_role_policy(RoleName=role, PolicyName="written-in")
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_a_killed_destroy_is_gone_on_with(ground, sim, cloud, kube):
    """The cluster is gone, and with it the cause of what it has left: that must not be forgotten."""
    ground.write(platform())
    ground.apply_ok()
    left = Leftovers(cloud)
    left.interface(**{"cluster.k8s.amazonaws.com/name": NAME})
    sim.fail("DescribeNetworkInterfaces", "UnauthorizedOperation", "not you", status=403)
    failed = ground.destroy()
    assert failed.status == 1 and "DescribeNetworkInterfaces" in failed.text, failed.output
    assert "VPC" in kinds(cloud) and "EKS cluster" not in kinds(cloud)
    again = ground.destroy()
    assert again.status == 0, again.output
    assert cloud.owned() == []


def test_a_tainted_platform_is_made_anew(ground, sim, cloud, kube):
    """The core hands over no records of one that is tainted: all is found by tags and names, also what the cluster has left."""
    ground.write(platform())
    ground.apply_ok()
    left = Leftovers(cloud)
    left.interface(**{"cluster.k8s.amazonaws.com/name": NAME})
    made = cloud.client("eks").describe_cluster(name=NAME)["cluster"]["createdAt"]
    ground.ok("taint", "-no-color", "llm_platform_cluster.p")
    ground.apply_ok()
    assert left.vpc not in [v["VpcId"] for v in left.ec2.describe_vpcs()["Vpcs"]] and made
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == []


OUT_OF_REACH = "the cluster's Kubernetes API cannot be reached from here"


def open_when_public(way, eks):
    until = time.monotonic() + 100
    while not eks.describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]["endpointPublicAccess"] and time.monotonic() < until:
        time.sleep(0.2)
    way.open()


def test_who_has_shut_the_endpoint_can_open_it_again(ground, sim, cloud, kube):
    """From outside, what is in the cluster cannot be read: the cloud's own objects are planned and changed all the same."""
    private = {**SMALL, "endpoint": {"public": False}}
    with Way(int(kube.endpoint.rpartition(":")[2])) as way:
        sim.control("cluster_endpoint", {"endpoint": f"https://127.0.0.1:{way.port}",
                                         "certificateAuthority": base64.b64encode(kube.ca_pem.encode()).decode()})
        ground.write(platform(**private))
        ground.apply_ok()
        way.shut()
        plan = ground.plan("-detailed-exitcode")
        assert plan.status == 0 and plan.text.count("Objects in the cluster could not be looked at") == 1, plan.output
        assert plan.text.count(OUT_OF_REACH) == 1 and "Run it again" not in plan.text, plan.output
        ground.write(platform(**changed(private, namespaces__quant__quota__pods="40", namespaces__quant__config__LOG_LEVEL="DEBUG")))
        failed = ground.apply("-refresh=false")
        assert failed.status == 1 and failed.text.count(OUT_OF_REACH) == 1, failed.output
        assert "Its endpoint is private: run this inside its network" in failed.text and "used up" not in failed.text, failed.output
        assert "or set `endpoint.public` first" in failed.text
        ground.write(platform(**SMALL))
        plan = ground.plan()
        assert plan.status == 0 and "Objects in the cluster could not be looked at" in plan.text and "public_access" not in plan.text, plan.output
        since = len(sim.calls())
        opener = threading.Thread(target=open_when_public, args=(way, cloud.client("eks")))
        opener.start()
        ground.apply_ok()
        opener.join()
        assert writes(sim, since) == ["UpdateClusterConfig"]
        kept = kube.get("/api/v1/namespaces/kube-system/configmaps/llm-platform-cluster")["data"]["configuration"]
        assert "endpoint" not in json.loads(kept), "what is in the cluster was changed once it could be reached"
        ground.no_difference()
        assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_the_endpoint_is_shut_last(ground, sim, cloud, kube):
    """From outside: what goes into the cluster by the same apply goes before, and the apply is whole."""
    with Way(int(kube.endpoint.rpartition(":")[2])) as way:
        sim.control("cluster_endpoint", {"endpoint": f"https://127.0.0.1:{way.port}",
                                         "certificateAuthority": base64.b64encode(kube.ca_pem.encode()).decode()})
        ground.write(platform(**SMALL))
        ground.apply_ok()
        sim.control("settle", {"UpdateClusterConfig": 2})
        sim.control("calls", method="DELETE")
        shutter = threading.Thread(target=shut_when_private, args=(way, sim))
        shutter.start()
        private = changed(SMALL, namespaces__quant__quota__pods="40", namespaces__more={}, endpoint={"public": False}, observability={"retention_days": 90})
        ground.write(platform(**private))
        ground.apply_ok()
        shutter.join()
        assert writes(sim, 0) == ["PutRetentionPolicy", "UpdateClusterConfig"]
        assert kube.get("/api/v1/namespaces/quant/resourcequotas/quant-quota")["spec"]["hard"]["pods"] == "40"
        kept = kube.get("/api/v1/namespaces/kube-system/configmaps/llm-platform-cluster")["data"]["configuration"]
        assert json.loads(kept)["endpoint"]["public"] is False and "more" in names(kube, "/api/v1/namespaces")
        ground.no_difference()
        way.open()
        ground.no_difference()
        assert ground.destroy().status == 0
    assert cloud.owned() == []


def shut_when_private(way, sim):
    until = time.monotonic() + 100
    while not sim.calls("UpdateClusterConfig") and time.monotonic() < until:
        time.sleep(0.02)
    way.shut()


# What a configuration does not know before its apply, one by one.
UNKNOWN = ['name = terraform_data.t["name"].output', 'kubernetes_version = terraform_data.t["version"].output',
           'network = { nat = terraform_data.t["nat"].output, cidr = terraform_data.t["cidr"].output }',
           'node_pools = { a = { min = tonumber(terraform_data.t["one"].output), machine_types = [terraform_data.t["type"].output] } }',
           'node_pools = { (terraform_data.t["name"].output) = { labels = { a = terraform_data.t["name"].output } } }',
           'registries = { names = [terraform_data.t["name"].output], keep_tagged = tonumber(terraform_data.t["one"].output) }',
           'namespaces = { a = {} }\n workloads = { w = { namespace = "a", invoke_endpoints = [terraform_data.t["name"].output] } }',
           'access = { admins = [terraform_data.t["user"].output] }\n tags = { a = terraform_data.t["name"].output }',
           'observability = { gpu_metrics = terraform_data.t["one"].output == "1", retention_days = tonumber(terraform_data.t["one"].output), alarms = {} }']


def test_what_only_the_apply_knows(ground, sim, cloud, kube):
    cloud.client("iam").create_user(UserName="ops")
    values = {"name": NAME, "version": "1.33", "nat": "per_zone", "cidr": "10.20.0.0/16", "one": "1", "type": "m7g.large",
              "user": "arn:aws:iam::123456789012:user/ops"}
    data = 'resource "terraform_data" "t" {\n  for_each = %s\n  input = each.value\n}\n' % json.dumps(values)
    for line in UNKNOWN:
        name = "" if line.startswith("name =") else f'name = "{NAME}"\n'
        ground.write(data + f'resource "llm_platform_cluster" "p" {{\n cloud = "aws"\n deletion_protection = false\n {name} {line}\n}}\n')
        plan = ground.plan()
        assert plan.status == 0, (line, plan.output)
        ground.apply_ok()
        ground.no_difference()
        destroyed = ground.destroy()
        assert destroyed.status == 0, (line, destroyed.output)
    assert cloud.owned() == []


def test_one_way_out_for_each_zone(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    _, done = apply_change(ground, sim, {"network": {"nat": "per_zone"}})
    assert collections.Counter(done) == {"AllocateAddress": 2, "CreateNatGateway": 2, "ReplaceRoute": 2}
    ec2 = cloud.client("ec2")
    ways = [r["NatGatewayId"] for t in ec2.describe_route_tables()["RouteTables"] for r in t["Routes"] if "NatGatewayId" in r]
    assert len(set(ways)) == 3
    _, done = apply_change(ground, sim, {"network": {"nat": "single"}})
    assert collections.Counter(done) == {"ReplaceRoute": 2, "DeleteNatGateway": 2, "ReleaseAddress": 2}
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_without_credentials_a_plan_says_what_it_can(ground, sim):
    ground.write(platform(**DEV))
    plan = ground.plan(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert plan.status == 0 and "Checks against the cloud were skipped" in plan.text, plan.output
    assert sim.calls() == []


def apply_until(ground, sim, made):
    """An apply that is killed when `made` says so, and whose state is lost."""
    process = subprocess.Popen([ground.binary, "apply", "-auto-approve", "-input=false"], cwd=ground.directory, env=ground.env, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not made() and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for left in ("terraform.tfstate", ".terraform.tfstate.lock.info"):
        (ground.directory / left).unlink(missing_ok=True)
    sim.control("finish", {})


def test_an_apply_that_was_killed_is_gone_on_with(ground, sim, cloud, kube):
    """Twice, without a state: while the control plane is made, and while the nodes are."""
    ground.write(platform(**SMALL))
    for operation in ("CreateCluster", "CreateNodegroup"):
        sim.control("settle", {operation: 60})
        apply_until(ground, sim, lambda: [c for c in sim.calls(operation) if c.get("status") == 200])
    sim.control("settle", {})
    applied = ground.apply()
    assert applied.status == 0 and "An interrupted apply is continued" in applied.text, applied.output
    ground.no_difference()
    assert "llm:claim" not in cloud.client("eks").describe_cluster(name=NAME)["cluster"]["tags"]
    assert len([c for c in sim.calls("CreateCluster") if c["status"] == 200]) == 1
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_what_a_killed_apply_has_made_for_other_settings_goes(ground, sim, cloud, kube):
    """Roles, registries, NAT gateways and alarms that are wanted no more; what has such a name, and is not ours, stays."""
    iam, ecr, alarms, ec2 = (cloud.client(s) for s in ("iam", "ecr", "cloudwatch", "ec2"))
    roles, zones = f"llm-k8s-{NAME}-us-east-1-w-", ("a", "b")
    theirs = {"role": f"{roles}theirs", "repository": f"{NAME}/theirs", "alarm": f"llm-platform-{NAME}-nat-f"}
    iam.create_role(RoleName=theirs["role"], AssumeRolePolicyDocument="{}")
    ecr.create_repository(repositoryName=theirs["repository"])
    alarms.put_metric_alarm(AlarmName=theirs["alarm"], Namespace="AWS/NATGateway", MetricName="ErrorPortAllocation", Statistic="Sum", Period=300,
                            EvaluationPeriods=1, Threshold=0, ComparisonOperator="GreaterThanThreshold")

    def made():
        return ({r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith(roles)},
                {r["repositoryName"] for r in ecr.describe_repositories()["repositories"]},
                {a["AlarmName"] for a in alarms.describe_alarms(AlarmNamePrefix=f"llm-platform-{NAME}-nat-")["MetricAlarms"]})

    def wanted(workloads, registries, zones):
        return ({theirs["role"], *(roles + w for w in workloads)}, {theirs["repository"], *(f"{NAME}/{r}" for r in registries)},
                {theirs["alarm"], *(f"llm-platform-{NAME}-nat-{z}" for z in zones)})
    observability = {"alarms": {"node_cpu_percent": 80}}
    ground.write(platform(**changed(SMALL, network={"zones": 2, "nat": "per_zone"}, registries__names=["gateway", "old"], observability=observability,
                                    workloads__old={**workload("quant", "old-*"), "service_account": "old-sa"})))
    sim.control("settle", {"CreateNodegroup": 60})
    every = wanted(["quant-api", "old"], ["gateway", "old"], zones)
    apply_until(ground, sim, lambda: made() == every and iam.list_role_policies(RoleName=f"{roles}old")["PolicyNames"])
    assert made() == every
    sim.control("settle", {})
    ground.write(platform(**SMALL, network={"zones": 2, "nat": "single"}))
    ground.apply_ok()
    assert made() == wanted(["quant-api"], ["gateway"], [])
    assert len([n for n in ec2.describe_nat_gateways()["NatGateways"] if n["State"] == "available"]) == 1
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == [] and made() == wanted([], [], [])
