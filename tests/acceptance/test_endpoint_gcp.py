"""llm_endpoint on Vertex AI: the real core and the simulated GCP, asked by Google's own client."""
import base64
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
from googleapiclient.http import MediaInMemoryUpload

from conftest import CORES, ROOT, Core, gcp_settings
from tests.sim.gcp.client import Cloud

PLACE = "projects/test-project/locations/us-central1"
SHOWN = "projects/123456789012/locations/us-central1"
NAME = f"{PLACE}/endpoints/chat"
IMAGE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20251205_0916_RC01"
ACCOUNT = "test-project.iam.gserviceaccount.com"
MODEL = 'model = "llama3.1:8b"\n  machine = { type = "g2-standard-12" }'


def endpoint(body=MODEL, name="chat"):
    return f'resource "llm_endpoint" "e" {{\n  name = "{name}"\n  cloud = "gcp"\n  {body}\n}}\n'


class Ground:
    """A core, and what Vertex AI has."""

    def __init__(self, core, sim, cloud):
        self.core, self.sim, self.cloud = core, sim, cloud
        places = cloud.client("aiplatform").projects().locations()
        self.endpoints, self.models_of = places.endpoints(), places.models()

    def apply(self, text):
        self.core.write(text)
        self.sim.control("calls", method="DELETE")
        return self.core.apply_ok()

    def change(self, text):
        """Applies a change; what was written, and nothing more to do after it."""
        self.apply(text)
        calls = self.writes()
        self.core.no_difference()
        return calls

    def writes(self):
        reads = (".get", ".list", ".aggregatedList", ".wait", ".getIamPolicy", ".batchGet")
        return [c["operation"].rpartition("locations.")[2] for c in self.sim.calls() if not c["operation"].endswith(reads) and c["status"] < 300]

    def now(self, name=NAME):
        return self.endpoints.get(name=name).execute()

    def deployed(self):
        """What is deployed of each variant: [body]."""
        found = collections.defaultdict(list)
        for one in self.now().get("deployedModels", []):
            found[one["displayName"]].append(one)
        return found

    def one(self, variant="main"):
        [one] = self.deployed()[variant]
        return one

    def models(self):
        return self.models_of.list(parent=PLACE).execute().get("models", [])

    def model(self, variant="main"):
        """The container of what is deployed of a variant."""
        return self.models_of.get(name=self.one(variant)["model"]).execute()

    def args(self, variant="main"):
        return self.model(variant)["containerSpec"].get("args", [])

    def env(self, variant="main"):
        return {e["name"]: e["value"] for e in self.model(variant)["containerSpec"].get("env", [])}

    def state(self):
        return self.core.state()["llm_endpoint.e"]

    def bindings(self):
        """Of each account: {role: [condition's expression]}."""
        policy = self.cloud.client("cloudresourcemanager", "v1").projects().getIamPolicy(
            resource="test-project", body={"options": {"requestedPolicyVersion": 3}}).execute()
        found = collections.defaultdict(lambda: collections.defaultdict(list))
        for binding in policy.get("bindings", []):
            for member in binding["members"]:
                found[member.removeprefix("serviceAccount:")][binding["role"]].append(binding.get("condition", {}).get("expression"))
        return found

    def bucket(self, name, *objects):
        storage = self.cloud.client("storage")
        storage.buckets().insert(project="test-project", body={"name": name}).execute()
        for one in objects:
            storage.objects().insert(bucket=name, name=one, media_body=MediaInMemoryUpload(b"x")).execute()

    def destroy(self):
        result = self.core.destroy()
        assert result.status == 0, result.output
        assert self.left() == []
        assert not any(a.startswith("llm-") for a in self.bindings())

    def left(self):
        """What there is, but for what tests bring."""
        return [n for n in self.cloud.made() if not n.startswith("storage ") and "/networks/" not in n and "notificationChannels" not in n]


@pytest.fixture
def ground(tmp_path, gcp_sim, gcp_cloud):
    return Ground(Core(CORES[sorted(CORES)[-1]], tmp_path, gcp_settings(gcp_sim.endpoint)), gcp_sim, gcp_cloud)


