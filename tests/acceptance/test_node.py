"""llm_gpu_node in its variety: networks, machines, models; replaced, moved, imported, taken."""
import json

import pytest

from conftest import node

M = 'models = ["llama3.1:8b"]'


def test_zones_and_machine_are_chosen(one_core, sim, cloud):
    one_core.write(node(zones=""))
    one_core.apply_ok()
    state = one_core.state()["llm_gpu_node.n"]
    assert state["machine_type"] == "g4dn.xlarge" and state["gpu"] == "T4"
    assert sum(name.startswith("subnet.private-") for name in state["components"]) == 3
    one_core.no_difference()
    before = len(sim.calls())
    one_core.no_difference()
    asked = {c["operation"] for c in sim.calls()[before:]}
    assert "DescribeInstanceTypeOfferings" not in asked and "GetServiceQuota" not in asked


def test_replaced_by_another_network(core, sim, cloud):
    core.write(node(body=M))
    core.apply_ok()
    [before] = cloud.instances()
    core.write(node(body=M + '\n  network = { cidr = "10.77.0.0/20" }'))
    plan = core.plan()
    assert plan.status == 0 and "must be replaced" in plan.output, plan.output
    core.apply_ok()
    [after] = cloud.instances()
    assert before["InstanceId"] != after["InstanceId"]
    core.no_difference()


def test_replaced_when_asked(one_core, sim, cloud):
    sim.control("quotas", {"L-DB2E81BA": 4.0})
    one_core.write(node(body=M))
    one_core.apply_ok()
    [before] = cloud.instances()
    one_core.apply_ok("-replace=llm_gpu_node.n")
    [after] = cloud.instances()
    assert before["InstanceId"] != after["InstanceId"]


def test_name_taken_by_another_state(one_core, sim, cloud, tmp_path):
    one_core.write(node(body=M))
    one_core.apply_ok()
    (tmp_path / "terraform.tfstate").rename(tmp_path / "kept")
    plan = one_core.plan()
    assert plan.status == 1 and "The name is taken" in plan.text and "aws/us-east-1/demo" in plan.text, plan.output
    one_core.write(node(name="other", body=M))
    assert one_core.plan().status == 0


VARIETY = {
    "own profile, vllm": M + '\n  runtime = "vllm"\n  machine = { candidates = ["g5.xlarge", "g6.xlarge"] }\n  context_tokens = 4096',
    "spot": M + '\n  machine = {\n    type = "g5.xlarge"\n    provisioning = "spot"\n  }',
    "two models": 'models = ["llama3.1:8b", "qwen2.5:14b"]\n  log_retention_days = 7\n  tags = { team = "a", "cost/center" = "1 2" }',
    "custom": 'custom_model = {\n    name = "hf.co/me/x:Q4_K_M"\n    memory_gib = 20.5\n    disk_gib = 12\n  }\n  disk = { type = "io2", iops = 4000, size_gib = 64 }',
    "ingress": M + '\n  network = {\n    cidr = "10.9.0.0/24"\n    ingress_cidrs = ["10.0.0.0/8", "192.168.0.0/16"]\n  }',
    "cache": M + '\n  model_cache = { s3_uri = "s3://bucket/prefix" }\n  huggingface_token_secret = "hf"',
    "stopped": M + '\n  power = "stopped"',
}


@pytest.mark.parametrize("case", VARIETY)
def test_no_difference_and_import(one_core, sim, cloud, case, tmp_path):
    one_core.write(node(body=VARIETY[case]))
    one_core.apply_ok()
    one_core.no_difference()
    before = one_core.state()["llm_gpu_node.n"]
    (tmp_path / "terraform.tfstate").unlink()
    one_core.ok("import", "-no-color", "llm_gpu_node.n", "aws/us-east-1/demo")
    after = one_core.state()["llm_gpu_node.n"]
    drop = ("timeouts",)
    assert {k: v for k, v in after.items() if k not in drop} == {k: v for k, v in before.items() if k not in drop}
    one_core.apply_ok()
    one_core.no_difference()
    assert one_core.destroy().status == 0
    assert cloud.owned() == []


def test_models_change_in_place(one_core, sim, cloud):
    one_core.write(node(body=M + '\n  machine = { type = "g5.xlarge" }'))
    one_core.apply_ok()
    [before] = cloud.instances()
    one_core.write(node(body='models = ["llama3.1:8b", "mistral"]\n  context_tokens = 16384\n  machine = { type = "g5.xlarge" }'))
    plan = one_core.plan()
    assert "will be updated in-place" in plan.output and "A component is replaced" not in plan.text, plan.output
    one_core.apply_ok()
    [after] = cloud.instances()
    tags = {t["Key"]: t["Value"] for t in after["Tags"]}
    assert after["InstanceId"] == before["InstanceId"]
    assert tags["llm:served"] == "llama3.1:8b mistral" and tags["llm:context"] == "16384"
    one_core.no_difference()


