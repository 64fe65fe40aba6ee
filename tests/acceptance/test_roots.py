"""The roots infra/aws and infra/gcp: their files, what both have in common, and their way from plan to destroy on both cores."""
import json
import re
import shutil

import pytest

from clouds import Aws, CLOUDS, Gcp, ground_of, signed_out
from conftest import CORES, Core, ROOT

FILES = {
    "aws": {"main.tf", "providers.tf", "variables.tf", "outputs.tf", "compute.tf", "networking.tf", "security.tf", "logging.tf", "ami.tf",
            "model_mapping.tf"},
    "gcp": {"main.tf", "providers.tf", "variables.tf", "outputs.tf", "compute.tf", "networking.tf", "security.tf", "logging.tf", "image.tf",
            "model_mapping.tf"},
}
SKIPPED = "Checks against the cloud were skipped"
KEY = {"TF_VAR_tailscale_auth_key": "tskey-auth-canary", "TF_VAR_tailscale_auth_key_version": "1"}


@pytest.fixture(params=sorted(CLOUDS))
def ground(request):
    return ground_of(request)


@pytest.fixture(params=sorted(CORES))
def root(request, tmp_path, ground):
    """A core in a copy of the cloud's root, without credentials."""
    for file in FILES[ground.name]:
        shutil.copy(ROOT / "infra" / ground.name / file, tmp_path / file)
    return Core(CORES[request.param], tmp_path, signed_out(ground))


@pytest.fixture
def signed_in(root, ground):
    root.env.update({k: v for k, v in ground.settings.items() if not k.endswith("_REGION")})
    return root