def test_life(gcp_core, gcp_sim, gcp_cloud):
    """Create, no difference, destroy: what is there, as the API says it."""
    g = Ground(gcp_core, gcp_sim, gcp_cloud)
    g.core.write(endpoint())
    plan = g.core.plan()
    assert plan.status == 0 and '"traffic_split"' in plan.output, plan.output
    assert gcp_cloud.made() == [], "a plan makes nothing"
    g.core.apply_ok()
    g.core.no_difference()
    now, one = g.now(), g.one()
    assert now["trafficSplit"] == {one["id"]: 100} and now["dedicatedEndpointEnabled"]
    assert set(now["labels"]) == {"llm-resource", "llm-component"} and now["labels"]["llm-component"] == "endpoint"
    assert one["dedicatedResources"]["machineSpec"] == {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}
    assert (one["dedicatedResources"]["minReplicaCount"], one["dedicatedResources"]["maxReplicaCount"]) == (1, 1)
    state = g.state()
    assert one["serviceAccount"] == state["role_id"] and state["role_id"].endswith(ACCOUNT)
    spec = g.model()["containerSpec"]
    assert spec["imageUri"] == IMAGE and spec["ports"] == [{"containerPort": 8080}]
    assert (spec["predictRoute"], spec["healthRoute"], spec["sharedMemorySizeMb"], spec["deploymentTimeout"]) == ("/generate", "/ping", "16384", "3600s")
    assert spec["args"] == ["python", "-m", "vllm.entrypoints.api_server", "--host=0.0.0.0", "--port=8080", "--model=meta-llama/Llama-3.1-8B-Instruct",
                            "--tensor-parallel-size=1", "--max-model-len=8192", "--disable-log-stats"]
    assert g.env() == {"MODEL_ID": "meta-llama/Llama-3.1-8B-Instruct"}
    assert (state["endpoint_name"], state["endpoint_arn"], state["status"]) == ("chat", f"{SHOWN}/endpoints/chat", "Serving")
    assert state["invoke_url"] == f"https://chat.us-central1-123456789012.prediction.vertexai.goog/v1/{PLACE}/endpoints/chat:predict"
    assert state["variant_status"] == {"main": {"weight": 100, "instances": 1, "desired_instances": 1, "machine_type": "g2-standard-12", "image": IMAGE}}
    assert state["model_ids"] == {"main": one["model"]}
    assert {c["state"] for c in state["components"].values()} == {"ready"}
    assert all(m["labels"]["llm-resource"] for m in g.models())
    g.destroy()


class Watch(threading.Thread):
    """Somebody who keeps looking where calls go."""

    def __init__(self, endpoint, name=NAME):
        super().__init__(daemon=True)
        self.client, self.name, self.seen, self.ended = Cloud(endpoint).client("aiplatform").projects().locations().endpoints(), name, [], threading.Event()

    def run(self):
        while not self.ended.is_set():
            now = self.client.get(name=self.name).execute()
            self.seen.append((now.get("trafficSplit", {}), {d["id"] for d in now.get("deployedModels", [])}))
            time.sleep(0.01)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def always_served(self):
        """All calls went somewhere at all times; the splits there were, in order."""
        assert len(self.seen) > 20
        for split, there in self.seen:
            assert sum(split.values()) == 100 and set(split) <= there, (split, there)
        splits = [s for s, _ in self.seen]
        return [s for i, s in enumerate(splits) if i == 0 or s != splits[i - 1]]


def slow(sim, seconds=0.6):
    sim.control("settle", {f"aiplatform.projects.locations.endpoints.{m}": seconds for m in ("deployModel", "undeployModel")})


OTHER = 'model = "mistral:7b"\n  machine = { type = "g2-standard-12" }'


def test_a_new_model_serves_before_the_old_one_goes(ground):
    ground.apply(endpoint())
    old = ground.one()
    slow(ground.sim)
    ground.core.write(endpoint(OTHER))
    ground.sim.control("calls", method="DELETE")
    with Watch(ground.sim.endpoint) as watch:
        ground.core.apply_ok()
    new = ground.one()
    assert new["id"] != old["id"] and new["model"] != old["model"]
    assert watch.always_served() == [{old["id"]: 100}, {new["id"]: 100}]
    assert any(there == {old["id"], new["id"]} for _, there in watch.seen), "both were there"
    ground.core.no_difference()
    assert len(ground.models()) == 1 and "--model=mistralai/Mistral-7B-Instruct-v0.3" in ground.args()
    steps = [w for w in ground.writes() if "odel" in w]
    assert steps.index("endpoints.deployModel") < steps.index("endpoints.undeployModel") < steps.index("models.delete")
    ground.destroy()


def test_another_machine_is_no_other_model(ground):
    ground.apply(endpoint())
    model = ground.one()["model"]
    with Watch(ground.sim.endpoint) as watch:
        calls = ground.change(endpoint('model = "llama3.1:8b"\n  machine = { type = "g2-standard-24" }'))
    assert "models.upload" in calls, "the model is told how many GPUs there are"
    assert ground.one()["dedicatedResources"]["machineSpec"]["acceleratorCount"] == 2 and ground.one()["model"] != model
    watch.always_served()
    calls = ground.change(endpoint('model = "llama3.1:8b"\n  machine = { type = "g2-standard-24", provisioning = "spot" }'))
    assert "models.upload" not in calls and "endpoints.deployModel" in calls
    assert ground.one()["dedicatedResources"]["spot"] is True


VARIANTS = """model = "llama3.1:8b"
  machine = { type = "g2-standard-12" }
  variants = {
    a = { weight = %d }
    b = { weight = %d, quantization = "fp8", environment = { B = "1" } }
  }"""


def test_weights_alone(ground):
    ground.apply(endpoint(VARIANTS % (90, 10)))
    ids = {name: one["id"] for name, [one] in ground.deployed().items()}
    assert ground.now()["trafficSplit"] == {ids["a"]: 90, ids["b"]: 10}
    assert "--quantization=fp8" in ground.args("b") and "--quantization=fp8" not in ground.args("a")
    assert ground.env("b")["B"] == "1" and "B" not in ground.env("a")
    assert set(ground.change(endpoint(VARIANTS % (50, 50)))) == {"endpoints.patch"}
    assert ground.now()["trafficSplit"] == {ids["a"]: 50, ids["b"]: 50}
    assert set(ground.change(endpoint(VARIANTS % (0, 100)))) == {"endpoints.patch"}
    assert ground.now()["trafficSplit"] == {ids["b"]: 100}, "what gets no calls stays deployed"
    assert {n: one["id"] for n, [one] in ground.deployed().items()} == ids
    state = ground.state()
    assert {n: v["weight"] for n, v in state["variant_status"].items()} == {"a": 0, "b": 100}
    with Watch(ground.sim.endpoint) as watch:
        ground.change(endpoint(MODEL))
    watch.always_served()
    assert set(ground.deployed()) == {"main"}
    ground.destroy()


