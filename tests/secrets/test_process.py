"""The process: it leaves no core dump, lets nobody look into it, says nothing of secrets in arguments, and keeps none in memory."""
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess

import pytest

from tests.acceptance.conftest import aws_settings, gcp_settings
from tests.protocol import plugin as p
from tests.protocol.test_work import NODE, made
from tests.secrets.canary import Marker
from tests.secrets.test_sources import ROLE, bench, executable, external, sso, subject  # noqa: F401

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="looking into a process that is closed, or lifting its limits, takes root")
SANITIZED = p.sanitized()


def limit_of_dumps(pid):
    [line] = [x for x in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines() if x.startswith("Max core file size")]
    return line.split()[4:6]


def test_no_core_dump(start):
    assert limit_of_dumps(start().process.pid) == ["0", "0"]


def test_no_core_dump_even_where_the_limit_does_not_count(start):
    """As with a core_pattern that pipes: the limit is lifted from outside, where that is allowed, the process crashes, and nothing is written."""
    plugin = start()
    assert plugin.call("GetMetadata").resources
    try:
        resource.prlimit(plugin.process.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except PermissionError:
        pass
    plugin.process.send_signal(signal.SIGSEGV)
    ended = os.waitid(os.P_PID, plugin.process.pid, os.WEXITED | os.WNOWAIT)
    assert ended.si_code != os.CLD_DUMPED and ended.si_status in (signal.SIGSEGV, 1)


def as_somebody(tmp_path, *args):
    """A provider of a user without rights: of what is closed, /proc belongs to root."""
    copy = tmp_path / "provider"
    shutil.copy(p.binary(), copy)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/") and not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 0o011)
    return subprocess.Popen([copy, *args], env=p.bare_env(**p.COOKIE, PLUGIN_PROTOCOL_VERSIONS="6", TMPDIR="/tmp"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                            **({"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}))


@pytest.mark.parametrize("args, closed", [([], True), (["-debug"], False)])
def test_nobody_may_look(tmp_path, args, closed):
    """Neither another process of the same user; a debugger may in debug mode."""
    process = as_somebody(tmp_path, *args)
    try:
        assert p.read_line(process.stdout, 20)
        owner = os.stat(f"/proc/{process.pid}/mem").st_uid
        user = 65534 if os.geteuid() == 0 else os.geteuid()
        assert owner == (0 if closed else user)
        assert limit_of_dumps(process.pid) == ["0", "0"]
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


# ---- memory ----


def memory(pid):
    """[(what is mapped there, bytes)] of all that is readable and writable."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, mode, *_, name = re.match(r"(\S+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            start, end = (int(x, 16) for x in span.split("-"))
            if mode.startswith("rw") and not name.startswith(("[vvar", "[vdso", "[vsyscall")):
                try:
                    mem.seek(start)
                    found.append((name or "anonymous", start, mem.read(end - start)))
                except OSError:  # a guard page
                    continue
    return found


def copies(pid, *markers):
    """The secrets that are left, each with where and what is around it."""
    found = []
    for name, start, data in memory(pid):
        for marker in markers:
            for form, text in marker.forms().items():
                for m in re.finditer(re.escape(text), data):
                    around = re.sub(rb"[^ -~]+", b".", data[max(0, m.start() - 60):m.end() + 30]).decode()
                    found.append(f"{marker.name} {form} in {name} at {start + m.start():#x}: {around}")
    return found


def key_block(plugin, marker, version):
    kind = next(a.nested_type for a in plugin.schema().resource_schemas[NODE].block.attributes if a.name == "tailscale")
    return p.within(kind, {"auth_key_wo": marker.value, "auth_key_wo_version": version})


CLOUDS = {"aws": ("sim", aws_settings, "CreateSecret", ["us-east-1a"]),
          "gcp": ("gcp_sim", gcp_settings, "secretmanager.projects.secrets.addVersion", ["us-central1-a"])}


@ROOT_ONLY
@pytest.mark.skipif(SANITIZED, reason="sanitizers keep what is freed")
@pytest.mark.parametrize("cloud", sorted(CLOUDS))
@pytest.mark.parametrize("tls", [True, False])
def test_memory_after_an_apply(request, cloud, tls):
    """Nothing of the key is left when the answer is out: not in arenas, gRPC's messages, libcurl's buffers, on stacks. With TLS, OpenSSL's read buffer
    of the plugin's socket, which is libgrpc's, has the last messages until others take their place."""
    name, settings, stores, zones = CLOUDS[cloud]
    sim, marker = request.getfixturevalue(name), Marker("tailscale key", "tskey-auth-")
    with p.Plugin(tls=tls, env={**settings(sim.endpoint), "TF_LOG_PROVIDER": "TRACE"}) as plugin:
        assert not plugin.configure().diagnostics
        made(plugin, cloud=cloud, zones=zones, tailscale=key_block(plugin, marker, 1))
        assert len(sim.calls(stores)) == 1
        if tls:
            plugin.call("ValidateResourceConfig", {"type_name": "x" * 40000, "config": p.dynamic({"a": "b"})})
        assert copies(plugin.process.pid, marker) == []
        assert any(b"TF_LOG_PROVIDER=TRACE" in data for _, _, data in memory(plugin.process.pid)), "the test sees the memory"


def web_identity(bench, sim):
    token = Marker("web identity token", "eyJ.", ".sig")
    bench.aws(sim.endpoint, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=bench.file("token", token.value))
    return token


def sso_session(bench, sim):
    token = Marker("SSO access token")
    sim.control("settings", {"sso_token": token.value})
    sso(bench, accessToken=token.value, expiresAt="2099-01-01T00:00:00Z")
    bench.aws(sim.endpoint)
    return token


def subject_file(bench, sim):
    token = subject(sim)
    file = bench.file("credentials.json", external(sim, {"file": bench.file("token", token.value)}))
    bench.gcp(sim.endpoint, GOOGLE_APPLICATION_CREDENTIALS=file)
    return token


def program(bench, sim):
    token = subject(sim)
    file = bench.file("credentials.json", executable(sim, bench, id_token=token.value, expiration_time=4070908800))
    bench.gcp(sim.endpoint, GOOGLE_APPLICATION_CREDENTIALS=file, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1")
    return token


@ROOT_ONLY
@pytest.mark.skipif(SANITIZED, reason="sanitizers keep what is freed")
@pytest.mark.parametrize("way, cloud", [(web_identity, "sim"), (sso_session, "sim"), (subject_file, "gcp_sim"), (program, "gcp_sim")])
def test_memory_after_a_token_was_used(request, bench, way, cloud):  # noqa: F811
    """What is read, exchanged for credentials, and not needed again."""
    token = way(bench, request.getfixturevalue(cloud))
    assert bench.proxy.where(token), bench.said[:2000]
    assert copies(bench.process.pid, token) == []
