#!/usr/bin/env python3
"""The start-up script of a node on Google Cloud, piece by piece; what it says to the metadata server and to Secret Manager,
with servers that look at it.

Usage: test_gcp_startup.py PROGRAM, where PROGRAM writes a rendered script to the file that SCRIPT_OUT names.
"""
import base64
import http.server
import json
import re
import shutil
import threading
import unittest

import common
import harness
from common import Driver, Health, Install, Ollama, Settings, Setup, Status, Tailscale, Vllm, Whole  # noqa: F401: run from here

TOKEN = "ya29.canary-token"


class Gcp(harness.Cloud):
    quiet = ["gcloud"]
    places = 'DISKS=$TOP/disks AGENT=$TOP/agent/config.yaml DLVM_DRIVER=$TOP/install-driver.sh'
    limit = 256 * 1024
    reboots = 2
    secret_tries = 60
    secret_name = "projects/my-project/secrets/llm-node-demo-us-central1-tailscale"
    cache_call = "gcloud storage rsync"

    def curl(self, body):
        """Attributes and the secret are files; without the file "served" there are no attributes."""
        return f"""case $* in
*guest-attributes*) [[ ! -e $TOP/no-status ]]; exit ;;
*/token*) echo '{{"access_token":"{TOKEN}","expires_in":3000,"token_type":"Bearer"}}'; exit ;;
*storage/v1/b/*) grep 'Bearer {TOKEN}' >/dev/null || exit 22; [[ ! -e $TOP/no-bucket || -e $TOP/slept ]] || exit 22; exit ;;
*secretmanager*) grep 'Bearer {TOKEN}' >/dev/null && cat "$TOP/secret" || exit 22; exit ;;
*instance/attributes/) [[ ! -e $TOP/no-settings || -e $TOP/slept ]] || exit 28; ls "$TOP/attributes" 2>/dev/null; exit 0 ;;
*instance/attributes/*) cp "$TOP/attributes/$(grep -o 'llm-[a-z0-9-]*' <<<"$*" | head -n 1)" "${{@: -1}}"; exit ;;
*computeMetadata*) exit ;;
esac
{body}"""

    def ubuntu(self, case):
        case.command("sed", 'case $* in *os-release) echo ubuntu ;; *) exec /bin/sed "$@" ;; esac')

    def statuses(self, case):
        return [re.search(r"/guest-attributes/llm/status -X PUT --data-raw (.*) -o /dev/null$", c)[1] for c in case.calls("curl") if "guest-attributes" in c]

    def no_status(self, case):
        (case.top / "no-status").touch()

    def settings(self, case, served=None, context=None):
        shutil.rmtree(case.top / "attributes", ignore_errors=True)
        (case.top / "attributes").mkdir()
        (case.top / "attributes/startup-script").write_text("#!/bin/bash\nllm-served\n")
        for name, value in (("served", served), ("context", context)):
            if value:
                for number, part in enumerate(value if isinstance(value, list) else [value], 1):
                    (case.top / f"attributes/llm-{name}{'' if number == 1 else f'-{number}'}").write_text(part)

    def no_settings(self, case):
        (case.top / "no-settings").touch()

    def secret(self, case, value):
        (case.top / "secret").unlink(missing_ok=True)
        if value is not None:
            data = base64.b64encode(value.encode()).decode()
            (case.top / "secret").write_text(json.dumps({"name": "projects/1/secrets/x/versions/1", "payload": {"data": data, "dataCrc32c": "12"}}, indent=2))

    def secret_files(self, case):
        return []

    def restored(self, directory, part):
        return f"gcloud storage rsync -r gs://cache/models/{part} {directory}"

    def saved(self, directory, part):
        return f"gcloud storage rsync -r {directory} gs://cache/models/{part} --exclude=.*-partial.*|\\.cache/.*"


class Volume(common.Volume):
    def test_is_the_disk_with_the_device_s_name(self):
        (self.top / "disks").mkdir()
        (self.top / "sdb").touch()
        (self.top / "disks/google-other").symlink_to(self.top / "sdc")
        self.assertNotEqual(self.bash("find_device").returncode, 0)
        (self.top / "disks/google-models").symlink_to(self.top / "sdb")
        self.assertEqual(self.ok("find_device").strip(), f"{self.top}/sdb")
        (self.top / "sdb").unlink()
        self.assertNotEqual(self.bash("find_device").returncode, 0, "a link to nothing is no disk")