def test_scaling_is_changed_in_place(ground):
    scaled = 'scaling = { min = 1, max = %d, target_gpu_percent = %d%s }'
    ground.apply(endpoint(MODEL + "\n  " + scaled % (3, 70, "")))
    first = ground.one()
    duty, count = ("aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle", "aiplatform.googleapis.com/prediction/online/request_count")
    assert first["dedicatedResources"]["autoscalingMetricSpecs"] == [{"metricName": duty, "target": 70}]
    assert first["dedicatedResources"]["maxReplicaCount"] == 3
    calls = ground.change(endpoint(MODEL + "\n  " + scaled % (4, 50, ", target_invocations = 90")))
    assert set(calls) == {"endpoints.mutateDeployedModel", "endpoints.patch"}
    now = ground.one()
    assert now["id"] == first["id"] and now["dedicatedResources"]["maxReplicaCount"] == 4
    assert now["dedicatedResources"]["autoscalingMetricSpecs"] == [{"metricName": duty, "target": 50}, {"metricName": count, "target": 90}]
    ground.change(endpoint(MODEL + "\n  scaling = { min = 2 }"))
    now = ground.one()
    assert now["id"] == first["id"] and "autoscalingMetricSpecs" not in now["dedicatedResources"]
    assert (now["dedicatedResources"]["minReplicaCount"], now["dedicatedResources"]["maxReplicaCount"]) == (2, 2)


DEPLOY = "aiplatform.projects.locations.endpoints.deployModel"


def test_a_failed_deployment_leaves_the_old_version_serving(ground):
    ground.apply(endpoint())
    old = ground.one()
    ground.sim.rule(DEPLOY, operation_error={"code": 9, "message": "Model server terminated: CUDA out of memory."}, operation_ms=300)
    ground.core.write(endpoint(OTHER))
    with Watch(ground.sim.endpoint) as watch:
        failed = ground.core.apply()
    assert failed.status == 1 and "CUDA out of memory" in failed.text, failed.output
    assert watch.always_served() == [{old["id"]: 100}]
    assert ground.one()["id"] == old["id"]
    ground.sim.clear_rules()
    ground.change(endpoint())
    assert ground.one()["id"] == old["id"] and len(ground.models()) == 1, "back to what it was: what is left of the try is gone"
    ground.change(endpoint(OTHER))
    assert ground.one()["id"] != old["id"]
    ground.destroy()


def test_a_first_deployment_that_fails(ground):
    ground.sim.rule(DEPLOY, operation_error={"code": 8, "message": "The following quota metrics exceed quota limits: x"}, times=1)
    ground.core.write(endpoint())
    failed = ground.core.apply()
    assert failed.status == 1 and "quota" in failed.text, failed.output
    ground.core.apply_ok()
    ground.core.no_difference()
    assert ground.now()["trafficSplit"] == {ground.one()["id"]: 100}
    ground.destroy()


def test_one_operation_at_a_time(ground):
    """Where an endpoint takes one change at a time, the others wait."""
    for method in ("deployModel", "undeployModel", "mutateDeployedModel"):
        ground.sim.rule(f"aiplatform.projects.locations.endpoints.{method}", times=2, error={
            "status": 400, "code": "FAILED_PRECONDITION", "message": "There are other operations running on the Endpoint."})
    ground.apply(endpoint(VARIANTS % (90, 10)))
    ground.change(endpoint(VARIANTS % (90, 10) + "\n  scaling = { min = 2 }"))
    ground.destroy()


def test_lost_answers_deploy_nothing_twice(ground):
    ground.sim.rule("aiplatform.projects.locations.*", drop="after", times=4)
    ground.apply(endpoint())
    ground.core.no_difference()
    assert len(ground.models()) == 1 and len(ground.now()["deployedModels"]) == 1


FULL = """model        = "gs://models/base/"
  model_size   = { memory_gib = 20 }
  machine      = { type = "g2-standard-24" }
  adapters     = { sql = "gs://adapters/sql/", chat = "gs://adapters/chat" }
  container    = { args = ["--max-num-seqs=64"] }
  environment  = { VLLM_LOGGING_LEVEL = "INFO", EMPTY = "" }
  scaling      = { min = 1, max = 2, target_gpu_percent = 60 }
  alarms       = { errors_5xx = 5, latency_ms = 20000, actions = ["projects/test-project/notificationChannels/1"] }
  data_capture = { uri = "bq://test-project.logs.calls", percent = 25 }
  kms_key      = "projects/test-project/locations/us-central1/keyRings/r/cryptoKeys/k"
  huggingface_token_secret = "hub"
  tags         = { team = "ml" }
  %s"""