def blocks(cloud, file, kind):
    """{name: text} of the blocks of a file, as written."""
    text = (ROOT / "infra" / cloud / file).read_text()
    return dict(re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', text, re.M | re.S))


def without(text, *names):
    return re.sub(rf"^ *({'|'.join(names)}) += .*\n", "", text, flags=re.M)


def planned(core, *args, **env):
    core.ok("plan", "-no-color", "-input=false", "-out=p.tfplan", *args, **env)
    plan = json.loads(core.ok("show", "-json", "p.tfplan").output.splitlines()[-1])
    [change] = [c for c in plan["resource_changes"] if c["type"] == "llm_gpu_node"]
    return change["change"]["after"], plan


@pytest.mark.parametrize("cloud", sorted(FILES))
def test_layout(cloud):
    assert {p.name for p in (ROOT / "infra" / cloud).glob("*.tf")} == FILES[cloud]


@pytest.mark.parametrize("binary", sorted(CORES))
def test_formatted(binary, tmp_path):
    core = Core(CORES[binary], tmp_path, {})
    for directory in ("infra", "modules"):
        result = core.run("fmt", "-check", "-diff", "-recursive", str(ROOT / directory))
        assert result.status == 0, result.output


def test_both_have_the_same_variables():
    aws, gcp = (blocks(cloud, "variables.tf", "variable") for cloud in FILES)
    assert len(aws) > 20 and list(aws) == list(gcp)
    for name in aws:
        ours, theirs = (without(side[name], "description", *(["default"] if name == "region" else [])) for side in (aws, gcp))
        assert ours == theirs, name
        assert re.search(r'^  description = "\S.*"$', aws[name], re.M) and re.search(r'^  description = "\S.*"$', gcp[name], re.M), name


def test_both_have_the_same_outputs():
    aws, gcp = (blocks(cloud, "outputs.tf", "output") for cloud in FILES)
    assert list(aws) == list(gcp) and list(aws)[:3] == ["instance_id", "private_ip", "ollama_url"]
    for name in aws:
        assert without(aws[name], "description") == without(gcp[name], "description"), name


@pytest.mark.parametrize("file", ["main.tf", "compute.tf", "networking.tf", "security.tf", "model_mapping.tf"])
def test_both_do_the_same(file):
    """But for comments and the name of the cloud, these files are the same."""
    aws, gcp = ((ROOT / "infra" / cloud / file).read_text() for cloud in ("aws", "gcp"))
    aws, gcp = (re.sub(r"^ *#.*\n", "", text, flags=re.M) for text in (aws, gcp))
    assert aws.replace('"aws"', '"gcp"') == gcp


@pytest.mark.parametrize("binary", sorted(CORES))
def test_both_clouds_in_one_root(binary, tmp_path, sim, gcp_sim):
    """The example makes a node on each, and removes both."""
    grounds = [Aws(sim, "eu-west-1"), Gcp(gcp_sim)]
    shutil.copy(ROOT / "examples/deployments/both_clouds/main.tf", tmp_path)
    core = Core(CORES[binary], tmp_path, {**grounds[0].settings, **grounds[1].settings})
    key = {"TF_VAR_tailscale_auth_key": "tskey-auth-canary"}
    core.apply_ok(**key)
    assert core.outputs() == {"ollama_urls": {"aws": "http://chat-aws:11434", "gcp": "http://chat-gcp:11434"}}
    assert all(g.made() for g in grounds) and all(g.tags_of_instance()["team"] == "ml" for g in grounds)
    again = core.plan("-detailed-exitcode", **key)
    assert again.status == 0, again.output
    result = core.destroy(**key)
    assert result.status == 0 and not any(g.made() for g in grounds), result.output


@pytest.mark.parametrize("cloud", sorted(FILES))
def test_state_is_local(cloud):
    text = "".join(p.read_text() for p in (ROOT / "infra" / cloud).glob("*.tf"))
    assert not re.search(r'^\s*(backend|cloud) .*{', text, re.M)


@pytest.mark.parametrize("cloud", sorted(FILES))
def test_readme(cloud):
    text = (ROOT / "infra" / cloud / "README.md").read_text()
    for heading in ("Prerequisites", "Quotas", "Costs", "First plan"):
        assert f"## {heading}" in text, heading
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|.*\|$", text, re.M))
    described = {n: re.search(r'description = "(.*)"', b)[1] for n, b in blocks(cloud, "variables.tf", "variable").items()}
    assert rows == described
    for name in blocks(cloud, "outputs.tf", "output"):
        assert f"`{name}`" in text, name


def test_valid(root):
    result = root.validate()
    assert result.status == 0, result.output


def test_plans_without_credentials_or_input(root):
    result = root.plan()
    assert result.status == 0, result.output
    assert SKIPPED in result.text and "Plan: 1 to add" in result.text
    assert "Nobody will reach the node" in result.text


def test_plans_with_credentials(signed_in, ground):
    result = signed_in.plan(**KEY)
    assert result.status == 0, result.output
    assert SKIPPED not in result.text and "Nobody will reach the node" not in result.text
    assert ground.made() == []


def test_life(signed_in, ground):
    signed_in.apply_ok(**KEY)
    again = signed_in.plan("-detailed-exitcode", **KEY)
    assert again.status == 0, again.output
    outputs = signed_in.outputs()
    assert re.fullmatch(ground.instance_id, outputs["instance_id"]), outputs
    assert outputs["private_ip"].startswith("10.42.") and outputs["ollama_url"] == "http://llm:11434"
    assert outputs["machine"]["zone"].startswith(ground.region) and outputs["machine"]["gpu_count"] == 1
    state = (signed_in.directory / "terraform.tfstate").read_text()
    assert "tskey-auth-canary" not in state
    assert len(ground.made()) > 8 and len(ground.simulator.calls(ground.maker)) == 1
    result = signed_in.destroy(**KEY)
    assert result.status == 0, result.output
    assert ground.made() == []


def test_changes_in_place(signed_in, ground):
    signed_in.apply_ok(**KEY)
    before = signed_in.outputs()
    change = {**KEY, "TF_VAR_power": "stopped", "TF_VAR_log_retention_days": "60", "TF_VAR_tags": '{"owner":"a"}',
              "TF_VAR_model_mapping": '{"llama3.1:8b":{"disk_gib":80}}', "TF_VAR_tailscale_auth_key_version": "2"}
    plan = signed_in.plan(**change)
    assert "will be updated in-place" in plan.output and "0 to destroy" in plan.output, plan.output
    signed_in.apply_ok(**change)
    after = signed_in.outputs()
    assert after["instance_id"] == before["instance_id"] and after["machine"]["disk_gib"] == 100 and before["machine"]["disk_gib"] == 30
    assert len(ground.simulator.calls(ground.maker)) == 1
    assert ground.power() == "stopped" and ground.tags_of_instance()["owner"] == "a"
    again = signed_in.plan("-detailed-exitcode", **change)
    assert again.status == 0, again.output


def test_existing_network_is_used(signed_in, ground):
    network, subnets = ground.network()
    before = ground.made()
    use = {**KEY, "TF_VAR_vpc_id": network, "TF_VAR_subnet_ids": json.dumps(subnets), "TF_VAR_ingress_cidrs": '["10.0.0.0/8"]'}
    signed_in.apply_ok(**use)
    new = [m for m in ground.made() if m not in before]
    assert new and not [m for m in new if re.search(r"VPC|subnet|gateway|route|Elastic|/networks/|/subnetworks/|/routers/", m)], new
    assert ground.subnet_of_instance() in subnets
    again = signed_in.plan("-detailed-exitcode", **use)
    assert again.status == 0, again.output
    result = signed_in.destroy(**use)
    assert result.status == 0 and ground.made() == before, result.output


def test_mapping_of_a_model_is_overridden(root, ground):
    machines = {"aws": ["g6.xlarge", "g5.xlarge"], "gcp": ["g2-standard-8", "n1-standard-8+nvidia-tesla-t4:1"]}[ground.name]
    mapping = {"llama3.1:8b": {"machine_types": machines, "disk_gib": 100}}
    after, plan = planned(root, "-var", f"model_mapping={json.dumps(mapping)}")
    assert after["machine"]["candidates"] == machines
    assert after["disk"]["size_gib"] == 120 and after["disk_gib"] == 120
    shown = plan["planned_values"]["outputs"]["model_mapping"]["value"]
    assert sorted(m["type"] for m in shown["machines"]) == sorted(machines)
    assert shown["models"]["llama3.1:8b"]["disk_gib"] == 100 and shown["models"]["llama3.1:8b"]["memory_gib"] > 5


@pytest.mark.parametrize("models", [["llama3.1:8b"], ["llama3.3:70b", "qwen2.5:7b"], ["gpt-oss:20b", "mistral:7b", "gemma3:4b"]], ids=len)
def test_disk_of_a_mapping_is_by_the_providers_rule(tmp_path, models):
    """A mapping that says what the catalogue says changes nothing."""
    for file in FILES["aws"]:
        shutil.copy(ROOT / "infra/aws" / file, tmp_path / file)
    core = Core(CORES[sorted(CORES)[-1]], tmp_path, {"AWS_EC2_METADATA_DISABLED": "true"})
    chosen, plan = planned(core, "-var", f"models={json.dumps(models)}")
    needs = plan["planned_values"]["outputs"]["model_mapping"]["value"]["models"]
    mapping = {models[0]: {"disk_gib": needs[models[0]]["disk_gib"]}}
    mapped, _ = planned(core, "-var", f"models={json.dumps(models)}", "-var", f"model_mapping={json.dumps(mapping)}")
    assert mapped["disk"]["size_gib"] == mapped["disk_gib"] == chosen["disk_gib"]


def test_without_a_mapping_the_provider_chooses(root):
    after, plan = planned(root)
    assert after["machine"].get("candidates") is None and after["disk"].get("size_gib") is None and after["disk_gib"] == 30
    shown = plan["planned_values"]["outputs"]["model_mapping"]["value"]["machines"]
    prices = [m["usd_per_hour"] for m in shown]
    assert len(shown) == 5 and prices == sorted(prices)


def test_mapping_to_a_machine_that_is_too_small(root, ground):
    small = {"aws": "g4dn.xlarge", "gcp": "g2-standard-8"}[ground.name]
    mapping = {"llama3.3:70b": {"machine_types": [small, "no-such-machine"]}}
    result = root.plan("-var", 'models=["llama3.3:70b"]', "-var", f"model_mapping={json.dumps(mapping)}")
    assert result.status == 1
    assert f"{small}: not enough GPU memory: " in result.text and "no-such-machine: not a machine of the catalogue" in result.text


def test_two_models_get_machines_that_hold_both(root, ground):
    """The small one's machine is left out when it does not hold the other."""
    small, large = {"aws": ("g4dn.xlarge", "g6e.12xlarge"), "gcp": ("g2-standard-8", "a2-ultragpu-1g")}[ground.name]
    mapping = {"llama3.1:8b": {"machine_types": [small]}, "llama3.3:70b": {"machine_types": [large]}}
    after, _ = planned(root, "-var", 'models=["llama3.1:8b", "llama3.3:70b"]', "-var", f"model_mapping={json.dumps(mapping)}")
    assert after["machine"]["candidates"] == [large]


def test_model_of_ones_own(root, ground):
    machine = {"aws": "g6.xlarge", "gcp": "g2-standard-8"}[ground.name]
    own = {"name": "team/chat", "memory_gib": 10, "disk_gib": 22}
    after, _ = planned(root, "-var", "models=[]", "-var", f"custom_model={json.dumps(own)}", "-var",
                       f"model_mapping={json.dumps({'team/chat': {'machine_types': [machine], 'disk_gib': 50}})}")
    assert after["models"] is None and after["machine"]["candidates"] == [machine] and after["disk_gib"] == 70


def test_existing_network(root, ground):
    vpc, subnet = {"aws": ("vpc-0123456789abcdef0", "subnet-0123456789abcdef0"),
                   "gcp": ("projects/test-project/global/networks/n", "projects/test-project/regions/us-central1/subnetworks/s")}[ground.name]
    after, _ = planned(root, "-var", f"vpc_id={vpc}", "-var", f'subnet_ids=["{subnet}"]', "-var", 'ingress_cidrs=["10.0.0.0/8"]')
    assert after["egress"] == "existing"
    assert after["network"]["cidr"] is None and after["network"]["vpc_id"] == vpc and after["network"]["subnet_ids"] == [subnet]
    assert after["network"]["ingress_cidrs"] == ["10.0.0.0/8"]


def test_network_that_is_made(root):
    after, _ = planned(root)
    assert after["egress"] == "nat" and after["network"]["cidr"] == "10.42.0.0/16" and after["network"]["vpc_id"] is None


def test_logs_are_kept_at_least_so_long(root, ground):
    for days, kept in ((1, {"aws": 1, "gcp": 1}), (100, {"aws": 120, "gcp": 100}), (3650, {"aws": 3653, "gcp": 3650})):
        after, _ = planned(root, "-var", f"log_retention_days={days}")
        assert after["log_retention_days"] == kept[ground.name]
    for days in (0, 3651):
        assert "log_retention_days is 1 to 3650" in root.plan("-var", f"log_retention_days={days}").text


def test_image(root, ground):
    image, wrong = {"aws": ("ami-0123456789abcdef0", "my-image"), "gcp": ("projects/p/global/images/family/f", "ami-0123456789abcdef0")}[ground.name]
    after, _ = planned(root, "-var", f"image={image}")
    assert after["image"] == image
    assert "image is " in root.plan("-var", f"image={wrong}").text


def test_key_without_version_is_refused(root):
    result = root.plan(TF_VAR_tailscale_auth_key="tskey-auth-canary")
    assert result.status == 1 and "Set tailscale_auth_key_version" in result.text and "canary" not in result.text


def test_key_is_in_no_plan(root):
    after, plan = planned(root, **KEY)
    assert after["tailscale"]["auth_key_wo_version"] == 1
    assert "tskey-auth-canary" not in json.dumps(plan)
    assert b"tskey-auth-canary" not in (root.directory / "p.tfplan").read_bytes()


def test_tags_reach_everything(signed_in, ground):
    signed_in.apply_ok(**KEY, TF_VAR_tags='{"Team":"ML Research"}')
    tags = ground.tags_of_instance()
    assert tags["Team" if ground.name == "aws" else "team"] == ("ML Research" if ground.name == "aws" else "ml-research")
    assert tags["managed-by"] == "terraform-provider-llm"
    result = signed_in.plan("-detailed-exitcode", **KEY, TF_VAR_tags='{"Team":"ML Research"}')
    assert result.status == 0, result.output


def test_another_account_or_project(signed_in, ground):
    """It is refused on AWS; on Google Cloud it is the one that is worked in, so that what is there decides."""
    result = signed_in.plan("-var", f"account_or_project={ground.account}", **KEY)
    assert result.status == 0 and SKIPPED not in result.text, result.output
    other = {"aws": "999999999999", "gcp": "no-such-project"}[ground.name]
    result = signed_in.plan("-var", f"account_or_project={other}", **KEY)
    assert result.status == 1, result.output
    assert {"aws": "which allowed_account_ids does not name", "gcp": "no-such-project"}[ground.name] in result.text
