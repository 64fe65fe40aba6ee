"""What happens when Google Cloud fails halfway: nothing is lost, the next apply goes on, destroy removes all."""
import signal
import subprocess
import time

import pytest

from conftest import gcp_node
from test_gcp_life import BASE, EXPECTED, instances, made

OPERATIONS = ["compute.networks.insert", "compute.subnetworks.insert", "compute.routers.insert", "compute.routers.patch", "compute.firewalls.insert",
              "iam.projects.serviceAccounts.create", "cloudresourcemanager.projects.setIamPolicy", "secretmanager.projects.secrets.create",
              "secretmanager.projects.secrets.addVersion", "secretmanager.projects.secrets.setIamPolicy", "logging.projects.locations.buckets.create",
              "logging.projects.sinks.create", "compute.instances.insert", "compute.disks.insert", "compute.instances.attachDisk"]


def refuse(sim, operation, times=1):
    sim.rule(operation, error={"status": 400, "code": "invalid", "message": "not today"}, times=times)


@pytest.mark.parametrize("operation", OPERATIONS[1::3])
def test_half_made_is_kept_and_gone_on_with(gcp_one_core, gcp_sim, gcp_cloud, operation):
    """A failed create is tainted, and the core asks for a replacement: what is there stays and is completed."""
    gcp_one_core.write(gcp_node())
    refuse(gcp_sim, operation)
    result = gcp_one_core.apply()
    assert result.status == 1 and "not today" in result.text, result.output
    assert "What exists is in the state" in result.text
    # What a secret holds cannot be read: the replacement sets it anew, and destroys the version before.
    before = {name for name in gcp_cloud.made() if "/versions/" not in name}
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    assert before <= set(gcp_cloud.made())
    gcp_one_core.no_difference()


@pytest.mark.parametrize("operation", OPERATIONS[2::4])
def test_half_made_is_destroyed(gcp_one_core, gcp_sim, gcp_cloud, operation):
    gcp_one_core.write(gcp_node())
    refuse(gcp_sim, operation, times=-1)
    assert gcp_one_core.apply().status == 1
    gcp_sim.clear_rules()
    result = gcp_one_core.destroy()
    assert result.status == 0, result.output
    assert made(gcp_cloud) == {}


@pytest.mark.parametrize("operation", ["compute.routers.patch", "compute.instances.insert", "compute.instances.attachDisk"])
def test_an_operation_that_fails_late(gcp_one_core, gcp_sim, gcp_cloud, operation):
    gcp_one_core.write(gcp_node())
    gcp_sim.rule(operation, operation_error={"code": "RESOURCE_NOT_WELL", "message": "it broke on the way", "status": 400}, times=1)
    result = gcp_one_core.apply()
    assert result.status == 1 and "it broke on the way" in result.text, result.output
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    gcp_one_core.no_difference()


@pytest.mark.parametrize("operation", ["compute.networks.insert", "compute.instances.insert", "compute.disks.insert"])
def test_an_operation_that_never_ends(gcp_one_core, gcp_sim, gcp_cloud, operation):
    gcp_sim.rule(operation, operation_ms=-1)
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  timeouts {\n    create = "5s"\n  }'))
    result = gcp_one_core.apply()
    assert result.status == 1 and "the time was up" in result.text and "operation-" in result.text, result.output
    gcp_sim.clear_rules()
    gcp_sim.control("finish", {})
    result = gcp_one_core.destroy()
    assert result.status == 0, result.output
    assert made(gcp_cloud) == {}