def full(ground, more=""):
    ground.bucket("models", "base/config.json")
    ground.bucket("adapters", "sql/adapter_model.safetensors", "chat/adapter_config.json")
    ground.cloud.client("secretmanager").projects().secrets().create(
        parent="projects/test-project", secretId="hub", body={"replication": {"automatic": {}}}).execute()
    channel = ground.cloud.client("monitoring").projects().notificationChannels().create(
        name="projects/test-project", body={"type": "email", "labels": {"email_address": "a@example.com"}}).execute()["name"]
    return endpoint((FULL % more).replace("projects/test-project/notificationChannels/1", channel))


def test_import_into_a_fresh_state(ground, tmp_path):
    text = full(ground)
    ground.apply(text)
    before = ground.state()
    second = tmp_path / "second"
    second.mkdir()
    ground.core = Core(CORES[sorted(CORES)[-1]], second, gcp_settings(ground.sim.endpoint))
    ground.core.write(text)
    taken = ground.core.plan()
    assert taken.status == 1 and "gcp/us-central1/chat" in taken.text, taken.output
    ground.core.ok("import", "-no-color", "-input=false", "llm_endpoint.e", "gcp/us-central1/chat")
    ground.core.no_difference()
    assert ground.state() == before


def test_import_of_what_somebody_else_made(ground):
    theirs(ground)
    ground.core.write(endpoint())
    refused = ground.core.run("import", "-no-color", "-input=false", "llm_endpoint.e", "gcp/us-central1/chat")
    assert refused.status == 1 and 'There is nothing to import The endpoint "chat" was not made by this resource' in refused.text, refused.output
    missing = ground.core.run("import", "-no-color", "-input=false", "llm_endpoint.e", "gcp/us-central1/other")
    assert missing.status == 1 and "There is no such endpoint" in missing.text, missing.output


def test_import_keeps_what_was_chosen(ground):
    """Neither machine nor image are named: what the catalogue chose once stays."""
    l4 = "us-central1/custom_model_serving_nvidia_l4_gpus"
    ground.sim.control("quotas", {l4: 0})
    ground.apply(endpoint('model = "llama3.1:8b"'))
    chosen = ground.state()["variant_status"]
    assert chosen["main"]["machine_type"] == "a2-highgpu-1g"
    ground.sim.control("quotas", {l4: 8})
    ground.core.ok("state", "rm", "llm_endpoint.e")
    ground.core.ok("import", "-no-color", "-input=false", "llm_endpoint.e", "gcp/us-central1/chat")
    ground.core.no_difference()
    assert ground.state()["variant_status"] == chosen


def test_drift_shows_and_is_undone(ground):
    ground.apply(endpoint(VARIANTS % (90, 10)))
    [a], [b] = ground.deployed()["a"], ground.deployed()["b"]
    ground.endpoints.patch(name=NAME, updateMask="trafficSplit", body={"trafficSplit": {a["id"]: 100}}).execute()
    plan = ground.core.plan()
    assert "traffic_split" in plan.output and "changed (split)" in plan.output, plan.output
    weights = lambda: {n: v["weight"] for n, v in ground.state()["variant_status"].items()}  # noqa: E731
    ground.core.ok("apply", "-refresh-only", "-no-color", "-input=false", "-auto-approve")
    assert weights() == {"a": 100, "b": 0}, "the state says what is"
    ground.endpoints.patch(name=NAME, updateMask="trafficSplit", body={"trafficSplit": {}}).execute()
    ground.core.ok("apply", "-refresh-only", "-no-color", "-input=false", "-auto-approve")
    assert ground.state()["status"] == "NoTraffic" and weights() == {"a": 0, "b": 0}
    ground.apply(endpoint(VARIANTS % (90, 10)))
    assert ground.state()["status"] == "Serving" and weights() == {"a": 90, "b": 10}
    assert ground.now()["trafficSplit"] == {a["id"]: 90, b["id"]: 10}
    ground.endpoints.patch(name=NAME, updateMask="trafficSplit", body={"trafficSplit": {a["id"]: 100}}).execute()
    ground.endpoints.undeployModel(endpoint=NAME, body={"deployedModelId": b["id"]}).execute()
    time.sleep(0.3)
    ground.apply(endpoint(VARIANTS % (90, 10)))
    assert ground.one("b")["id"] == b["id"] and ground.now()["trafficSplit"] == {a["id"]: 90, b["id"]: 10}
    ground.core.no_difference()


def test_everything(ground):
    ground.apply(full(ground))
    ground.core.no_difference()
    now, state = ground.now(), ground.state()
    key = {"kmsKeyName": "projects/test-project/locations/us-central1/keyRings/r/cryptoKeys/k"}
    assert now["encryptionSpec"] == key and ground.model()["encryptionSpec"] == key
    assert now["predictRequestResponseLoggingConfig"] == {
        "enabled": True, "samplingRate": 0.25, "bigqueryDestination": {"outputUri": "bq://test-project.logs.calls"}}
    assert now["labels"]["team"] == "ml" and ground.model()["labels"]["team"] == "ml"
    args = ground.args()
    assert {"--model=gs://models/base/", "--enable-lora", "--tensor-parallel-size=2"} <= set(args) and args[-1] == "--max-num-seqs=64"
    assert not any(a.startswith("--max-model-len") for a in args), "how long its context is, nobody has said"
    assert state["adapter_ids"] == {"sql": "gs://adapters/sql/", "chat": "gs://adapters/chat"}
    bindings = ground.bindings()[state["role_id"]]
    assert set(bindings) == {"roles/storage.objectViewer"}
    for folder in ("models/objects/base", "adapters/objects/sql", "adapters/objects/chat"):
        assert sum(f"buckets/{folder}/\")" in text for text in bindings["roles/storage.objectViewer"]) == 1
    secret = ground.cloud.client("secretmanager").projects().secrets().getIamPolicy(resource="projects/test-project/secrets/hub").execute()
    assert secret["bindings"] == [{"role": "roles/secretmanager.secretAccessor", "members": [f"serviceAccount:{state['role_id']}"]}]
    alerts = [b for n, b in ground.cloud.things("monitoring").items() if "/alertPolicies/" in n]
    assert len(alerts) == 2 and all(len(a["notificationChannels"]) == 1 for a in alerts)
    limits = {a["conditions"][0]["conditionThreshold"]["thresholdValue"] for a in alerts}
    assert limits == {4, 20000}
    ground.change(endpoint(MODEL + '\n  kms_key = "%s"' % key["kmsKeyName"]))
    assert not ground.now().get("predictRequestResponseLoggingConfig", {}).get("enabled")
    assert state["role_id"] not in ground.bindings()
    assert not [n for n in ground.cloud.things("monitoring") if "/alertPolicies/" in n]


