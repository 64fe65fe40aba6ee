"""TLS with Google Cloud, tried by servers that lie; AWS has the same in tests/acceptance/test_transport.py. And proxies that fail: their password is
in no message."""
import http.client
import json

import pytest

from tests.acceptance.test_transport import TODAY, Authority, Middle, Server, datetime
from tests.protocol import plugin as p
from tests.secrets.canary import Marker, leaks

SERVICES = {"compute": "compute", "iam": "iam", "resource_manager": "cloudresourcemanager", "secret_manager": "secretmanager", "logging": "logging",
            "service_usage": "serviceusage"}


class Front(Middle):
    """A server in front of the simulator (or a proxy, by CONNECT), which keeps who asked with what token."""

    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, self.headers["Host"], self.headers.get("Authorization")))
        if self.server.moved:
            self.send_response(self.server.moved_with)
            self.send_header("Location", self.server.moved + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.port)
        path = "/" + self.path.partition("://")[2].partition("/")[2] if "://" in self.path else self.path
        upstream.request(self.command, path, body or None, {k: v for k, v in self.headers.items() if k.lower() not in ("proxy-connection", "connection")})
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_GET = do_POST = any


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def serve(gcp_sim, authority):
    made = []

    def one(context=None):
        made.append(Server(gcp_sim.port, authority, context))
        made[-1].RequestHandlerClass, made[-1].moved_with = Front, 302
        return made[-1]
    yield one
    for server in made:
        server.shutdown()
        server.server_close()


@pytest.fixture
def token(gcp_sim):
    marker = Marker("access token", "ya29.")
    gcp_sim.control("tokens", {marker.value: {"identity": "ci@example.com", "owner": True}})
    return marker


@pytest.fixture
def offers(token, tmp_path):
    """Errors (or none) of a data source that asks Compute Engine, which never have the token."""
    def ask(env=None, cloud="gcp", **block):
        given = {"project": "test-project", "access_token": token.value, "max_retries": 0, **block} if cloud == "gcp" else {"max_retries": 0, **block}
        with p.Plugin(env={"HOME": str(tmp_path), "TF_LOG_PROVIDER": "TRACE", "GCE_METADATA_HOST": "127.0.0.1:9", **(env or {})}) as provider:
            schema = provider.schema()
            configured = provider.call("ConfigureProvider", {"config": p.dynamic(p.filled(schema.provider.block, {cloud: given})),
                                                             "terraform_version": "1.12.6"})
            assert not configured.diagnostics, p.texts(configured.diagnostics)
            region, machine = {"aws": ("us-east-1", "g5.xlarge"), "gcp": ("us-central1", "g2-standard-8")}[cloud]
            config = p.filled(schema.data_source_schemas["llm_gpu_offers"].block, {"models": ["llama3.1:8b"], "region": region, "cloud": cloud,
                                                                                  "candidates": [machine]})
            answer = provider.call("ReadDataSource", {"type_name": "llm_gpu_offers", "config": p.dynamic(config)}, timeout=60)
            ask.said = p.texts(answer.diagnostics) + provider.log()
            assert leaks([token], ask.said, "a message or the log") == []
            return p.texts(answer.diagnostics)
    return ask


def endpoints(server, scheme="https"):
    return {n: f"{scheme}://{server.address}/{s}/" for n, s in SERVICES.items()}


def test_own_authority(serve, authority, offers, token):
    server = serve(authority.context("127.0.0.1"))
    assert offers(endpoints=endpoints(server), custom_ca_bundle=str(authority.bundle)) == ""
    assert {a[3] for a in server.asked} == {f"Bearer {token.value}"}


def test_unknown_authority(serve, authority, offers):
    """Also one whose certificate is signed by itself: nothing is sent."""
    server = serve(authority.context("127.0.0.1"))
    assert "certificate" in offers(endpoints=endpoints(server)).lower() and not server.asked


def test_certificate_of_another_authority(serve, authority, offers, tmp_path):
    (tmp_path / "other").mkdir()
    server = serve(Authority(tmp_path / "other", "Other CA").context("127.0.0.1"))
    assert "certificate" in offers(endpoints=endpoints(server), custom_ca_bundle=str(authority.bundle)).lower() and not server.asked


def test_wrong_host_name(serve, authority, offers):
    server = serve(authority.context("compute.googleapis.com"))
    assert "127.0.0.1" in offers(endpoints=endpoints(server), custom_ca_bundle=str(authority.bundle)) and not server.asked


