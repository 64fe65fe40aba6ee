"""The handshake, and the life of the process and its socket."""
import os
import re
import signal
import stat
import subprocess
import sys
import time

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.protocol.plugin import COOKIE, ROOT, bare_env, binary, make_certificate, unpadded_base64, wait_until


def run_by_hand(**env):
    return subprocess.run([binary()], env=bare_env(**env), capture_output=True, text=True, timeout=60)


def test_line(shared):
    assert re.fullmatch(r"1\|6\|unix\|/[^|]+\|grpc\|[A-Za-z0-9+/]+\n", shared.line), shared.line
    assert "=" not in shared.fields[5]
    assert stat.S_ISSOCK(os.stat(shared.socket).st_mode)


def test_certificate(shared):
    cert = x509.load_der_x509_certificate(unpadded_base64(shared.fields[5]))
    assert isinstance(cert.public_key(), ec.EllipticCurvePublicKey) and cert.public_key().curve.name == "secp256r1"
    assert [a.value for a in cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)] == ["localhost"]
    assert cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    cert.verify_directly_issued_by(cert)


def test_each_process_has_its_own_certificate(shared, plugin):
    assert plugin.fields[5] != shared.fields[5]
    assert plugin.server_cert().serial_number != shared.server_cert().serial_number


def test_without_client_certificate_there_is_no_tls(start):
    plugin = start(tls=False)
    assert plugin.fields[5] == ""
    assert plugin.call("GetMetadata").resources


def test_run_by_hand():
    result = run_by_hand()
    assert result.returncode == 1 and result.stdout == ""
    assert "This binary is a plugin" in result.stderr


@pytest.mark.parametrize("cookie", ["", "wrong", COOKIE["TF_PLUGIN_MAGIC_COOKIE"][:-1]])
def test_wrong_cookie(cookie):
    result = run_by_hand(TF_PLUGIN_MAGIC_COOKIE=cookie)
    assert result.returncode == 1 and "This binary is a plugin" in result.stderr


@pytest.mark.parametrize("versions", ["5", "4,5", "7", "60", "five", ""])
def test_versions_without_ours(versions):
    result = run_by_hand(**COOKIE, PLUGIN_PROTOCOL_VERSIONS=versions)
    assert result.returncode == 1 and result.stdout == ""
    assert "protocol versions (6)" in result.stderr


@pytest.mark.parametrize("versions", ["5,6", "6,5", "6"])
def test_versions_with_ours(start, versions):
    plugin = start(env={"PLUGIN_PROTOCOL_VERSIONS": versions})
    assert plugin.fields[:3] == ["1", "6", "unix"] and plugin.call("GetMetadata").resources


@pytest.mark.parametrize("pem", ["not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_unusable_client_certificate(pem, tmp_path):
    """An error, or a server to which nobody can connect; never a server without TLS."""
    process = subprocess.Popen([binary()], env=bare_env(**COOKIE, PLUGIN_CLIENT_CERT=pem, PLUGIN_UNIX_SOCKET_DIR=str(tmp_path)),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if line:
        assert len(line.rstrip("\n").split("|")[5]) > 100
        process.terminate()
    _, errors = process.communicate(timeout=60)
    if not line:
        assert process.returncode == 1 and "certificates are not usable" in errors
    assert list(tmp_path.iterdir()) == []


def test_version():
    for flag in ("--version", "-version"):
        result = subprocess.run([binary(), flag], capture_output=True, text=True, env=bare_env(), timeout=60)
        assert result.returncode == 0 and re.fullmatch(r"terraform-provider-llm \d+\.\d+\.\d+\n", result.stdout)


def test_unknown_flag():
    result = subprocess.run([binary(), "--nonsense"], capture_output=True, text=True, env=bare_env(), timeout=60)
    assert result.returncode == 2 and "Usage:" in result.stderr


# ---- the socket's directory ----


def test_directory_is_private(shared):
    assert shared.directory_mode() == 0o700


def test_directory_is_private_whatever_the_umask():
    script = ("import os, sys; os.umask(0); sys.path.insert(0, sys.argv[1])\n"
              "from tests.protocol.plugin import Plugin\n"
              "with Plugin() as p: print(oct(p.directory_mode()))")
    result = subprocess.run([sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True, timeout=60)
    assert result.stdout == "0o700\n", result.stderr


def test_socket_directory_is_the_cores_choice(start, tmp_path):
    plugin = start(env={"PLUGIN_UNIX_SOCKET_DIR": str(tmp_path)})
    assert plugin.socket.startswith(str(tmp_path) + "/")


def test_socket_directory_that_cannot_be(tmp_path):
    result = run_by_hand(**COOKIE, PLUGIN_UNIX_SOCKET_DIR=str(tmp_path / "none"))
    assert result.returncode == 1 and str(tmp_path / "none") in result.stderr
    result = run_by_hand(**COOKIE, PLUGIN_UNIX_SOCKET_DIR="/" + "x" * 200)
    assert result.returncode == 1 and "too long a name" in result.stderr


def test_shutdown(start):
    """Answered before the end, each time."""
    for _ in range(20):
        plugin = start()
        plugin.call("Shutdown", service="plugin.GRPCController")
        assert plugin.process.wait(60) == 0
        assert not os.path.exists(plugin.directory)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end(plugin, number):
    plugin.process.send_signal(number)
    assert plugin.process.wait(60) == 0
    assert not os.path.exists(plugin.directory)


def test_interrupt_is_left_to_the_core(plugin):
    """Ctrl-C reaches the whole process group; the core says what it means, with StopProvider."""
    plugin.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert plugin.alive() and plugin.call("GetMetadata").resources


def test_end_with_the_core():
    """A core that is killed leaves neither a process nor a socket."""
    script = ("import sys; sys.path.insert(0, sys.argv[1])\n"
              "from tests.protocol.plugin import Plugin\n"
              "import os, signal\n"
              "p = Plugin(); p.call('GetMetadata'); print(p.process.pid, p.directory, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    result = subprocess.run([sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True, timeout=60)
    pid, directory = result.stdout.split()
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}") or "State:\tZ" in open(f"/proc/{pid}/status").read(), 10)
    assert not os.path.exists(directory)


# ---- mutual TLS ----


def refused(plugin, channel, name="GetMetadata"):
    with pytest.raises(grpc.RpcError) as error:
        plugin.call(name, channel=channel, timeout=60)
    channel.close()
    return error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_client_without_certificate(shared):
    assert refused(shared, shared.connect())


def test_client_with_another_certificate(shared):
    assert refused(shared, shared.connect(*make_certificate()))
    assert refused(shared, shared.connect(*make_certificate(ec.SECP256R1())))


def test_client_without_tls(shared):
    assert refused(shared, grpc.insecure_channel(f"unix:{shared.socket}", options=[("grpc.use_local_subchannel_pool", 1)]))


def test_it_still_serves_after_them(shared):
    assert shared.call("GetMetadata").resources
