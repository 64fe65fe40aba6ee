"""The data source llm_endpoint: what boto3, Google's client and kubectl have made, read by the real core."""
import json
import time
import types

import pytest

from conftest import CORES, Core, aws_settings, gcp_settings
from tests.kube.linked import Linked
from tests.sim import test_gcp_platform, test_sim_eks
from tests.sim.gcp.client import Cloud as GcpCloud

ACCOUNT = "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/own:1"
PLACE = "projects/test-project/locations/us-central1"
SHOWN = f"projects/{ACCOUNT}/locations/us-central1"


class Reader:
    """A core that reads one endpoint."""

    def __init__(self, core):
        self.core = core

    def write(self, **given):
        lines = "".join(f"  {k} = {json.dumps(v)}\n" for k, v in given.items())
        self.core.write(f'data "llm_endpoint" "e" {{\n{lines}}}\noutput "e" {{\n  value = data.llm_endpoint.e\n}}\n')

    def read(self, **given):
        self.write(**given)
        self.core.apply_ok()
        return self.core.outputs()["e"]

    def refused(self, *says, **given):
        self.write(**given)
        result = self.core.plan()
        assert result.status == 1, result.output
        for part in says:
            assert part in result.text, result.output


@pytest.fixture
def aws(tmp_path, sim):
    return Reader(Core(CORES[sorted(CORES)[-1]], tmp_path, aws_settings(sim.endpoint)))


@pytest.fixture
def gcp(tmp_path, gcp_sim):
    return Reader(Core(CORES[sorted(CORES)[-1]], tmp_path, gcp_settings(gcp_sim.endpoint)))


# ---- SageMaker


class SageMaker:
    """What somebody made with boto3."""

    def __init__(self, cloud):
        self.client = cloud.client("sagemaker")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        self.role = cloud.client("iam").create_role(RoleName="serving", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        ecr = cloud.client("ecr")
        ecr.create_repository(repositoryName="own")
        ecr.put_image(repositoryName="own", imageTag="1", imageManifest=json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}))

    def model(self, name):
        self.client.create_model(ModelName=name, ExecutionRoleArn=self.role, PrimaryContainer={"Image": IMAGE})

    def endpoint(self, name, *variants, **more):
        self.client.create_endpoint_config(EndpointConfigName=f"{name}-1", ProductionVariants=list(variants), **more)
        self.client.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-1", Tags=[{"Key": "team", "Value": "ai"}])


@pytest.fixture
def sagemaker(cloud):
    return SageMaker(cloud)


def variant(name, model, weight, count=1, machine="ml.g5.xlarge"):
    return {"VariantName": name, "ModelName": model, "InstanceType": machine, "InitialInstanceCount": count, "InitialVariantWeight": weight}


def test_sagemaker(aws, sim, sagemaker):
    sagemaker.model("old")
    sagemaker.model("new")
    sagemaker.endpoint("Somebodys-1", variant("a", "old", 3, 2), variant("b", "new", 0.5, 1, "ml.g5.2xlarge"))
    sim.control("calls", method="DELETE")
    found = aws.read(name="Somebodys-1", cloud="aws")
    assert found["region"] == "us-east-1" and found["status"] == "InService" and found["failure_reason"] is None
    assert found["endpoint_name"] == "Somebodys-1" and found["endpoint_arn"] == sagemaker.client.describe_endpoint(EndpointName="Somebodys-1")["EndpointArn"]
    assert found["invoke_url"] == "https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/Somebodys-1/invocations"
    assert found["tags"] == {"team": "ai"} and found["inference_components"] == []
    a, b = found["variants"]["a"], found["variants"]["b"]
    assert (a["weight"], a["instances"], a["desired_instances"], a["machine_type"], a["model"], a["image"]) == (3, 2, 2, "ml.g5.xlarge", "old", IMAGE)
    assert (b["weight"], b["instances"], b["machine_type"], b["model"]) == (0.5, 1, "ml.g5.2xlarge", "new")
    assert {c["operation"] for c in sim.calls()} == {"GetCallerIdentity", "DescribeEndpoint", "DescribeEndpointConfig", "ListTags"}


def test_sagemaker_with_inference_components(aws, sagemaker):
    sagemaker.model("base")
    bare = {"VariantName": "main", "InstanceType": "ml.g5.12xlarge", "InitialInstanceCount": 1}
    sagemaker.endpoint("parts", bare, ExecutionRoleArn=sagemaker.role)
    sagemaker.client.create_inference_component(InferenceComponentName="parts-base", EndpointName="parts", VariantName="main", RuntimeConfig={"CopyCount": 1},
                                                Specification={"ModelName": "base", "ComputeResourceRequirements": {
                                                    "NumberOfAcceleratorDevicesRequired": 4, "MinMemoryRequiredInMb": 1024}})
    found = aws.read(name="parts", cloud="aws")
    assert found["inference_components"] == ["parts-base"] and found["variants"]["main"]["model"] is None
    assert found["variants"]["main"]["machine_type"] == "ml.g5.12xlarge"