def test_lost_answers_make_nothing_twice(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_sim.control("rules", [{"operation": o, "drop": "after", "times": 1} for o in OPERATIONS])
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    gcp_one_core.no_difference()
    assert gcp_one_core.destroy().status == 0
    assert made(gcp_cloud) == {}


def test_throttling_is_retried(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_sim.rule("compute.subnetworks.insert", error={"status": 429, "code": "rateLimitExceeded"}, times=2)
    gcp_sim.rule("compute.networks.get", error={"status": 503, "code": "backendError"}, times=1)
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == EXPECTED


@pytest.mark.parametrize("operation, error", [("compute.instances.setLabels", "error"), ("compute.disks.setLabels", "error"),
                                              ("compute.instances.setMetadata", "operation_error")])
def test_an_outdated_fingerprint_is_read_anew(gcp_one_core, gcp_sim, gcp_cloud, operation, error):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    code = {"error": "conditionNotMet", "operation_error": "CONDITION_NOT_MET"}[error]
    gcp_sim.rule(operation, **{error: {"status": 412, "code": code, "message": "Labels fingerprint either invalid or resource labels have changed"}}, times=2)
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b", "mistral:7b"]\n  tags = { owner = "b" }'))
    gcp_one_core.apply_ok()
    [instance] = instances(gcp_cloud)
    assert instance["labels"]["owner"] == "b"
    gcp_one_core.no_difference()


def test_a_new_account_is_not_known_everywhere_at_once(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_sim.control("visible", {"iam.projects.serviceAccounts.create": 3})
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    gcp_one_core.no_difference()


def test_destroy_waits_for_dependencies(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    busy = {"status": 400, "code": "resourceInUseByAnotherResource", "message": "it is in use"}
    gcp_sim.rule("compute.subnetworks.delete", error=busy, times=2)
    gcp_sim.rule("compute.networks.delete", operation_error={"code": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "message": "in use", "status": 400}, times=1)
    result = gcp_one_core.destroy()
    assert result.status == 0, result.output
    assert made(gcp_cloud) == {}


def test_destroy_of_what_is_gone(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    gcp_cloud.done(gcp_cloud.compute.instances().delete(project="test-project", zone="us-central1-a", instance=BASE).execute())
    gcp_sim.control("remove", {"service": "logging", "resource": f"projects/test-project/sinks/{BASE}"})
    gcp_cloud.client("secretmanager").projects().secrets().delete(name=f"projects/test-project/secrets/{BASE}-tailscale").execute()
    result = gcp_one_core.destroy("-refresh=false")
    assert result.status == 0, result.output
    assert made(gcp_cloud) == {}


def test_tainted_is_made_anew(gcp_core, gcp_cloud):
    core = gcp_core
    core.write(gcp_node())
    core.apply_ok()
    [old] = [i["id"] for i in instances(gcp_cloud)]
    core.ok("taint", "llm_gpu_node.n")
    core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    [new] = [i["id"] for i in instances(gcp_cloud)]
    assert new != old
    core.no_difference()


def test_interrupted_apply_is_found_again(gcp_one_core, gcp_sim, gcp_cloud):
    """Killed before the state was written: the next apply finds what was made, by name and owner."""
    refuse(gcp_sim, "compute.disks.insert", times=-1)
    gcp_one_core.write(gcp_node())
    assert gcp_one_core.apply().status == 1
    [old] = [i["id"] for i in instances(gcp_cloud)]
    (gcp_one_core.directory / "terraform.tfstate").unlink()
    gcp_sim.clear_rules()
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    assert [i["id"] for i in instances(gcp_cloud)] == [old]
    gcp_one_core.no_difference()
    assert gcp_one_core.destroy().status == 0
    assert made(gcp_cloud) == {}


def test_others_of_the_same_name_are_left_alone(gcp_one_core, gcp_cloud):
    gcp_cloud.done(gcp_cloud.compute.networks().insert(project="test-project", body={"name": BASE, "autoCreateSubnetworks": False}).execute())
    gcp_one_core.write(gcp_node())
    result = gcp_one_core.apply()
    assert result.status == 1 and "alreadyExists" in result.text, result.output
    assert gcp_one_core.destroy().status == 0
    assert made(gcp_cloud) == {"networks": 1}


def test_interrupt_keeps_state(gcp_core, gcp_sim, gcp_cloud):
    core = gcp_core
    gcp_sim.rule("compute.routers.insert", operation_ms=3000)
    core.write(gcp_node())
    process = subprocess.Popen([core.binary, "apply", "-no-color", "-input=false", "-auto-approve"], cwd=core.directory, env=core.env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not gcp_sim.calls("compute.routers.insert"):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    gcp_sim.clear_rules()
    result = core.destroy()
    assert result.status == 0, result.output
    assert made(gcp_cloud) == {}


def test_simulator_dies_in_the_middle(gcp_one_core, gcp_sim):
    gcp_sim.rule("compute.instances.insert", kill=True)
    gcp_one_core.write(gcp_node())
    result = gcp_one_core.apply()
    assert result.status == 1
    assert "What exists is in the state" in result.text, result.output
    assert gcp_one_core.state()["llm_gpu_node.n"]["components"]["network"]["id"].endswith(f"/networks/{BASE}")
