"""What the start-up scripts of all clouds do alike."""
import os
import shutil
import signal
import stat
import subprocess
import time

import harness
from harness import Case


class Whole(Case):
    def test_shellcheck(self):
        result = subprocess.run(["shellcheck", harness.SCRIPT], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_is_not_too_long(self):
        self.assertLess(os.path.getsize(harness.SCRIPT), harness.CLOUD.limit)

    def test_has_a_home(self):
        """A service of the system has none, and Ollama's command does nothing without."""
        result = subprocess.run(["env", "-i", "bash", "-c", f'source "{harness.SCRIPT}"; echo "$HOME"'], capture_output=True, text=True)
        self.assertEqual(result.stdout.strip(), os.path.expanduser("~root"), result.stderr)

    def test_unknown_command(self):
        self.fails("main nonsense", "unknown command nonsense")


class Install(Case):
    def test_units(self):
        script = self.top / "part-001"
        shutil.copy(harness.SCRIPT, script)
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
            units = [str(self.top / "units" / name) for name in ("llm-setup.service", "llm-health.service", "llm-health.timer")]
            result = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
            self.assertNotRegex(result.stderr, "llm-(setup|health)")

    def test_copies_itself_for_root_alone(self):
        script = self.top / "part-001"
        shutil.copy(harness.SCRIPT, script)
        (self.top / "run.sh").write_text(f'source "{harness.SCRIPT}"\nSELF={self.top}/llm-node\ninstall_file\n')
        result = subprocess.run(["bash", str(self.top / "run.sh")], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(stat.S_IMODE((self.top / "llm-node").stat().st_mode), 0o700)


    def test_an_older_script_is_replaced_and_its_setup_ends(self):
        run = f'source "{harness.SCRIPT}"\nSELF={self.top}/llm-node\ninstall_file\n'
        (self.top / "run.sh").write_text(run)
        env = {"PATH": f"{self.top}/bin:/usr/bin:/bin"}
        for before, stopped in (("an older one", ["systemctl stop llm-setup"]), (run, [])):
            (self.top / "calls").write_text("")
            (self.top / "llm-node").write_text(before)
            inode = (self.top / "llm-node").stat().st_ino
            subprocess.run(["bash", str(self.top / "run.sh")], env=env, check=True)
            self.assertEqual(self.calls("systemctl"), stopped)
            self.assertEqual((self.top / "llm-node").read_text(), run)
            self.assertNotEqual((self.top / "llm-node").stat().st_ino, inode, "bash may be reading the old file")


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
        harness.CLOUD.no_status(self)
        self.ok("status one; status one")
        self.assertEqual(len(self.statuses()), 6)  # three tries each


class Settings(Case):
    def said(self, **variables):
        return self.ok("read_settings; settings", **variables).splitlines()

    def test_come_from_the_instance(self):
        harness.CLOUD.settings(self, served="llama3.1:8b mistral", context="4096")
        self.assertEqual(self.said(), ["ollama", "llama3.1:8b mistral", "4096"])

    def test_go_on_in_more(self):
        harness.CLOUD.settings(self, served=["llama3.1:8b mis", "tral ph", "i4"])
        self.assertEqual(self.said(), ["ollama", "llama3.1:8b mistral phi4", "8192"])

    def test_that_are_gone_are_forgotten(self):
        harness.CLOUD.settings(self, served=["llama3.1:8b mis", "tral"])
        self.said()
        harness.CLOUD.settings(self, served=["phi4"])
        self.assertEqual(self.said()[1], "phi4")

    def test_that_are_not_set_are_the_script_s(self):
        harness.CLOUD.settings(self)
        self.assertEqual(self.said(), ["ollama", "llama3.1:8b", "8192"])
        harness.CLOUD.settings(self, context="4096")
        self.assertEqual(self.said(), ["ollama", "llama3.1:8b", "4096"])

    def test_stay_when_they_cannot_be_read(self):
        harness.CLOUD.no_settings(self)
        self.assertEqual(self.said(), ["ollama", "llama3.1:8b", "8192"])
        (self.top / "state/settings").write_text("ollama\nphi4 mistral\n4096\n")
        self.assertEqual(self.said(), ["ollama", "phi4 mistral", "4096"])
        (self.top / "state/settings").write_text("vllm\norg/model\n4096\n")
        self.assertEqual(self.said(), ["ollama", "llama3.1:8b", "8192"], "those of another runtime are no settings")

    def test_context_is_a_number(self):
        harness.CLOUD.settings(self, context="$(reboot)")
        self.assertEqual(self.said()[2], "8192")


class Volume(Case):
    FOUND = "find_device() { echo $TOP/disk1; }\nmount_models"

    def setUp(self):
        super().setUp()
        self.disk = self.top / "disk1"
        self.disk.write_bytes(bytes(2 << 20))
        self.command("findmnt", f"case $* in *FSTYPE*) echo ext4 ;; *) echo {self.disk} ;; esac")
        self.command("mountpoint", "exit 1")
        self.command("lsblk", "echo disk1")

    def test_is_not_there_yet(self):
        self.fails("find_device() { return 1; }\nmount_models", "the model volume did not appear in 15 minutes")
        self.assertEqual(len(self.calls("sleep 5")), 179)
        self.assertEqual(self.calls("mkfs"), [])

    def test_blank_is_formatted(self):
        self.command("blkid", "exit 2")
        self.ok(self.FOUND)
        self.assertEqual(self.calls("mkfs.ext4"), [f"mkfs.ext4 -q -m 0 -L llm {self.disk}"])
        self.assertEqual(self.calls("mount "), [f"mount -o noatime {self.disk} {self.top}/mount"])

    def test_with_something_else_is_not_touched(self):
        self.disk.write_bytes(bytes(1 << 19) + b"x" + bytes(1 << 20))
        self.command("blkid", "exit 2")
        self.fails(self.FOUND, f"{self.disk} is not blank")
        self.assertEqual(self.calls("mkfs") + self.calls("mount "), [])

    def test_that_was_being_formatted_is_formatted(self):
        self.command("blkid", "exit 2")
        self.command("mkfs.ext4", f"printf half >{self.disk}; kill -KILL $PPID")
        self.assertNotEqual(self.bash(self.FOUND).returncode, 0)
        self.command("mkfs.ext4", "")
        self.ok(self.FOUND)
        self.assertEqual(len(self.calls("mkfs.ext4")), 1)
        self.fails(self.FOUND, "is not blank")

    def test_with_the_real_blkid(self):
        if not shutil.which("blkid", path="/sbin:/usr/sbin") or not shutil.which("mkfs.ext4", path="/sbin:/usr/sbin"):
            self.skipTest("no blkid, or no mkfs.ext4")
        self.command("blkid", f'exec {shutil.which("blkid", path="/sbin:/usr/sbin")} "$@"')
        self.command("mkfs.ext4", f'exec {shutil.which("mkfs.ext4", path="/sbin:/usr/sbin")} "$@"')
        self.disk.write_bytes(bytes(16 << 20))
        self.ok(self.FOUND)
        self.assertEqual(len(self.calls("mkfs.ext4")), 1)
        self.ok(self.FOUND)
        self.assertEqual(self.calls("mkfs.ext4"), [], "it has a file system now")
        self.assertEqual(len(self.calls("mount ")), 1)

    def test_with_a_file_system_is_kept(self):
        self.command("blkid", "echo ext4")
        self.ok(self.FOUND)
        self.assertEqual(self.calls("mkfs"), [])
        self.assertEqual(self.calls("resize2fs"), [f"resize2fs {self.disk}"])

    def test_with_partitions_is_not_touched(self):
        self.command("lsblk", "echo disk1; echo disk1p1")
        self.command("blkid", "exit 2")
        self.fails(self.FOUND, f"{self.disk} has partitions")
        self.assertEqual(self.calls("mkfs"), [])

    def test_that_cannot_be_judged_is_not_touched(self):
        self.command("blkid", "exit 8")  # signatures of several file systems
        self.fails(self.FOUND, f"blkid cannot say what is on {self.disk}")
        self.assertEqual(self.calls("mkfs") + self.calls("mount "), [])

    def test_mounted_is_left(self):
        self.command("mountpoint", "exit 0")
        self.ok(self.FOUND)
        self.assertEqual(self.calls("mkfs") + self.calls("mount "), [])

    def test_grows(self):
        self.command("findmnt", "case $* in *FSTYPE*) echo xfs ;; esac")
        self.command("xfs_growfs", "")
        self.ok("grow_models")
        self.assertEqual(self.calls("xfs_growfs"), [f"xfs_growfs {self.top}/mount"])


class Driver(Case):
    def test_that_works_is_left(self):
        self.ok("install_driver")
        self.assertEqual(self.calls(), ["nvidia-smi "])

    def setUp(self):
        super().setUp()
        harness.CLOUD.ubuntu(self)

    def test_is_the_newest_for_the_gpu(self):
        self.command("nvidia-smi", '[[ -e $TOP/loaded ]]')
        self.command("modprobe", 'touch "$TOP/loaded"')
        self.command("ubuntu-drivers", "echo 'nvidia-driver-535-server, (kernel modules)'; echo 'nvidia-driver-570-server-open, x'; "
                                       "echo 'nvidia-driver-580, x'")
        self.ok("install_driver")
        self.assertTrue(any(c.endswith("nvidia-headless-570-server nvidia-utils-570-server") for c in self.calls("apt-get")), self.calls())
        self.assertNotIn("systemctl reboot", self.calls())

    def test_reboots_at_most_so_often(self):
        self.command("nvidia-smi", "exit 9")
        self.command("ubuntu-drivers", "echo 'nvidia-driver-570-server, x'")
        for _ in range(harness.CLOUD.reboots):
            self.ok("install_driver")
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
        harness.CLOUD.secret(self, self.KEY)
        self.command("tailscale", 'case $1 in ip) exit 1 ;; up) cat <&3 >"$TOP/bin/.key" ;; esac')

    def test_key_goes_through_a_pipe(self):
        self.ok("join_tailnet")
        self.assertEqual((self.top / "bin/.key").read_text(), self.KEY)
        (self.top / "bin/.key").unlink()
        [up] = self.calls("tailscale up")
        self.assertEqual(up, "tailscale up --auth-key=file:/dev/fd/3 --hostname=demo --ssh=false --timeout=120s --advertise-tags=tag:llm")
        self.assertEqual(self.found(self.KEY), harness.CLOUD.secret_files(self))
        self.assertTrue(any(harness.CLOUD.secret_name in call for call in self.calls()), self.calls())

    def test_joined_is_left(self):
        self.command("tailscale", "echo 100.64.0.1")
        self.ok("join_tailnet")
        self.assertEqual(self.calls("tailscale up") + [c for c in self.calls() if harness.CLOUD.secret_name in c], [])

    def test_without_a_secret_does_nothing(self):
        self.ok("join_tailnet", TS_SECRET="")
        self.assertEqual(self.calls(), [])

    def test_empty_secret(self):
        harness.CLOUD.secret(self, "")
        self.fails("join_tailnet", f"the secret {harness.CLOUD.secret_name} is empty")

    def test_secret_that_may_not_be_read(self):
        harness.CLOUD.secret(self, None)
        self.fails("join_tailnet", f"the secret {harness.CLOUD.secret_name} could not be read")
        self.assertEqual(len(self.calls("sleep 10")), harness.CLOUD.secret_tries - 1)

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
        self.assertEqual(self.calls(harness.CLOUD.cache_call), [harness.CLOUD.restored(f"{self.top}/mount/ollama", "ollama")])
        loads = [c for c in self.calls("curl") if "keep_alive" in c]
        self.assertEqual(len(loads), 2)
        self.assertIn('{"model":"here","keep_alive":-1}', loads[0])

    def test_on_a_bare_machine(self):
        """Ollama's user is there only after its installation."""
        self.without("ollama")
        self.curl('case $* in *ollama.com/install.sh) while (($# > 1)); do [[ $1 != -o ]] || echo "cp $TOP/ollama $TOP/bin/ollama" >"$2"; shift; done ;; esac')
        (self.top / "ollama").write_text("#!/bin/bash\n")
        (self.top / "ollama").chmod(0o755)
        self.command("chown", '[[ -e $TOP/bin/ollama && -d $TOP/mount/ollama ]]')
        self.ok("serve_ollama", CACHE="")
        self.assertEqual(self.calls("chown"), [f"chown -R ollama:ollama {self.top}/mount/ollama"])

    def test_embedding_models_are_loaded_too(self):
        self.curl('[[ $* != *api/generate* ]]')
        self.ok("load_model nomic-embed-text")
        self.assertIn("api/embed", self.calls("curl")[-1])

    def test_a_pull_that_fails(self):
        self.command("ollama", "echo 'Error: file does not exist' >&2; exit 1")
        self.assertNotEqual(self.bash("serve_ollama", SERVED="missing").returncode, 0)
        self.assertEqual(len(self.calls("ollama pull")), 5)

    def test_serving(self):
        self.curl('echo \'{"models": [{"name": "mistral:latest"}, {"name":"llama3.1:8b"}]}\'')
        self.ok("serving", SERVED="llama3.1:8b mistral")
        self.assertNotEqual(self.bash("serving", SERVED="llama3.1:8b phi4").returncode, 0)
        self.curl("exit 7")
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
        self.curl("")
        self.ok("serve_vllm", RUNTIME="vllm", SERVED="org/model")
        self.assertIn(f"hf download org/model --local-dir {self.top}/mount/vllm/org/model", self.calls())
        self.assertIn(f"ExecStart={self.top}/llm-node vllm", (self.top / "units/llm-vllm.service").read_text())
        self.assertIn("systemctl restart llm-vllm", self.calls())
        self.ok('settings >"$STATE/settings"; serve_vllm', RUNTIME="vllm", SERVED="org/model")
        self.assertIn("systemctl start llm-vllm", self.calls())

    def test_token_is_in_the_environment_alone(self):
        harness.CLOUD.secret(self, "hf_canary")
        self.command("hf", 'cp /dev/null "$TOP/seen"; [[ $HF_TOKEN != hf_canary ]] || echo yes >"$TOP/seen"')
        (self.top / "bin/hf").rename(self.top / "venv/bin/hf")
        self.ok("serve_vllm", RUNTIME="vllm", SERVED="org/model", HF_SECRET="hf")
        self.assertEqual((self.top / "seen").read_text(), "yes\n")
        self.assertEqual([f for f in self.found("hf_canary") if not f.endswith("venv/bin/hf")], harness.CLOUD.secret_files(self))

    def test_gated_model(self):
        self.command("hf", "exit 1")
        (self.top / "bin/hf").rename(self.top / "venv/bin/hf")
        self.fails("serve_vllm", "does it need huggingface_token_secret?", RUNTIME="vllm", SERVED="org/model")


class Health(Case):
    def setUp(self):
        super().setUp()
        self.command("systemctl", "case $1 in is-active) echo active ;; esac")
        self.curl('echo \'{"models":[{"name":"llama3.1:8b"}]}\'')
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
        self.curl("exit 7")
        self.ok(self.prepare + "health; health")
        self.assertEqual(self.statuses(), [])
        self.ok("health")
        self.assertEqual(self.statuses(), ["failed: ollama does not answer with all models loaded"])
        self.ok("health; health")
        self.assertIn("systemctl restart --no-block llm-setup", self.calls())
        self.curl('echo \'{"models":[{"name":"llama3.1:8b"}]}\'')
        self.ok("health")
        self.assertEqual(self.statuses(), ["serving"])

    def test_new_settings_bring_a_new_setup(self):
        harness.CLOUD.settings(self, served="phi4")
        self.ok(self.prepare + "health")
        self.assertIn("systemctl restart --no-block llm-setup", self.calls())
        self.assertEqual(self.statuses(), [])

    def test_settings_that_cannot_be_read_bring_none(self):
        harness.CLOUD.no_settings(self)
        self.curl('echo \'{"models":[{"name":"phi4:latest"}]}\'')
        (self.top / "state").mkdir()
        (self.top / "state/settings").write_text("ollama\nphi4\n8192\n")
        self.ok("health")
        self.assertNotIn("systemctl restart --no-block llm-setup", self.calls())


class Setup(Case):
    STEPS = "install_logs() { :; }\nmount_models() { :; }\n"

    def setUp(self):
        super().setUp()
        self.curl('case $* in *api/ps) echo \'{"models":[{"name":"llama3.1:8b"}]}\' ;; esac')
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
        self.curl("exit 28")
        self.fails(self.STEPS + "setup", "no way out to the internet")

    def test_no_way_out_yet(self):
        self.curl('[[ -e $TOP/open ]] || exit 28')
        self.command("sleep", 'touch "$TOP/open"')
        self.ok(self.STEPS + "setup", PATIENCE="900")
        self.assertEqual(self.statuses()[-1], "serving")

    def test_settings_are_waited_for(self):
        """The permission to read them may be newer than the instance."""
        harness.CLOUD.no_settings(self)
        self.assertIn("the settings cannot be read", self.ok(self.STEPS + "setup"))
        self.command("sleep", 'touch "$TOP/slept"')
        self.assertNotIn("the settings cannot be read", self.ok(self.STEPS + "setup"))

    def test_that_is_stopped_has_not_failed(self):
        """By a restart for the driver or by new settings: a status that fails would end an apply."""
        self.command("sleep", 'touch "$TOP/waiting"; exec /bin/sleep "$@"')
        self.command("nvidia-smi", "exit 9")
        env = {"PATH": f"{self.top}/bin:/usr/bin:/bin", "TOP": str(self.top), "HOME": str(self.top)}
        body = f'source "{harness.SCRIPT}"\n{harness.PLACES}\n{harness.CLOUD.places}\n{self.STEPS}\nadd_driver() {{ :; }}\nsetup'
        process = subprocess.Popen(["bash", "-c", body], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True, text=True)
        for _ in range(600):
            if (self.top / "waiting").exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        self.assertIsNone(process.poll())
        os.killpg(process.pid, signal.SIGTERM)
        output = process.communicate(timeout=30)[0]
        self.assertEqual(process.returncode, 143, output)
        self.assertIn("systemctl reboot", self.calls())
        self.assertEqual(self.statuses()[-1], "starting: NVIDIA driver")

    def test_logs_are_no_reason_to_fail(self):
        self.ok("send_logs() { return 1; }\ninstall_logs")
        self.assertIn("rotate 3", (self.top / "logrotate").read_text())

    def test_save(self):
        self.ok("save")
        self.assertEqual(self.calls(harness.CLOUD.cache_call), [harness.CLOUD.saved(f"{self.top}/mount/ollama", "ollama")])
        self.ok("save", CACHE="")
        self.assertEqual(self.calls(harness.CLOUD.cache_call), [])