def test_sagemaker_whose_configuration_is_gone(aws, sagemaker):
    sagemaker.model("m")
    sagemaker.endpoint("e", variant("a", "m", 1))
    sagemaker.client.delete_endpoint_config(EndpointConfigName="e-1")
    found = aws.read(name="e", cloud="aws")["variants"]["a"]
    assert found["instances"] == 1 and found["machine_type"] is None and found["model"] is None


def test_sagemaker_by_the_resource(aws):
    text = 'resource "llm_endpoint" "e" {\n  name = "quant"\n  cloud = "aws"\n  model = "llama3.1:8b"\n  machine = { type = "ml.g5.xlarge" }\n  tags = { team = "q" }\n}\n'
    text += 'data "llm_endpoint" "e" {\n  name = llm_endpoint.e.endpoint_name\n  cloud = "aws"\n  depends_on = [llm_endpoint.e]\n}\n'
    aws.core.write(text + 'output "e" {\n  value = [llm_endpoint.e, data.llm_endpoint.e]\n  sensitive = true\n}\n')
    aws.core.apply_ok()
    made, found = aws.core.outputs()["e"]
    for name in ("endpoint_name", "endpoint_arn", "invoke_url", "status", "region"):
        assert made[name] == found[name], name
    status = made["variant_status"]["main"]
    assert {k: found["variants"]["main"][k] for k in status} == status
    assert found["tags"].items() >= {"team": "q", "llm:resource": "llm_endpoint/quant"}.items()


def test_sagemaker_refuses(aws, sim, sagemaker):
    aws.refused("Endpoint not found", 'There is no endpoint "gone" in us-east-1 of 123456789012', 'name = "gone"', name="gone", cloud="aws")
    aws.refused("in eu-west-1", name="gone", cloud="aws", region="eu-west-1")
    sim.fail("DescribeEndpoint", "AccessDeniedException", "not authorized to perform: sagemaker:DescribeEndpoint", times=9, status=400)
    aws.refused("Error reading the endpoint", "sagemaker:DescribeEndpoint", name="gone", cloud="aws")


def test_what_is_checked_before(aws, sim):
    for says, given in (("letters, digits and hyphens", {"name": "a/b", "cloud": "aws"}), ("`cluster` goes with", {"name": "a", "cloud": "aws", "cluster": {"name": "c"}}),
                        ("says which one", {"name": "a", "cloud": "aws", "target": "cluster"}), ("gcp", {"name": "a", "cloud": "azure"})):
        aws.refused(says, **given)
    assert sim.calls() == []


# ---- Vertex AI