class OtherDrivers(harness.Case):
    def setUp(self):
        super().setUp()
        self.command("nvidia-smi", "[[ -e $TOP/loaded ]]")

    def test_of_a_deep_learning_image(self):
        self.command("install-driver.sh", 'touch "$TOP/loaded"')
        (self.top / "bin/install-driver.sh").rename(self.top / "install-driver.sh")
        self.ok("install_driver")
        self.assertEqual(len(self.calls("install-driver.sh")), 1)
        self.assertEqual(self.calls("apt-get"), [])

    def test_of_google_s_installer(self):
        self.command("python3", '[[ -d ../cuda ]] && touch "$TOP/loaded"')
        self.ok("os_id() { echo debian; }\ninstall_driver")
        self.assertEqual(self.calls("python3"), ["python3 cuda_installer.pyz install_driver --installation-mode=repo --installation-branch=prod"])
        [download] = [c for c in self.calls("curl") if "cuda_installer" in c]
        self.assertIn(f"-o {self.top}/state/cuda/cuda_installer.pyz https://storage.googleapis.com/compute-gpu-installation-us/", download)

    def test_os(self):
        self.assertRegex(self.ok("os_id"), r"^[a-z]+\n$")


class Logs(harness.Case):
    def agent(self):
        (self.top / "agent").mkdir()

    def test_config_of_the_agent(self):
        self.agent()
        self.ok("send_logs")
        self.assertEqual(self.calls("systemctl"), ["systemctl enable -q google-cloud-ops-agent", "systemctl restart google-cloud-ops-agent"])
        self.assertEqual((self.top / "agent/config.yaml").read_text(), f"""logging:
  receivers:
    llm_node:
      type: files
      include_paths: [{self.top}/logs/node.log]
    llm_runtime:
      type: files
      include_paths: [{self.top}/logs/runtime.log]
  service:
    pipelines:
      llm:
        receivers: [llm_node, llm_runtime]
""")
        self.ok("send_logs")
        self.assertIn("systemctl start google-cloud-ops-agent", self.calls())

    def test_agent_is_installed(self):
        self.curl('case $* in *dl.google.com*) while (($# > 1)); do [[ $1 != -o ]] || echo "echo \\"\\$*\\" >$TOP/installed; mkdir $TOP/agent" >"$2"; '
                  "shift; done ;; esac")
        self.ok("send_logs")
        self.assertIn("--also-install", (self.top / "installed").read_text())
        self.assertTrue((self.top / "agent/config.yaml").exists())

    def test_no_agent_is_no_failure(self):
        self.curl("exit 22")
        self.assertIn("the logs are not sent", self.ok("install_logs"))


class Cache(harness.Case):
    def test_role_is_waited_for(self):
        (self.top / "no-bucket").touch()
        self.assertIn("the bucket cannot be read", self.ok("restore ollama"))
        self.assertEqual(len(self.calls("sleep 10")), 17)
        self.assertEqual(len(self.calls("gcloud storage rsync")), 1)
        self.command("sleep", 'touch "$TOP/slept"')
        self.assertNotIn("the bucket cannot be read", self.ok("restore ollama"))
        self.assertEqual(len(self.calls("sleep 10")), 1)
        self.assertTrue(any("/storage/v1/b/cache/o?maxResults=1" in call for call in self.calls("curl")), self.calls())

    def test_empty_is_no_failure(self):
        self.command("gcloud", "exit 1")
        self.assertIn("nothing was restored from the cache", self.ok("restore ollama"))

    def test_without_gcloud_it_is_not_used(self):
        none = 'command() { [[ $2 != gcloud ]] && builtin command "$@"; }\n'
        self.assertEqual(self.ok(none + "save; restore ollama").count("the image has no gcloud"), 2)
        self.assertEqual(self.calls("gcloud"), [])


