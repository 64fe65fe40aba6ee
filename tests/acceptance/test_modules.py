"""The modules: their own tests on both cores, the example with either cloud, and READMEs that leave nothing out."""
import re
import shutil

import pytest

from clouds import CLOUDS, ground_of, signed_out
from conftest import CORES, Core, ROOT

MODULE = ROOT / "modules" / "gpu_node"


@pytest.fixture(params=sorted(CLOUDS))
def ground(request):
    return ground_of(request)


@pytest.fixture(params=sorted(CORES))
def binary(request):
    return CORES[request.param]


@pytest.fixture
def module(tmp_path):
    """A copy of the module: init and test leave files beside it."""
    shutil.copytree(MODULE, tmp_path / "gpu_node")
    return tmp_path / "gpu_node"


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "modules").iterdir()))
def test_plans_that_need_no_cloud(tmp_path, name, binary):
    shutil.copytree(ROOT / "modules" / name, tmp_path / name)
    core = Core(binary, tmp_path / name, {"AWS_EC2_METADATA_DISABLED": "true", "GCE_METADATA_HOST": "127.0.0.1:9"})
    result = core.run("test", "-no-color", "-filter=tests/plan.tftest.hcl")
    runs = re.findall(r'^run "(\w+)"', (ROOT / "modules" / name / "tests/plan.tftest.hcl").read_text(), re.M)
    assert result.status == 0 and f"Success! {len(runs)} passed, 0 failed." in result.output, result.output


def test_node_is_made_changed_and_removed(module, binary, ground):
    core = Core(binary, module, ground.settings)
    result = core.run("test", "-no-color", f"-filter=tests/{ground.name}.tftest.hcl")
    assert result.status == 0 and "Success! 2 passed, 0 failed." in result.output, result.output
    assert ground.made() == []
    assert len(ground.simulator.calls(ground.maker)) == 1, "the change was made in place"


def test_example(module, binary, ground):
    for settings in (signed_out(ground), ground.settings):
        core = Core(binary, module / "examples" / "either_cloud", settings)
        core.ok("get", "-no-color")
        result = core.plan("-var", f"cloud={ground.name}", TF_VAR_tailscale_auth_key="tskey-x")
        assert result.status == 0 and "module.chat.llm_gpu_node.this will be created" in result.output, result.output
        assert ("were skipped" in result.text) == (settings != ground.settings)


def test_endpoint_is_made_and_removed(tmp_path, binary, ground):
    """One call for both clouds: what the other one does not have is left out."""
    shutil.copytree(ROOT / "modules" / "llm_endpoint", tmp_path / "llm_endpoint")
    core = Core(binary, tmp_path, ground.settings)
    core.write(f"""
module "chat" {{
  source             = "./llm_endpoint"
  name               = "chat"
  cloud              = "{ground.name}"
  model              = "llama3.1:8b"
  scaling            = {{ min = 2 }}
  rollout            = {{ strategy = "canary", step_percent = 50, wait_s = 0 }}
  alarms             = {{ errors_5xx = 5 }}
  log_retention_days = 45
  tags               = {{ Team = "ML Research" }}
}}
output "status" {{
  value = module.chat.status
}}
""")
    core.ok("get", "-no-color")
    core.apply_ok()
    assert core.outputs()["status"] == {"aws": "InService", "gcp": "Serving"}[ground.name]
    core.no_difference()
    assert core.destroy().status == 0 and ground.made() == []


@pytest.mark.parametrize("module", sorted(p.name for p in (ROOT / "modules").iterdir()))
def test_readme_has_every_input_and_output(module):
    directory = ROOT / "modules" / module
    text = (directory / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", text, re.M))
    names = {}
    for file, kind in (("variables.tf", "variable"), ("outputs.tf", "output")):
        for name, body in re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', (directory / file).read_text(), re.M | re.S):
            names[name] = re.search(r'^  description = "(.*)"$', body, re.M).group(1)
    assert rows.keys() == names.keys()
    for name, description in names.items():
        assert description in rows[name], name
