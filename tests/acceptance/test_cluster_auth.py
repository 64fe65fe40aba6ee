"""llm_cluster_auth: its token lets in where it should, and nowhere else; a real API server asks the simulated cloud about it, as managed clusters do."""
import base64
import datetime
import json
import ssl
import time
import types
import urllib.error
import urllib.request

import pytest

from conftest import aws_settings, gcp_settings
from tests.kube.cluster import Cluster
from tests.protocol.plugin import Plugin, dynamic, message, null_block, texts, value_of
from tests.secrets.canary import unpacked
from tests.sim import test_gcp_platform, test_sim_eks

ADMINS = ["system:masters"]


@pytest.fixture(scope="module")
def kube():
    """Whom it lets in, a test says: kube.authenticate = …"""
    with Cluster(authenticate=lambda token: None) as cluster:
        yield cluster


@pytest.fixture
def eks(kube, sim, cloud):
    sim.control("cluster_endpoint", {"endpoint": kube.endpoint, "certificateAuthority": base64.b64encode(kube.ca_pem.encode()).decode()})

    def authenticate(token):
        seen = sim.control(f"cluster_token?token={token}&cluster=c")
        return (seen["arn"], ADMINS) if seen["valid"] else None

    kube.authenticate = authenticate
    return test_sim_eks.Platform(cloud)


@pytest.fixture
def gke(kube, gcp_sim, gcp_cloud):
    gcp_sim.control("cluster_endpoint", {"endpoint": kube.endpoint.removeprefix("https://"), "clusterCaCertificate": base64.b64encode(kube.ca_pem.encode()).decode()})
    kube.authenticate = lambda token: ("sa@test-project", ADMINS) if token == "test" else None
    platform = test_gcp_platform.Platform(types.SimpleNamespace(cloud=lambda: gcp_cloud))
    platform.done(platform.clusters.create(parent=test_gcp_platform.PARENT, body=platform.body()))
    return platform


class Auth:
    """The provider, and the ephemeral resource's calls."""

    def __init__(self, settings):
        self.plugin = Plugin(env={"TF_LOG": "TRACE", **settings})
        self.block = self.plugin.schema().ephemeral_resource_schemas["llm_cluster_auth"].block
        assert not self.plugin.configure().diagnostics

    def config(self, given):
        return {"type_name": "llm_cluster_auth", "config": dynamic(null_block(self.block, **given))}

    def open(self, **given):
        return self.plugin.call("OpenEphemeralResource", self.config(given), timeout=60)

    def ok(self, **given):
        answer = self.open(**given)
        assert not answer.diagnostics, texts(answer.diagnostics)
        assert not answer.HasField("renew_at")
        return value_of(answer.result)

    def refused(self, *says, at=None, **given):
        answer = self.open(**given)
        for part in says:
            assert part in texts(answer.diagnostics), texts(answer.diagnostics)
        assert not answer.result.msgpack
        if at:
            assert answer.diagnostics[0].attribute.steps[0].attribute_name == at


@pytest.fixture
def auth():
    made = []

    def start(settings):
        made.append(Auth(settings))
        return made[-1]

    yield start
    for one in made:
        one.plugin.stop()


def get(found, path="/api/v1/namespaces/default"):
    """(status, answer) of the cluster to who has nothing but what the resource gave."""
    request = urllib.request.Request(found["endpoint"] + path, headers={"Authorization": f"Bearer {found['token']}"})
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cadata=found["ca_certificate"])) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as why:
        return why.code, None


