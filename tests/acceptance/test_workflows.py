"""The workflows' own scripts, run as GitHub runs them: the gate on our roots and on bad ones, the release's checks, sums and signature."""
import os
import platform
import re
import shutil
import subprocess

import pytest
import yaml

from conftest import CORES, ROOT, Result

WORKFLOWS = ROOT / ".github/workflows"
PLATFORM = "linux_" + {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
REGISTRIES = ("registry.opentofu.org", "registry.terraform.io")


def steps(file, job):
    """The steps of a job that are scripts: {name: step}."""
    return {s["name"]: s for s in yaml.safe_load((WORKFLOWS / file).read_text())["jobs"][job]["steps"] if "run" in s}


def run(step, directory, env, **expressions):
    """Runs a step's script; ${{ name }} is what `expressions` has for it. What it adds to GITHUB_ENV is in env afterwards."""
    def resolved(text):
        return re.sub(r"\$\{\{ ([a-zA-Z_.]+) \}\}", lambda m: expressions[m[1].replace(".", "_")], str(text))
    assert "${{" not in step["run"], "a script takes values from its environment only"
    settings = {k: resolved(v) for k, v in step.get("env", {}).items()}
    process = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], text=True,
                             cwd=directory / step.get("working-directory", "."), env={**env, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    added = directory / "github_env"
    if added.exists():
        env.update(line.split("=", 1) for line in added.read_text().splitlines())
    return Result(process)


def environment(directory, **more):
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "GOOGLE_", "CLOUDSDK_"))}
    return {**keep, "HOME": str(directory), "GITHUB_ENV": str(directory / "github_env"), "GCE_METADATA_HOST": "127.0.0.1:9", **more}


class Gate:
    """The gate of hcl.yml in a checkout, with a mirror as gates.yml hands it on."""

    def __init__(self, directory, root, core=sorted(CORES)[-1]):
        self.directory, self.root = directory, root
        for name in ("infra", "modules"):
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns(".terraform*", "terraform.tfstate*"))
        for registry in REGISTRIES:
            folder = directory / "mirror" / registry / "llm-infra/llm/0.1.0" / PLATFORM
            folder.mkdir(parents=True)
            shutil.copy(os.environ["LLM_PROVIDER_BIN"], folder / "terraform-provider-llm_v0.1.0")
            # As an artifact is unpacked.
            (folder / "terraform-provider-llm_v0.1.0").chmod(0o644)
        job = yaml.safe_load((WORKFLOWS / "hcl.yml").read_text())["jobs"]["gate"]
        (directory / "bin").mkdir()
        (directory / "bin" / core).symlink_to(CORES[core])
        self.env = environment(directory, **{k: v for k, v in job["env"].items() if "${{" not in v}, DIRECTORY=root, CORE=core,
                               PATH=f"{directory}/bin:{os.environ['PATH']}")

    def run(self, variables="tailscale_auth_key=tskey-auth-none\ntailscale_auth_key_version=1\n"):
        """What each step answered, up to the first that fails."""
        results = {}
        for name, step in steps("hcl.yml", "gate").items():
            results[name] = run({**step, "env": {k: v.replace("${{ runner.temp }}", str(self.directory)) for k, v in step.get("env", {}).items()}},
                                self.directory, self.env, inputs_variables=variables)
            if results[name].status:
                break
        return results


def ours():
    return yaml.safe_load(yaml.safe_load((WORKFLOWS / "gates.yml").read_text())["jobs"]["roots"]["with"]["directories"])


def test_gate_is_for_both_roots():
    assert {"infra/aws", "infra/gcp"} <= set(ours())


@pytest.mark.parametrize("core", sorted(CORES))
@pytest.mark.parametrize("root", ours())
def test_gate_of_our_roots(tmp_path, root, core):
    results = Gate(tmp_path, root, core).run()
    assert all(r.status == 0 for r in results.values()), list(results.values())[-1].output
    plan = results["Plan (never applied)"]
    assert "Plan: 1 to add" in plan.text and "Checks against the cloud were skipped" in plan.text
    assert not (tmp_path / root / "terraform.tfstate").exists()


