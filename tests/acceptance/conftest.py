"""The acceptance tests' ground: simulators, the real cores, and what exists in the cloud afterwards, asked by boto3 and Google's client."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
# Helpers whose comparisons are shown as those of a test, when they fail.
pytest.register_assert_rewrite("endpoint_cluster", "platform_aws")

from tests.sim.cloud import Cloud  # noqa: E402
from tests.sim.gcp.client import Cloud as GcpCloud  # noqa: E402


class Simulator:
    """A simulator in a process of its own."""

    def __init__(self, directory, module="tests.sim.aws"):
        self.directory, self.module, self.process, self.port = directory, module, None, 0
        self.start()

    def start(self):
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, "--port", str(self.port), "--port-file", str(port_file)], cwd=ROOT,
            stdout=open(self.directory / "simulator.log", "ab"), stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, "the simulator did not start"
            time.sleep(0.05)
        self.port = int(port_file.read_text())
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.kill()
        self.process.wait()

    def control(self, name, value=None, method=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.endpoint}/_sim/{name}", data=data, method=method or ("POST" if value is not None else "GET"))
        until = time.monotonic() + 2
        while True:
            try:
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)
            except urllib.error.URLError as error:  # by a rule nobody may be listening for a while
                if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > until or not self.alive():
                    raise
                time.sleep(0.02)

    def reset(self):
        self.control("reset", {})

    def rule(self, operation, **rule):
        self.control("rules", [{"operation": operation, **rule}])

    def clear_rules(self):
        self.control("rules", method="DELETE")

    def fail(self, operation, code, message="simulated", times=1, status=400, **rule):
        self.rule(operation, error={"code": code, "message": message, "status": status}, times=times, **rule)

    def calls(self, operation=None):
        return [c for c in self.control("calls") if operation in (None, c["operation"])]

    def violations(self):
        return self.control("violations")


@pytest.fixture(scope="session")
def shared_simulator(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("simulator"))
    yield simulator
    simulator.stop()


@pytest.fixture(scope="session")
def shared_gcp_simulator(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("gcp-simulator"), "tests.sim.gcp")
    yield simulator
    simulator.stop()


@pytest.fixture
def sim(shared_simulator):
    """A simulator with an empty account; after the test no request may have broken AWS's published models."""
    if not shared_simulator.alive():
        shared_simulator.start()
    shared_simulator.reset()
    yield shared_simulator
    if shared_simulator.alive():
        assert shared_simulator.violations() == []


@pytest.fixture
def cloud(sim):
    return Cloud(sim.endpoint)


@pytest.fixture
def gcp_sim(shared_gcp_simulator):
    """A simulator with an empty project; after the test no request may have broken Google's discovery documents."""
    if not shared_gcp_simulator.alive():
        shared_gcp_simulator.start()
    shared_gcp_simulator.reset()
    shared_gcp_simulator.control("settings", {"operation_s": 0.05})
    yield shared_gcp_simulator
    if shared_gcp_simulator.alive():
        assert shared_gcp_simulator.violations() == []
        assert shared_gcp_simulator.control("defects") == []


@pytest.fixture
def gcp_cloud(gcp_sim):
    return GcpCloud(gcp_sim.endpoint)


def find_cores():
    """The cores by name. LLM_CORES names those that are to take part; without it all that are there."""
    cores, wanted = {}, os.environ.get("LLM_CORES", "tofu,terraform").split(",")
    tofu = shutil.which("tofu") or str(ROOT / ".cache/bin/tofu")
    if os.access(tofu, os.X_OK):
        cores["tofu"] = tofu
    if shutil.which("terraform"):
        cores["terraform"] = shutil.which("terraform")
    return {name: binary for name, binary in cores.items() if name in wanted}


CORES = find_cores()


class Result:
    def __init__(self, process):
        self.status = process.returncode
        self.output = re.sub(r"\x1b\[[0-9;]*m", "", process.stdout)
        # Boxes around diagnostics wrap the text: one line of it, for comparisons.
        self.text = re.sub(r"\s+", " ", re.sub(r"[│╷╵]", " ", self.output))


HEAD = """
terraform {
  required_providers {
    llm = {
      source = "llm-infra/llm"
    }
  }
}
"""


def aws_settings(endpoint):
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true"}


def gcp_settings(endpoint):
    paths = {"COMPUTE": "compute/v1", "IAM": "iam/v1", "RESOURCE_MANAGER": "cloudresourcemanager/v1", "SECRET_MANAGER": "secretmanager/v1",
             "LOGGING": "logging/v2", "SERVICE_USAGE": "serviceusage/v1", "CONTAINER": "container/v1",
             "ARTIFACT_REGISTRY": "artifactregistry/v1", "MONITORING": "monitoring/v3", "VERTEX_AI": "aiplatform/v1", "STORAGE": "storage/v1"}
    return {**{f"GOOGLE_{name}_CUSTOM_ENDPOINT": f"{endpoint}/{path}/" for name, path in paths.items()},
            "GOOGLE_PROJECT": "test-project", "GOOGLE_REGION": "us-central1", "GOOGLE_OAUTH_ACCESS_TOKEN": "test", "GCE_METADATA_HOST": "127.0.0.1:9"}


