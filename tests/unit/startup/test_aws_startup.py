#!/usr/bin/env python3
"""The start-up script of a node on AWS, piece by piece.

Usage: test_aws_startup.py PROGRAM, where PROGRAM writes a rendered script to the file that SCRIPT_OUT names.
"""
import json

import common
import harness
from common import Driver, Health, Install, Ollama, Settings, Setup, Status, Tailscale, Vllm, Whole  # noqa: F401: run from here


class Aws(harness.Cloud):
    quiet = ["aws", "nvme"]
    places = 'echo i-123 >"$RUN/instance-id"'
    limit = 16384
    reboots = 1
    secret_tries = 5
    secret_name = "llm/gpu-node/demo/tailscale"
    cache_call = "aws s3 sync"

    def curl(self, body):
        return f"case $* in *services/domain) echo amazonaws.com; exit ;; *api/token*) echo token; exit ;; esac\n{body}"

    def ubuntu(self, case):
        pass  # what has apt-get

    def statuses(self, case):
        return [json.loads(line.split("--tags ", 1)[1])[0]["Value"] for line in case.calls("aws ec2 create-tags")]

    def no_status(self, case):
        case.command("aws", "exit 1")

    def settings(self, case, served=None, context=None):
        tags = "llm:served-9\\tno\\nother\\tx\\n"
        for name, value in (("served", served), ("context", context)):
            for number, part in enumerate(value if isinstance(value, list) else [value] if value else [], 1):
                tags += f"llm:{name}{'' if number == 1 else f'-{number}'}\\t{part}\\n"
        case.command("aws", f"case $* in *describe-tags*) printf '{tags}' ;; esac")

    def no_settings(self, case):
        case.command("aws", "case $* in *describe-tags*) [[ -e $TOP/slept ]] ;; esac")

    def secret(self, case, value):
        case.command("aws", "exit 254" if value is None else f"case $* in *get-secret-value*) echo {value} ;; esac")

    def secret_files(self, case):
        return [f"{case.top}/bin/aws"]

    def restored(self, directory, part):
        return f"aws s3 sync s3://cache/models/{part} {directory} --only-show-errors"

    def saved(self, directory, part):
        return f"aws s3 sync {directory} s3://cache/models/{part} --only-show-errors --size-only --exclude *-partial* --exclude .cache/*"


class Volume(common.Volume):
    def disks(self, *names):
        lines = "; ".join(f"echo '{name}'" for name in names)
        self.command("findmnt", "echo /dev/nvme0n1p1")
        self.command("lsblk", f"case $* in *PKNAME*) echo nvme0n1 ;; *NAME,MODEL*) {lines} ;; esac")

    def test_is_the_disk_that_is_not_the_root(self):
        self.disks("/dev/nvme0n1 Amazon Elastic Block Store", "/dev/nvme1n1 Amazon EC2 NVMe Instance Storage",
                   "/dev/nvme2n1 Amazon Elastic Block Store")
        self.assertEqual(self.ok("find_device").strip(), "/dev/nvme2n1")

    def test_is_the_disk_that_the_controller_names(self):
        self.disks("/dev/nvme0n1 Amazon Elastic Block Store", "/dev/nvme2n1 Amazon Elastic Block Store",
                   "/dev/nvme3n1 Amazon Elastic Block Store")
        self.command("nvme", "printf '%3072s' ''; case $* in *nvme3n1) printf '/dev/sdf   ' ;; *) printf 'sdg   ' ;; esac")
        self.assertEqual(self.ok("find_device").strip(), "/dev/nvme3n1")

    def test_is_not_attached_yet(self):
        self.disks("/dev/nvme0n1 Amazon Elastic Block Store")
        self.assertNotEqual(self.bash("find_device").returncode, 0)


class Logs(harness.Case):
    def test_files_go_to_the_log_group(self):
        self.ok("send_logs || true")
        files = json.loads((self.top / "state/cloudwatch.json").read_text())["logs"]["logs_collected"]["files"]["collect_list"]
        self.assertEqual({f["file_path"] for f in files}, {f"{self.top}/logs/node.log", f"{self.top}/logs/runtime.log", "/var/log/cloud-init-output.log"})
        self.assertTrue(all(f["log_group_name"].endswith("demo") for f in files), files)


if __name__ == "__main__":
    harness.main(Aws())
