"""Every example is formatted, and plans or evaluates; data sources and functions answer."""
import json
import shutil

import pytest

from conftest import HEAD, ROOT, node
from test_data_endpoint import SageMaker, variant
from tests.sim.cloud import Cloud
from tests.sim.test_sim_eks import Platform

ALL = sorted({p.parent.relative_to(ROOT / "examples") for p in (ROOT / "examples").rglob("*.tf")})
ENVIRONMENTS = ["dev", "staging", "prod"]
REQUIRED = {"prod": ["-var", 'api_cidrs=["8.8.8.0/24"]']}
EXAMPLES = [e for e in ALL if e.parts[0] != "platform"]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example_plans(core, sim, example):
    for file in (ROOT / "examples" / example).glob("*.tf"):
        if not file.name.startswith("import"):  # of what does not exist: see test_guides.py
            shutil.copy(file, core.directory / file.name)
    text = "".join(f.read_text() for f in core.directory.glob("*.tf"))
    if "required_providers" not in text:
        (core.directory / "versions.tf").write_text(HEAD)
    if "llm_cluster_auth" in text:
        Platform(Cloud(sim.endpoint)).create(name="llmplatform-dev")
    if 'data "llm_endpoint"' in text:
        somebody = SageMaker(Cloud(sim.endpoint))
        somebody.model("m")
        somebody.endpoint("quant-endpoint", variant("main", "m", 1))
    assert core.run("fmt", "-check", "-diff", str(ROOT / "examples" / example)).status == 0
    result = core.plan(TF_VAR_tailscale_auth_key="tskey-x")
    assert result.status == 0, result.output


def environment_plans(core, environment, *variables):
    """In a copy of the checkout's examples and modules."""
    for name in ("examples", "modules"):
        shutil.copytree(ROOT / name, core.directory / name)
    core.directory = core.directory / "examples/platform" / environment
    core.ok("get", "-no-color")
    result = core.plan(*variables)
    assert result.status == 0 and "module.platform.llm_platform_cluster.this will be created" in result.text, result.output
    for component in ("namespace.llm-baseline", "resource_quota.quant", "kube_service_account.quant.quant-sa", "repository.grafana-plugin"):
        assert f'"{component}"' in result.text, component


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_of_the_platform_plans_on_aws(core, environment):
    environment_plans(core, environment, *REQUIRED.get(environment, []))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_of_the_platform_plans_on_gcp(gcp_core, environment):
    environment_plans(gcp_core, environment, "-var", "cloud=gcp", "-var", "region=us-central1", *REQUIRED.get(environment, []))


ENDPOINTS = {"quant": "quant-endpoint", "finetune": "finetune-endpoint", "eval": "eval-endpoint"}


def serving_plans(core, variable, *variables):
    """The endpoints, and the platform whose workloads know them, and may call them, by name."""
    for name in ("examples", "modules"):
        shutil.copytree(ROOT / name, core.directory / name)
    core.directory = core.directory / "examples/platform/serving"
    core.ok("get", "-no-color")
    result = core.plan("-out=saved", *variables)
    assert result.status == 0, result.output
    planned = {r["address"]: r["values"] for r in resources_of(json.loads(core.ok("show", "-json", "saved").output)["planned_values"]["root_module"])}
    platform = planned.pop("module.platform.llm_platform_cluster.this")
    assert {values["name"] for values in planned.values()} == set(ENDPOINTS.values()) and len(planned) == 3
    for team, endpoint in ENDPOINTS.items():
        assert planned[f'module.endpoint["{team}"].llm_endpoint.this']["endpoint_name"] == endpoint
        assert platform["namespaces"][team]["config"] == {variable: endpoint}
        assert platform["workloads"][f"{team}-api"]["invoke_endpoints"] == [endpoint]


def resources_of(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources_of(child)


def test_platform_with_its_endpoints_plans_on_aws(core):
    serving_plans(core, "SAGEMAKER_ENDPOINT")


def test_platform_with_its_endpoints_plans_on_gcp(gcp_core):
    serving_plans(gcp_core, "VERTEX_ENDPOINT", "-var", "cloud=gcp")


def test_examples_are_formatted(core):
    assert core.run("fmt", "-check", "-diff", "-recursive", str(ROOT / "examples")).status == 0


def test_data_sources_and_functions(core):
    core.write("""
data "llm_gpu_offers" "o" {
  models = ["llama3.1:8b"]
}
data "llm_model" "m" {
  name = "llama3.1:8b"
}
output "machines" {
  value = data.llm_gpu_offers.o.offers
}
output "memory" {
  value = data.llm_model.m.memory_gib
}
output "fit" {
  value = provider::llm::gpu_fit(["llama3.1:8b"], 8192, "g5.xlarge")
}
output "vram" {
  value = provider::llm::vram_gib("llama3.1:8b", 8192)
}
""")
    core.apply_ok()
    outputs = core.outputs()
    assert outputs["fit"]["fits"] is True
    assert outputs["vram"] == outputs["memory"]
    assert 5 < outputs["memory"] < 12
    assert len(outputs["machines"]) > 5


def test_cheapest_machine_is_the_first_offer(one_core, cloud):
    one_core.write(node() + """
data "llm_gpu_offers" "o" {
  models = ["llama3.1:8b"]
}
output "first" {
  value = data.llm_gpu_offers.o.offers[0]
}
""")
    one_core.apply_ok()
    [instance] = cloud.instances()
    assert instance["InstanceType"] in json.dumps(one_core.outputs()["first"])
