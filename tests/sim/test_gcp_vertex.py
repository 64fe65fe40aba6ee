"""Vertex AI in the GCP simulator, seen by Google's own client."""
import pytest

from tests.sim.gcp.fixtures import P, clean, front, process, refused  # noqa: F401

NUMBER, PLACE = "123456789012", "us-central1"
PARENT, SHOWN = f"projects/{P}/locations/{PLACE}", f"projects/{NUMBER}/locations/{PLACE}"
IMAGE = "us-docker.pkg.dev/p/r/vllm:1"


class Vertex:
    def __init__(self, front):
        self.front, self.cloud = front, front.cloud()
        places = self.cloud.client("aiplatform").projects().locations()
        self.models, self.endpoints, self.operations = places.models(), places.endpoints(), places.operations()

    def done(self, request):
        """The response of an operation, or its error."""
        operation = request.execute()
        while not operation.get("done"):
            operation = self.operations.get(name=operation["name"]).execute() if "/models/" not in operation["name"] and "/endpoints/" not in operation["name"] else \
                self.inner(operation["name"])
        return operation.get("response", operation.get("error"))

    def inner(self, name):
        collection = self.models if "/models/" in name else self.endpoints
        return collection.operations().get(name=name).execute()

    def upload(self, name="m", **more):
        model = {"displayName": "m", "containerSpec": {"imageUri": IMAGE}, **more}
        return self.models.upload(parent=PARENT, body={"modelId": name, "model": model})

    def endpoint(self, name="e", **more):
        return self.endpoints.create(parent=PARENT, endpointId=name, body={"displayName": "e", **more})

    def deploy(self, identity="1", split=None, machine=None, **more):
        machine = machine or {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}
        deployed = {"id": identity, "model": f"{PARENT}/models/m", "dedicatedResources": {"machineSpec": machine, "minReplicaCount": 1}, **more}
        return self.endpoints.deployModel(endpoint=f"{PARENT}/endpoints/e", body={"deployedModel": deployed, **({"trafficSplit": split} if split else {})})

    def now(self):
        return self.endpoints.get(name=f"{PARENT}/endpoints/e").execute()

    def traffic(self, split):
        return self.endpoints.patch(name=f"{PARENT}/endpoints/e", updateMask="trafficSplit", body={"trafficSplit": split})


@pytest.fixture
def v(clean):
    return Vertex(clean)


def test_models(v):
    assert v.done(v.upload(labels={"a": "b"}, artifactUri="gs://b/x")) | {"@type": 0} == {"@type": 0, "model": f"{SHOWN}/models/m", "modelVersionId": "1"}
    name = f"{PARENT}/models/m"
    found = v.models.get(name=name).execute()
    assert (found["name"], found["versionAliases"], found["containerSpec"]) == (f"{SHOWN}/models/m", ["default"], {"imageUri": IMAGE})
    assert refused(v.upload())[:2] == (409, "ALREADY_EXISTS")
    assert v.models.patch(name=name, updateMask="labels,displayName", body={"labels": {}, "displayName": "n"}).execute()["displayName"] == "n"
    assert refused(v.models.patch(name=name, updateMask="containerSpec", body={"containerSpec": {"imageUri": "x"}}))[0] == 400
    assert v.done(v.models.upload(parent=PARENT, body={"parentModel": name, "model": {"displayName": "m", "containerSpec": {"imageUri": IMAGE}}}))["modelVersionId"] == "2"
    assert len(v.models.list(parent=PARENT).execute()["models"]) == 1
    v.done(v.models.delete(name=name))
    assert refused(v.models.get(name=name))[:2] == (404, "NOT_FOUND")


def test_models_that_are_refused(v):
    for request in (v.upload("1m"), v.upload(containerSpec={"imageUri": "docker.io/vllm/vllm-openai:latest"}), v.upload(artifactUri="s3://b/x"), v.upload(displayName=""),
                    v.upload(labels={"A": "b"}), v.upload(encryptionSpec={"kmsKeyName": f"projects/{P}/locations/europe-west4/keyRings/r/cryptoKeys/k"})):
        assert refused(request)[:2] == (400, "INVALID_ARGUMENT")