class Core:
    """One core in a directory of its own, with the built provider as a development override."""

    def __init__(self, binary, directory, settings):
        self.binary, self.directory = binary, directory
        provider = pathlib.Path(os.environ["LLM_PROVIDER_BIN"]).parent
        (directory / "cli.tfrc").write_text(
            'provider_installation {\n  dev_overrides {\n'
            f'    "registry.opentofu.org/llm-infra/llm" = "{provider}"\n    "registry.terraform.io/llm-infra/llm" = "{provider}"\n'
            "  }\n  direct {}\n}\n")
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "GOOGLE_", "CLOUDSDK_"))}
        self.env = {  # a core lives for a second or two: it need not collect its garbage as often as it does
            "GOGC": "400", **keep, "TF_CLI_CONFIG_FILE": str(directory / "cli.tfrc"), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1",
            "HOME": str(directory), **settings}

    def write(self, text, head=HEAD):
        (self.directory / "main.tf").write_text(head + text)

    def run(self, *args, timeout=600, **env):
        process = subprocess.run([self.binary, *args], cwd=self.directory, env={**self.env, **env}, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, timeout=timeout)
        return Result(process)

    def ok(self, *args, **options):
        result = self.run(*args, **options)
        assert result.status == 0, result.output
        return result

    def validate(self):
        return self.run("validate", "-no-color")

    def plan(self, *args, **options):
        return self.run("plan", "-no-color", "-input=false", *args, **options)

    def apply(self, *args, **options):
        return self.run("apply", "-no-color", "-input=false", "-auto-approve", *args, **options)

    def destroy(self, *args, **options):
        return self.run("destroy", "-no-color", "-input=false", "-auto-approve", *args, **options)

    def apply_ok(self, *args, **options):
        result = self.apply(*args, **options)
        assert result.status == 0, result.output
        return result

    def no_difference(self):
        result = self.plan("-detailed-exitcode")
        assert result.status == 0, result.output

    def state(self):
        values = json.loads(self.ok("show", "-json").output).get("values", {})
        resources = values.get("root_module", {}).get("resources", [])
        return {f"{r['type']}.{r['name']}": r["values"] for r in resources}

    def outputs(self):
        return {k: v["value"] for k, v in json.loads(self.ok("output", "-json").output).items()}


@pytest.fixture(params=sorted(CORES))
def core(request, tmp_path, sim):
    return Core(CORES[request.param], tmp_path, aws_settings(sim.endpoint))


@pytest.fixture
def one_core(tmp_path, sim):
    """Where the core makes no difference: the first that is there."""
    return Core(CORES[sorted(CORES)[-1]], tmp_path, aws_settings(sim.endpoint))


@pytest.fixture(params=sorted(CORES))
def gcp_core(request, tmp_path, gcp_sim):
    return Core(CORES[request.param], tmp_path, gcp_settings(gcp_sim.endpoint))


@pytest.fixture
def gcp_one_core(tmp_path, gcp_sim):
    return Core(CORES[sorted(CORES)[-1]], tmp_path, gcp_settings(gcp_sim.endpoint))


def node(name="demo", body='models = ["llama3.1:8b"]', zones='zones = ["us-east-1a", "us-east-1b"]', tailscale=True, cloud="aws"):
    key = 'tailscale = {\n    auth_key_wo         = "tskey-auth-canary"\n    auth_key_wo_version = 1\n  }' if tailscale else ""
    return f'resource "llm_gpu_node" "n" {{\n  name  = "{name}"\n  cloud = "{cloud}"\n  {body}\n  {zones}\n  {key}\n}}\n'


def gcp_node(name="demo", body='models = ["llama3.1:8b"]', zones="", tailscale=True):
    return node(name, body, zones, tailscale, "gcp")


def policy_in_role(cloud, role):
    """What others may put in a destroy's way: how, what the error says then, and how it goes."""
    iam = cloud.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]})
    return (lambda: iam.put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=document), "inline policy theirs",
            lambda: iam.delete_role_policy(RoleName=role, PolicyName="theirs"))


def destroy_in_spite_of_others(core, *ways):
    """Each is in the way of a try, which names it."""
    for put, _, _ in ways:
        put()
    for _, words, take in ways:
        refused = core.destroy()
        assert refused.status != 0 and words in refused.text, refused.output
        take()
    destroyed = core.destroy()
    assert destroyed.status == 0, destroyed.output
