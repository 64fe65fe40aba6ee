"""-debug: the provider without a core, and a core that attaches to it."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from tests.protocol.plugin import ROOT, bare_env, binary, read_line

CONFIG = """
terraform {
  required_providers {
    llm = {
      source = "registry.opentofu.org/llm-infra/llm"
    }
  }
}

resource "llm_gpu_node" "n" {
  name   = "demo"
  cloud  = "aws"
  models = ["MODEL"]
}
"""


@pytest.fixture
def debugged():
    """A process in debug mode, and what it says in TF_REATTACH_PROVIDERS."""
    process = subprocess.Popen([binary(), "-debug"], env=bare_env(), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    text = ""
    while "TF_REATTACH_PROVIDERS='" not in text:
        line = read_line(process.stdout, 20)
        assert line, text
        text += line
    yield process, re.search(r"TF_REATTACH_PROVIDERS='([^']*)'", text).group(1)
    if process.poll() is None:
        process.terminate()
        process.wait(60)
    process.stdout.close()


def cores():
    tofu = shutil.which("tofu") or str(ROOT / ".cache/bin/tofu")
    found = {"tofu": tofu if os.access(tofu, os.X_OK) else None, "terraform": shutil.which("terraform")}
    return {name: path for name, path in found.items() if path}


def test_what_it_prints(debugged):
    process, text = debugged
    [(address, one)] = json.loads(text).items()
    assert address == "registry.opentofu.org/llm-infra/llm"
    assert one["Protocol"] == "grpc" and one["ProtocolVersion"] == 6 and one["Test"] is True
    assert one["Pid"] == process.pid and one["Addr"]["Network"] == "unix" and os.path.exists(one["Addr"]["String"])


@pytest.mark.parametrize("core", sorted(cores()))
def test_a_core_attaches(debugged, core, tmp_path):
    process, text = debugged
    env = bare_env(TF_REATTACH_PROVIDERS=text, CHECKPOINT_DISABLE="1", HOME=str(tmp_path))

    def validate(model):
        (tmp_path / "main.tf").write_text(CONFIG.replace("MODEL", model))
        return subprocess.run([cores()[core], "validate", "-no-color"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)

    subprocess.run([cores()[core], "init", "-no-color", "-input=false"], cwd=tmp_path, env=env, capture_output=True, timeout=60)
    result = validate("llama3.1:8b")
    assert result.returncode == 0, result.stdout + result.stderr
    result = validate("no-such-model:7b")
    assert result.returncode == 1 and "no-such-model:7b" in result.stderr
    assert process.poll() is None, "a core leaves a provider that it did not start"


def test_interrupt_ends_it(debugged):
    process, text = debugged
    socket = json.loads(text)["registry.opentofu.org/llm-infra/llm"]["Addr"]["String"]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not os.path.exists(os.path.dirname(socket))
