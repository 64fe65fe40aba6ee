"""A core's side of the plugin protocol: starts the provider as go-plugin does, and calls it.

Messages are made from proto/*.proto at run time, by way of protoc's descriptor sets: no generated Python.
"""
import base64
import contextlib
import datetime
import functools
import os
import pathlib
import select
import socket
import stat
import subprocess
import tempfile
import threading
import time

import grpc
import msgpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = pathlib.Path(__file__).resolve().parents[2]
COOKIE = {"TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"}
MIB = 1 << 20


@functools.cache
def pool():
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", f"--descriptor_set_out={out.name}",
                        *sorted(p.name for p in (ROOT / "proto").glob("*.proto"))], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    made = descriptor_pool.DescriptorPool()
    for file in files.file:
        made.Add(file)
    return made


@functools.cache
def message(name):
    """The class of a message: message("tfplugin6.ReadResource.Request")."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(name))


def methods(service="tfplugin6.Provider"):
    return list(pool().FindServiceByName(service).methods)


def method(name, service="tfplugin6.Provider"):
    return pool().FindServiceByName(service).FindMethodByName(name)


def dynamic(value):
    return message("tfplugin6.DynamicValue")(msgpack=msgpack.packb(value))


def value_of(m):
    """The plain value of a DynamicValue; unknowns are msgpack.ExtType."""
    return msgpack.unpackb(m.msgpack, strict_map_key=False)


def null_block(block, **given):
    """An object of the schema block's type: all null (empty for repeated blocks) but `given`."""
    value = {a.name: None for a in block.attributes}
    for nested in block.block_types:
        value[nested.type_name] = {2: [], 3: [], 4: {}}.get(nested.nesting)
    unknown = set(given) - set(value)
    assert not unknown, f"not in the schema: {unknown}"
    return {**value, **given}


def filled(block, given):
    """An object of the schema block's type: null for what is not given, at every depth."""
    nested = {a.name: a.nested_type for a in block.attributes if a.HasField("nested_type")} | {b.type_name: b.block for b in block.block_types}
    return null_block(block, **{k: inside(nested[k], v) if k in nested else v for k, v in given.items()})


def inside(kind, given):
    """The value of a nested attribute or block: an object, or a map or list of objects."""
    if kind.DESCRIPTOR.name == "Object" and kind.nesting != 1 and isinstance(given, (dict, list)):
        return {k: within(kind, v) for k, v in given.items()} if isinstance(given, dict) else [within(kind, v) for v in given]
    return within(kind, given)


def within(kind, given):
    if not isinstance(given, dict):
        return given
    nested = {a.name: a.nested_type for a in kind.attributes if a.HasField("nested_type")}
    unknown = set(given) - {a.name for a in kind.attributes}
    assert not unknown, f"not in the schema: {unknown}"
    return {**{a.name: None for a in kind.attributes}, **{k: inside(nested[k], v) if k in nested else v for k, v in given.items()}}


def make_certificate(curve=None):
    """A self-signed certificate as go-plugin's client makes it: (key PEM, certificate PEM)."""
    key = ec.generate_private_key(curve or ec.SECP521R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost"),
                      x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "HashiCorp")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(seconds=30))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(x509.KeyUsage(digital_signature=True, content_commitment=False, key_encipherment=True,
                                         data_encipherment=False, key_agreement=True, key_cert_sign=True, crl_sign=False,
                                         encipher_only=False, decipher_only=False), True)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH,
                                                  x509.ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .sign(key, hashes.SHA512()))
    pem = serialization.Encoding.PEM
    return (key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
            cert.public_bytes(pem))


def unpadded_base64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def binary():
    return os.environ.get("LLM_PROVIDER_BIN") or str(ROOT / "build/provider/terraform-provider-llm")


def sanitized():
    """Whether the provider is built with a sanitizer: they quarantine what is freed, and keep records of it."""
    return any(mark in pathlib.Path(binary()).read_bytes() for mark in (b"__asan_init", b"__tsan_init"))


