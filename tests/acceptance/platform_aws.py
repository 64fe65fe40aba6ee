"""What tests of llm_platform_cluster on AWS share: the simulated cloud, behind its cluster a real API server that lets in whom the cloud knows,
configurations, and what a cluster leaves."""
import base64
import collections
import json
import time

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
    clear(kube)


def clear(kube):
    """What a test that failed has left in the cluster that all share."""
    left = [f"/api/v1/namespaces/{n}" for n in names(kube, "/api/v1/namespaces") if n != "default" and not n.startswith("kube-")]
    for path in [*left, "/api/v1/namespaces/kube-system/configmaps/llm-platform-cluster", "/apis/apps/v1/namespaces/kube-system/daemonsets/nvidia-device-plugin"]:
        try:
            kube.request("DELETE", path)
        except Refused as why:
            assert why.status in (404, 409), why
    until = time.monotonic() + 10
    while set(left) & {f"/api/v1/namespaces/{n}" for n in names(kube, "/api/v1/namespaces")} and time.monotonic() < until:
        time.sleep(0.1)


def platform(name=NAME, **attributes):
    settings = {"name": name, "cloud": "aws", "deletion_protection": False, **attributes}
    return 'resource "llm_platform_cluster" "p" {\n' + "".join(f"  {k} = {json.dumps(v)}\n" for k, v in settings.items()) + "}\n"


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
SMALL = {"node_pools": {"general": {"min": 1, "max": 3, "desired": 2}}, "registries": {"names": ["gateway"]},
         "namespaces": {"quant": namespace("team", 8, 16, 15, LOG_LEVEL="INFO")}, "workloads": {"quant-api": workload("quant", "quant-*")}}


def changed(base, **paths):
    """A copy of a configuration with other values: node_pools__general__max=5; None takes one away."""
    new = json.loads(json.dumps(base))
    for path, value in paths.items():
        *parents, last = path.split("__")
        at = new
        for name in parents:
            at = at.setdefault(name, {})
        at[last] = value
        if value is None:
            del at[last]
    return new


def writes(sim, since):
    return [c["operation"] for c in sim.calls()[since:] if not c["operation"].startswith(("Describe", "Get", "List"))]


def apply_change(ground, sim, config):
    ground.write(platform(**config))
    plan = ground.plan()
    assert plan.status == 0 and "will be updated in-place" in plan.output, plan.output
    since = len(sim.calls())
    ground.apply_ok()
    done = writes(sim, since)
    ground.no_difference()
    return plan, done


def kinds(cloud):
    return collections.Counter(kind for kind, _, _ in cloud.owned())


def names(kube, path):
    return [item["metadata"]["name"] for item in kube.get(path)["items"]]


def tags_of(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


def pools(eks):
    return {n.rpartition("-")[0]: eks.describe_nodegroup(clusterName=NAME, nodegroupName=n)["nodegroup"]
            for n in eks.list_nodegroups(clusterName=NAME)["nodegroups"]}


class Leftovers:
    """What controllers make in a cluster's network."""

    def __init__(self, cloud):
        self.cloud, self.ec2, self.elb = cloud, cloud.client("ec2"), cloud.client("elbv2")
        [vpc] = [v for v in self.ec2.describe_vpcs()["Vpcs"] if tags_of(v).get("llm:component") == "vpc"]
        self.vpc = vpc["VpcId"]
        self.subnets = {tags_of(s)["llm:component"]: s["SubnetId"] for s in self.ec2.describe_subnets()["Subnets"] if "llm:component" in tags_of(s)}

    def interface(self, **tags):
        made = self.ec2.create_network_interface(SubnetId=self.subnets["subnet.private-a"], Description="aws-K8S-i-0123")["NetworkInterface"]["NetworkInterfaceId"]
        if tags:
            self.ec2.create_tags(Resources=[made], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return made

    def group(self, name, **tags):
        made = self.ec2.create_security_group(GroupName=name, Description="of a load balancer", VpcId=self.vpc)["GroupId"]
        if tags:
            self.ec2.create_tags(Resources=[made], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return made

    def balancer(self, name, group, **tags):
        pairs = [{"Key": k, "Value": v} for k, v in tags.items()]
        subnets = [self.subnets[f"subnet.public-{z}"] for z in "ab"]
        made = self.elb.create_load_balancer(Name=name, Subnets=subnets, SecurityGroups=[group], Tags=pairs)["LoadBalancers"][0]["LoadBalancerArn"]
        self.elb.create_target_group(Name=f"{name}-pods", Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType="ip", Tags=pairs)
        return made

    def classic(self, name, group, **tags):
        self.cloud.client("elb").create_load_balancer(
            LoadBalancerName=name, Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}], Subnets=[self.subnets["subnet.public-a"]],
            SecurityGroups=[group], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])


OURS = {"elbv2.k8s.aws/cluster": NAME}


def volume(cloud, claim, cluster=NAME, size=10):
    namespace, _, name = claim.partition("/")
    tags = {f"kubernetes.io/cluster/{cluster}": "owned", "ebs.csi.aws.com/cluster": "true", "CSIVolumeName": f"pvc-{name}",
            "kubernetes.io/created-for/pvc/name": name, "kubernetes.io/created-for/pvc/namespace": namespace}
    return cloud.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=size, TagSpecifications=[
        {"ResourceType": "volume", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}])["VolumeId"]