def test_endpoints(v):
    made = v.done(v.endpoint(dedicatedEndpointEnabled=True))
    assert (made["name"], made["dedicatedEndpointDns"]) == (f"{SHOWN}/endpoints/e", f"e.{PLACE}-{NUMBER}.prediction.vertexai.goog")
    assert refused(v.endpoint())[:2] == (409, "ALREADY_EXISTS")
    for request in (v.endpoint("E"), v.endpoint("0123"), v.endpoint("f", network=f"projects/{P}/global/networks/n"), v.endpoint("f", network=f"projects/{NUMBER}/global/networks/n"),
                    v.endpoint("f", dedicatedEndpointEnabled=True, privateServiceConnectConfig={"enablePrivateServiceConnect": True}), v.endpoint("f", trafficSplit={"1": 100})):
        assert refused(request)[:2] == (400, "INVALID_ARGUMENT")
    assert v.endpoints.patch(name=made["name"], updateMask="description", body={"description": "d"}).execute()["description"] == "d"
    assert refused(v.endpoints.patch(name=made["name"], updateMask="network", body={}))[0] == 400
    v.done(v.endpoints.delete(name=f"{PARENT}/endpoints/e"))
    assert refused(v.endpoints.get(name=made["name"]))[0] == 404


def test_deployments(v):
    v.done(v.upload())
    v.done(v.endpoint())
    assert v.done(v.deploy())["deployedModel"]["id"] == "1"
    [one] = v.now()["deployedModels"]
    assert (one["model"], one["displayName"], one["dedicatedResources"]["maxReplicaCount"]) == (f"{SHOWN}/models/m", "m", 1) and "trafficSplit" not in v.now()
    v.done(v.deploy("2", {"0": 50, "1": 50}))
    assert v.now()["trafficSplit"] == {"1": 50, "2": 50}
    assert refused(v.traffic({"1": 40, "2": 50}))[0] == 400 and refused(v.traffic({"3": 100}))[0] == 400
    undeploy = lambda identity, **more: v.endpoints.undeployModel(endpoint=f"{PARENT}/endpoints/e", body={"deployedModelId": identity, **more})
    assert refused(undeploy("1"))[:2] == (400, "FAILED_PRECONDITION"), "it has traffic"
    assert v.traffic({"2": 100}).execute()["trafficSplit"] == {"2": 100}
    assert refused(v.models.delete(name=f"{PARENT}/models/m"))[:2] == (400, "FAILED_PRECONDITION")
    assert refused(v.endpoints.delete(name=f"{PARENT}/endpoints/e"))[:2] == (400, "FAILED_PRECONDITION")
    assert [d["deployedModelId"] for d in v.models.get(name=f"{PARENT}/models/m").execute()["deployedModels"]] == ["1", "2"]
    v.done(undeploy("1"))
    v.done(undeploy("2"))
    assert "trafficSplit" not in v.now() and "deployedModels" not in v.now()
    assert refused(undeploy("2"))[:2] == (404, "NOT_FOUND")


def test_changes_of_a_deployment(v):
    v.done(v.upload())
    v.done(v.endpoint())
    v.done(v.deploy())
    mutate = lambda mask, **given: v.endpoints.mutateDeployedModel(endpoint=f"{PARENT}/endpoints/e", body={
        "deployedModel": {"id": "1", "dedicatedResources": {"machineSpec": {"machineType": "g2-standard-12"}, "minReplicaCount": 1, **given}}, "updateMask": mask})
    v.done(mutate("dedicatedResources.minReplicaCount,dedicated_resources.max_replica_count", minReplicaCount=2, maxReplicaCount=4))
    resources = v.now()["deployedModels"][0]["dedicatedResources"]
    assert (resources["minReplicaCount"], resources["maxReplicaCount"], resources["machineSpec"]["acceleratorCount"]) == (2, 4, 1)
    assert refused(mutate("displayName"))[0] == 400
    assert refused(mutate("dedicatedResources.minReplicaCount", minReplicaCount=5))[0] == 400


def test_deployments_that_fail(v):
    v.done(v.upload())
    v.done(v.endpoint())
    l4 = {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4"}
    for request in (v.deploy("x"), v.deploy(machine={**l4, "acceleratorCount": 2}), v.deploy(machine={"machineType": "e2-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}),
                    v.deploy(serviceAccount="nobody@x.iam.gserviceaccount.com"), v.deploy(split={"0": 50})):
        assert refused(request)[:2] == (400, "INVALID_ARGUMENT")
    assert refused(v.deploy(model=f"{PARENT}/models/none"))[:2] == (404, "NOT_FOUND")
    v.front.control("quotas", {f"{PLACE}/custom_model_serving_nvidia_l4_gpus": 1})
    v.done(v.deploy())
    late = v.done(v.deploy("2"))
    assert late["code"] == 8 and "custom_model_serving_nvidia_l4_gpus" in late["message"] and len(v.now()["deployedModels"]) == 1
    assert refused(v.deploy())[:2] == (409, "ALREADY_EXISTS")