def test_a_token_reaches_the_container_by_its_own_identity(ground):
    text = endpoint("""model = "meta-llama/Llama-3.1-8B-Instruct"
  model_revision = "0e9e39f"
  machine = { type = "g2-standard-12" }
  huggingface_token_wo = "hf_do_not_tell"
  huggingface_token_wo_version = %d""")
    ground.apply(text % 1)
    ground.core.no_difference()
    secret = "llm-endpoint-chat-us-central1-huggingface"
    args, state = ground.args(), ground.state()
    assert args[:2] == ["python", "-c"] and args[3] == f"projects/test-project/secrets/{secret}/versions/latest"
    compile(args[2], "token", "exec")
    assert args[4:7] == ["python", "-m", "vllm.entrypoints.api_server"] and "--revision=0e9e39f" in args
    assert state["secret_id"].endswith(f"/secrets/{secret}")
    things = json.dumps(ground.cloud.things("aiplatform"))
    assert "hf_do_not_tell" not in things and "hf_do_not_tell" not in (ground.core.directory / "terraform.tfstate").read_text()
    held = ground.cloud.client("secretmanager").projects().secrets().versions().access(
        name=f"projects/test-project/secrets/{secret}/versions/latest").execute()
    assert base64.b64decode(held["payload"]["data"]) == b"hf_do_not_tell"
    policy = ground.cloud.client("secretmanager").projects().secrets().getIamPolicy(resource=f"projects/test-project/secrets/{secret}").execute()
    assert policy["bindings"][0]["members"] == [f"serviceAccount:{state['role_id']}"]
    calls = ground.change((text % 2).replace("hf_do_not_tell", "hf_another"))
    assert "endpoints.deployModel" not in calls, "a new token is no new container"
    ground.destroy()


def test_a_role_of_its_own(ground):
    role = f"server@{ACCOUNT}"
    ground.cloud.client("iam").projects().serviceAccounts().create(name="projects/test-project", body={"accountId": "server"}).execute()
    ground.apply(endpoint(MODEL + f'\n  role = "{role}"'))
    ground.core.no_difference()
    assert ground.one()["serviceAccount"] == role == ground.state()["role_id"]
    assert [n for n in ground.cloud.things("iam") if "serviceAccounts/llm-" in n] == []
    with Watch(ground.sim.endpoint) as watch:
        ground.change(endpoint())
    watch.always_served()
    assert ground.one()["serviceAccount"] == ground.state()["role_id"] != role


def test_an_account_that_is_gone_interrupts_nothing(ground):
    """It comes back under its name; what is deployed has that name, and stays."""
    ground.apply(endpoint())
    before = ground.one()
    ground.cloud.client("iam").projects().serviceAccounts().delete(name=f"projects/test-project/serviceAccounts/{before['serviceAccount']}").execute()
    with Watch(ground.sim.endpoint) as watch:
        ground.change(endpoint())
    assert watch.always_served() == [{before["id"]: 100}]
    assert ground.one() == before and ground.state()["role_id"] == before["serviceAccount"]
    ground.destroy()


def test_private_service_connect(ground):
    ground.apply(endpoint(MODEL + "\n  network = { private_service_connect = true }"))
    ground.core.no_difference()
    now, state = ground.now(), ground.state()
    assert now["privateServiceConnectConfig"]["enablePrivateServiceConnect"] and now["privateServiceConnectConfig"]["projectAllowlist"] == ["test-project"]
    assert not now.get("dedicatedEndpointEnabled") and state.get("invoke_url") is None
    ground.destroy()


def test_shared(ground):
    ground.apply(endpoint(MODEL + "\n  network = { dedicated = false }"))
    ground.core.no_difference()
    assert not ground.now().get("dedicatedEndpointEnabled")
    assert ground.state()["invoke_url"] == f"https://us-central1-aiplatform.googleapis.com/v1/{PLACE}/endpoints/chat:predict"


