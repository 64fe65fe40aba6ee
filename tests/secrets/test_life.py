"""One node's life with every secret a marker: nothing has them but the requests that store them and the ones that authenticate."""
import base64
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests.acceptance.conftest import CORES, HEAD, Core, aws_settings, gcp_settings
from tests.secrets.canary import Marker, leaks, leaks_of_files
from tests.sim.cloud import Cloud
from tests.sim.gcp.client import Cloud as GcpCloud

NAMES = {"tofu": "registry.opentofu.org/llm-infra/llm", "terraform": "registry.terraform.io/llm-infra/llm"}
NODE = """
resource "llm_gpu_node" "n" {
  name   = "demo"
  cloud  = "CLOUD"
  models = ["llama3.1:8b"]
  ZONES
  tailscale = {
    auth_key_wo         = var.key
    auth_key_wo_version = VERSION
  }
}

output "all" {
  value     = llm_gpu_node.n
  sensitive = true # the whole of it; `output -json` shows it all the same
}
"""


def key(version):
    """Anything may stand in a key: also what JSON, HCL, shells and URLs have to escape."""
    return Marker(f"tailscale key {version}", "tskey-auth-", "\"\\$&<%+/é")


class Aws:
    name, zones, import_id, slow = "aws", 'zones = ["us-east-1a", "us-east-1b"]', "aws/us-east-1/demo", "PutSecretValue"
    stores = ("CreateSecret", "PutSecretValue")

    def __init__(self, simulator):
        self.simulator, self.cloud = simulator, Cloud(simulator.endpoint)
        self.access, self.secret, self.token = Marker("access key id", "AKIA"), Marker("secret key", after="/+="), Marker("session token", "Fwo", "//+==")
        simulator.control("keys", {self.access.value: self.secret.value})
        self.settings = {k: v for k, v in aws_settings(simulator.endpoint).items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        self.secrets = {"access_key": self.access, "secret_key": self.secret, "token": self.token}

    def fail(self, key):
        """The call that stores the key is refused, and what was sent is quoted."""
        self.simulator.fail("PutSecretValue", "InvalidRequestException", f"not now, and not \"{key}\"")

    def stored(self, request):
        return request.headers.get("X-Amz-Target", request.headers.get("x-amz-target", "")).split(".")[-1] in self.stores

    def authenticates(self, marker, part):
        return (marker, part) in ((self.access, "header authorization"), (self.token, "header x-amz-security-token"))

    def all_there_is(self):
        """What anybody who may look into the account sees, secrets' contents aside."""
        ec2, found = self.cloud.client("ec2"), [self.cloud.owned()]
        for i in self.cloud.instances():
            data = ec2.describe_instance_attribute(InstanceId=i["InstanceId"], Attribute="userData")["UserData"].get("Value", "")
            assert data, "the node has a start-up script"
            found += [i, base64.b64decode(data)]
        found += [ec2.describe_tags()["Tags"], self.cloud.client("secretsmanager").list_secrets()["SecretList"]]
        return found

    def secret_now(self):
        client = self.cloud.client("secretsmanager")
        return client.get_secret_value(SecretId=client.list_secrets()["SecretList"][0]["Name"])["SecretString"]


class Gcp:
    name, zones, import_id, slow = "gcp", "", "gcp/us-central1/demo", "secretmanager.projects.secrets.addVersion"

    def __init__(self, simulator):
        self.simulator, self.cloud = simulator, GcpCloud(simulator.endpoint)
        self.token = Marker("access token", "ya29.")
        simulator.control("tokens", {self.token.value: {"identity": "ci@example.com", "owner": True}})
        self.settings = {k: v for k, v in gcp_settings(simulator.endpoint).items() if k != "GOOGLE_OAUTH_ACCESS_TOKEN"}
        self.secrets = {"access_token": self.token}

    def fail(self, key):
        sent = base64.b64encode(key.encode()).decode()
        self.simulator.fail(self.slow, "INVALID_ARGUMENT", f"not now: invalid value at 'payload.data' (TYPE_BYTES), \"{sent}\"", status=400)

    def stored(self, request):
        return request.url.endswith(":addVersion")

    def authenticates(self, marker, part):
        return marker is self.token and part == "header authorization"

    def all_there_is(self):
        things = json.dumps(self.cloud.things())
        assert "startup-script" in things or not self.cloud.made(), "the node has a start-up script"
        return [things]

    def secret_now(self):
        [name] = {n.rpartition("/versions/")[0] for n in self.cloud.things("secretmanager") if "/versions/" in n}
        answer = self.cloud.client("secretmanager").projects().secrets().versions().access(name=f"{name}/versions/latest").execute()
        return base64.b64decode(answer["payload"]["data"]).decode()


class Life:
    """A core with one configuration, and all that it has ever said."""

    def __init__(self, core_name, ground, proxy, password, directory):
        self.ground, self.said, self.keys = ground, [], []
        self.core = Core(CORES[core_name], directory, {**ground.settings, "TF_LOG_PROVIDER": "TRACE", "TF_LOG_PATH": str(directory / "core.log")})
        for name in [n for n in self.core.env if n.lower().endswith("_proxy")]:
            del self.core.env[name]
        self.core.env.update({f"TF_VAR_{n}": m.value for n, m in ground.secrets.items()}, TF_VAR_proxy=proxy.url)
        self.always = [*ground.secrets.values(), password]

    def write(self, version):
        self.keys.append(key(version))
        self.core.env["TF_VAR_key"] = self.keys[-1].value
        names = [*self.ground.secrets, "proxy", "key"]
        variables = "".join(f'variable "{n}" {{\n  type      = string\n  ephemeral = true\n}}\n' for n in names)
        block = "".join(f"    {n} = var.{n}\n" for n in self.ground.secrets)
        self.core.write(f'{variables}\nprovider "llm" {{\n  {self.ground.name} = {{\n{block}    http_proxy = var.proxy\n  }}\n}}\n' + (
            NODE.replace("CLOUD", self.ground.name).replace("ZONES", self.ground.zones).replace("VERSION", str(version))), HEAD)

    def run(self, *args, status=0):
        result = self.core.run(*args)
        self.said.append(f"{args}: {result.output}")
        assert result.status == status, result.output
        return result

    def apply(self, status=0):
        return self.run("apply", "-no-color", "-input=false", "-auto-approve", status=status)

    def crash(self, moment):
        """Apply, and SIGSEGV for the provider when `moment()` says so."""
        process = subprocess.Popen([self.core.binary, "apply", "-no-color", "-input=false", "-auto-approve"], cwd=self.core.directory, env=self.core.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 60
        while not moment():
            assert time.monotonic() < deadline and process.poll() is None, process.communicate(timeout=20)
            time.sleep(0.02)
        for pid in providers(process.pid):
            assert not [x for m in self.always + self.keys for x in m.found_in(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())]
            os.kill(pid, signal.SIGSEGV)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1, output
        self.said.append(output)

    def leaks(self, log=False):
        """In all that there is; the log, which only grows, is looked through when it is whole."""
        markers, found = self.always + self.keys, []
        for text in [*self.said, *self.ground.all_there_is()]:
            found += leaks(markers, text if isinstance(text, (bytes, str)) else json.dumps(text, default=str), "an output, or the cloud")
        return found + leaks_of_files(markers, self.core.directory, but=[] if log else [self.core.directory / "core.log"])


def providers(core):
    """The provider processes of a core."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == core and "terraform-provi" in name:
            found.append(int(stat.parent.name))
    return found


def stray(life, proxy, password):
    """Requests that have a secret which is not theirs."""
    found = []
    for request in proxy.requests:
        for part, text in request.parts().items():
            data = text if isinstance(text, bytes) else text.encode()
            for marker in [m for m in life.always + life.keys if m.found_in(data)]:
                proxied = marker is password and part == "header proxy-authorization"
                stored = marker in life.keys and part == "body" and life.ground.stored(request)
                if not proxied and not stored and not life.ground.authenticates(marker, part):
                    found.append(f"{request!r}: {marker.name} in {part}")
    return found


@pytest.fixture(params=["aws", "gcp"])
def ground(request):
    return Aws(request.getfixturevalue("sim")) if request.param == "aws" else Gcp(request.getfixturevalue("gcp_sim"))


@pytest.fixture(params=sorted(CORES))
def life(request, ground, proxy, password, tmp_path):
    return Life(request.param, ground, proxy, password, tmp_path)


def test_nothing_has_the_secrets(life, ground, proxy, password):
    """Created by a plan that was saved, updated, failed, imported, crashed, completed, destroyed."""
    life.write(1)
    life.run("plan", "-no-color", "-input=false", "-out=saved")
    life.run("show", "-json", "saved")
    life.run("apply", "-no-color", "-input=false", "saved")
    assert ground.secret_now() == life.keys[0].value, "the test sees the secret where it belongs"
    assert life.leaks() == []
    life.write(2)
    life.apply()
    assert ground.secret_now() == life.keys[1].value
    life.write(3)
    ground.fail(life.keys[-1].value)
    assert "not now" in life.apply(status=1).text
    imported(life)
    life.write(4)
    ground.simulator.rule(ground.slow, delay_ms=3000)
    before = len(ground.simulator.calls(ground.slow))
    life.crash(lambda: len(ground.simulator.calls(ground.slow)) > before)
    assert list(life.core.directory.glob("core")) == list(life.core.directory.glob("core.[0-9]*")) == []
    assert life.leaks() == []
    life.write(5)
    life.apply()
    assert ground.secret_now() == life.keys[-1].value
    for args in (("state", "pull"), ("show", "-json"), ("output", "-json"), ("plan", "-no-color", "-input=false", "-detailed-exitcode")):
        life.run(*args)
    assert life.leaks() == []
    life.run("destroy", "-no-color", "-input=false", "-auto-approve")
    assert life.leaks(log=True) == []
    assert stray(life, proxy, password) == []
    assert len(proxy.requests) > 50, "the test sees the requests"
    text = (life.core.directory / "core.log").read_text()
    assert "HTTP exchange" in text and "HTTP headers" in text, "the log is at TRACE"


def imported(life):
    """Into a state of its own."""
    life.run("import", "-no-color", "-input=false", "-state=imported.tfstate", "llm_gpu_node.n", life.ground.import_id)
    assert "demo" in (life.core.directory / "imported.tfstate").read_text()