def test_expired_certificate(serve, authority, offers):
    server = serve(authority.context("127.0.0.1", ends=TODAY - datetime.timedelta(days=1)))
    assert "expired" in offers(endpoints=endpoints(server), custom_ca_bundle=str(authority.bundle)) and not server.asked


def test_insecure_is_asked_for(serve, authority, offers):
    server = serve(authority.context("elsewhere.example"))
    assert offers(endpoints=endpoints(server), insecure=True) == "" and server.asked
    again = serve(authority.context("elsewhere.example"))
    assert offers(endpoints=endpoints(again), insecure=False) and not again.asked


def test_ca_bundle_that_is_not_there(serve, authority, offers):
    server = serve(authority.context("127.0.0.1"))
    assert "none.pem" in offers(endpoints=endpoints(server), custom_ca_bundle=str(authority.directory / "none.pem")) and not server.asked


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(serve, offers, status):
    elsewhere, server = serve(), serve()
    server.moved, server.moved_with = f"http://{elsewhere.address}", status
    assert str(status) in offers(endpoints=endpoints(server, "http")) and server.asked and not elsewhere.asked


def test_tls_is_the_rule(serve, authority, offers):
    """Without endpoints all that leaves is TLS: the proxy sees a name, and the certificate is checked behind it."""
    proxy = serve()
    assert offers(https_proxy=f"http://{proxy.address}", custom_ca_bundle=str(authority.bundle)) == ""
    assert proxy.asked[0] == ("CONNECT", "compute.googleapis.com:443")
    assert {a[2] for a in proxy.asked if a[0] != "CONNECT"} == {"compute.googleapis.com"}
    liar = serve()
    assert "certificate" in offers(https_proxy=f"http://{liar.address}").lower()
    assert {a[0] for a in liar.asked} == {"CONNECT"}


def test_plain_http_is_not_spoken_to_a_tls_port(serve, authority, offers):
    """An endpoint that says http is what its user asked for; one that says https never falls back."""
    server = serve()
    assert offers(endpoints=endpoints(server, "http")) == "" and server.asked
    plain = serve()
    assert offers(endpoints=endpoints(plain, "https"), insecure=True) and not plain.asked


@pytest.mark.parametrize("server", ["token_uri", "redirected"])
def test_token_servers_too(serve, authority, offers, gcp_sim, server):
    """A key's token server is checked as any other; where it points elsewhere, nothing goes there."""
    elsewhere, front = serve(), serve(authority.context("elsewhere.example") if server == "token_uri" else None)
    front.moved = f"http://{elsewhere.address}"
    document = {**gcp_sim.control("keys", {"email": "ci@test-project.iam.gserviceaccount.com"}),
                "token_uri": f"{'https' if server == 'token_uri' else 'http'}://{front.address}/token"}
    assert offers(endpoints=endpoints(serve(), "http"), access_token=None, credentials=json.dumps(document), custom_ca_bundle=str(authority.bundle))
    assert not elsewhere.asked
    assert len(front.asked) == (server == "redirected")


# ---- proxies that fail ----


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
@pytest.mark.parametrize("url", ["http://user:{}@127.0.0.1:1", "http://user:{}@no-such-host.invalid:3128", "http://user:{}@127.0.0.1:999999",
                                 "http://user:{}@[::1", "gopher://user:{}@127.0.0.1:1", "user:{}@127.0.0.1:1", "http://user:{}", "http://user:a b{}@127.0.0.1:1"])
def test_password_of_a_proxy_that_fails(offers, cloud, url):
    password = Marker("proxy password", "pw", "%2F")
    block = {"http_proxy": url.format(password.value)}
    if cloud == "aws":
        block.update(access_key="AKIAEXAMPLE", secret_key="wJalrXUtnFEMI", skip_metadata_api_check=True)
    assert offers(cloud=cloud, **block)
    assert leaks([password], offers.said, "a message or the log") == []


def test_password_of_the_environments_proxy(offers):
    password = Marker("proxy password")
    assert offers(env={"https_proxy": f"http://user:{password.value}@127.0.0.1:999999"})
    assert leaks([password], offers.said, "a message or the log") == []


def test_login_in_an_endpoint(offers):
    """It is not asked for, but what is there is not shown."""
    password = Marker("endpoint password")
    assert offers(env={"GOOGLE_COMPUTE_CUSTOM_ENDPOINT": f"http://user:{password.value}@127.0.0.1:1/compute/v1/"})
    assert leaks([password], offers.said, "a message or the log") == []
