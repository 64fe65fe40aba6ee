"""Placement over machines and zones, and the checks before money is spent."""
from conftest import node
from test_life import EXPECTED, kinds


def subnet_zones(cloud):
    return {s["SubnetId"]: s["AvailabilityZone"] for s in cloud.client("ec2").describe_subnets()["Subnets"]}


def test_next_zone_when_there_is_no_capacity(core, sim, cloud):
    core.write(node())
    sim.fail("RunInstances", "InsufficientInstanceCapacity", "We currently do not have sufficient g5.xlarge capacity in us-east-1a.")
    core.apply_ok()
    zones = [subnet_zones(cloud)[c["params"]["SubnetId"]] for c in sim.calls("RunInstances")]
    assert zones == ["us-east-1a", "us-east-1b"]
    assert core.state()["llm_gpu_node.n"]["zone"] == "us-east-1b"
    core.no_difference()


def test_all_places_tried_are_named(one_core, sim, cloud):
    one_core.write(node(body='models = ["llama3.1:8b"]\n  machine = { candidates = ["g5.xlarge", "g6.xlarge"] }'))
    sim.fail("RunInstances", "InsufficientInstanceCapacity", "no capacity", times=-1)
    result = one_core.apply()
    assert result.status == 1
    for machine in ("g5.xlarge", "g6.xlarge"):
        for zone in ("us-east-1a", "us-east-1b"):
            assert machine in result.text and zone in result.text
    tried = [(c["params"]["InstanceType"], c["params"]["SubnetId"]) for c in sim.calls("RunInstances")]
    assert len(tried) == len(set(tried)) == 4, "each place once"
    assert cloud.instances() == []


def test_what_runs_on_spot_is_not_stopped(one_core, sim, cloud):
    """The configuration does not say spot any more, but the instance still runs on it."""
    body = 'models = ["llama3.1:8b"]\n  machine = { type = "g5.xlarge"%s }'
    one_core.write(node(body=body % ', provisioning = "spot"'))
    one_core.apply_ok()
    one_core.write(node(body=body % "" + '\n  power = "stopped"'))
    result = one_core.plan()
    assert result.status == 1 and "A spot instance cannot be stopped" in result.text, result.output
    [instance] = cloud.instances()
    assert instance["State"]["Name"] == "running" and not sim.calls("StopInstances")


def test_spot_then_on_demand(one_core, sim, cloud):
    one_core.write(node(body='models = ["llama3.1:8b"]\n  machine = { type = "g5.xlarge", provisioning = "spot_preferred" }'))
    sim.fail("RunInstances", "InsufficientInstanceCapacity", "no spot capacity", times=2)
    one_core.apply_ok()
    markets = [c["params"].get("InstanceMarketOptions", {}).get("MarketType") for c in sim.calls("RunInstances")]
    assert markets == ["spot", "spot", None]
    one_core.no_difference()


def test_quota_is_checked_at_plan(core, sim, cloud):
    sim.control("quotas", {"L-DB2E81BA": 0.0})
    core.write(node())
    result = core.plan()
    assert result.status == 1 and "L-DB2E81BA" in result.text, result.output
    assert cloud.owned() == []


def test_plan_without_credentials(core, sim):
    core.write(node())
    core.env.pop("AWS_ACCESS_KEY_ID")
    core.env.pop("AWS_SECRET_ACCESS_KEY")
    result = core.plan()
    assert result.status == 0, result.output
    assert "Checks against the cloud were skipped" in result.text
    assert sim.calls() == []


def test_serving_waits_for_the_node(one_core, sim, cloud):
    import threading
    import time

    def report(status):
        while not cloud.instances():
            time.sleep(0.2)
        time.sleep(1)
        cloud.client("ec2").create_tags(Resources=[cloud.instances()[0]["InstanceId"]], Tags=[{"Key": "llm:status", "Value": status}])

    thread = threading.Thread(target=report, args=("serving",))
    thread.start()
    one_core.write(node(body='models = ["llama3.1:8b"]\n  wait_for = "serving"'))
    one_core.apply_ok()
    thread.join()
    one_core.no_difference()


def test_failed_node_says_why(one_core, sim, cloud):
    import threading
    import time

    def report():
        while not cloud.instances():
            time.sleep(0.2)
        time.sleep(0.5)
        cloud.client("ec2").create_tags(Resources=[cloud.instances()[0]["InstanceId"]],
                                        Tags=[{"Key": "llm:status", "Value": "failed: no space left on device"}])

    thread = threading.Thread(target=report)
    thread.start()
    one_core.write(node(body='models = ["llama3.1:8b"]\n  wait_for = "serving"'))
    result = one_core.apply()
    thread.join()
    assert result.status == 1 and "no space left on device" in result.text, result.output
