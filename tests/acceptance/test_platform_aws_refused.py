"""llm_platform_cluster on AWS: what is refused or warned of, with bad settings, by the account, and because others have it."""
import json
import re
import subprocess

import pytest

from conftest import ROOT
from platform_aws import DEV, NAME, ground, kube, platform, writes  # noqa: F401

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


# ---- what a plan finds in the account


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


def test_without_credentials_a_plan_says_what_it_can(ground, sim):
    ground.write(platform(**DEV))
    plan = ground.plan(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert plan.status == 0 and "Checks against the cloud were skipped" in plan.text, plan.output
    assert sim.calls() == []


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


# ---- where it is said, and what others have


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
