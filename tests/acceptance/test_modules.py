"""The modules: their own tests on both cores, the example with either cloud, and READMEs that leave nothing out."""
import re
import shutil

import pytest

from clouds import Aws
from conftest import ROOT

MODULE = ROOT / "modules" / "gpu_node"
CREDENTIALS = ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def module(core):
    """A core in a copy of the module, with the simulator's address but without credentials."""
    shutil.copytree(MODULE, core.directory, dirs_exist_ok=True)
    for name in CREDENTIALS:
        core.env.pop(name, None)
    return core


@pytest.fixture(params=["aws"])
def ground(request, sim):
    return Aws(sim)


def test_plans_that_need_no_cloud(module):
    result = module.run("test", "-no-color", "-filter=tests/plan.tftest.hcl")
    assert result.status == 0, result.output
    runs = re.findall(r'^run "(\w+)"', (MODULE / "tests/plan.tftest.hcl").read_text(), re.M)
    assert f"Success! {len(runs)} passed, 0 failed." in result.output


def test_node_is_made_changed_and_removed(module, ground):
    result = module.run("test", "-no-color", f"-filter=tests/{ground.name}.tftest.hcl", **ground.env)
    assert result.status == 0 and "Success! 2 passed, 0 failed." in result.output, result.output
    assert ground.made() == []
    assert len(ground.calls(ground.maker)) == 1, "the change was made in place"


def test_example(module, ground):
    module.directory = module.directory / "examples" / "either_cloud"
    module.ok("get", "-no-color")
    for env in ({}, ground.env):
        result = module.plan("-var", f"cloud={ground.name}", TF_VAR_tailscale_auth_key="tskey-x", **env)
        assert result.status == 0 and "module.chat.llm_gpu_node.this will be created" in result.output, result.output
        assert ("were skipped" in result.text) == (not env)


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