def test_in_a_peered_network_there_is_one_at_a_time(ground):
    ground.cloud.done(ground.cloud.compute.networks().insert(project="test-project", body={"name": "shared", "autoCreateSubnetworks": False}).execute())
    network = '\n  network = { vpc_network = "projects/123456789012/global/networks/shared" }'
    ground.apply(endpoint(MODEL + network))
    ground.core.no_difference()
    first = ground.one()
    assert ground.now()["network"].endswith("/networks/shared") and "trafficSplit" not in ground.now()
    calls = ground.change(endpoint(OTHER + network))
    assert calls.index("endpoints.undeployModel") < calls.index("endpoints.deployModel")
    assert ground.one()["id"] != first["id"]
    ground.destroy()


def test_the_example(ground):
    ground.bucket("example-models", "adapters/sql/adapter_config.json", "adapters/summaries/adapter_config.json")
    ground.cloud.client("secretmanager").projects().secrets().create(
        parent="projects/test-project", secretId="huggingface", body={"replication": {"automatic": {}}}).execute()
    for file in (ROOT / "examples/endpoints/finetune").glob("*.tf"):
        shutil.copy(file, ground.core.directory / file.name)
    ground.core.apply_ok()
    ground.core.no_difference()
    outputs = ground.core.outputs()
    assert outputs["adapters"]["sql"] == "gs://example-models/adapters/sql" and outputs["invoke_url"].endswith("/endpoints/finetune:predict")
    before = ground.now(f"{PLACE}/endpoints/finetune")["deployedModels"]
    ground.bucket("more", "x")
    ground.cloud.client("storage").objects().insert(bucket="example-models", name="adapters/third/x", media_body=MediaInMemoryUpload(b"x")).execute()
    ground.sim.control("calls", method="DELETE")
    ground.core.ok("apply", "-no-color", "-input=false", "-auto-approve", "-var", 'adapters=["sql", "third"]')
    assert ground.now(f"{PLACE}/endpoints/finetune")["deployedModels"] == before, "another adapter is no other deployment"
    assert set(ground.writes()) == {"cloudresourcemanager.projects.setIamPolicy", "endpoints.patch"}


MANY = VARIANTS % (60, 40) + """
  scaling = { min = 1, max = 2, target_gpu_percent = 60 }
  alarms  = { errors_5xx = 5 }
  huggingface_token_wo = "hf_x"
  huggingface_token_wo_version = 1
  %s"""
NOT_YOU = {"status": 403, "code": "PERMISSION_DENIED", "message": "not you"}


@pytest.mark.parametrize("operation", ["iam.projects.serviceAccounts.create", "secretmanager.projects.secrets.create", "secretmanager.projects.secrets.addVersion",
                                       "secretmanager.projects.secrets.setIamPolicy", "aiplatform.projects.locations.models.upload",
                                       "aiplatform.projects.locations.endpoints.create", DEPLOY, "aiplatform.projects.locations.endpoints.patch",
                                       "monitoring.projects.alertPolicies.create"])
def test_a_create_that_fails_anywhere_is_gone_on_with(ground, operation):
    ground.core.write(endpoint(MANY % ""))
    ground.sim.rule(operation, error=NOT_YOU, times=1)
    failed = ground.core.apply()
    assert failed.status == 1 and "not you" in failed.text, failed.output
    ground.core.apply_ok()
    ground.core.no_difference()
    assert len([c for c in ground.sim.calls(DEPLOY) if c["status"] == 200]) == 2
    ground.destroy()


@pytest.mark.parametrize("operation", ["aiplatform.projects.locations.models.upload", DEPLOY, "aiplatform.projects.locations.endpoints.patch",
                                       "aiplatform.projects.locations.endpoints.undeployModel", "aiplatform.projects.locations.models.delete"])
def test_an_update_that_fails_anywhere_is_gone_on_with(ground, operation):
    ground.apply(endpoint(MANY % ""))
    ground.core.write(endpoint(MANY % 'environment = { A = "b" }'))
    ground.sim.rule(operation, error=NOT_YOU, times=1)
    with Watch(ground.sim.endpoint) as watch:
        failed = ground.core.apply()
        assert failed.status == 1 and "not you" in failed.text, failed.output
        ground.core.apply_ok()
    watch.always_served()
    ground.core.no_difference()
    assert len(ground.models()) == 2 and ground.env("a")["A"] == ground.env("b")["A"] == "b"
    ground.destroy()


