"""The OIDC provider of a platform on AWS: the thumbprint of what the issuer's host really shows, or none where it cannot be reached."""
import base64
import http.server
import socket
import ssl
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes

from conftest import HEAD
from platform_aws import NAME, ground, kube, platform  # noqa: F401
from test_transport import Authority


class Issuer(http.server.ThreadingHTTPServer):
    """A host with a certificate below the authority."""
    daemon_threads = True

    def __init__(self, authority):
        super().__init__(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        self.context = authority.context("127.0.0.1")
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def finish_request(self, request, client_address):
        try:
            self.context.wrap_socket(request, server_side=True).recv(1)
        except (ssl.SSLError, OSError):  # who does not trust it
            pass

    @property
    def url(self):
        return f"https://127.0.0.1:{self.server_address[1]}/id/0123456789ABCDEF"


INSECURE = HEAD + """
provider "llm" {
  aws = {
    insecure = true
  }
}
"""


def directory(path):
    path.mkdir()
    return path


@pytest.fixture
def root(tmp_path):
    return Authority(directory(tmp_path / "root"), "Root")


@pytest.fixture
def authority(root, tmp_path):
    """Two intermediates below a root that nobody shows."""
    upper = Authority(directory(tmp_path / "upper"), "Upper", above=root)
    return Authority(directory(tmp_path / "lower"), "Lower", above=upper)


@pytest.fixture
def issuer(authority):
    with Issuer(authority) as server:
        yield server
        server.shutdown()


def has_issuer(sim, kube, url):  # noqa: F811
    sim.control("cluster_endpoint", {"endpoint": kube.endpoint, "certificateAuthority": base64.b64encode(kube.ca_pem.encode()).decode(), "issuer": url})


def provider_of(cloud):
    iam = cloud.client("iam")
    [arn] = [p["Arn"] for p in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    return arn, iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def created(sim):
    [call] = sim.calls("CreateOpenIDConnectProvider")
    return call["params"]


def test_thumbprint_of_the_chain(ground, sim, cloud, kube, root, authority, issuer):  # noqa: F811
    has_issuer(sim, kube, issuer.url)
    ground.env["AWS_CA_BUNDLE"] = str(root.bundle)
    ground.write(platform())
    ground.apply_ok()
    top = authority.shown[-1].fingerprint(hashes.SHA1()).hex()
    arn, seen = provider_of(cloud)
    assert seen["ThumbprintList"] == [top] and issuer.url.endswith(seen["Url"])
    ground.no_difference()
    (ground.directory / "terraform.tfstate").unlink()
    ground.ok("import", "-no-color", "llm_platform_cluster.p", f"aws/us-east-1/{NAME}")
    ground.no_difference()
    # Whoever sets another one, as AWS itself may, has it.
    cloud.client("iam").update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["ab" * 20])
    ground.no_difference()
    ground.apply_ok()
    ground.no_difference()
    assert provider_of(cloud)[1]["ThumbprintList"] == ["ab" * 20]
    assert ground.destroy().status == 0
    assert cloud.owned() == []


def test_a_chain_that_is_not_trusted_is_not_handed_on(ground, sim, cloud, kube, issuer):  # noqa: F811
    has_issuer(sim, kube, issuer.url)
    ground.write(platform(), head=INSECURE)
    assert "IAM obtains the thumbprint" in ground.apply_ok(TF_LOG_PROVIDER="WARN").output
    assert "ThumbprintList" not in created(sim)
    ground.no_difference()
    assert ground.destroy().status == 0


class Mute:
    """Takes connections and says nothing; how long each was held by the other side."""

    def __init__(self):
        self.listener, self.held = socket.create_server(("127.0.0.1", 0)), []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            since = time.monotonic()
            while connection.recv(4096):
                pass
            self.held.append(time.monotonic() - since)
            connection.close()


def test_an_issuer_that_keeps_silent_holds_nothing_up(ground, sim, cloud, kube):  # noqa: F811
    mute = Mute()
    has_issuer(sim, kube, "https://127.0.0.1:%d/id/0123456789ABCDEF" % mute.listener.getsockname()[1])
    ground.write(platform())
    ground.apply_ok()
    mute.listener.close()
    [held] = mute.held
    assert held < 4
    assert "ThumbprintList" not in created(sim)
    ground.no_difference()
    assert ground.destroy().status == 0


def test_a_quota_is_said_as_of_any_object(ground, sim, cloud, kube):  # noqa: F811
    sim.fail("CreateOpenIDConnectProvider", "LimitExceeded", "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100", status=409)
    ground.write(platform())
    failed = ground.apply()
    assert failed.status == 1, failed.output
    assert "OpenIdConnectProvidersPerAccount: 100" in failed.text and "OIDC provider" in failed.text and "memory" not in failed.text, failed.output
    ground.apply_ok()
    ground.no_difference()
    assert ground.destroy().status == 0
    assert cloud.owned() == []
