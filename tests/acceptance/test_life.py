"""The main job on both cores: create, no difference, drift and repair, update, destroy."""
import collections
import json
import re

from conftest import node

EXPECTED = {"VPC": 1, "internet gateway": 1, "subnet": 3, "route table": 2, "route table association": 3, "Elastic IP address": 1,
            "NAT gateway": 1, "security group": 1, "instance": 1, "EBS volume": 1, "IAM role": 1, "IAM instance profile": 1, "secret": 1,
            "log group": 1}


def kinds(cloud):
    return collections.Counter(kind for kind, _, _ in cloud.owned())


def test_apply_plan_destroy(core, sim, cloud):
    core.write(node() + 'output "url" {\n  value = llm_gpu_node.n.ollama_url\n}\n')
    plan = core.plan()
    assert plan.status == 0, plan.output
    assert '"nat_gateway"' in plan.output and '"subnet.private-b"' in plan.output
    assert kinds(cloud) == {}, "a plan makes nothing"
    core.apply_ok()
    assert kinds(cloud) == EXPECTED
    core.no_difference()
    [instance] = cloud.instances()
    state = core.state()["llm_gpu_node.n"]
    assert state["instance_id"] == instance["InstanceId"]
    assert state["private_ip"] == instance["PrivateIpAddress"]
    assert state["machine_type"] == instance["InstanceType"]
    assert state["zone"] == instance["Placement"]["AvailabilityZone"]
    assert len(state["components"]) == sum(EXPECTED.values())
    assert {c["state"] for c in state["components"].values()} == {"ready"}
    assert instance["PrivateIpAddress"] in core.outputs()["url"] or "demo" in core.outputs()["url"]
    destroy = core.destroy()
    assert destroy.status == 0, destroy.output
    assert cloud.owned() == []


def test_what_is_made_is_safe(one_core, cloud):
    one_core.write(node())
    one_core.apply_ok()
    ec2 = cloud.client("ec2")
    [instance] = cloud.instances()
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert "PublicIpAddress" not in instance
    assert all(v["Encrypted"] for v in ec2.describe_volumes()["Volumes"] if any(t["Value"] == "volume" for t in v.get("Tags", [])))
    [group] = [g for g in ec2.describe_security_groups()["SecurityGroups"] if any(t["Key"] == "llm:resource" for t in g.get("Tags", []))]
    assert group["IpPermissions"] == []
    [secret] = cloud.client("secretsmanager").list_secrets()["SecretList"]
    assert cloud.client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"] == "tskey-auth-canary"


def test_objects_are_made_in_parallel(one_core, sim):
    sim.rule("*", delay_ms=30, times=-1)
    one_core.write(node())
    one_core.apply_ok()
    assert max(c["running"] for c in sim.calls()) >= 4


def test_secret_is_nowhere(one_core, sim, cloud):
    one_core.write(node())
    result = one_core.apply(TF_LOG_PROVIDER="TRACE")
    assert result.status == 0, result.output
    carriers = [c["operation"] for c in sim.calls() if "tskey-auth-canary" in str(c["params"])]
    assert carriers == ["CreateSecret"]
    assert "tskey-auth-canary" not in result.output
    assert "tskey-auth-canary" not in (one_core.directory / "terraform.tfstate").read_text()


def test_drift_is_shown_and_repaired(core, sim, cloud):
    core.write(node())
    core.apply_ok()
    ec2 = cloud.client("ec2")
    [table] = [t for t in ec2.describe_route_tables()["RouteTables"] if any("NatGatewayId" in r for r in t["Routes"])]
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    [instance] = cloud.instances()
    ec2.create_tags(Resources=[instance["InstanceId"]], Tags=[{"Key": "Name", "Value": "changed by hand"}])
    logs = cloud.client("logs")
    [group] = logs.describe_log_groups()["logGroups"]
    logs.delete_log_group(logGroupName=group["logGroupName"])
    plan = core.plan("-detailed-exitcode")
    assert plan.status == 2, plan.output
    assert "changed (nat_gateway_id)" in plan.output and "changed (tags)" in plan.output and '"missing" -> "ready"' in plan.output
    before = len(sim.calls())
    core.apply_ok()
    writes = [c["operation"] for c in sim.calls()[before:] if not c["operation"].startswith(("Describe", "Get", "List"))]
    assert set(writes) <= {"CreateRoute", "CreateTags", "CreateLogGroup", "PutRetentionPolicy"}, writes
    assert kinds(cloud) == EXPECTED
    assert [i["InstanceId"] for i in cloud.instances()] == [instance["InstanceId"]]
    core.no_difference()


def test_everything_deleted_is_a_new_node(one_core, sim, cloud):
    one_core.write(node())
    one_core.apply_ok()
    sim.reset()
    plan = one_core.plan("-detailed-exitcode")
    assert plan.status == 2 and "will be created" in plan.output, plan.output