def killed(ground):
    """Starts an apply, and kills it while it deploys."""
    process = subprocess.Popen([ground.core.binary, "apply", "-auto-approve", "-no-color"], cwd=ground.core.directory, env=ground.core.env,
                               start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not ground.sim.calls(DEPLOY):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ground.sim.clear_rules()


def test_an_apply_that_was_killed_is_gone_on_with(ground):
    ground.core.write(endpoint())
    ground.sim.rule(DEPLOY, operation_ms=2000)
    killed(ground)
    time.sleep(2)
    result = ground.core.apply("-lock=false")
    assert result.status == 0 and "An interrupted apply is continued" in result.text, result.output
    ground.core.no_difference()
    assert len(ground.now()["deployedModels"]) == 1 and ground.now()["trafficSplit"] == {ground.one()["id"]: 100}
    assert "llm-claim" not in ground.now()["labels"]
    ground.destroy()


def test_an_update_that_was_killed_is_gone_on_with(ground):
    """Killed while the new version is deployed: the old one serves until the next apply has finished the change."""
    ground.apply(endpoint())
    old = ground.one()
    ground.sim.rule(DEPLOY, operation_ms=1500)
    ground.core.write(endpoint(OTHER))
    ground.sim.control("calls", method="DELETE")
    with Watch(ground.sim.endpoint) as watch:
        killed(ground)
        time.sleep(2)
        assert ground.now()["trafficSplit"] == {old["id"]: 100} and len(ground.now()["deployedModels"]) == 2
        result = ground.core.apply("-lock=false")
    assert result.status == 0, result.output
    assert watch.always_served() == [{old["id"]: 100}, {ground.one()["id"]: 100}]
    assert len([c for c in ground.sim.calls(DEPLOY) if c["status"] == 200]) == 1
    ground.core.no_difference()
    assert len(ground.models()) == 1
    ground.destroy()


def test_an_endpoint_that_is_gone_is_made_again(ground):
    ground.apply(endpoint())
    ground.endpoints.patch(name=NAME, updateMask="trafficSplit", body={"trafficSplit": {}}).execute()
    ground.endpoints.undeployModel(endpoint=NAME, body={"deployedModelId": ground.one()["id"]}).execute()
    time.sleep(0.3)
    ground.endpoints.delete(name=NAME).execute()
    time.sleep(0.3)
    plan = ground.core.plan("-detailed-exitcode")
    assert plan.status == 2, plan.output
    ground.core.apply_ok()
    ground.core.no_difference()
    assert ground.now()["trafficSplit"] == {ground.one()["id"]: 100}


def test_scaling_by_itself_is_no_difference(ground):
    scaled = endpoint(MODEL + "\n  scaling = { min = 1, max = 4, target_gpu_percent = 60 }")
    ground.apply(scaled)
    [one] = ground.now()["deployedModels"]
    ground.sim.control("edit", {"service": "aiplatform", "resource": NAME, "set": {"deployedModels": [{**one, "status": {"availableReplicaCount": 3}}]}})
    ground.core.no_difference()
    ground.core.ok("refresh", "-no-color", "-input=false")
    assert ground.state()["variant_status"]["main"]["instances"] == 3
    ground.change(scaled.replace("max = 4", "max = 5"))


def test_another_key_is_another_endpoint(ground):
    """What is encrypted with one key cannot be with another: the plan says that all of it is made anew."""
    ground.apply(endpoint())
    ground.core.write(endpoint(MODEL + '\n  kms_key = "projects/test-project/locations/us-central1/keyRings/r/cryptoKeys/k"'))
    plan = ground.core.plan()
    assert plan.status == 0 and "must be replaced" in plan.output, plan.output
    ground.core.apply_ok()
    ground.core.no_difference()
    assert "encryptionSpec" in ground.now() and len(ground.models()) == 1
    ground.destroy()


def test_values_that_are_not_known_yet(ground):
    known = ground.core
    known.write("""resource "terraform_data" "t" {
  input = { machine = "g2-standard-12", value = "x" }
}
resource "llm_endpoint" "e" {
  name = "chat"
  cloud = "gcp"
  model = "llama3.1:8b"
  machine = { type = terraform_data.t.output.machine }
  environment = { A = terraform_data.t.output.value }
}
""")
    plan = known.plan()
    assert plan.status == 0 and "components           = (known after apply)" in plan.output, plan.output
    known.apply_ok()
    known.no_difference()
    assert ground.env()["A"] == "x"


def test_permissions_of_the_page_are_enough(ground):
    part = (ROOT / "docs/guides/permissions.md").read_text().split("### llm_endpoint on Google Cloud\n")[1].split("\n## ")[0]
    allowed = set(re.findall(r"^  - (\S+)$", part, re.MULTILINE))
    text = full(ground)
    of_the_test = set(ground.sim.control("permissions")["used"]) - allowed
    ground.sim.control("permissions", {"allowed": sorted(allowed)})
    token = '\n  huggingface_token_wo = "t"\n  huggingface_token_wo_version = 1'
    for step in (text, endpoint(MODEL), endpoint(MODEL + token + '\n  tags = { a = "b" }\n  alarms = { errors_5xx = 3 }'),
                 endpoint(OTHER + token + "\n  alarms = { errors_5xx = 4 }\n  scaling = { min = 2 }"),
                 endpoint(OTHER + token + '\n  tags = { a = "c" }')):
        ground.apply(step)
    ground.sim.control("images", ["us-central1-docker.pkg.dev/test-project/servers/vllm:1"])
    ground.apply(endpoint(MODEL + "\n  " + OWN % "vllm:1"))
    result = ground.core.destroy()
    assert result.status == 0, result.output
    used = set(ground.sim.control("permissions")["used"])
    assert used - of_the_test <= allowed
    assert allowed - used <= {"artifactregistry.versions.get", "container.clusters.get", "compute.acceleratorTypes.list", "iam.serviceAccounts.update"}, allowed - used


# ---- what a plan refuses


def no_bucket(ground):
    pass


def empty_folder(ground):
    ground.bucket("models", "other/x")


def small_quota(ground):
    ground.sim.control("quotas", {"us-central1/custom_model_serving_nvidia_l4_gpus": 1})


def no_spot_quota(ground):
    ground.sim.control("quotas", {"custom_model_serving_preemptible_nvidia_l4_gpus": 0})


def no_offer(ground):
    ground.sim.control("offers", {"nvidia-l4": ["europe-west4-a"], "g2-standard-12": ["europe-west4-a"]})


def theirs(ground):
    ground.endpoints.create(parent=PLACE, endpointId="chat", body={"displayName": "mine"}).execute()
    time.sleep(0.2)


def disabled(ground):
    ground.sim.control("projects", {"test-project": {"services": ["compute.googleapis.com", "iam.googleapis.com", "serviceusage.googleapis.com",
                                                                 "cloudresourcemanager.googleapis.com"]}})


OWN = 'container = { image = "us-central1-docker.pkg.dev/test-project/servers/%s", stack = "vllm" }'


@pytest.mark.parametrize("setup, body, says", [
    (no_bucket, 'model = "gs://nowhere/x"\n  machine = { type = "g2-standard-12" }', "There is no such bucket"),
    (empty_folder, 'model = "gs://models/x"\n  machine = { type = "g2-standard-12" }', "There are no such files"),
    (empty_folder, MODEL + '\n  adapters = { a = "gs://models/x" }', "There are no such files"),
    (small_quota, 'model = "llama3.1:8b"\n  machine = { type = "g2-standard-24" }', "The GPU quota is too small"),
    (small_quota, MODEL + "\n  scaling = { min = 1, max = 2, target_gpu_percent = 50 }", "The GPU quota is too small"),
    (no_spot_quota, 'model = "llama3.1:8b"\n  machine = { type = "g2-standard-12", provisioning = "spot" }', "preemptible_nvidia_l4_gpus"),
    (no_offer, MODEL, "The region does not have this machine"),
    (theirs, MODEL, "is not this provider's"),
    (disabled, MODEL, "aiplatform.googleapis.com"),
    (no_bucket, MODEL + "\n  " + OWN % "vllm:1", "There is no such image"),
])
def test_refused_at_plan(ground, setup, body, says):
    setup(ground)
    ground.core.write(endpoint(body))
    plan = ground.core.plan()
    assert plan.status == 1 and says in plan.text, plan.output


def test_a_quota_counts_what_is_there(ground):
    """A new version needs room beside the old one."""
    small_quota(ground)
    ground.apply(endpoint())
    ground.core.write(endpoint(OTHER))
    plan = ground.core.plan()
    assert plan.status == 1 and "1 more GPUs" in plan.text and "with 1 in use" in plan.text, plan.output


def test_an_image_that_is_there(ground):
    ground.sim.control("images", ["us-central1-docker.pkg.dev/test-project/servers/team/vllm:1"])
    ground.apply(endpoint(MODEL + "\n  " + OWN % "team/vllm:1"))
    spec = ground.model()["containerSpec"]
    assert spec["predictRoute"] == "/v1/chat/completions" and spec["args"][0] == "--host=0.0.0.0" and "command" not in spec
    ground.core.no_difference()


def test_the_machine_is_picked(ground):
    """The cheapest that holds the model, where it is offered and there is a quota."""
    ground.sim.control("quotas", {"us-central1/custom_model_serving_nvidia_l4_gpus": 0})
    ground.core.write(endpoint('model = "llama3.1:8b"'))
    plan = ground.core.plan()
    assert plan.status == 0 and "a2-highgpu-1g" in plan.output, plan.output
    ground.sim.control("quotas", {"us-central1/custom_model_serving_nvidia_l4_gpus": 8})
    ground.core.apply_ok()
    ground.core.no_difference()
    chosen = ground.state()["variant_status"]["main"]["machine_type"]
    assert chosen.startswith("g2-standard-")
    ground.sim.control("quotas", {"us-central1/custom_model_serving_nvidia_l4_gpus": 0})
    ground.core.no_difference()


@pytest.mark.parametrize("body, says", [
    ("network = { isolated = true }", "Vertex AI has no such setting"),
    ("network = { dedicated = true, private_service_connect = true }", "no host name of its own"),
    ("network = { allowed_projects = [\"p\"] }", "private_service_connect"),
    ("scaling = { scale_to_zero = true }", "Not on Vertex AI"),
    ("rollout = { strategy = \"canary\" }", "Not on Vertex AI"),
    ("log_retention_days = 7", "log bucket"),
    ("adapters = { a = \"org/name\" }", "Not a folder in GCS"),
    ("adapters = { a = \"s3://b/k.tar.gz\" }", "Files in the other cloud"),
    ("container = { image = \"docker.io/vllm/vllm-openai:v1\", stack = \"vllm\" }", "Artifact Registry"),
    ("container = { image = \"us-docker.pkg.dev/p/r/x:1\", stack = \"djl_lmi\" }", "Not on Google Cloud"),
    ("container = { stack = \"tgi\" }", "The catalogue has no such image"),
    ("data_capture = { uri = \"s3://b/k\" }", "BigQuery"),
    ("kms_key = \"projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k\"\n  region = \"us-central1\"", "A key of another region"),
    ("role = \"me\"", "no service account"),
    ("alarms = { errors_5xx = 1, actions = [\"arn:aws:sns:x\"] }", "notification channel"),
    ("region = \"us-central1-a\"", "A zone, not a region"),
    ("tags = { Team = \"x\" }", "Invalid label"),
    ("huggingface_token_secret = \"a/b\"", "no secret"),
])
def test_invalid(ground, body, says):
    ground.core.write(endpoint('model = "llama3.1:8b"\n  ' + body))
    result = ground.core.validate()
    assert result.status == 1 and says in result.text, result.output