class Vertex:
    """What somebody made with Google's client."""

    def __init__(self, sim):
        self.cloud = GcpCloud(sim.endpoint)
        places = self.cloud.client("aiplatform").projects().locations()
        self.endpoints, self.models = places.endpoints(), places.models()

    def done(self, call):
        operation = call.execute()
        while not operation.get("done"):
            kind = self.models if "/models/" in operation["name"] else self.endpoints
            time.sleep(0.05)
            operation = kind.operations().get(name=operation["name"]).execute()
        assert "error" not in operation, operation
        return operation["response"]

    def endpoint(self, **body):
        return self.done(self.endpoints.create(parent=PLACE, body=body))["name"].rpartition("/")[2]

    def model(self, name):
        body = {"model": {"displayName": name, "containerSpec": {"imageUri": "us-docker.pkg.dev/vertex-ai/prediction/own:1"}}}
        return self.done(self.models.upload(parent=PLACE, body=body))["model"]

    def deploy(self, endpoint, model, title, split=None, machine="g2-standard-12", replicas=1):
        body = {"deployedModel": {"model": model, "displayName": title, "dedicatedResources": {
            "machineSpec": {"machineType": machine, "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}, "minReplicaCount": replicas, "maxReplicaCount": replicas}}}
        if split:
            body["trafficSplit"] = split
        return self.done(self.endpoints.deployModel(endpoint=f"{PLACE}/endpoints/{endpoint}", body=body))["deployedModel"]["id"]


@pytest.fixture
def vertex(gcp_sim):
    return Vertex(gcp_sim)


def test_vertex(gcp, gcp_sim, vertex):
    model, endpoint = vertex.model("m"), vertex.endpoint(displayName="Somebody's", labels={"team": "ai"})
    assert endpoint.isdigit(), "it has got its id from the cloud"
    found = gcp.read(name=endpoint, cloud="gcp")
    assert found["status"] == "NoTraffic" and found["variants"] == {} and found["tags"] == {"team": "ai"}
    first = vertex.deploy(endpoint, model, "a", {"0": 100}, replicas=2)
    vertex.deploy(endpoint, model, "b", {first: 80, "0": 20})
    gcp_sim.control("calls", method="DELETE")
    found = gcp.read(name=endpoint, cloud="gcp")
    assert found["status"] == "Serving" and found["region"] == "us-central1" and found["endpoint_arn"] == f"{SHOWN}/endpoints/{endpoint}"
    assert found["invoke_url"] == f"https://us-central1-aiplatform.googleapis.com/v1/projects/test-project/locations/us-central1/endpoints/{endpoint}:predict"
    a, b = found["variants"]["a"], found["variants"]["b"]
    assert (a["weight"], a["desired_instances"], a["machine_type"], a["image"]) == (80, 2, "g2-standard-12", None)
    assert a["model"].endswith(model.rpartition("/")[2]) and b["weight"] == 20
    assert {c["operation"] for c in gcp_sim.calls()} == {"aiplatform.projects.locations.endpoints.get"}
    # Of two with one name, each has its id.
    third = vertex.deploy(endpoint, model, "b")
    assert {"a", third} < gcp.read(name=endpoint, cloud="gcp")["variants"].keys()


def test_vertex_with_a_host_of_its_own(gcp, vertex):
    endpoint = vertex.endpoint(displayName="own", dedicatedEndpointEnabled=True)
    host = vertex.endpoints.get(name=f"{PLACE}/endpoints/{endpoint}").execute()["dedicatedEndpointDns"]
    found = gcp.read(name=endpoint, cloud="gcp")["invoke_url"]
    assert found.startswith(f"https://{host.removeprefix('https://')}/v1/projects/") and found.endswith(f"/endpoints/{endpoint}:predict")


def test_vertex_refuses(gcp, gcp_sim):
    gcp.refused("Endpoint not found", 'There is no endpoint "chat" in us-central1 of test-project', "not the name that the console shows", name="chat", cloud="gcp")
    gcp_sim.fail("aiplatform.projects.locations.endpoints.get", "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.get' denied", times=9, status=403)
    gcp.refused("Error reading the endpoint", "aiplatform.endpoints.get", name="chat", cloud="gcp")


# ---- in a cluster


@pytest.fixture(scope="module", params=["aws", "gcp"])
def kube(request):
    with Linked(request.param) as kube:
        yield kube


@pytest.fixture
def inside(request, tmp_path, kube):
    """A reader, with a cluster "c"."""
    if kube.cloud == "aws":
        sim, cloud = request.getfixturevalue("sim"), request.getfixturevalue("cloud")
        kube.link(sim)
        test_sim_eks.Platform(cloud)
        return Reader(Core(CORES[sorted(CORES)[-1]], tmp_path, aws_settings(sim.endpoint)))
    sim, cloud = request.getfixturevalue("gcp_sim"), request.getfixturevalue("gcp_cloud")
    kube.link(sim)
    platform = test_gcp_platform.Platform(types.SimpleNamespace(cloud=lambda: cloud))
    platform.done(platform.clusters.create(parent=test_gcp_platform.PARENT, body=platform.body()))
    return Reader(Core(CORES[sorted(CORES)[-1]], tmp_path, {**gcp_settings(sim.endpoint), **kube.settings}))


def deployment(name, labels, **spec):
    return {"metadata": {"name": name}, "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {
        "metadata": {"labels": labels}, "spec": {"containers": [{"name": "server", "image": "own/server:1"}], **spec}}}}


def test_service(inside, kube):
    here = {"cloud": kube.cloud, "target": "cluster"}
    apps, core = "/apis/apps/v1/namespaces/default/deployments", "/api/v1/namespaces/default/services"
    service = {"metadata": {"name": "chat", "labels": {"team": "ai"}}, "spec": {"selector": {"app": "chat"}, "ports": [{"port": 8000}]}}
    made = [f"{core}/chat", f"{apps}/one", f"{apps}/two", f"{apps}/other"]
    try:
        kube.request("POST", core, service)
        kube.request("POST", apps, deployment("one", {"app": "chat"}, nodeSelector={"node.kubernetes.io/instance-type": "g6.xlarge"}))
        kube.request("POST", apps, deployment("two", {"app": "chat", "llm-variant": "b"}))
        kube.request("POST", apps, deployment("other", {"app": "another"}))
        found = inside.read(name="chat", cluster={"name": "c"}, **here)
        assert found["endpoint_name"] == "default/chat" and found["invoke_url"] == "http://chat.default.svc.cluster.local:8000"
        assert found["endpoint_arn"] is None and found["tags"] == {"team": "ai"} and found["status"] == "Unavailable"
        nobody = {"weight": None, "instances": 0, "desired_instances": 2, "model": None, "image": "own/server:1"}
        assert found["variants"] == {"one": {**nobody, "machine_type": "g6.xlarge"}, "b": {**nobody, "machine_type": None}}
        for name in ("one", "two"):
            kube.request("PATCH", f"{apps}/{name}/status", {"status": {"replicas": 2, "readyReplicas": 1}}, "application/merge-patch+json")
        found = inside.read(name="chat", cluster={"name": "c"}, **here)
        assert found["status"] == "Available" and found["variants"]["one"]["instances"] == 1
    finally:
        for one in made:
            kube.request("DELETE", one)
    inside.refused("Endpoint not found", 'The namespace "default" of the cluster "c" was asked', name="chat", cluster={"name": "c"}, **here)
    inside.refused("Endpoint not found", name="chat", cluster={"name": "gone"}, **here)
