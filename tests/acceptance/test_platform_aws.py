"""llm_platform_cluster on AWS with a real core: the simulated cloud, and behind its cluster a real API server that lets in whom the cloud knows."""
import base64
import collections
import json

import pytest

from conftest import CORES, Core, aws_settings
from tests.kube.cluster import Cluster, Refused

NAME = "llmplatform-dev"


@pytest.fixture(scope="module")
def kube(shared_simulator):
    """A control plane that asks the simulated cloud about tokens, and what controllers do in a cluster."""
    def authenticate(token):
        seen = shared_simulator.control(f"cluster_token?token={token}&cluster={NAME}")
        return (seen["arn"], ["system:masters"]) if seen["valid"] else None

    with Cluster(authenticate=authenticate) as cluster, cluster.controllers():
        yield cluster


@pytest.fixture
def ground(kube, sim, tmp_path, cloud):
    sim.control("cluster_endpoint", {"endpoint": kube.endpoint, "certificateAuthority": base64.b64encode(kube.ca_pem.encode()).decode()})
    yield Core(CORES[sorted(CORES)[-1]], tmp_path, aws_settings(sim.endpoint))


def platform(body="", name=NAME):
    return f'resource "llm_platform_cluster" "p" {{\n  name  = "{name}"\n  cloud = "aws"\n  deletion_protection = false\n{body}\n}}\n'


def kinds(cloud):
    return collections.Counter(kind for kind, _, _ in cloud.owned())


def test_two_lines(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    print(kinds(cloud))
    ground.no_difference()
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []
