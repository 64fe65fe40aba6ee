"""The life of llm_platform_cluster on AWS with a real core: what is made, as boto3 and the cluster's own API show it, changes, drift and import."""
import base64
import collections
import ipaddress
import json
import threading
import time

from platform_aws import (DEV, NAME, SMALL, apply_change, changed, ground, kinds, kube, names, platform, pools,  # noqa: F401
                          tags_of, writes)
from tests.kube.cluster import Way


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


# ---- changes


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


# ---- from outside of a private endpoint


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
