"""What the tests of the start-up scripts share: a script is sourced by bash, with commands that write down how they were
called instead of doing anything. Each cloud's test gives a Cloud, which says how its fake commands answer, and adds
its own cases to those of common.py.
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
CLOUD = None

# Commands that succeed and say nothing; a test replaces those whose answer matters.
QUIET = ["systemctl", "sleep", "mount", "mkfs.ext4", "resize2fs", "chown", "ollama", "tailscale", "apt-get", "nvidia-smi", "modprobe", "systemd-run",
         "dpkg", "uv", "blkid", "lsblk", "findmnt", "mountpoint", "ubuntu-drivers"]

PLACES = """
MOUNT=$TOP/mount STATE=$TOP/state RUN=$TOP/run LOGS=$TOP/logs UNITS=$TOP/units SELF=$TOP/llm-node VENV=$TOP/venv ROTATE=$TOP/logrotate PATIENCE=0
mkdir -p "$MOUNT" "$STATE" "$RUN" "$LOGS" "$UNITS"
"""


class Cloud:
    """How a cloud's script talks to its cloud."""
    quiet = []  # more commands
    places = ""  # more variables
    limit = 0  # bytes that the script may have
    secret_name = ""  # of the Tailscale key
    cache_call = ""  # how a call that reads or writes the cache begins

    def curl(self, body):
        """The body of a fake curl that answers as the cloud does and goes on with `body` for other sites."""
        return body

    def statuses(self, case):
        """The status texts that were written, in order."""
        raise NotImplementedError

    def no_status(self, case):
        """Makes every write of the status fail."""
        raise NotImplementedError

    def settings(self, case, served=None, context=None):
        """What the instance's settings say; None: not set; a list: in pieces."""
        raise NotImplementedError

    def no_settings(self, case):
        """Makes the settings unreadable until there is a file $TOP/slept."""
        raise NotImplementedError

    def secret(self, case, value):
        """What the secret holds; None: it may not be read."""
        raise NotImplementedError


class Case(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="startup."))
        (self.top / "bin").mkdir()
        for name in QUIET + CLOUD.quiet:
            self.command(name, "")
        self.curl("")

    def tearDown(self):
        shutil.rmtree(self.top)

    def command(self, name, body):
        """A command on the PATH: it writes its arguments down and runs `body`."""
        path = self.top / "bin" / name
        path.write_text(f'#!/bin/bash\nprintf "%s\\n" "{name} $*" >>"{self.top}/calls"\n{body}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def curl(self, body):
        self.command("curl", CLOUD.curl(body))

    def without(self, name):
        (self.top / "bin" / name).unlink()

    def bash(self, body, **variables):
        """Runs `body` after sourcing the script; the result of bash."""
        (self.top / "calls").write_text("")
        env = {"PATH": f"{self.top}/bin:/usr/bin:/bin", "TOP": str(self.top), "HOME": str(self.top)}
        settings = "\n".join(f"{name}={json.dumps(value)}" for name, value in variables.items())
        return subprocess.run(["bash", "-c", f'source "{SCRIPT}"\n{PLACES}\n{CLOUD.places}\n{settings}\n{body}'], env=env, stdin=subprocess.DEVNULL,
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
        return CLOUD.statuses(self)

    def found(self, text):
        """The files under the test's directory that hold a text."""
        return subprocess.run(["grep", "-rl", text, str(self.top)], capture_output=True, text=True).stdout.split()


def main(cloud):
    """Runs the tests of the calling program, with the script that the program of its first argument writes."""
    global SCRIPT, CLOUD
    directory = tempfile.mkdtemp(prefix="startup.")
    SCRIPT, CLOUD = f"{directory}/startup.sh", cloud
    try:
        subprocess.run([sys.argv.pop(1)], env={**os.environ, "SCRIPT_OUT": SCRIPT}, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        unittest.main()
    finally:
        shutil.rmtree(directory)
