"""Taskfile.yml, run by Task in a copy of the roots: it refuses what is no cloud, plans without preparation, and asks before it applies."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from clouds import CLOUDS, ground_of, signed_out
from conftest import CORES, ROOT, Result

TASK = ROOT / ".cache/bin/task"
TASKS = ["default", "cli:init", "cli:plan", "cli:apply", "cli:destroy", "cli:output", "platform:init", "platform:plan", "platform:apply", "platform:destroy",
         "platform:output", "fmt", "validate", "test", "demo", "docs"]
KEY = {"TF_VAR_tailscale_auth_key": "tskey-auth-canary", "TF_VAR_tailscale_auth_key_version": "1"}


class Checkout:
    """What the tasks need of a checkout, with the built provider and one core."""

    def __init__(self, directory, core, settings):
        self.directory = directory
        for name in ("Taskfile.yml", "CMakeLists.txt"):
            shutil.copy(ROOT / name, directory / name)
        for name in ("scripts", "infra", "modules", "examples"):
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns(".terraform*", "terraform.tfstate*"))
        (directory / "build/provider").mkdir(parents=True)
        shutil.copy(os.environ["LLM_PROVIDER_BIN"], directory / "build/provider/terraform-provider-llm")
        (directory / "bin").mkdir()
        (directory / "bin" / core).symlink_to(CORES[core])
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "GOOGLE_", "CLOUDSDK_"))}
        path = [p for p in keep["PATH"].split(":") if not any(os.path.exists(f"{p}/{name}") for name in CORES)] + ["/usr/bin", "/bin"]
        self.env = {**keep, "PATH": ":".join([str(directory / "bin"), *path]), "HOME": str(directory), "CHECKPOINT_DISABLE": "1", **settings}

    def task(self, *args, answer=None, directory=".", **env):
        process = subprocess.run([TASK, *args], cwd=self.directory / directory, env={**self.env, **env}, input=answer or "", text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        return Result(process)

    def ok(self, *args, **options):
        result = self.task(*args, **options)
        assert result.status == 0, result.output
        return result

    def files(self):
        return sorted(str(p.relative_to(self.directory)) for p in self.directory.rglob("*"))


@pytest.fixture(params=sorted(CLOUDS))
def ground(request):
    return ground_of(request)


@pytest.fixture(params=sorted(CORES))
def checkout(request, tmp_path, ground):
    return Checkout(tmp_path, request.param, signed_out(ground))


@pytest.fixture
def one_checkout(tmp_path):
    return Checkout(tmp_path, sorted(CORES)[-1], {"AWS_EC2_METADATA_DISABLED": "true", "GCE_METADATA_HOST": "127.0.0.1:9"})


def tasks():
    return yaml.safe_load((ROOT / "Taskfile.yml").read_text())["tasks"]


def test_tasks():
    assert list(tasks()) == TASKS
    assert all(t["desc"] for t in tasks().values())


def test_only_apply_and_destroy_change_anything_and_they_ask():
    text = (ROOT / "Taskfile.yml").read_text() + (ROOT / "scripts/infra").read_text()
    assert "auto-approve" not in text and "deps:" not in text
    changing = [n for n, t in tasks().items() if re.search(r"\b(apply|destroy)\b", str(t.get("cmd", "")) + str(t.get("cmds", "")))]
    assert changing == ["cli:apply", "cli:destroy", "platform:apply", "platform:destroy"]
    assert all(tasks()[n]["interactive"] for n in changing)


@pytest.mark.parametrize("name", [t for t in TASKS if t.startswith("cli:")])
def test_other_clouds_are_refused(one_checkout, name):
    before = one_checkout.files()
    for cloud in ("azure", "", "AWS", "../aws", "aws gcp", "aws;id"):
        result = one_checkout.task(name, f"CLOUD={cloud}")
        assert result.status != 0 and "[aws gcp]" in result.output, (cloud, result.output)
    result = one_checkout.task(name)
    assert result.status != 0 and "[aws gcp]" in result.output
    left = [f for f in one_checkout.files() if not f.startswith(".task")]
    assert left == before


@pytest.mark.parametrize("name", [t for t in TASKS if t.startswith("platform:")])
def test_other_environments_are_refused(one_checkout, name):
    before = one_checkout.files()
    for environment in ("test", "", "DEV", "../dev", "aws"):
        result = one_checkout.task(name, f"ENV={environment}")
        assert result.status != 0 and "[dev staging prod]" in result.output, (environment, result.output)
    assert [f for f in one_checkout.files() if not f.startswith(".task")] == before


def test_environment_needs_no_preparation(checkout, ground):
    """Without credentials and without init before it."""
    region = {"aws": "us-west-2", "gcp": "us-central1"}[ground.name]
    result = checkout.ok("platform:plan", "ENV=dev", "--", "-no-color", "-var", f"cloud={ground.name}", "-var", f"region={region}")
    assert "module.platform.llm_platform_cluster.this will be created" in result.text and " init" in result.output


def readme_commands():
    """What examples/platform/README.md shows, as plans; the reader's own ranges are somebody's."""
    text = (ROOT / "examples/platform/README.md").read_text().replace("YOUR-RANGE", "8.8.8.0/24")
    return [shlex.split(line.split(" #")[0].replace(":apply", ":plan"))[1:] for line in re.findall(r"^task platform:(?:plan|apply) .*$", text, re.M)]


@pytest.mark.parametrize("command", readme_commands(), ids=" ".join)
def test_commands_of_the_readme(one_checkout, command):
    """They name what has no default."""
    separator = [] if "--" in command else ["--"]
    result = one_checkout.ok(*command, *separator, "-no-color", "-input=false")
    assert "module.platform.llm_platform_cluster.this will be created" in result.text


def test_script_refuses_them_too(one_checkout):
    for arguments in ([], ["azure", "plan"], ["../infra/aws", "plan"], ["aws"]):
        result = subprocess.run(["scripts/infra", *arguments], cwd=one_checkout.directory, env=one_checkout.env, capture_output=True, text=True)
        assert result.returncode != 0 and "scripts/infra: " in result.stderr, (arguments, result)


def test_plan_needs_no_preparation(checkout, ground):
    """Without credentials, without init before it, from below the top; the second time nothing is prepared again."""
    result = checkout.ok("cli:plan", f"CLOUD={ground.name}", "--", "-no-color", directory="infra")
    assert "Plan: 1 to add" in result.text and "Checks against the cloud were skipped" in result.text and " init" in result.output
    other = {"aws": "gcp", "gcp": "aws"}[ground.name]
    assert not (checkout.directory / "infra" / other / ".terraform").exists()
    again = checkout.ok("cli:plan", f"CLOUD={ground.name}", "--", "-no-color", "-var", "name=other", "-var", 'tags={a="b c"}')
    assert "init" not in again.output and re.search(r'\+ name += "other"', again.output), again.output


def test_apply_and_destroy_ask(checkout, ground):
    checkout.env.update(ground.settings, **KEY)
    cloud = f"CLOUD={ground.name}"
    checkout.ok("cli:init", cloud)
    for answer in ("", "no\n"):
        result = checkout.task("cli:apply", cloud, answer=answer)
        assert result.status != 0 and ground.made() == [], result.output
    checkout.ok("cli:apply", cloud, answer="yes\n")
    assert ground.made() != []
    url = checkout.ok("cli:output", cloud, "--", "-raw", "ollama_url").output
    assert url.endswith("http://llm:11434"), url
    made = ground.made()
    assert checkout.task("cli:destroy", cloud, answer="no\n").status != 0
    assert ground.made() == made
    checkout.ok("cli:destroy", cloud, answer="yes\n")
    assert ground.made() == []


def test_another_build_of_the_provider(one_checkout):
    """Its checksum is another than that of the lock file."""
    one_checkout.ok("cli:plan", "CLOUD=aws")
    with open(one_checkout.directory / "build/provider/terraform-provider-llm", "ab") as file:
        file.write(b"\0")
    result = one_checkout.ok("cli:plan", "CLOUD=aws")
    assert "Plan: 1 to add" in result.text


def test_providers_of_ones_own(one_checkout):
    """A configuration file of the user's decides where the provider comes from."""
    file = one_checkout.directory / "mine.tfrc"
    provider = pathlib.Path(os.environ["LLM_PROVIDER_BIN"]).parent
    file.write_text('provider_installation {\n  dev_overrides {\n    "registry.opentofu.org/llm-infra/llm" = "%s"\n'
                    '    "registry.terraform.io/llm-infra/llm" = "%s"\n  }\n  direct {}\n}\n' % (provider, provider))
    result = one_checkout.ok("cli:plan", "CLOUD=aws", TF_CLI_CONFIG_FILE=str(file))
    assert "development overrides are in effect" in result.text and "Plan: 1 to add" in result.text
    assert not (one_checkout.directory / "build/plugins").exists()
    one_checkout.ok("cli:plan", "CLOUD=aws", TF_CLI_CONFIG_FILE=str(one_checkout.directory / "absent.tfrc"))


def test_validate(one_checkout):
    one_checkout.ok("validate")
    outputs = one_checkout.directory / "infra/gcp/outputs.tf"
    text = outputs.read_text()
    outputs.write_text(text.replace("  value       = llm_gpu_node.node.instance_id", "  value = llm_gpu_node.node.instance_id"))
    assert one_checkout.task("validate").status != 0, "not formatted"
    outputs.write_text(text.replace("llm_gpu_node.node.instance_id", "llm_gpu_node.node.no_such_thing"))
    assert one_checkout.task("validate").status != 0, "not valid"
