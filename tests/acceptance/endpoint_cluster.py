"""What tests of llm_endpoint in a cluster share: EKS and GKE as the simulators have them, and a real Kubernetes API server behind them; what is
there is asked by kubectl."""
import contextlib
import json
import subprocess
import types

import pytest
from googleapiclient.http import MediaInMemoryUpload

from conftest import CORES, ROOT, Core, aws_settings, gcp_settings
from tests.kube.cluster import Gone
from tests.kube.linked import Linked
from tests.sim import test_gcp_platform, test_sim_eks
from tests.sim.cloud import Cloud
from tests.sim.gcp.client import Cloud as GoogleCloud

REGIONS = {"aws": "us-east-1", "gcp": "us-central1"}
KINDS = ("services", "deployments", "serviceaccounts", "secrets", "persistentvolumeclaims", "networkpolicies", "poddisruptionbudgets", "horizontalpodautoscalers")
APPS, CORE = "/apis/apps/v1/namespaces/eval", "/api/v1/namespaces/eval"
METRICS = {"metrics": {"requests": "requests_per_minute", "gpu": "gpu_percent"}}


@pytest.fixture(scope="module", params=["aws", "gcp"])
def either(request):
    with Linked(request.param) as kube:
        yield kube


@pytest.fixture(scope="module")
def on_eks():
    with Linked("aws") as kube:
        yield kube


class Ground:
    """A core, and a cluster "c" with the namespace "eval"."""

    def __init__(self, directory, kube, sim, settings):
        self.cloud, self.kube, self.sim, self.directory, self.settings = kube.cloud, kube, sim, directory, settings
        self.region = REGIONS[self.cloud]
        kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": "eval"}})
        self.core = self.new_core("first")

    def new_core(self, name):
        directory = self.directory / name
        directory.mkdir()
        return Core(CORES[sorted(CORES)[-1]], directory, self.settings)

    def write(self, core=None, more="", **attributes):
        (core or self.core).write(endpoint(cloud=self.cloud, **attributes) + more)

    def apply(self, **attributes):
        self.write(**attributes)
        with self.kube.controllers():
            return self.core.apply_ok()

    def change(self, **attributes):
        result = self.apply(**attributes)
        self.core.no_difference()
        return result

    def bucket(self, name, *keys):
        """A bucket of the cluster's cloud with these objects."""
        if self.cloud == "aws":
            s3 = Cloud(self.sim.endpoint).client("s3")
            s3.create_bucket(Bucket=name)
            for key in keys:
                s3.put_object(Bucket=name, Key=key, Body=b"x")
            return
        storage = GoogleCloud(self.sim.endpoint).client("storage")
        storage.buckets().insert(project="test-project", body={"name": name}).execute()
        for key in keys:
            storage.objects().insert(bucket=name, name=key, media_body=MediaInMemoryUpload(b"x")).execute()

    def kubectl(self, *arguments):
        command = [str(ROOT / ".cache/bin/kubectl"), "--server", self.kube.endpoint, "--certificate-authority", self.kube.path("ca.pem"),
                   "--token", self.kube.admin, "-n", "eval", *arguments, "-o", "json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)

    def names(self):
        """What is in the namespace: {"services/judge", …}."""
        found = self.kubectl("get", ",".join(KINDS))["items"]
        return {f"{i['kind'].lower()}/{i['metadata']['name']}" for i in found}

    def pod(self, name="judge-main"):
        return self.kubectl("get", "deployment", name)["spec"]["template"]["spec"]

    def server(self, name="judge-main"):
        [server] = self.pod(name)["containers"]
        return server

    def state(self, core=None):
        return (core or self.core).state()["llm_endpoint.e"]

    def destroy(self):
        with self.kube.controllers():
            result = self.core.destroy()
        assert result.status == 0, result.output
        assert self.names() == set()

    def refused(self, *says, **attributes):
        self.write(**attributes)
        result = self.core.plan()
        assert result.status == 1, result.output
        for part in says:
            assert part in result.text, result.output

    def clean(self):
        with contextlib.suppress(Gone):
            self.kube.request("DELETE", "/api/v1/namespaces/eval")
        with contextlib.suppress(Gone):
            while self.kube.get("/api/v1/namespaces/eval"):
                self.kube.finish_deletions()
        assert self.kube.objects() == []


def endpoint(name="judge", cluster=None, **attributes):
    given = {"name": name, "target": "cluster", "model": "llama3.1:8b", "cluster": {"name": "c", "namespace": "eval", **(cluster or {})}, **attributes}
    return 'resource "llm_endpoint" "e" {\n' + "".join(f"  {k} = {json.dumps(v)}\n" for k, v in given.items() if v is not None) + "}\n"


def new_ground(request, tmp_path, kube):
    if kube.cloud == "aws":
        sim, cloud = request.getfixturevalue("sim"), request.getfixturevalue("cloud")
        kube.link(sim)
        test_sim_eks.Platform(cloud)
        return Ground(tmp_path, kube, sim, aws_settings(sim.endpoint))
    sim, cloud = request.getfixturevalue("gcp_sim"), request.getfixturevalue("gcp_cloud")
    kube.link(sim)
    platform = test_gcp_platform.Platform(types.SimpleNamespace(cloud=lambda: cloud))
    platform.done(platform.clusters.create(parent=test_gcp_platform.PARENT, body=platform.body()))
    return Ground(tmp_path, kube, sim, {**gcp_settings(sim.endpoint), **kube.settings})


@pytest.fixture
def both(request, tmp_path, either):
    g = new_ground(request, tmp_path, either)
    yield g
    g.clean()


@pytest.fixture
def ground(request, tmp_path, on_eks):
    g = new_ground(request, tmp_path, on_eks)
    yield g
    g.clean()
