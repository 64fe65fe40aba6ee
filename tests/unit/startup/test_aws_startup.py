#!/usr/bin/env python3
"""The start-up script of a node on AWS, piece by piece: sourced by bash, with commands that write down how they were
called instead of doing anything.

Usage: test_aws_startup.py PROGRAM, where PROGRAM writes a rendered script to the file that SCRIPT_OUT names.
"""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

SCRIPT = None

# Commands that succeed and say nothing; a test replaces those whose answer matters.
QUIET = ["systemctl", "sleep", "mount", "mkfs.ext4", "resize2fs", "chown", "curl", "ollama", "tailscale", "aws", "apt-get", "nvidia-smi",
         "modprobe", "systemd-run", "dpkg", "uv", "nvme", "blkid", "lsblk", "findmnt", "mountpoint", "ubuntu-drivers"]

PLACES = """
MOUNT=$TOP/mount STATE=$TOP/state RUN=$TOP/run LOGS=$TOP/logs UNITS=$TOP/units SELF=$TOP/llm-node VENV=$TOP/venv
mkdir -p "$MOUNT" "$STATE" "$RUN" "$LOGS" "$UNITS"
echo i-123 >"$RUN/instance-id"
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="aws-startup."))
        (self.top / "bin").mkdir()
        for name in QUIET:
            self.command(name, "")

    def tearDown(self):
        shutil.rmtree(self.top)

    def command(self, name, body):
        """A command on the PATH: it writes its arguments down and runs `body`."""
        path = self.top / "bin" / name
        path.write_text(f'#!/bin/bash\nprintf "%s\\n" "{name} $*" >>"{self.top}/calls"\n{body}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def without(self, name):
        (self.top / "bin" / name).unlink()

    def bash(self, body, **variables):
        """Runs `body` after sourcing the script; the result of bash."""
        (self.top / "calls").write_text("")
        env = {"PATH": f"{self.top}/bin:/usr/bin:/bin", "TOP": str(self.top), "HOME": str(self.top)}
        settings = "\n".join(f"{name}={json.dumps(value)}" for name, value in variables.items())
        return subprocess.run(["bash", "-c", f'source "{SCRIPT}"\n{PLACES}\n{settings}\n{body}'], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)

    def ok(self, body, **variables):
        result = self.bash(body, **variables)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def fails(self, body, text, **variables):
        result = self.bash(body, **variables)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertIn(text, result.stdout + result.stderr)

    def calls(self, start=""):
        return [line for line in (self.top / "calls").read_text().splitlines() if line.startswith(start)]

    def statuses(self):
        return [json.loads(line.split("--tags ", 1)[1])[0]["Value"] for line in self.calls("aws ec2 create-tags")]


class Whole(Case):
    def test_shellcheck(self):
        result = subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_fits_into_user_data(self):
        self.assertLess(os.path.getsize(SCRIPT), 16384)

    def test_unknown_command(self):
        self.fails("main nonsense", "unknown command nonsense")


class Install(Case):
    def test_units(self):
        script = self.top / "part-001"
        shutil.copy(SCRIPT, script)
        self.ok("install_file() { cp \"$TOP/part-001\" \"$SELF\"; chmod 0700 \"$SELF\"; }\ninstall")
        setup = (self.top / "units/llm-setup.service").read_text()
        self.assertIn(f"ExecStart={self.top}/llm-node setup", setup)
        self.assertIn("WantedBy=multi-user.target", setup)
        self.assertIn("Restart=on-failure", setup)
        self.assertIn(f"ExecStart={self.top}/llm-node health", (self.top / "units/llm-health.service").read_text())
        self.assertIn("OnUnitInactiveSec=1min", (self.top / "units/llm-health.timer").read_text())
        self.assertIn("systemctl enable -q llm-setup.service llm-health.timer", self.calls())
        self.assertIn("systemctl start --no-block llm-setup.service", self.calls())
        if shutil.which("systemd-analyze"):
            (self.top / "llm-node").chmod(0o755)
            result = subprocess.run(["systemd-analyze", "verify", str(self.top / "units/llm-setup.service")], capture_output=True, text=True)
            self.assertNotIn("llm-setup.service:", result.stderr)

    def test_copies_itself_for_root_alone(self):
        script = self.top / "part-001"
        shutil.copy(SCRIPT, script)
        (self.top / "run.sh").write_text(f'source "{SCRIPT}"\nSELF={self.top}/llm-node\ninstall_file\n')
        result = subprocess.run(["bash", str(self.top / "run.sh")], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(stat.S_IMODE((self.top / "llm-node").stat().st_mode), 0o700)


class Status(Case):
    def test_is_clean_and_short(self):
        self.ok("status \"failed: a \\\"b\\\" \\$(c); {d}\n$(printf 'x%.0s' {1..400})\"")
        [text] = self.statuses()
        self.assertTrue(text.startswith("failed: a b c d xxx"), text)
        self.assertEqual(len(text), 250)

    def test_is_written_when_it_changes(self):
        self.ok("status one; status one; status two; status one")
        self.assertEqual(self.statuses(), ["one", "two", "one"])

    def test_is_written_again_after_a_failure(self):
        self.command("aws", "exit 1")
        self.ok("status one; status one")
        self.assertEqual(len(self.statuses()), 6)  # three tries each


class Settings(Case):
    TAGS = "llm:served\\tllama3.1:8b mis\\nllm:served-2\\ttral\\nllm:context\\t4096\\nllm:served-9\\tno\\nother\\tx\\n"

    def test_come_from_the_tags(self):
        self.command("aws", f"printf '{self.TAGS}'")
        self.assertEqual(self.ok("read_settings; settings").splitlines(), ["ollama", "llama3.1:8b mistral", "4096"])

    def test_stay_when_tags_cannot_be_read(self):
        self.command("aws", "exit 1")
        self.assertEqual(self.ok("read_settings; settings").splitlines(), ["ollama", "llama3.1:8b", "8192"])

    def test_context_is_a_number(self):
        self.command("aws", "printf 'llm:context\\t$(reboot)\\n'")
        self.assertEqual(self.ok("read_settings; settings").splitlines()[2], "8192")


class Volume(Case):
    ROOT = "case $* in *PKNAME*) echo nvme0n1 ;; *NAME,MODEL*) %s ;; *NAME*) echo nvme2n1 ;; esac"

    def setUp(self):
        super().setUp()
        self.command("findmnt", "case $* in *SOURCE*/) echo /dev/nvme0n1p1 ;; *FSTYPE*) echo ext4 ;; *) echo /dev/nvme2n1 ;; esac")
        self.command("mountpoint", "exit 1")

    def disks(self, *names):
        lines = "; ".join(f"echo '{name}'" for name in names)
        self.command("lsblk", self.ROOT % (lines or "true"))

    def test_is_the_disk_that_is_not_the_root(self):
        self.disks("/dev/nvme0n1 Amazon Elastic Block Store", "/dev/nvme1n1 Amazon EC2 NVMe Instance Storage",
                   "/dev/nvme2n1 Amazon Elastic Block Store")
        self.assertEqual(self.ok("find_device").strip(), "/dev/nvme2n1")

    def test_is_the_disk_that_the_controller_names(self):
        self.disks("/dev/nvme0n1 Amazon Elastic Block Store", "/dev/nvme2n1 Amazon Elastic Block Store",
                   "/dev/nvme3n1 Amazon Elastic Block Store")
        self.command("nvme", "printf '%3072s' ''; case $* in *nvme3n1) printf '/dev/sdf   ' ;; *) printf 'sdg   ' ;; esac")
        self.assertEqual(self.ok("find_device").strip(), "/dev/nvme3n1")

    def test_is_not_there_yet(self):
        self.disks("/dev/nvme0n1 Amazon Elastic Block Store")
        self.fails("find_device", "")
        self.fails("mount_models", "the model volume did not appear in 15 minutes")
        self.assertEqual(self.calls("mkfs"), [])

    def test_blank_is_formatted(self):
        self.disks("/dev/nvme2n1 Amazon Elastic Block Store")
        self.command("blkid", "exit 2")
        self.ok("mount_models")
        self.assertEqual(self.calls("mkfs.ext4"), ["mkfs.ext4 -q -m 0 -L llm /dev/nvme2n1"])
        self.assertEqual(len(self.calls("mount -o noatime /dev/nvme2n1")), 1)

    def test_with_a_file_system_is_kept(self):
        self.disks("/dev/nvme2n1 Amazon Elastic Block Store")
        self.command("blkid", "echo ext4")
        self.ok("mount_models")
        self.assertEqual(self.calls("mkfs"), [])
        self.assertEqual(self.calls("resize2fs"), ["resize2fs /dev/nvme2n1"])

    def test_with_partitions_is_not_touched(self):
        self.command("lsblk", "case $* in *PKNAME*) echo nvme0n1 ;; *MODEL*) echo '/dev/nvme2n1 Amazon Elastic Block Store' ;; "
                              "*) echo nvme2n1; echo nvme2n1p1 ;; esac")
        self.command("blkid", "exit 2")
        self.fails("mount_models", "/dev/nvme2n1 has partitions")
        self.assertEqual(self.calls("mkfs"), [])

    def test_mounted_is_left(self):
        self.command("mountpoint", "exit 0")
        self.ok("mount_models")
        self.assertEqual(self.calls("mkfs") + self.calls("mount "), [])


class Driver(Case):
    def test_that_works_is_left(self):
        self.ok("install_driver")
        self.assertEqual(self.calls(), ["nvidia-smi "])

    def test_is_the_newest_for_the_gpu(self):
        self.command("nvidia-smi", '[[ -e $TOP/loaded ]]')
        self.command("modprobe", 'touch "$TOP/loaded"')
        self.command("ubuntu-drivers", "echo 'nvidia-driver-535-server, (kernel modules)'; echo 'nvidia-driver-570-server-open, x'; "
                                       "echo 'nvidia-driver-580, x'")
        self.ok("install_driver")
        self.assertTrue(any(c.endswith("nvidia-headless-570-server nvidia-utils-570-server") for c in self.calls("apt-get")), self.calls())
        self.assertNotIn("systemctl reboot", self.calls())

    def test_reboots_once(self):
        self.command("nvidia-smi", "exit 9")
        self.command("ubuntu-drivers", "echo 'nvidia-driver-570-server, x'")
        self.ok("install_driver || true")
        self.assertIn("systemctl reboot", self.calls())
        self.fails("install_driver", "the NVIDIA driver does not see a GPU")
        self.assertNotIn("systemctl reboot", self.calls())

    def test_no_driver(self):
        self.command("nvidia-smi", "exit 9")
        self.fails("install_driver", "no NVIDIA driver for this GPU")


class Tailscale(Case):
    KEY = "tskey-auth-canary"

    def setUp(self):
        super().setUp()
        self.command("aws", f"echo {self.KEY}")
        self.command("tailscale", 'case $1 in ip) exit 1 ;; up) cat <&3 >"$TOP/bin/.key" ;; esac')

    def test_key_goes_through_a_pipe(self):
        self.ok("join_tailnet")
        self.assertEqual((self.top / "bin/.key").read_text(), self.KEY)
        (self.top / "bin/.key").unlink()
        [up] = self.calls("tailscale up")
        self.assertEqual(up, "tailscale up --auth-key=file:/dev/fd/3 --hostname=demo --ssh=false --timeout=120s --advertise-tags=tag:llm")
        found = subprocess.run(["grep", "-rl", self.KEY, str(self.top)], capture_output=True, text=True).stdout.split()
        self.assertEqual(found, [f"{self.top}/bin/aws"])
        self.assertIn("aws secretsmanager get-secret-value --secret-id llm/gpu-node/demo/tailscale", self.calls("aws")[0])

    def test_joined_is_left(self):
        self.command("tailscale", "echo 100.64.0.1")
        self.ok("join_tailnet")
        self.assertEqual(self.calls("tailscale up") + self.calls("aws"), [])

    def test_without_a_secret_does_nothing(self):
        self.ok("join_tailnet", TS_SECRET="")
        self.assertEqual(self.calls(), [])

    def test_empty_secret(self):
        self.command("aws", "echo")
        self.fails("join_tailnet", "the secret llm/gpu-node/demo/tailscale is empty")

    def test_secret_that_may_not_be_read(self):
        self.command("aws", "exit 254")
        self.fails("join_tailnet", "the secret llm/gpu-node/demo/tailscale could not be read")

    def test_refused_key(self):
        self.command("tailscale", "exit 1")
        self.fails("join_tailnet", "is the auth key valid?")


class Ollama(Case):
    def test_restarts_only_when_settings_change(self):
        self.ok("start_ollama", SERVED="a b c")
        unit = (self.top / "units/ollama.service.d/llm.conf").read_text()
        self.assertIn("OLLAMA_MAX_LOADED_MODELS=3", unit)
        self.assertIn("OLLAMA_CONTEXT_LENGTH=8192", unit)
        self.assertIn("systemctl restart ollama", self.calls())
        self.ok("start_ollama", SERVED="a b c")
        self.assertIn("systemctl start ollama", self.calls())
        self.assertNotIn("systemctl restart ollama", self.calls())
        self.ok("start_ollama", SERVED="a b c", CONTEXT="4096")
        self.assertIn("systemctl restart ollama", self.calls())

    def test_pulls_what_is_missing_and_loads_all(self):
        self.command("ollama", "case $1 in show) [[ $2 == here ]] ;; esac")
        self.ok("serve_ollama", SERVED="here missing")
        self.assertEqual(self.calls("ollama pull"), ["ollama pull missing"])
        self.assertEqual(self.statuses(), ["starting: pull missing", "starting: load here", "starting: load missing"])
        self.assertIn(f"aws s3 sync s3://cache/models/ollama {self.top}/mount/ollama --only-show-errors", self.calls())
        loads = [c for c in self.calls("curl") if "keep_alive" in c]
        self.assertEqual(len(loads), 2)
        self.assertIn('{"model":"here","keep_alive":-1}', loads[0])

    def test_embedding_models_are_loaded_too(self):
        self.command("curl", '[[ $* != *api/generate* ]]')
        self.ok("load_model nomic-embed-text")
        self.assertIn("api/embed", self.calls("curl")[-1])

    def test_a_pull_that_fails(self):
        self.command("ollama", "echo 'Error: file does not exist' >&2; exit 1")
        self.assertNotEqual(self.bash("serve_ollama", SERVED="missing").returncode, 0)
        self.assertEqual(len(self.calls("ollama pull")), 5)

    def test_serving(self):
        self.command("curl", 'echo \'{"models": [{"name": "mistral:latest"}, {"name":"llama3.1:8b"}]}\'')
        self.ok("serving", SERVED="llama3.1:8b mistral")
        self.assertNotEqual(self.bash("serving", SERVED="llama3.1:8b phi4").returncode, 0)
        self.command("curl", "exit 7")
        self.assertNotEqual(self.bash("serving", SERVED="llama3.1:8b").returncode, 0)


class Vllm(Case):
    def setUp(self):
        super().setUp()
        (self.top / "venv/bin").mkdir(parents=True)
        for name in ("vllm", "hf"):
            self.command(name, "echo \"token ${HF_TOKEN-none}\"")
            (self.top / "bin" / name).rename(self.top / "venv/bin" / name)

    def run_with(self, gpus, heads):
        self.command("nvidia-smi", f"for ((i = 0; i < {gpus}; i++)); do echo GPU; done")
        self.ok("run_vllm", RUNTIME="vllm", SERVED="org/model", HEADS=str(heads))
        return self.calls("vllm serve")[0].split("--tensor-parallel-size ")[1].split()[0]

    def test_tensor_parallel(self):
        self.assertEqual([self.run_with(*case) for case in ((1, 32), (4, 32), (8, 28), (8, 40), (8, 14), (8, 0))],
                         ["1", "4", "4", "8", "2", "8"])

    def test_serves_the_downloaded_model(self):
        self.command("curl", "")
        self.ok("serve_vllm", RUNTIME="vllm", SERVED="org/model")
        self.assertIn(f"hf download org/model --local-dir {self.top}/mount/vllm/org/model", self.calls())
        self.assertIn(f"ExecStart={self.top}/llm-node vllm", (self.top / "units/llm-vllm.service").read_text())
        self.assertIn("systemctl restart llm-vllm", self.calls())
        self.ok('settings >"$STATE/settings"; serve_vllm', RUNTIME="vllm", SERVED="org/model")
        self.assertIn("systemctl start llm-vllm", self.calls())

    def test_token_is_in_the_environment_alone(self):
        self.command("aws", "echo hf_canary")
        self.ok("run_vllm", RUNTIME="vllm", SERVED="org/model", HF_SECRET="hf")
        self.assertEqual([c for c in self.calls() if "hf_canary" in c], [])

    def test_gated_model(self):
        self.command("hf", "exit 1")
        (self.top / "bin/hf").rename(self.top / "venv/bin/hf")
        self.fails("serve_vllm", "does it need huggingface_token_secret?", RUNTIME="vllm", SERVED="org/model")


class Health(Case):
    def setUp(self):
        super().setUp()
        self.command("systemctl", "case $1 in is-active) echo active ;; esac")
        self.command("curl", 'echo \'{"models":[{"name":"llama3.1:8b"}]}\'')
        self.prepare = 'settings >"$STATE/settings"\n'

    def test_serving(self):
        self.ok(self.prepare + "health")
        self.assertEqual(self.statuses(), ["serving"])

    def test_a_setup_at_work_is_left_alone(self):
        self.command("systemctl", "case $1 in is-active) echo activating; exit 3 ;; esac")
        self.ok(self.prepare + "health")
        self.assertEqual(self.statuses(), [])

    def test_a_setup_that_is_not_active_is_started(self):
        self.command("systemctl", "case $1 in is-active) echo inactive; exit 3 ;; esac")
        self.ok(self.prepare + "health")
        self.assertIn("systemctl start --no-block llm-setup", self.calls())

    def test_failure_after_three_times_and_repair(self):
        self.command("curl", "exit 7")
        self.ok(self.prepare + "health; health")
        self.assertEqual(self.statuses(), [])
        self.ok("health")
        self.assertEqual(self.statuses(), ["failed: ollama does not answer with all models loaded"])
        self.ok("health; health")
        self.assertIn("systemctl restart --no-block llm-setup", self.calls())
        self.command("curl", 'echo \'{"models":[{"name":"llama3.1:8b"}]}\'')
        self.ok("health")
        self.assertEqual(self.statuses(), ["serving"])

    def test_new_settings_bring_a_new_setup(self):
        self.command("aws", "case $* in *describe-tags*) printf 'llm:served\\tphi4\\n' ;; esac")
        self.ok(self.prepare + "health")
        self.assertIn("systemctl restart --no-block llm-setup", self.calls())
        self.assertEqual(self.statuses(), [])


class Setup(Case):
    STEPS = "install_logs() { :; }\nmount_models() { :; }\n"

    def setUp(self):
        super().setUp()
        self.command("curl", 'case $* in *services/domain) echo amazonaws.com ;; *api/ps) echo \'{"models":[{"name":"llama3.1:8b"}]}\' ;; '
                             '*api/token*) echo token ;; esac')
        self.command("tailscale", "echo 100.64.0.1")

    def test_ends_serving_and_may_be_repeated(self):
        for _ in range(2):
            self.ok(self.STEPS + "setup")
            self.assertEqual(self.statuses()[-1], "serving")
            self.assertIn(f"systemd-run -q --collect --unit=llm-save {self.top}/llm-node save", self.calls())
        self.assertNotIn("systemctl restart ollama", self.calls(), "the second time nothing is new")

    def test_failure_names_step_and_reason(self):
        result = self.bash(self.STEPS + "join_tailnet() { die 'the key is bad'; }\nsetup")
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.statuses()[-1], "failed: Tailscale: the key is bad")

    def test_unexpected_failure_shows_the_log(self):
        result = self.bash(self.STEPS + 'mount_models() { echo "mount: wrong fs type" >>"$LOGS/node.log"; false; }\nsetup')
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.statuses()[-1], "failed: model volume: mount: wrong fs type")

    def test_no_way_out(self):
        self.command("curl", 'case $* in *services/domain) echo amazonaws.com ;; *api/token*) echo token ;; *) exit 28 ;; esac')
        self.fails(self.STEPS + "setup", "no way out to the internet")

    def test_save(self):
        self.ok("save")
        [sync] = self.calls("aws s3 sync")
        self.assertIn(f"aws s3 sync {self.top}/mount/ollama s3://cache/models/ollama ", sync)
        self.ok("save", CACHE="")
        self.assertEqual(self.calls("aws s3"), [])


if __name__ == "__main__":
    directory = tempfile.mkdtemp(prefix="aws-startup.")
    SCRIPT = f"{directory}/aws_startup.sh"
    try:
        subprocess.run([sys.argv.pop(1)], env={**os.environ, "SCRIPT_OUT": SCRIPT}, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        unittest.main()
    finally:
        shutil.rmtree(directory)