def test_moves_when_its_zone_is_no_longer_named(one_core, sim, cloud):
    one_core.write(node(body=M, zones='zones = ["us-east-1a", "us-east-1b"]'))
    one_core.apply_ok()
    one_core.write(node(body=M, zones='zones = ["us-east-1b", "us-east-1c"]'))
    plan = one_core.plan()
    assert "A component is replaced" in plan.text, plan.output
    one_core.apply_ok()
    assert one_core.state()["llm_gpu_node.n"]["zone"] == "us-east-1b"
    one_core.no_difference()


def test_existing_network(one_core, sim, cloud):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
               for i, z in enumerate("cd")]
    body = M + f'\n  egress = "existing"\n  network = {{\n    vpc_id = "{vpc}"\n    subnet_ids = {json.dumps(subnets)}\n  }}'
    one_core.write(node(body=body, zones=""))
    sim.fail("RunInstances", "InsufficientInstanceCapacity", "none in us-east-1c")
    one_core.apply_ok()
    state = one_core.state()["llm_gpu_node.n"]
    assert state["zone"] == "us-east-1d"
    assert "vpc" not in state["components"] and "security_group" in state["components"]
    one_core.no_difference()
    assert one_core.destroy().status == 0
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]


def test_instance_deleted_comes_back(core, sim, cloud):
    core.write(node(body=M))
    core.apply_ok()
    cloud.client("ec2").terminate_instances(InstanceIds=[cloud.instances()[0]["InstanceId"]])
    core.apply_ok()
    assert len(cloud.instances()) == 1
    core.no_difference()


def test_data_sources_and_functions(core, sim):
    core.write("""
data "llm_model" "m" {
  name           = "llama3.1"
  context_tokens = 16384
}
data "llm_gpu_offers" "o" {
  models = [data.llm_model.m.full_name]
  region = "us-east-1"
}
output "model" { value = data.llm_model.m.kv_cache_gib }
output "cheapest" { value = data.llm_gpu_offers.o.offers[0].machine_type }
output "zones" { value = length(data.llm_gpu_offers.o.offers[0].zones) > 0 }
output "vram" { value = provider::llm::vram_gib("llama3.1:8b", 8192) }
output "fits" { value = provider::llm::gpu_fit(["llama3.3:70b"], 8192, "g5.xlarge").fits }
""")
    core.apply_ok()
    assert core.outputs() == {"model": 2, "cheapest": "g4dn.xlarge", "zones": True, "vram": 6.31, "fits": False}
    core.write('output "x" {\n  value = provider::llm::vram_gib("lama3.1:8b", 8192)\n}\n')
    result = core.plan()
    assert result.status == 1 and 'did you mean "llama3.1:8b"' in result.text, result.output


def test_another_profile_without_another_instance(one_core, cloud):
    one_core.write(node())
    one_core.apply_ok()
    iam = cloud.client("iam")
    iam.create_role(RoleName="given", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="given")
    iam.add_role_to_instance_profile(InstanceProfileName="given", RoleName="given")
    [before] = [i["InstanceId"] for i in cloud.instances()]
    one_core.write(node(body='models = ["llama3.1:8b"]\n  instance_profile = "given"'))
    one_core.apply_ok()
    assert [i["InstanceId"] for i in cloud.instances()] == [before]
    [association] = cloud.client("ec2").describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    assert association["InstanceId"] == before and association["IamInstanceProfile"]["Arn"].endswith("/given")
    assert "role" not in one_core.state()["llm_gpu_node.n"]["components"]
    one_core.no_difference()


def test_another_machine_of_a_spot_instance_is_another_instance(one_core, cloud):
    """EC2 stops no spot instance for another type."""
    def written(kind):
        one_core.write(node(body=f'models = ["llama3.1:8b"]\n  machine = {{\n    type         = "{kind}"\n    provisioning = "spot"\n  }}'))
    written("g5.xlarge")
    one_core.apply_ok()
    [before] = cloud.instances()
    assert before["InstanceLifecycle"] == "spot"
    written("g6.xlarge")
    result = one_core.apply_ok()
    assert "is destroyed and made anew" in result.text
    [after] = cloud.instances()
    assert after["InstanceType"] == "g6.xlarge" and after["InstanceId"] != before["InstanceId"]
    one_core.no_difference()
