"""Between the provider and the cloud: proxies, private certificate authorities, and the endpoints of partitions, FIPS and dual
stack. A proxy stands in for the whole internet: it says whom it was asked for, and hands everything to the simulator."""
import datetime
import http.client
import http.server
import ipaddress
import pathlib
import socket
import ssl
import sys
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.protocol import plugin as p  # noqa: E402

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
TODAY = datetime.datetime.now(datetime.timezone.utc)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    """A certificate authority of our own, and its certificates; with another one above it, it is an intermediate."""

    def __init__(self, directory, name="Test CA", above=None):
        self.directory, self.key = directory, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = (above or self).sign(self.name, self.key.public_key(), [(x509.BasicConstraints(ca=True, path_length=None), True)])
        self.shown = [self.certificate, *above.shown] if above else []  # by servers, behind their own certificate
        self.bundle = directory / "ca.pem"
        self.bundle.write_bytes(pem(self.certificate))

    def sign(self, subject, key, extensions, ends=TODAY + datetime.timedelta(days=1)):
        made = x509.CertificateBuilder(subject_name=subject, issuer_name=self.name, public_key=key, serial_number=x509.random_serial_number(),
                                       not_valid_before=TODAY - datetime.timedelta(days=9), not_valid_after=ends)
        for extension, critical in extensions:
            made = made.add_extension(extension, critical)
        return made.sign(self.key, hashes.SHA256())

    def context(self, host, **options):
        """A server's TLS context with a certificate for the host."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        certificate = self.sign(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:64])]), key.public_key(),
                                [(x509.SubjectAlternativeName([name]), False)], **options)
        path = self.directory / "leaf.pem"
        path.write_bytes(pem(certificate) + b"".join(map(pem, self.shown)) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


class Middle(http.server.BaseHTTPRequestHandler):
    """Takes requests in absolute form, by CONNECT, or as a server, and asks the simulator."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.server.asked.append(("CONNECT", self.path))
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = self.server.authority.context(self.path.rpartition(":")[0]).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

    def do_POST(self):
        if self.server.moved:
            self.send_response(301)
            self.send_header("Location", self.server.moved)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.server.asked.append((self.command, self.path, self.headers["Host"]))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.port)
        path = "/" + self.path.partition("://")[2].partition("/")[2] if "://" in self.path else self.path
        upstream.request("POST", path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("proxy-connection", "proxy-authorization")})
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, authority, context=None):
        super().__init__(("127.0.0.1", 0), Middle)
        self.port, self.authority, self.context, self.asked, self.moved = port, authority, context, [], None
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        return (self.context.wrap_socket(connection, server_side=True) if self.context else connection), address

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def serve(sim, authority):
    made = []

    def one(context=None):
        made.append(Server(sim.port, authority, context))
        return made[-1]
    yield one
    for server in made:
        server.shutdown()
        server.server_close()


def offers(region="us-east-1", env=None, **aws):
    """Errors (or none) and the answer of a data source that asks EC2 once."""
    with p.Plugin(env={**KEYS, **(env or {})}) as provider:
        schema = provider.schema()
        configured = provider.call("ConfigureProvider", {"config": p.dynamic(p.filled(schema.provider.block, {"aws": {"max_retries": 0, **aws}})),
                                                         "terraform_version": "1.12.6"})
        assert not configured.diagnostics, p.texts(configured.diagnostics)
        config = p.filled(schema.data_source_schemas["llm_gpu_offers"].block, {"models": ["llama3.1:8b"], "region": region, "cloud": "aws"})
        answer = provider.call("ReadDataSource", {"type_name": "llm_gpu_offers", "config": p.dynamic(config)}, timeout=60)
        return p.texts(answer.diagnostics), answer


def test_http_proxy(serve):
    proxy = serve()
    errors, _ = offers(http_proxy=f"http://{proxy.address}", endpoints={"ec2": "http://ec2.cloud.invalid"})
    assert not errors
    assert proxy.asked[0][:2] == ("POST", "http://ec2.cloud.invalid/")


def test_proxy_of_the_environment(serve):
    proxy = serve()
    errors, _ = offers(env={"http_proxy": f"http://{proxy.address}"}, endpoints={"ec2": "http://ec2.cloud.invalid"})
    assert not errors and proxy.asked


def test_no_proxy(serve, sim):
    proxy = serve()
    errors, _ = offers(http_proxy=f"http://{proxy.address}", no_proxy="127.0.0.1,example.com", endpoints={"ec2": sim.endpoint})
    assert not errors and not proxy.asked


