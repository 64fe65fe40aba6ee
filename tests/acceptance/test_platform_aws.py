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


def platform(name=NAME, **attributes):
    settings = {"name": name, "cloud": "aws", "deletion_protection": False, **attributes}
    return 'resource "llm_platform_cluster" "p" {\n' + "".join(f"  {k} = {json.dumps(v)}\n" for k, v in settings.items()) + "}\n"


def kinds(cloud):
    return collections.Counter(kind for kind, _, _ in cloud.owned())


def namespace(tier, cpu, memory, pods, **config):
    return {"labels": {"tier": tier}, "annotations": {"description": f"{tier} namespace"},
            "quota": {"requests.cpu": str(cpu), "requests.memory": f"{memory}Gi", "limits.cpu": str(2 * cpu), "limits.memory": f"{2 * memory}Gi",
                      "pods": str(pods)},
            "limit_range": {"default_cpu": "500m", "default_memory": "512Mi", "default_request_cpu": "100m", "default_request_memory": "128Mi",
                            "max_cpu": "2", "max_memory": "4Gi", "min_cpu": "50m", "min_memory": "64Mi"},
            **({"config": config} if config else {})}


def workload(team, *endpoints):
    return {"namespace": team, "metrics": True, **({"invoke_endpoints": list(endpoints)} if endpoints else {})}


# The requirement's development environment.
DEV = {
    "network": {"cidr": "10.0.0.0/16", "zones": 3, "nat": "single"},
    "node_pools": {"general": {"machine_types": ["m6i.large", "m5.large"], "min": 1, "max": 3, "desired": 2},
                   "gpu": {"machine_types": ["g5.xlarge"], "gpu": True, "provisioning": "spot", "min": 0, "max": 2}},
    "registries": {"names": ["gateway", "quant-api", "finetune-api", "eval-api", "grafana-plugin"]},
    "namespaces": {"platform": namespace("platform", 4, 8, 20, AWS_REGION="us-east-1", LOG_LEVEL="INFO"),
                   "quant": namespace("team", 8, 16, 15, SAGEMAKER_ENDPOINT="quant-endpoint"),
                   "finetune": namespace("team", 4, 8, 10, SAGEMAKER_ENDPOINT="finetune-endpoint"),
                   "eval": namespace("team", 4, 8, 10, SAGEMAKER_ENDPOINT="eval-endpoint"), "observability": namespace("platform", 8, 16, 30)},
    "workloads": {"gateway": workload("platform"), "quant-api": workload("quant", "quant-*"), "finetune-api": workload("finetune", "finetune-*"),
                  "eval-api": workload("eval", "eval-*")},
    "observability": {"retention_days": 30, "alarms": {"actions": ["arn:aws:sns:us-east-1:123456789012:oncall"]}},
    "tags": {"Project": "llmplatform", "Environment": "dev"},
}


def test_two_lines(ground, sim, cloud, kube):
    ground.write(platform())
    ground.apply_ok()
    ground.no_difference()
    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []


def test_development(ground, sim, cloud, kube):
    ground.write(platform(**DEV))
    ground.apply_ok()
    first = len(sim.calls())
    sim.control("calls", method="DELETE")
    ground.no_difference()

    destroyed = ground.destroy()
    assert destroyed.status == 0, destroyed.output
    assert cloud.owned() == []