def bare_env(**env):
    """The environment of the tests without what steers the provider or finds real credentials."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "PLUGIN_"))}
    return {**keep, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", **env}


def read_line(stream, seconds):
    """A line of a pipe, or what came until the time was up or the other end closed."""
    line, deadline = b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
        piece = os.read(stream.fileno(), 1) if ready else b""
        if not piece:
            break
        line += piece
    return line.decode()


class Plugin:
    """One provider process after its handshake, and a channel to it."""

    def __init__(self, tls=True, env=None, args=(), stderr=None):
        """stderr: the file that takes the log; without one, log() has it."""
        self.key, self.cert = make_certificate() if tls else (None, None)
        env = bare_env(**{**COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "6", **(env or {})})
        if tls:
            env["PLUGIN_CLIENT_CERT"] = self.cert.decode()
        self.stderr = stderr or tempfile.TemporaryFile()
        self.process = subprocess.Popen([binary(), *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.stderr)
        self.line = read_line(self.process.stdout, 60)
        assert self.line.endswith("\n"), f"no handshake line: {self.line!r} {self.log()!r}"
        self.fields = self.line.rstrip("\n").split("|")
        self.socket = self.fields[3]
        self.directory = os.path.dirname(self.socket)
        self.channel = self.connect(self.key, self.cert)

    def server_cert(self):
        return x509.load_der_x509_certificate(unpadded_base64(self.fields[5]))

    def connect(self, key=None, cert=None, socket=None):
        """A new channel with this client certificate, by another socket where one is given; without TLS when the handshake line has no
        certificate."""
        options = [("grpc.max_receive_message_length", 256 * MIB), ("grpc.max_send_message_length", -1),
                   ("grpc.use_local_subchannel_pool", 1)]
        if not self.fields[5]:
            return grpc.insecure_channel(f"unix:{socket or self.socket}", options=options)
        root = self.server_cert().public_bytes(serialization.Encoding.PEM)
        credentials = grpc.ssl_channel_credentials(root, key, cert)
        return grpc.secure_channel(f"unix:{socket or self.socket}", credentials,
                                   options=[*options, ("grpc.ssl_target_name_override", "localhost")])

    def call(self, name, request=None, service="tfplugin6.Provider", timeout=120, channel=None):
        """The answer of a method, whatever its kind: the last message where it answers with several. `request` is a
        message, its fields as a dict, or bytes sent as they are."""
        m = method(name, service)
        in_type, out_type = message(m.input_type.full_name), message(m.output_type.full_name)
        if request is None or isinstance(request, dict):
            request = in_type(**(request or {}))
        kind = {(False, False): "unary_unary", (False, True): "unary_stream", (True, False): "stream_unary",
                (True, True): "stream_stream"}[(m.client_streaming, m.server_streaming)]
        rpc = getattr(channel or self.channel, kind)(
            f"/{service}/{name}", request_serializer=lambda r: r if isinstance(r, bytes) else r.SerializeToString(),
            response_deserializer=out_type.FromString)
        answer = rpc(iter([request]) if m.client_streaming else request, timeout=timeout)
        if m.server_streaming:
            answers = list(answer)
            assert answers, f"{name} ended without a message"
            return answers[-1]
        return answer

    def schema(self):
        return self.call("GetProviderSchema")

    def configure(self, **config):
        block = self.schema().provider.block
        return self.call("ConfigureProvider", {"terraform_version": "1.12.6", "config": dynamic(null_block(block, **config))})

    def log(self):
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def directory_mode(self):
        return stat.S_IMODE(os.stat(self.directory).st_mode)

    def stop(self):
        self.channel.close()
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Relay:
    """A socket that hands on to another, until it is cut: as a client that is killed, it says nothing before it is gone. `said` has the
    provider's bytes."""

    def __init__(self, target):
        self.directory = tempfile.TemporaryDirectory(prefix="llm-relay-")
        self.path, self.target = f"{self.directory.name}/socket", target
        self.ends, self.threads, self.said = [], [], bytearray()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, server = self.listener.accept()[0], socket.socket(socket.AF_UNIX)
                self.ends += [client, server]
                server.connect(self.target)
                self.threads += [threading.Thread(target=self.hand_on, args=way, daemon=True)
                                 for way in ((client, server), (server, client, self.said))]
                for thread in self.threads[-2:]:
                    thread.start()

    @staticmethod
    def hand_on(source, sink, said=None):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if said is not None:
                    said += data
                sink.sendall(data)

    def wait_for_end(self):
        """Until the provider has closed its connections, and all that it has said is read."""
        for thread in self.threads[1::2]:
            thread.join(60)

    def frames(self):
        """The provider's HTTP/2 frames, without TLS: (type, flags, payload)."""
        at = 0
        while at < len(self.said):
            size = int.from_bytes(self.said[at:at + 3])
            yield self.said[at + 3], self.said[at + 4], bytes(self.said[at + 9:at + 9 + size])
            at += 9 + size

    def cut(self):
        for end in [self.listener, *self.ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        self.directory.cleanup()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def texts(diagnostics):
    return "\n".join(f"{d.summary}: {d.detail}" for d in diagnostics)
