"""What happens when the cloud fails halfway: nothing is lost, the next apply goes on, destroy removes all."""
import collections
import signal
import subprocess
import time

import pytest

from conftest import node
from test_life import EXPECTED, kinds


def test_half_made_is_kept_and_completed(core, sim, cloud):
    core.write(node())
    sim.fail("CreateNatGateway", "NatGatewayLimitExceeded", "too many NAT gateways")
    result = core.apply()
    assert result.status == 1
    assert "NatGatewayLimitExceeded" in result.text and "too many NAT gateways" in result.text
    assert "What exists is in the state" in result.text and "Not made:" in result.text and "nat_gateway" in result.text
    made = kinds(cloud)
    assert made["VPC"] == 1 and made["NAT gateway"] == 0
    components = core.state()["llm_gpu_node.n"]["components"]
    assert len(components) == sum(made.values()), "the state names everything that exists"
    core.ok("untaint", "llm_gpu_node.n")
    core.apply_ok()
    assert kinds(cloud) == EXPECTED
    core.no_difference()


def test_half_made_is_gone_on_with(core, sim, cloud):
    """A failed create is tainted, and the core asks for a replacement: what is there stays and is completed."""
    core.write(node())
    sim.fail("CreateNatGateway", "NatGatewayLimitExceeded", "too many NAT gateways")
    assert core.apply().status == 1
    before = {o[:2] for o in cloud.owned()}
    core.apply_ok()
    assert kinds(cloud) == EXPECTED
    assert before <= {o[:2] for o in cloud.owned()}
    core.no_difference()


def test_what_was_completed_is_not_updated_again(one_core, sim, cloud):
    """The volume that is there gets attached once; a second time would wait for it to be free."""
    one_core.write(node())
    sim.fail("AttachVolume", "InvalidParameterValue", "not now")
    assert one_core.apply().status == 1
    one_core.ok("apply", "-no-color", "-input=false", "-auto-approve", timeout=60)
    assert kinds(cloud) == EXPECTED
    assert [c["code"] for c in sim.calls("AttachVolume")] == ["InvalidParameterValue", None]
    one_core.no_difference()


def test_tainted_is_made_anew(core, cloud):
    """The core replaces it, and keeps no private state for the step that destroys."""
    core.write(node())
    core.apply_ok()
    [old] = [i["InstanceId"] for i in cloud.instances()]
    [vpc] = [o[1] for o in cloud.owned() if o[0] == "VPC"]
    core.ok("taint", "llm_gpu_node.n")
    core.apply_ok()
    assert kinds(cloud) == EXPECTED
    [new] = [i["InstanceId"] for i in cloud.instances()]
    assert new != old
    assert vpc not in [o[1] for o in cloud.owned()]
    core.no_difference()


def test_half_made_is_destroyed(core, sim, cloud):
    core.write(node())
    sim.fail("RunInstances", "InvalidParameterCombination", "no such combination", times=-1)
    assert core.apply().status == 1
    assert cloud.owned()
    sim.clear_rules()
    result = core.destroy()
    assert result.status == 0, result.output
    assert cloud.owned() == []


def test_destroy_waits_for_dependencies(one_core, sim, cloud):
    one_core.write(node())
    one_core.apply_ok()
    sim.fail("DeleteSubnet", "DependencyViolation", "has dependencies", times=2)
    sim.fail("DeleteVpc", "DependencyViolation", "has dependencies", times=1)
    result = one_core.destroy()
    assert result.status == 0, result.output
    assert cloud.owned() == []


def test_destroy_of_what_is_gone(one_core, cloud):
    one_core.write(node())
    one_core.apply_ok()
    ec2 = cloud.client("ec2")
    [nat] = [n for n in ec2.describe_nat_gateways()["NatGateways"] if n["State"] != "deleted"]
    ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    result = one_core.destroy("-refresh=false")
    assert result.status == 0, result.output
    assert cloud.owned() == []


def test_throttling_is_retried(one_core, sim, cloud):
    sim.fail("CreateSubnet", "RequestLimitExceeded", "slower", times=2, status=503)
    sim.fail("DescribeVpcs", "InternalError", "oops", times=1, status=500)
    one_core.write(node())
    one_core.apply_ok()
    assert kinds(cloud) == EXPECTED


def test_lost_answer_is_not_made_twice(one_core, sim, cloud):
    sim.rule("CreateVpc", drop="after", times=1)
    sim.rule("RunInstances", drop="after", times=1)
    sim.rule("AllocateAddress", drop="after", times=1)
    one_core.write(node())
    result = one_core.apply()
    counts = kinds(cloud)
    assert counts["VPC"] == 1 and counts["Elastic IP address"] == 1, (counts, result.output)
    assert result.status == 0, result.output
    assert counts == EXPECTED


def test_readiness_is_waited_for(one_core, sim, cloud):
    sim.rule("DescribeNatGateways", rewrite=["<state>available</state>", "<state>pending</state>"], times=2, skip=1)
    one_core.write(node())
    one_core.apply_ok()
    assert len(sim.calls("DescribeNatGateways")) >= 3


def test_timeout_is_hard(one_core, sim, cloud):
    sim.rule("DescribeNatGateways", rewrite=["<state>available</state>", "<state>pending</state>"], times=-1)
    one_core.write(node(body='models = ["llama3.1:8b"]\n  timeouts {\n    create = "6s"\n  }'))
    result = one_core.apply()
    assert result.status == 1 and "the time was up" in result.text, result.output
    assert len(one_core.state()["llm_gpu_node.n"]["components"]) == sum(kinds(cloud).values())
    sim.clear_rules()
    result = one_core.destroy()
    assert result.status == 0, result.output
    assert cloud.owned() == []


def test_interrupt_keeps_state(core, sim, cloud):
    sim.rule("DescribeNatGateways", rewrite=["<state>available</state>", "<state>pending</state>"], times=-1)
    core.write(node())
    process = subprocess.Popen([core.binary, "apply", "-no-color", "-input=false", "-auto-approve"], cwd=core.directory, env=core.env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not sim.calls("CreateNatGateway"):
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert len(core.state()["llm_gpu_node.n"]["components"]) == sum(kinds(cloud).values()), output
    sim.clear_rules()
    result = core.destroy()
    assert result.status == 0, result.output
    assert cloud.owned() == []


def test_interrupted_apply_is_found_again(one_core, sim, cloud):
    """Killed before the state was written: the next apply finds what was made, by its tags."""
    sim.fail("RunInstances", "InvalidParameterCombination", "stop here", times=-1)
    one_core.write(node())
    assert one_core.apply().status == 1
    (one_core.directory / "terraform.tfstate").unlink()
    sim.clear_rules()
    one_core.apply_ok()
    assert kinds(cloud) == EXPECTED
    assert one_core.destroy().status == 0
    assert cloud.owned() == []


def test_simulator_dies_in_the_middle(one_core, sim, cloud):
    sim.rule("CreateNatGateway", kill=True)
    one_core.write(node())
    result = one_core.apply()
    assert result.status == 1
    assert "What exists is in the state" in result.text, result.output
    assert one_core.state()["llm_gpu_node.n"]["components"]["vpc"]["id"].startswith("vpc-")