def test_proxy_that_is_not_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    errors, _ = offers(http_proxy=f"http://127.0.0.1:{port}", endpoints={"ec2": "http://ec2.cloud.invalid"})
    assert errors


def test_https_proxy_and_private_authority(serve, authority):
    proxy = serve()
    errors, _ = offers(https_proxy=f"http://{proxy.address}", custom_ca_bundle=str(authority.bundle))
    assert not errors
    assert proxy.asked[0] == ("CONNECT", "ec2.us-east-1.amazonaws.com:443")
    assert proxy.asked[1] == ("POST", "/", "ec2.us-east-1.amazonaws.com")


@pytest.mark.parametrize("region,settings,host", [
    ("us-east-1", {"use_fips_endpoint": True}, "ec2-fips.us-east-1.amazonaws.com"),
    ("us-east-1", {"use_dualstack_endpoint": True}, "ec2.us-east-1.api.aws"),
    ("us-gov-west-1", {}, "ec2.us-gov-west-1.amazonaws.com"),
    ("cn-north-1", {}, "ec2.cn-north-1.amazonaws.com.cn"),
    ("eu-central-1", {}, "ec2.eu-central-1.amazonaws.com"),
])
def test_endpoints(serve, authority, region, settings, host):
    proxy = serve()
    offers(region, https_proxy=f"http://{proxy.address}", custom_ca_bundle=str(authority.bundle), **settings)
    assert proxy.asked and proxy.asked[0] == ("CONNECT", f"{host}:443")


@pytest.mark.parametrize("settings,host", [
    ({"sts_region": "eu-west-1"}, "sts.eu-west-1.amazonaws.com"),
    ({}, "sts.us-east-1.amazonaws.com"),
    ({"sts_regional_endpoints": "legacy"}, "sts.amazonaws.com"),
])
def test_sts_endpoints(serve, authority, settings, host):
    proxy = serve()
    errors, _ = offers(https_proxy=f"http://{proxy.address}", custom_ca_bundle=str(authority.bundle),
                       assume_role=[p_assume("arn:aws:iam::123456789012:role/any")], **settings)
    assert proxy.asked[0] == ("CONNECT", f"{host}:443"), errors


def p_assume(role):
    return {"role_arn": role, "session_name": None, "external_id": None, "duration": None, "policy": None, "policy_arns": None, "source_identity": None,
            "tags": None, "transitive_tag_keys": None}


def test_tls(serve, authority):
    server = serve(authority.context("127.0.0.1"))
    errors, _ = offers(endpoints={"ec2": f"https://{server.address}"}, custom_ca_bundle=str(authority.bundle))
    assert not errors


def test_ca_bundle_of_the_environment(serve, authority):
    server = serve(authority.context("127.0.0.1"))
    errors, _ = offers(endpoints={"ec2": f"https://{server.address}"}, env={"AWS_CA_BUNDLE": str(authority.bundle)})
    assert not errors


def test_unknown_authority(serve, authority):
    server = serve(authority.context("127.0.0.1"))
    errors, _ = offers(endpoints={"ec2": f"https://{server.address}"})
    assert "certificate" in errors.lower() and not server.asked


def test_wrong_host_name(serve, authority):
    server = serve(authority.context("elsewhere.example"))
    errors, _ = offers(endpoints={"ec2": f"https://{server.address}"}, custom_ca_bundle=str(authority.bundle))
    assert "127.0.0.1" in errors and not server.asked


def test_expired_certificate(serve, authority):
    server = serve(authority.context("127.0.0.1", ends=TODAY - datetime.timedelta(days=1)))
    errors, _ = offers(endpoints={"ec2": f"https://{server.address}"}, custom_ca_bundle=str(authority.bundle))
    assert "expired" in errors and not server.asked


def test_insecure(serve, authority):
    server = serve(authority.context("elsewhere.example"))
    errors, _ = offers(endpoints={"ec2": f"https://{server.address}"}, insecure=True)
    assert not errors


def test_ca_bundle_that_is_not_there(serve, authority):
    server = serve(authority.context("127.0.0.1"))
    errors, _ = offers(endpoints={"ec2": f"https://{server.address}"}, custom_ca_bundle=str(authority.directory / "none.pem"))
    assert "none.pem" in errors and not server.asked


def test_redirects_are_not_followed(serve):
    """A signed request goes to nobody but the endpoint."""
    elsewhere, server = serve(), serve()
    server.moved = f"http://{elsewhere.address}/"
    errors, _ = offers(endpoints={"ec2": f"http://{server.address}"})
    assert "301" in errors and not elsewhere.asked