def test_updates_in_place(core, sim, cloud):
    body = 'models = ["llama3.1:8b"]\n  log_retention_days = {days}\n  tags = {{ owner = "{owner}" }}\n  power = "{power}"\n  disk = {{ size_gib = {size} }}'
    core.write(node(body=body.format(days=30, owner="a", power="running", size=100)))
    core.apply_ok()
    [before] = cloud.instances()
    core.write(node(body=body.format(days=60, owner="b", power="stopped", size=150)))
    plan = core.plan()
    assert "will be updated in-place" in plan.output, plan.output
    core.apply_ok()
    [after] = cloud.instances()
    assert after["InstanceId"] == before["InstanceId"]
    assert after["State"]["Name"] == "stopped"
    assert {"Key": "owner", "Value": "b"} in after["Tags"]
    [group] = cloud.client("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 60
    assert 150 in [v["Size"] for v in cloud.client("ec2").describe_volumes()["Volumes"]]
    core.no_difference()


def test_default_tags_that_change_alone(one_core, sim, cloud):
    """No attribute of the node says them: the plan has to show the change all the same, or the core applies nothing."""
    for team in ("one", "two"):
        one_core.write('provider "llm" {\n  aws = {\n    default_tags = { tags = { team = "%s" } }\n  }\n}\n' % team + node())
        plan = one_core.plan()
        assert ("will be created" if team == "one" else "will be updated in-place") in plan.text, plan.output
        one_core.apply_ok()
        [instance] = cloud.instances()
        assert {"Key": "team", "Value": team} in instance["Tags"]
        one_core.no_difference()


def test_machine_type_changes_through_a_stop(one_core, sim, cloud):
    one_core.write(node(body='models = ["llama3.1:8b"]\n  machine = { type = "g5.xlarge" }'))
    one_core.apply_ok()
    [before] = cloud.instances()
    one_core.write(node(body='models = ["llama3.1:8b"]\n  machine = { type = "g5.2xlarge" }'))
    plan = one_core.plan()
    assert "stops and starts the instance" in plan.text, plan.output
    one_core.apply_ok()
    [after] = cloud.instances()
    assert (after["InstanceId"], after["InstanceType"], after["State"]["Name"]) == (before["InstanceId"], "g5.2xlarge", "running")
    one_core.no_difference()


def test_import_rebuilds(core, sim, cloud):
    core.write(node())
    core.apply_ok()
    (core.directory / "terraform.tfstate").unlink()
    core.ok("import", "-no-color", "llm_gpu_node.n", "aws/us-east-1/demo")
    state = core.state()["llm_gpu_node.n"]
    assert len(state["components"]) == sum(EXPECTED.values())
    assert state["models"] == ["llama3.1:8b"]
    before = kinds(cloud)
    core.apply_ok()
    assert kinds(cloud) == before
    core.no_difference()
    assert core.destroy().status == 0
    assert cloud.owned() == []


def test_another_subnet_is_another_instance(one_core, sim, cloud):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    one, two = (ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.200.{i}.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"] for i in (1, 2))
    found = []
    for subnets in ([one], [two, one], [two]):
        one_core.write(node(body=f'models = ["llama3.1:8b"]\n  network = {{\n    vpc_id = "{vpc}"\n    subnet_ids = {json.dumps(subnets)}\n  }}', zones=""))
        one_core.apply_ok()
        found += [(i["InstanceId"], i["SubnetId"]) for i in cloud.instances()]
        one_core.no_difference()
    assert [subnet for _, subnet in found] == [one, one, two] and found[0][0] == found[1][0] != found[2][0]


def test_a_subnet_of_another_zone_takes_the_volume_with_it(one_core, sim, cloud):
    """The plan says so. Among others, a subnet of the zone where the volume is keeps it."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    a, b, c = (ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.200.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
               for i, z in ((1, "a"), (2, "b"), (3, "b")))
    found = []
    for subnets in ([a], [b], [a, c]):
        one_core.write(node(body=f'models = ["llama3.1:8b"]\n  network = {{\n    vpc_id = "{vpc}"\n    subnet_ids = {json.dumps(subnets)}\n  }}', zones=""))
        plan = one_core.plan()
        one_core.apply_ok()
        one_core.no_difference()
        [instance] = cloud.instances()
        [volume] = ec2.describe_volumes(Filters=[{"Name": "tag:llm:component", "Values": ["volume"]}])["Volumes"]
        found.append((instance["SubnetId"], volume["VolumeId"], bool(re.search(r'"vol-\w+" -> \(known after apply\)', plan.output))))
    assert [subnet for subnet, _, _ in found] == [a, b, c]
    assert [said for _, _, said in found] == [False, True, False]
    assert found[0][1] != found[1][1] == found[2][1]
    assert one_core.destroy().status == 0