def test_a_token_of_eks_lets_in(eks, cloud, kube, auth):
    a = auth(aws_settings(eks.front.endpoint))
    found = a.ok(cloud="aws", name="c")
    assert found["token"].startswith("k8s-aws-v1.") and found["endpoint"] == kube.endpoint and found["ca_certificate"] == kube.ca_pem
    assert found["region"] == "us-east-1" and found["location"] is None
    status, namespace = get(found)
    assert status == 200 and namespace["metadata"]["name"] == "default"
    ends = datetime.datetime.strptime(found["expires_at"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    assert 13 * 60 < ends - time.time() <= 14 * 60
    eks.create(name="another")
    assert get({**found, "token": a.ok(cloud="aws", name="another")["token"]})[0] == 401
    assert "GetCallerIdentity" in a.plugin.log()
    assert found["token"] not in a.plugin.log() and base64.urlsafe_b64decode(found["token"][11:] + "===").decode() not in a.plugin.log()


def test_a_token_of_gke_lets_in(gke, kube, auth, gcp_sim):
    a = auth(gcp_settings(gcp_sim.endpoint))
    found = a.ok(cloud="gcp", name="c")
    assert found["endpoint"] == kube.endpoint and found["ca_certificate"] == kube.ca_pem and found["expires_at"] is None
    assert found["region"] == found["location"] == "us-central1"
    assert get(found)[0] == 200
    a.refused('no GKE cluster "c" in us-central1-b of test-project', at="name", cloud="gcp", name="c", location="us-central1-b")
    assert get({**found, "token": "other"})[0] == 401


def test_a_cluster_that_is_not_there_or_not_ready(eks, sim, auth):
    a = auth(aws_settings(sim.endpoint))
    a.refused("Cluster not found", 'no EKS cluster "gone" in us-east-1', at="name", cloud="aws", name="gone")
    a.refused("Cluster not found", "in eu-west-1", at="name", cloud="aws", name="c", region="eu-west-1")
    sim.control("settle", {"CreateCluster": 60, "UpdateClusterConfig": 60})
    eks.create(name="young")
    a.refused("not ready", "CREATING", at="name", cloud="aws", name="young")
    eks.eks.update_cluster_config(name="c", logging={"clusterLogging": [{"types": ["api"], "enabled": True}]})
    assert eks.eks.describe_cluster(name="c")["cluster"]["status"] == "UPDATING"
    assert get(a.ok(cloud="aws", name="c"))[0] == 200, "a cluster that is updated answers"


def test_a_cluster_that_is_being_made_on_google_cloud(gke, gcp_sim, auth):
    gcp_sim.control("settle", {"container.projects.locations.clusters.create": 60})
    gke.clusters.create(parent=test_gcp_platform.PARENT, body=gke.body(name="young")).execute()
    auth(gcp_settings(gcp_sim.endpoint)).refused("not ready", "PROVISIONING", at="name", cloud="gcp", name="young")


def test_without_credentials_or_permission(eks, sim, auth):
    settings = {k: v for k, v in aws_settings(sim.endpoint).items() if k not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    auth(settings).refused("credentials", cloud="aws", name="c")
    auth({k: v for k, v in aws_settings(sim.endpoint).items() if k != "AWS_REGION"}).refused("No region", at="region", cloud="aws", name="c")
    sim.fail("DescribeCluster", "AccessDeniedException", "not authorized to perform: eks:DescribeCluster", status=403)
    auth(aws_settings(sim.endpoint)).refused("eks:DescribeCluster", cloud="aws", name="c")


def test_what_is_checked_before(sim, auth):
    a = auth(aws_settings(sim.endpoint))
    for given, says, at in (({"cloud": "aws", "name": "c", "location": "us-east-1a"}, "`location` is for Google Cloud", "location"),
                            ({"cloud": "azure", "name": "c"}, "aws", "cloud"), ({"cloud": "aws", "name": "a/b"}, "letters, digits", "name")):
        answer = a.plugin.call("ValidateEphemeralResourceConfig", a.config(given))
        assert says in texts(answer.diagnostics) and answer.diagnostics[0].attribute.steps[0].attribute_name == at, texts(answer.diagnostics)
        a.refused(says, at=at, **given)
    assert sim.calls() == []


def test_renewing_and_closing(sim, auth):
    a = auth(aws_settings(sim.endpoint))
    renewed = a.plugin.call("RenewEphemeralResource", message("tfplugin6.RenewEphemeralResource.Request")(type_name="llm_cluster_auth", private=b"x"))
    assert not renewed.diagnostics and not renewed.HasField("renew_at") and renewed.private == b"x"
    assert not a.plugin.call("CloseEphemeralResource", {"type_name": "llm_cluster_auth"}).diagnostics


def test_a_core_opens_it_and_stores_nothing(eks, sim, core):
    core.write("""
ephemeral "llm_cluster_auth" "c" {
  cloud = "aws"
  name  = "c"
  lifecycle {
    postcondition {
      condition     = length(self.token) > 300 && startswith(self.endpoint, "https://127.0.0.1:") && self.expires_at != null
      error_message = "It is not complete."
    }
  }
}
output "made" {
  value = "yes"
}
""")
    core.ok("plan", "-no-color", "-input=false", "-out=saved.tfplan")
    assert sim.calls("DescribeCluster")
    core.ok("apply", "-no-color", "-input=false", "saved.tfplan")
    assert core.outputs() == {"made": "yes"}
    stored = [piece for file in ("saved.tfplan", "terraform.tfstate") for piece in unpacked((core.directory / file).read_bytes(), file)]
    assert any(b"llm_cluster_auth" in data for _, data in stored) and not [name for name, data in stored if b"k8s-aws-v1" in data]