class WayOut(harness.Case):
    """Google's own sites may be reached from a network that has no way out."""

    def test_is_to_the_runtime_s_site(self):
        self.ok("wait_online")
        self.assertEqual(self.calls("curl")[-1], "curl -s -m 5 -o /dev/null https://ollama.com/")
        self.assertEqual(self.statuses(), ["starting: network"])
        self.ok("wait_online", RUNTIME="vllm")
        self.assertEqual(self.calls("curl")[-1], "curl -s -m 5 -o /dev/null https://huggingface.co/")

    def test_no_metadata(self):
        self.command("curl", "exit 7")
        self.fails("wait_online", "no instance metadata")

    def test_the_status_says_it(self):
        self.curl("exit 28")
        self.fails("setup", "no way out")
        self.assertEqual(self.statuses(), ["starting: network", "failed: network: no way out to the internet for 15 minutes"])


class Server(http.server.BaseHTTPRequestHandler):
    """The metadata server at /m, Secret Manager at /s."""

    def do_GET(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        self.reply(self.server.answers.get(self.path), "Metadata-Flavor" in self.headers if self.path.startswith("/m") else True)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        self.server.written.append(body)
        self.reply(b"", self.headers.get("Metadata-Flavor") == "Google")

    def reply(self, body, allowed):
        self.send_response(403 if not allowed else 404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@unittest.skipUnless(shutil.which("curl"), "no curl")
class Wire(harness.Case):
    """With the real curl."""

    def setUp(self):
        super().setUp()
        self.command("curl", f'exec {shutil.which("curl")} "$@"')
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.server.seen, self.server.written = [], []
        self.server.answers = {
            "/m/instance/service-accounts/default/token": json.dumps({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}).encode(),
            "/m/instance/attributes/": b"llm-served\nstartup-script\n",
            "/m/instance/attributes/llm-served": b"phi4 mistral\n",
        }
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.urls = {"METADATA": f"{url}/m", "SECRETS": f"{url}/s"}

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        super().tearDown()

    def answer_secret(self, name, value):
        body = {"name": name, "payload": {"data": base64.b64encode(value.encode()).decode(), "dataCrc32c": "1"}}
        self.server.answers[f"/s/{name}/versions/latest:access"] = json.dumps(body, indent=2).encode()

    def test_secret(self):
        value = "tskey-auth-canary+/=\u00fc" * 20
        self.answer_secret("projects/other/secrets/key", value)
        self.assertEqual(self.ok("secret projects/other/secrets/key", **self.urls), value)
        method, path, headers = self.server.seen[-1]
        self.assertEqual(headers["Authorization"], f"Bearer {TOKEN}")
        self.assertEqual(self.server.seen[-2][2]["Metadata-Flavor"], "Google")
        self.assertEqual([c for c in self.calls() if TOKEN in c or "canary" in c], [], "neither the token nor the key is an argument")
        self.assertEqual(self.found(TOKEN) + self.found("tskey"), [])

    def test_secret_of_the_node_s_project(self):
        self.answer_secret("projects/my-project/secrets/short", "value")
        self.assertEqual(self.ok("secret short", **self.urls), "value")

    def test_secret_that_is_not_there(self):
        self.fails("secret none", "404", **self.urls)

    def test_no_token(self):
        del self.server.answers["/m/instance/service-accounts/default/token"]
        self.answer_secret("projects/my-project/secrets/short", "value")
        self.assertNotEqual(self.bash("secret short", **self.urls).returncode, 0)

    def test_status(self):
        self.ok("status 'starting: pull llama3.1:8b'; status serving; status serving", **self.urls)
        self.assertEqual(self.server.written, ["starting: pull llama3.1:8b", "serving"])
        self.assertEqual({(m, p) for m, p, _ in self.server.seen}, {("PUT", "/m/instance/guest-attributes/llm/status")})

    def test_settings(self):
        self.assertEqual(self.ok("read_settings; settings", **self.urls).splitlines(), ["ollama", "phi4 mistral", "8192"])
        self.server.answers["/m/instance/attributes/"] += b"llm-context\n"
        self.assertEqual(self.ok("read_settings; settings", **self.urls).splitlines(), ["ollama", "llama3.1:8b", "8192"],
                         "a setting that cannot be read is no reason to take the other")
        self.server.answers["/m/instance/attributes/llm-context"] = b"4096"
        self.assertEqual(self.ok("read_settings; settings", **self.urls).splitlines(), ["ollama", "phi4 mistral", "4096"])


if __name__ == "__main__":
    harness.main(Gcp())
