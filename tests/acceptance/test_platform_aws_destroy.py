"""llm_platform_cluster on AWS: what a destroy takes with it and what is in its way; what failed or was cut off is gone on with or made anew."""
import json
import os
import re
import signal
import subprocess
import time

from platform_aws import NAME, OURS, SMALL, Leftovers, changed, ground, kinds, kube, platform, pools, tags_of, volume, workload, writes  # noqa: F401


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


# ---- what a cluster leaves in its network


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


# ---- what failed, or was killed


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