@pytest.mark.parametrize("change, step", [
    (("  value       = llm", "  value = llm"), "Format"), (("node.private_ip", "node.public_ip"), "Validate"),
    (("description = \"Private", "descriptoin = \"Private"), "Init"), (("output \"machine\" {", "output \"machine\" {{"), "Format")])
def test_gate_stops_what_is_wrong(tmp_path, change, step):
    gate = Gate(tmp_path, "infra/aws")
    file = tmp_path / "infra/aws/outputs.tf"
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change))
    results = gate.run()
    failed = list(results)[-1]
    assert results[failed].status != 0 and failed == step, results[failed].output


def test_gate_stops_a_plan_that_fails(tmp_path):
    results = Gate(tmp_path, "infra/aws").run("name=Not A Name\n")
    assert list(results)[-1] == "Plan (never applied)" and list(results.values())[-1].status != 0


@pytest.mark.parametrize("core", sorted(CORES))
@pytest.mark.parametrize("block", ['backend "s3" {\n    bucket = "state"\n    key    = "k"\n    region = "us-east-1"\n  }',
                                   'cloud {\n    organization = "ours"\n\n    workspaces {\n      name = "w"\n    }\n  }'], ids=["backend", "cloud"])
def test_gate_of_a_root_with_a_remote_state(tmp_path, block, core):
    """The plan does not reach for it."""
    gate = Gate(tmp_path, "infra/aws", core)
    main = tmp_path / "infra/aws/main.tf"
    main.write_text(main.read_text().replace("  required_version", f"  {block}\n\n  required_version"))
    results = gate.run()
    assert list(results.values())[-1].status == 0 and len(results) == 5, list(results.values())[-1].output


def test_release_wants_the_tag_of_the_sources(tmp_path):
    shutil.copy(ROOT / "CMakeLists.txt", tmp_path)
    version = re.search(r"^project\(terraform-provider-llm VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]
    step = steps("release.yml", "archive")["The tag is the version of the sources"]
    assert run(step, tmp_path, environment(tmp_path, GITHUB_REF_NAME=f"v{version}")).status == 0
    result = run(step, tmp_path, environment(tmp_path, GITHUB_REF_NAME="v99.0.0"))
    assert result.status == 1 and "v99.0.0" in result.output


def test_release_is_summed_and_signed(tmp_path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "keys").mkdir(mode=0o700)
    name = "terraform-provider-llm_1.2.3"
    env = environment(tmp_path, GITHUB_REF_NAME="v1.2.3")
    publish = steps("release.yml", "publish")
    for part in ("linux_amd64.zip", "manifest.json"):
        (tmp_path / "dist" / f"{name}_{part}").write_text(part)
    assert run(publish["Checksums"], tmp_path, env).status != 0, "an archive is missing"
    (tmp_path / "dist" / f"{name}_linux_arm64.zip").write_text("arm64")
    assert run(publish["Checksums"], tmp_path, env).status == 0
    sums = (tmp_path / "dist" / f"{name}_SHA256SUMS").read_text()
    assert [line.split("  ")[1] for line in sums.splitlines()] == [f"{name}_{p}" for p in ("linux_amd64.zip", "linux_arm64.zip", "manifest.json")]

    gpg = ["gpg", "--homedir", str(tmp_path / "keys"), "--batch", "--pinentry-mode", "loopback", "--passphrase", "secret words"]
    subprocess.run([*gpg, "--quick-generate-key", "release@example.com", "rsa2048", "sign"], check=True, capture_output=True)
    key = subprocess.run([*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True, text=True).stdout
    signed = run(publish["Signature"], tmp_path, env, secrets_GPG_PRIVATE_KEY=key, secrets_GPG_PASSPHRASE="secret words")
    assert signed.status == 0 and "Good signature" in signed.output, signed.output
    assert "secret words" not in signed.output and "PRIVATE KEY" not in signed.output
    subprocess.run([*gpg, "--verify", f"{name}_SHA256SUMS.sig", f"{name}_SHA256SUMS"], cwd=tmp_path / "dist", check=True, capture_output=True)
    wrong = run(publish["Signature"], tmp_path, env, secrets_GPG_PRIVATE_KEY=key, secrets_GPG_PASSPHRASE="other words")
    assert wrong.status != 0
    subprocess.run(["gpgconf", "--homedir", str(tmp_path / "keys"), "--kill", "all"], check=True)
