"""llm_endpoint in a cluster: the real core, EKS and GKE as the simulators have them, and a real Kubernetes API server behind them; what is there is asked by kubectl."""
import base64
import contextlib
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import types

import pytest
from googleapiclient.http import MediaInMemoryUpload

from conftest import CORES, ROOT, Core, aws_settings, gcp_settings
from tests.kube.cluster import Gone, Refused
from tests.kube.linked import Linked
from tests.sim import test_gcp_platform, test_sim_eks
from tests.sim.cloud import Cloud
from tests.sim.gcp.client import Cloud as GoogleCloud

REGIONS = {"aws": "us-east-1", "gcp": "us-central1"}
MACHINES = {"aws": "g6.xlarge", "gcp": "g2-standard-4"}
KINDS = ("services", "deployments", "serviceaccounts", "secrets", "persistentvolumeclaims", "networkpolicies", "poddisruptionbudgets", "horizontalpodautoscalers")
VLLM = "docker.io/vllm/vllm-openai:v0.27.1"
APPS, CORE = "/apis/apps/v1/namespaces/eval", "/api/v1/namespaces/eval"


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


@pytest.fixture
def classes(ground):
    path = "/apis/storage.k8s.io/v1/storageclasses"
    for name, provisioner in (("efs", "efs.csi.aws.com"), ("fsx", "fsx.csi.aws.com"), ("gp3", "ebs.csi.aws.com")):
        ground.kube.request("POST", path, {"metadata": {"name": name}, "provisioner": provisioner, "allowVolumeExpansion": True})
    yield
    for name in ("efs", "fsx", "gp3"):
        ground.kube.request("DELETE", f"{path}/{name}")


# ---- a life


def test_life(both):
    machine = MACHINES[both.cloud]
    both.apply(machine={"type": machine}, tags={"team": "evaluation"})
    assert both.names() == {"service/judge", "deployment/judge-main", "serviceaccount/judge", "networkpolicy/judge-8000", "poddisruptionbudget/judge-main"}
    both.core.no_difference()
    deployment, server = both.kubectl("get", "deployment", "judge-main"), both.server()
    assert deployment["metadata"]["labels"].items() >= {"team": "evaluation", "llm-resource": "llm_endpoint--judge"}.items()
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert deployment["spec"]["progressDeadlineSeconds"] == 1800 + 1200
    assert server["image"] == VLLM and server["command"] == ["vllm", "serve"]
    assert server["args"] == ["meta-llama/Llama-3.1-8B-Instruct", "--served-model-name", "judge", "--host", "0.0.0.0", "--port", "8000", "--max-model-len", "8192"]
    assert server["resources"]["limits"] == server["resources"]["requests"] == {"cpu": "2", "memory": "12Gi", "nvidia.com/gpu": "1"}
    assert server["startupProbe"]["failureThreshold"] * server["startupProbe"]["periodSeconds"] == 1800
    assert {server[p]["httpGet"]["path"] for p in ("startupProbe", "readinessProbe", "livenessProbe")} == {"/health"}
    assert server["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    pod = both.pod()
    assert pod["nodeSelector"]["node.kubernetes.io/instance-type"] == machine and not pod["automountServiceAccountToken"]
    assert [(t["key"], t["operator"]) for t in pod["tolerations"]] == [("nvidia.com/gpu", "Exists")]
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert volumes["weights"]["ephemeral"]["volumeClaimTemplate"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    service = both.kubectl("get", "service", "judge")
    assert service["spec"]["type"] == "ClusterIP" and service["spec"]["ports"][0]["port"] == 80
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    policy = both.kubectl("get", "networkpolicy", "judge-8000")["spec"]
    assert policy["ingress"] == [{"from": [{"namespaceSelector": {}}], "ports": [{"port": 8000, "protocol": "TCP"}]}] and policy["policyTypes"] == ["Ingress"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    both.core.ok("refresh", "-no-color")
    state = both.state()
    assert state["endpoint_name"] == "eval/judge" and state["invoke_url"] == "http://judge.eval.svc.cluster.local"
    assert state["status"] == "Available" and state["endpoint_arn"] is None and state["log_group"] is None and state["secret_id"] is None
    assert state["variant_status"] == {"main": {"weight": 100, "instances": 1, "desired_instances": 1, "machine_type": machine, "image": VLLM}}
    assert state["model_ids"] == {"main": "judge"} and state["role_id"] == "judge" and state["region"] == both.region
    both.destroy()


def test_import_gives_the_same(both):
    attributes = {"scaling": {"min": 2}, "adapters": {"sql": "yard1/sql-lora"}, "tags": {"team": "a"}, "cluster": {"node_selector": {"pool": "gpu"}}}
    both.change(**attributes, container={"version": "0.25.0"})
    both.change(**attributes)
    assert both.server()["image"].endswith(":v0.25.0"), "what was picked stays"
    other = both.new_core("other")
    both.write(other, **attributes)
    other.ok("import", "-no-color", "llm_endpoint.e", f"{both.cloud}/{both.region}/c/eval/judge")
    other.no_difference()
    assert other.state()["llm_endpoint.e"]["variant_status"]["main"]["image"].endswith(":v0.25.0")
    refused = other.run("import", "-no-color", "llm_endpoint.e", f"{both.cloud}/{both.region}/c/eval/other")
    assert refused.status == 1
    assert other.run("state", "rm", "llm_endpoint.e").status == 0
    missing = other.run("import", "-no-color", "llm_endpoint.e", f"{both.cloud}/{both.region}/c/eval/other")
    assert "no Service \"other\"" in missing.text, missing.output
    both.destroy()


# ---- changes, while the old pods serve


class Applying:
    """An apply at work, while a test plays the Deployment's controller."""

    def __init__(self, ground, name="judge-main", **attributes):
        self.ground, self.path = ground, f"{APPS}/deployments/{name}"
        ground.write(**attributes)
        before = self.deployment()["metadata"]["generation"]
        self.process = subprocess.Popen([ground.core.binary, "apply", "-no-color", "-input=false", "-auto-approve"], cwd=ground.core.directory,
                                        env=ground.core.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until = time.monotonic() + 60
        while self.deployment()["metadata"]["generation"] == before:
            assert self.process.poll() is None and time.monotonic() < until, self.process.communicate()[0]
            time.sleep(0.1)

    def deployment(self):
        return self.ground.kube.get(self.path)

    def is_at(self, conditions=(), **numbers):
        self.ground.kube.set_status(self.path, {"observedGeneration": self.deployment()["metadata"]["generation"], "conditions": list(conditions), **numbers})

    def goes_on(self):
        time.sleep(1.5)
        return self.process.poll() is None

    def ends(self):
        output = " ".join(self.process.communicate(timeout=60)[0].replace("│", " ").split())
        return self.process.returncode, output


def progress(status, reason, message=""):
    return {"type": "Progressing", "status": status, "reason": reason, "message": message}


LATE = progress("False", "ProgressDeadlineExceeded", 'ReplicaSet "judge-main-2" has timed out progressing.')
OLD = {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
NEW = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}


def test_another_model_comes_before_the_old_one_goes(ground):
    ground.apply()
    before = ground.kubectl("get", "deployment", "judge-main")
    change = Applying(ground, model="Qwen/Qwen2.5-7B-Instruct-AWQ", quantization="awq")
    change.is_at([progress("True", "ReplicaSetUpdated")], **OLD)
    assert change.goes_on(), "the old pod serves, the new one is not ready"
    there = change.deployment()
    assert there["metadata"]["uid"] == before["metadata"]["uid"] and there["spec"]["selector"] == before["spec"]["selector"]
    assert there["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert ground.kubectl("get", "service", "judge")["spec"]["selector"].items() <= before["spec"]["template"]["metadata"]["labels"].items()
    change.is_at([progress("True", "NewReplicaSetAvailable")], **NEW)
    status, output = change.ends()
    assert status == 0, output
    args = ground.server()["args"]
    assert args[0] == "Qwen/Qwen2.5-7B-Instruct-AWQ" and "--quantization" not in args  # it says so itself
    ground.core.no_difference()
    ground.destroy()


def test_another_variant_serves_before_the_old_one_goes(ground):
    """One Service has the pods of both meanwhile."""
    ground.apply()
    ground.write(variants={"a": {"weight": 100}})
    process = subprocess.Popen([ground.core.binary, "apply", "-no-color", "-input=false", "-auto-approve"], cwd=ground.core.directory, env=ground.core.env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until = time.monotonic() + 60
    while "deployment/judge-a" not in ground.names():
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.1)
    time.sleep(2)
    assert process.poll() is None and "deployment/judge-main" in ground.names()
    with ground.kube.controllers():
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "deployment/judge-main" not in ground.names() and "poddisruptionbudget/judge-main" not in ground.names()
    ground.core.no_difference()
    ground.destroy()


def test_another_port_is_let_in_before_the_old_one_is_shut(ground):
    """In a namespace that denies calls the old pods are reached as long as they serve."""
    def open_ports():
        rules = [r for i in ground.kubectl("get", "networkpolicy")["items"] for r in i["spec"]["ingress"]]
        return sorted(p["port"] for r in rules for p in r["ports"])

    ground.apply()
    assert open_ports() == [8000]
    change = Applying(ground, container={"port": 9000})
    change.is_at([progress("True", "ReplicaSetUpdated")], **OLD)
    assert change.goes_on() and open_ports() == [8000, 9000]
    change.is_at([progress("True", "NewReplicaSetAvailable")], **NEW)
    status, output = change.ends()
    assert status == 0, output
    assert open_ports() == [9000]
    ground.core.no_difference()
    ground.destroy()


def test_a_rollout_that_fails_says_why_and_leaves_the_old_pods(ground):
    ground.apply()
    uid = ground.kubectl("get", "deployment", "judge-main")["metadata"]["uid"]
    change = Applying(ground, model="Qwen/Nothing")
    change.is_at([LATE, {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "pods is forbidden: exceeded quota: gpus"}], **OLD)
    status, output = change.ends()
    assert status == 1 and "RolloutFailed" in output and "exceeded quota: gpus" in output, output
    assert ground.kubectl("get", "deployment", "judge-main")["metadata"]["uid"] == uid, "the old pods are its"
    planned = ground.core.plan("-detailed-exitcode")
    assert planned.status == 2 and "incomplete" in planned.text, planned.output
    assert ground.state()["variant_status"]["main"]["instances"] == 1
    # as it stands it fails again, at once
    with ground.kube.controllers(pause_s=60):
        again = ground.core.apply()
    assert again.status == 1 and "RolloutFailed" in again.text, again.output
    back = Applying(ground)
    back.is_at([progress("True", "NewReplicaSetAvailable")], **NEW)
    status, output = back.ends()
    assert status == 0, output
    there = ground.kubectl("get", "deployment", "judge-main")
    assert there["metadata"]["uid"] == uid and ground.server()["args"][0] == "meta-llama/Llama-3.1-8B-Instruct"
    ground.core.no_difference()
    ground.destroy()


def test_a_first_pod_that_never_comes_is_made_anew(ground):
    ground.write()
    process = subprocess.Popen([ground.core.binary, "apply", "-no-color", "-input=false", "-auto-approve"], cwd=ground.core.directory, env=ground.core.env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    path, until = f"{APPS}/deployments/judge-main", time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(Gone):
            ground.kube.get(path)
            break
        time.sleep(0.1)
    ground.kube.set_status(path, {"observedGeneration": 1, "replicas": 1, "conditions": [LATE]})
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1 and "has timed out progressing" in " ".join(output.replace("│", " ").split()), output
    uid = ground.kube.get(path)["metadata"]["uid"]
    ground.change()
    assert ground.kube.get(path)["metadata"]["uid"] != uid
    ground.destroy()


def test_steps_of_a_rollout(ground):
    ground.change(scaling={"min": 4}, rollout={"strategy": "linear", "step_percent": 50, "wait_s": 120})
    there = ground.kubectl("get", "deployment", "judge-main")["spec"]
    assert there["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "50%"} and there["minReadySeconds"] == 120
    assert there["progressDeadlineSeconds"] == 1800 + 1200 + 120
    ground.change(scaling={"min": 4})
    there = ground.kubectl("get", "deployment", "judge-main")["spec"]
    assert there["strategy"]["rollingUpdate"]["maxSurge"] == 1 and there.get("minReadySeconds", 0) == 0
    ground.destroy()


# ---- what a pod is made of


def test_all_options(ground, classes):
    for secret in ("hub", "registry"):
        ground.kube.request("POST", f"{CORE}/secrets", {"metadata": {"name": secret}, "stringData": {"token": "hf_x"}})
    ground.kube.request("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "reader"}})
    ground.kube.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "serving"}, "value": 1000})
    ground.bucket("models", "llama/config.json", "sql/adapter_config.json")
    ground.change(
        model="s3://models/llama/", quantization="fp8", context_tokens=4096, role="reader", huggingface_token_secret="hub", startup_timeout_s=605,
        adapters={"sql": "s3://models/sql", "chat": "org/chat"}, environment={"HF_HOME": "/elsewhere", "VLLM_LOGGING_LEVEL": "DEBUG", "EMPTY": ""},
        container={"args": ["--max-lora-rank", "64"], "version": "0.25.0", "port": 9000, "shared_memory_mib": 4096},
        machine={"type": "g6.12xlarge", "gpus": 4, "cpu": "1.5", "memory_gib": 64, "disk_gib": 1024, "provisioning": "spot"},
        cluster={"storage_class": "gp3", "node_selector": {"pool": "gpu"}, "tolerations": [{"key": "team", "value": "a", "effect": "NO_SCHEDULE"}],
                 "priority_class": "serving", "image_pull_secrets": ["registry"]})
    pod, server = ground.pod(), ground.server()
    assert server["image"] == "docker.io/vllm/vllm-openai:v0.25.0"
    assert server["args"] == ["s3://models/llama/", "--served-model-name", "judge", "--host", "0.0.0.0", "--port", "9000", "--max-model-len", "4096",
                              "--tensor-parallel-size", "4", "--quantization", "fp8", "--load-format", "runai_streamer", "--enable-lora", "--lora-modules",
                              "chat=org/chat", "sql=/adapters/sql", "--max-lora-rank", "64"]
    assert server["resources"]["limits"] == {"cpu": "1500m", "memory": "64Gi", "nvidia.com/gpu": "4"}
    assert server["startupProbe"]["failureThreshold"] == 61 and server["ports"][0]["containerPort"] == 9000
    environment = {e["name"]: e for e in server["env"]}
    assert environment["HF_HOME"]["value"] == "/elsewhere" and environment["VLLM_LOGGING_LEVEL"]["value"] == "DEBUG"
    assert environment["HF_TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    [fetcher] = pod["initContainers"]
    assert fetcher["command"][:2] == ["python3", "-c"] and fetcher["args"] == ["s3://models/sql/", "/adapters/sql"] and fetcher["image"] == server["image"]
    compile(fetcher["command"][2], "fetch", "exec")
    volumes = {v["name"]: v for v in pod["volumes"]}
    claim = volumes["weights"]["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert claim["resources"]["requests"]["storage"] == "1Ti" and claim["storageClassName"] == "gp3"
    assert volumes["shm"]["emptyDir"]["sizeLimit"] == "4Gi" and volumes["adapters"]["emptyDir"] == {}
    assert pod["nodeSelector"] == {"pool": "gpu", "node.kubernetes.io/instance-type": "g6.12xlarge", "eks.amazonaws.com/capacityType": "SPOT"}
    assert {"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"} in pod["tolerations"]
    assert pod["serviceAccountName"] == "reader" and pod["priorityClassName"] == "serving" and pod["imagePullSecrets"] == [{"name": "registry"}]
    assert ground.kubectl("get", "networkpolicy", "judge-9000")["spec"]["ingress"][0]["ports"] == [{"port": 9000, "protocol": "TCP"}]
    assert "serviceaccount/judge" not in ground.names() and "secret/judge-token" not in ground.names()
    state = ground.state()
    assert state["role_id"] == "reader" and state["secret_id"] == "hub" and state["adapter_ids"] == {"sql": "sql", "chat": "chat"}
    with ground.kube.controllers():
        assert ground.core.destroy().status == 0
    ground.kube.request("DELETE", "/apis/scheduling.k8s.io/v1/priorityclasses/serving")


def test_adapters_come_and_go(ground):
    """With the container that fetches them, and its volume."""
    ground.bucket("models", "sql/adapter_config.json")
    ground.change()
    ground.change(adapters={"sql": "s3://models/sql/"})
    assert len(ground.pod()["initContainers"]) == 1
    ground.change(adapters={"sql": "org/sql"})
    assert "initContainers" not in ground.pod() and "adapters" not in {v["name"] for v in ground.pod()["volumes"]}
    ground.destroy()


def test_text_generation_inference(ground):
    ground.change(container={"stack": "tgi"}, machine={"type": "g6.12xlarge"}, model="Qwen/Qwen2.5-72B-Instruct-AWQ", quantization="awq", model_size={"memory_gib": 60})
    server = ground.server()
    assert server["image"] == "ghcr.io/huggingface/text-generation-inference:3.3.5" and "command" not in server
    assert server["args"] == ["--model-id", "Qwen/Qwen2.5-72B-Instruct-AWQ", "--port", "8080", "--max-input-tokens", "8191", "--max-total-tokens", "8192",
                              "--num-shard", "4", "--quantize", "awq"]
    assert {m["mountPath"] for m in server["volumeMounts"]} == {"/data", "/dev/shm"}
    ground.destroy()


def test_an_image_with_the_model_in_it(ground):
    ground.change(model="oci://registry.example.com/judge:1", container={"port": 7000, "health_route": "/ready"}, environment={"A": "b"}, machine={"gpus": 0})
    server = ground.server()
    assert server["image"] == "registry.example.com/judge:1" and "args" not in server and "command" not in server
    assert server["env"] == [{"name": "A", "value": "b"}] and server["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "http", "scheme": "HTTP"}
    assert "nvidia.com/gpu" not in server["resources"]["limits"] and ground.pod().get("tolerations", []) == []
    assert [v["name"] for v in ground.pod()["volumes"]] == ["shm"]
    ground.destroy()


def test_the_token_of_the_hub_is_a_secret(ground):
    ground.change(huggingface_token_wo="hf_canary", huggingface_token_wo_version=1)
    secret = ground.kubectl("get", "secret", "judge-token")
    assert base64.b64decode(secret["data"]["token"]) == b"hf_canary"
    [token] = [e for e in ground.server()["env"] if e["name"] == "HF_TOKEN"]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "judge-token", "key": "token"}
    assert "hf_canary" not in (ground.core.directory / "terraform.tfstate").read_text()
    generation = ground.kubectl("get", "deployment", "judge-main")["metadata"]["generation"]
    ground.change(huggingface_token_wo="hf_other", huggingface_token_wo_version=2)
    assert base64.b64decode(ground.kubectl("get", "secret", "judge-token")["data"]["token"]) == b"hf_other"
    assert ground.kubectl("get", "deployment", "judge-main")["metadata"]["generation"] == generation
    ground.change()
    assert "secret/judge-token" not in ground.names()
    ground.destroy()


# ---- variants, storage, load balancers


def test_variants_share_the_calls_as_their_pods_do(ground):
    variants = {"a": {"weight": 75, "instances": 3}, "b": {"weight": 25, "instances": 1, "model": "mistral:7b"}}
    ground.change(variants=variants)
    selector = ground.kubectl("get", "service", "judge")["spec"]["selector"]
    for name, count in (("a", 3), ("b", 1)):
        there = ground.kubectl("get", "deployment", f"judge-{name}")["spec"]
        assert there["replicas"] == count and selector.items() <= there["template"]["metadata"]["labels"].items()
        args = ground.server(f"judge-{name}")["args"]
        assert args[1:4] == ["--served-model-name", f"judge-{name}", "judge"]
        assert ground.kubectl("get", "poddisruptionbudget", f"judge-{name}")["spec"]["maxUnavailable"] == 1
    assert ground.server("judge-b")["args"][0].startswith("mistralai/")
    ground.core.ok("refresh", "-no-color")
    assert {k: (v["weight"], v["instances"]) for k, v in ground.state()["variant_status"].items()} == {"a": (75, 3), "b": (25, 1)}
    ground.change(variants={"a": {"weight": 100, "instances": 2}})
    assert "deployment/judge-b" not in ground.names() and "poddisruptionbudget/judge-b" not in ground.names()
    ground.destroy()


def test_one_volume_for_all_pods(ground, classes):
    ground.change(cluster={"shared_storage": True, "storage_class": "efs"}, scaling={"min": 2}, machine={"disk_gib": 50})
    [claim] = ground.kubectl("get", "persistentvolumeclaim")["items"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"] and claim["spec"]["storageClassName"] == "efs"
    assert claim["spec"]["resources"]["requests"]["storage"] == "50Gi"
    [volume] = [v for v in ground.pod()["volumes"] if v["name"] == "weights"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    # another class is another volume, and the pods move to it before the old one goes
    ground.change(cluster={"shared_storage": True, "storage_class": "fsx"}, scaling={"min": 2}, machine={"disk_gib": 50})
    [other] = ground.kubectl("get", "persistentvolumeclaim")["items"]
    assert other["metadata"]["name"] != claim["metadata"]["name"] and other["spec"]["storageClassName"] == "fsx"
    ground.refused("cannot be shared", "ebs.csi.aws.com", cluster={"shared_storage": True, "storage_class": "gp3"})
    ground.refused('no storage class "none"', cluster={"storage_class": "none"})
    ground.change()
    assert ground.kubectl("get", "persistentvolumeclaim")["items"] == []
    ground.destroy()


def test_a_shared_volume_does_not_shrink(ground, classes):
    """Not for a smaller model; and who asks for it is told in the plan."""
    def size():
        [claim] = ground.kubectl("get", "persistentvolumeclaim")["items"]
        return claim["spec"]["resources"]["requests"]["storage"]

    shared = {"cluster": {"shared_storage": True, "storage_class": "efs"}}
    ground.change(**shared, model="qwen2.5:14b", machine={"type": "g6.12xlarge"})
    large = size()
    ground.change(**shared, model="qwen2.5:1.5b", machine={"type": "g6.12xlarge"})
    assert size() == large
    ground.refused("The volume would shrink", f"It has {large}, 10Gi are wanted", **shared, model="qwen2.5:1.5b", machine={"type": "g6.12xlarge", "disk_gib": 10})
    ground.write(**shared, model="qwen2.5:1.5b", machine={"type": "g6.12xlarge"})
    ground.destroy()


def test_load_balancers(both):
    both.change(network={"expose": "internal", "source_ranges": ["10.0.0.0/8"]})
    service = both.kubectl("get", "service", "judge")
    notes, spec = service["metadata"]["annotations"], service["spec"]
    assert spec["type"] == "LoadBalancer" and spec["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    if both.cloud == "aws":
        assert notes["service.beta.kubernetes.io/aws-load-balancer-internal"] == "true" and notes["service.beta.kubernetes.io/aws-load-balancer-scheme"] == "internal"
    else:
        assert notes["networking.gke.io/load-balancer-type"] == "Internal"
    assert "from" not in both.kubectl("get", "networkpolicy", "judge-8000")["spec"]["ingress"][0]
    assert both.state()["invoke_url"] == "http://lb.example.com"
    both.change()
    assert both.kubectl("get", "service", "judge")["spec"]["type"] == "ClusterIP" and both.state()["invoke_url"].endswith(".svc.cluster.local")
    both.destroy()


# ---- scaling


class Adapter(http.server.BaseHTTPRequestHandler):
    """What an adapter of metrics says it has."""

    def do_GET(self):
        resources = [{"name": f"pods/{m}", "singularName": "", "namespaced": True, "kind": "MetricValueList", "verbs": ["get"]} for m in ("requests_per_minute", "gpu_percent")]
        body = json.dumps({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "custom.metrics.k8s.io/v1beta1", "resources": resources}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def adapter(ground, tmp_path):
    """An adapter of custom metrics, as the API server reaches one: by a Service."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Adapter)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ground.kube.path("server.pem"), ground.kube.path("server.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    services, registrations = "/api/v1/namespaces/default/services", "/apis/apiregistration.k8s.io/v1/apiservices"
    ground.kube.request("POST", services, {"metadata": {"name": "adapter"}, "spec": {"type": "ExternalName", "externalName": "127.0.0.1", "ports": [{"port": 443}]}})
    ground.kube.request("POST", registrations, {"metadata": {"name": "v1beta1.custom.metrics.k8s.io"}, "spec": {
        "group": "custom.metrics.k8s.io", "version": "v1beta1", "insecureSkipTLSVerify": True, "groupPriorityMinimum": 100, "versionPriority": 100,
        "service": {"namespace": "default", "name": "adapter", "port": server.server_port}}})
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(Refused):
            ground.kube.get("/apis/custom.metrics.k8s.io/v1beta1")
            break
        time.sleep(0.3)
    yield
    ground.kube.request("DELETE", f"{registrations}/v1beta1.custom.metrics.k8s.io")
    ground.kube.request("DELETE", f"{services}/adapter")
    server.shutdown()
    server.server_close()


METRICS = {"metrics": {"requests": "requests_per_minute", "gpu": "gpu_percent"}}


def test_a_scaler_decides_about_the_pods(ground, adapter):
    scaling = {"min": 1, "max": 6, "target_invocations": 120, "target_gpu_percent": 70, "scale_in_cooldown_s": 600}
    ground.change(scaling=scaling, cluster=METRICS)
    spec = ground.kubectl("get", "horizontalpodautoscaler", "judge-main")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"], spec["scaleTargetRef"]["name"]) == (1, 6, "judge-main")
    assert [(m["pods"]["metric"]["name"], m["pods"]["target"]["averageValue"]) for m in spec["metrics"]] == [("requests_per_minute", "120"), ("gpu_percent", "70")]
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 600 and spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 60
    ground.kube.merge(f"{APPS}/deployments/judge-main/scale", {"spec": {"replicas": 4}}, manager="horizontal-pod-autoscaler")
    with ground.kube.controllers():
        time.sleep(1)
    ground.core.no_difference()
    ground.change(scaling=scaling, cluster=METRICS, environment={"A": "b"})
    assert ground.kubectl("get", "deployment", "judge-main")["spec"]["replicas"] == 4, "a change keeps what the scaler has set"
    ground.core.ok("refresh", "-no-color")
    assert ground.state()["variant_status"]["main"]["desired_instances"] == 4
    ground.refused('serves no "calls" of pods', scaling=scaling, cluster={"metrics": {"requests": "calls", "gpu": "gpu_percent"}})
    ground.change(scaling={"min": 2})
    assert "horizontalpodautoscaler/judge-main" not in ground.names()
    assert ground.kubectl("get", "deployment", "judge-main")["spec"]["replicas"] == 2
    ground.destroy()


def test_scaling_needs_who_measures(ground):
    ground.refused("Nothing serves metrics of pods", scaling={"max": 3, "target_gpu_percent": 60}, cluster=METRICS)


# ---- what others do


def test_drift_shows_and_is_repaired(both):
    both.apply()
    both.kube.request("DELETE", "/apis/policy/v1/namespaces/eval/poddisruptionbudgets/judge-main")
    both.kube.request("DELETE", f"{CORE}/services/judge")
    planned = both.core.plan("-detailed-exitcode")
    assert planned.status == 2 and "kube_budget.main" in planned.text and "kube_service" in planned.text, planned.output
    both.change()
    assert "poddisruptionbudget/judge-main" in both.names() and "service/judge" in both.names()
    # what another sets is no longer ours, until it is given back
    both.kube.merge(f"{APPS}/deployments/judge-main", {"spec": {"replicas": 3}})
    planned = both.core.plan("-detailed-exitcode")
    assert planned.status == 2 and "changed (replicas)" in planned.text, planned.output
    with both.kube.controllers():
        refused = both.core.apply()
    assert refused.status == 1 and "kubectl-edit" in refused.text, refused.output
    both.kube.apply(f"{APPS}/deployments/judge-main", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "judge-main"}}, "kubectl-edit", force=True)
    both.kube.request("DELETE", f"{APPS}/deployments/judge-main")
    with both.kube.controllers():
        time.sleep(0.5)
    both.change()
    assert both.kubectl("get", "deployment", "judge-main")["spec"]["replicas"] == 1
    both.destroy()


def test_names_of_others_are_left_alone(ground):
    ground.kube.request("POST", f"{CORE}/services", {"metadata": {"name": "judge", "labels": {"app.kubernetes.io/managed-by": "Helm"}}, "spec": {"ports": [{"port": 80}]}})
    ground.refused("The name is taken", "service eval/judge is there already, and belongs to Helm")
    ground.kube.request("DELETE", f"{CORE}/services/judge")
    labels = {"app": "x"}
    ground.kube.request("POST", f"{APPS}/deployments", {"metadata": {"name": "judge-main", "labels": {"llm-resource": "llm_endpoint--other"}}, "spec": {
        "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    ground.refused("deployment eval/judge-main is there already, and belongs to llm_endpoint--other")
    assert ground.names() == {"deployment/judge-main"}


def test_a_name_that_another_state_has(ground):
    ground.apply()
    other = ground.new_core("other")
    ground.write(other)
    planned = other.plan()
    assert planned.status == 1 and "this state does not have it" in planned.text and "aws/us-east-1/c/eval/judge" in planned.text, planned.output
    ground.destroy()


def test_an_apply_that_was_killed_is_gone_on_with(ground):
    ground.write()
    process = subprocess.Popen([ground.core.binary, "apply", "-no-color", "-input=false", "-auto-approve"], cwd=ground.core.directory, env=ground.core.env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    until = time.monotonic() + 60
    while "deployment/judge-main" not in ground.names():
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.1)
    assert "llm-claim" in ground.kubectl("get", "service", "judge")["metadata"]["labels"]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    uid = ground.kubectl("get", "deployment", "judge-main")["metadata"]["uid"]
    (ground.core.directory / "terraform.tfstate").unlink(missing_ok=True)
    (ground.core.directory / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
    result = ground.apply()
    assert "An interrupted apply is continued" in result.text, result.output
    assert ground.kubectl("get", "deployment", "judge-main")["metadata"]["uid"] == uid
    assert "llm-claim" not in ground.kubectl("get", "service", "judge")["metadata"]["labels"]
    ground.core.no_difference()
    ground.destroy()


def test_a_tainted_endpoint_is_made_anew(ground):
    ground.apply()
    uid = ground.kubectl("get", "deployment", "judge-main")["metadata"]["uid"]
    ground.core.ok("taint", "-no-color", "llm_endpoint.e")
    ground.change()
    assert ground.kubectl("get", "deployment", "judge-main")["metadata"]["uid"] != uid
    ground.destroy()


# ---- other clusters


def test_a_cluster_by_its_url(ground, tmp_path):
    ca, cluster = ground.kube.ca_pem, {"name": None, "namespace": "eval"}
    given = {"endpoint": ground.kube.endpoint, "ca_certificate": ca, "token_wo": ground.kube.admin, "token_wo_version": 1}
    ground.apply(cluster={**cluster, "kubernetes": given})
    text = (ground.core.directory / "terraform.tfstate").read_text()
    assert ground.kube.admin not in text
    notes = ground.kubectl("get", "service", "judge")["metadata"]["annotations"]
    assert ground.kube.endpoint in notes["llm/configuration"] and ground.kube.admin not in str(notes)
    assert ground.state()["variant_status"]["main"]["desired_instances"] == 1
    # a refresh has no write-only values
    planned = ground.core.plan("-detailed-exitcode")
    assert planned.status == 0 and "could not be looked at" in planned.text and "KUBE_TOKEN" in planned.text, planned.output
    ground.core.env["KUBE_TOKEN"] = ground.kube.admin
    planned = ground.core.plan("-detailed-exitcode")
    assert planned.status == 0 and "could not be looked at" not in planned.text, planned.output
    ground.core.env["KUBE_TOKEN"] = "wrong"
    planned = ground.core.plan("-detailed-exitcode")
    assert planned.status == 1 and "refused the token" in planned.text, planned.output
    del ground.core.env["KUBE_TOKEN"]
    file = tmp_path / "token"
    file.write_text(ground.kube.admin + "\n")
    ground.change(cluster={**cluster, "kubernetes": {"endpoint": ground.kube.endpoint, "ca_certificate": ca, "token_file": str(file)}}, environment={"A": "b"})
    imported = ground.new_core("other")
    ground.write(imported, cluster={**cluster, "kubernetes": {"endpoint": ground.kube.endpoint, "ca_certificate": ca, "token_file": str(file)}})
    file.unlink()
    planned = ground.core.plan()
    assert planned.status == 1 and "cannot be read" in planned.text, planned.output
    file.write_text(ground.kube.admin)
    ground.destroy()


def test_a_cluster_that_is_made_in_the_same_run(ground):
    """Nothing can be asked yet: the plan says what is certain."""
    ground.core.write(endpoint(cloud="aws", cluster={"name": "later"}))
    planned = ground.core.plan()
    assert planned.status == 0 and "The cluster was not asked" in planned.text, planned.output
    ground.core.write('resource "terraform_data" "c" {\n  input = "c"\n}\n' + endpoint(cloud="aws").replace('"name": "c"', 'name: terraform_data.c.output'))
    planned = ground.core.plan()
    assert planned.status == 0, planned.output
    with ground.kube.controllers():
        ground.core.apply_ok()
    ground.core.no_difference()
    ground.destroy()


@pytest.mark.parametrize("later", [
    {"cluster": {"name": "c", "namespace": "eval"}}, {"network": {"expose": "internal"}}, {"variants": {"a": {"weight": 100}}}, {"machine": {"gpus": 2}},
    {"container": {"stack": "tgi"}}, {"huggingface_token_wo_version": 3, "huggingface_token_wo": "hf_x"}, {"role": "default"}, {"adapters": {"a": "org/a"}},
    {"scaling": {"min": 2}}, {"rollout": {"strategy": "linear"}}, {"tags": {"a": "b"}}, {"name": "judge"}, {"model_size": {"memory_gib": 4}},
], ids=lambda later: next(iter(later)))
def test_settings_that_are_known_in_the_apply_alone(ground, later):
    """Whatever a plan says of the outputs holds then."""
    data = "\n".join(f'resource "terraform_data" "{k}" {{\n  input = {json.dumps(v)}\n}}' for k, v in later.items() if not k.endswith("_wo"))
    text = endpoint(cloud="aws", **{**later, "cluster": later.get("cluster", {})})
    for key in later:
        if not key.endswith("_wo"):
            text = re.sub(rf"(?m)^  {key} = .*$", f"  {key} = terraform_data.{key}.output", text)
    ground.core.write(data + "\n" + text)
    with ground.kube.controllers():
        ground.core.apply_ok()
    ground.core.no_difference()
    ground.destroy()


def test_values_that_are_not_known_yet(ground):
    more = 'resource "terraform_data" "v" {\n  input = { env = "x", model = "mistral:7b", adapter = "org/a", tag = "t" }\n}\n'
    text = endpoint(cloud="aws", environment={"A": "ENV"}, model="MODEL", adapters={"a": "ADAPTER"}, tags={"t": "TAG"})
    for name in ("env", "model", "adapter", "tag"):
        text = text.replace(f'"{name.upper()}"', f"terraform_data.v.output.{name}")
    ground.core.write(more + text)
    with ground.kube.controllers():
        ground.core.apply_ok()
    ground.core.no_difference()
    assert {"name": "A", "value": "x"} in ground.server()["env"] and "a=org/a" in ground.server()["args"]
    ground.destroy()


def test_on_a_platform_of_the_same_configuration(both):
    """The platform's cluster, its namespace with quota and denied calls, and an endpoint in it, in one apply."""
    platform = """
resource "llm_platform_cluster" "p" {
  name                = "dev"
  cloud               = "%s"
  deletion_protection = false
  namespaces = {
    llm-baseline = { quota = { "requests.nvidia.com/gpu" = "2", "limits.memory" = "64Gi" }, default_deny = ["Ingress"] }
  }
}
""" % both.cloud
    text = endpoint(cloud=both.cloud, cluster={"namespace": "llm-baseline"}).replace('"name": "c"', '"name": llm_platform_cluster.p.cluster_name')
    both.core.write(platform + text)
    with both.kube.controllers():
        both.core.apply_ok(timeout=400)
        both.core.no_difference()
        there = both.kube.get("/apis/apps/v1/namespaces/llm-baseline/deployments/judge-main")
        assert there["status"]["readyReplicas"] == 1
        assert both.kube.get("/apis/networking.k8s.io/v1/namespaces/llm-baseline/networkpolicies/judge-8000")
        state = both.core.state()["llm_endpoint.e"]
        assert state["cluster"]["name"] == "dev" and state["endpoint_name"] == "llm-baseline/judge"
        # a team more: its namespace and its endpoint, in one apply too
        more = endpoint(cloud=both.cloud, name="other", cluster={"namespace": "team"}).replace('"e"', '"f"').replace('"name": "c"', '"name": llm_platform_cluster.p.cluster_name')
        both.core.write(platform.replace("  namespaces = {", "  namespaces = {\n    team = {}") + text + more)
        both.core.apply_ok(timeout=400)
        both.core.no_difference()
        assert both.kube.get("/apis/apps/v1/namespaces/team/deployments/other-main")["status"]["readyReplicas"] == 1
        destroyed = both.core.destroy()
    assert destroyed.status == 0, destroyed.output
    assert "namespaces /llm-baseline" not in both.kube.objects()


# ---- what the identity has to be allowed


PAGE = (ROOT / "docs/guides/permissions.md").read_text()
GROUP = "llm-provider"


def in_cluster():
    """The table of what is needed in the cluster: (resource, API group, verb)."""
    table = PAGE.split("### llm_endpoint on AWS\n")[1].split("What the same identity has to be allowed in the cluster")[1].split("\n### ")[0]
    return set(re.findall(r"`([a-z]+)(?:\.([a-z0-9.]+))?:([a-z]+)`", table)) - {("resource", "group", "verb")}


@pytest.fixture(scope="module")
def audited():
    """A cluster that lets its maker do what the page lists, and counts what he does."""
    class Limited(Linked):
        def known(self, token):
            user = super().known(token)
            return user and (user[0], [GROUP])

    with Limited("aws") as kube:
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        kube.request("POST", f"{rbac}/clusterroles", {"metadata": {"name": GROUP}, "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": [verb]} for resource, group, verb in sorted(in_cluster())]})
        kube.request("POST", f"{rbac}/clusterrolebindings", {
            "metadata": {"name": GROUP}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": GROUP},
            "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": GROUP}]})
        kube.usual = kube.all_objects()
        yield kube


@pytest.fixture
def limited(request, tmp_path, audited):
    g = new_ground(request, tmp_path, audited)
    yield g
    g.clean()


def test_permissions_of_the_page_are_enough(limited):
    sim = limited.sim
    everything = {"huggingface_token_wo": "hf_x", "huggingface_token_wo_version": 1, "tags": {"a": "b"}}
    limited.kube.request("POST", "/apis/storage.k8s.io/v1/storageclasses", {"metadata": {"name": "efs"}, "provisioner": "efs.csi.aws.com"})
    storage = {"cluster": {"shared_storage": True, "storage_class": "efs"}}
    sim.control("calls", method="DELETE")
    limited.change(**everything, **storage)
    limited.change(**{**everything, "huggingface_token_wo_version": 2, "tags": {"a": "c"}}, **storage, model="mistral:7b", network={"expose": "public"}, container={"port": 9000})
    limited.core.ok("state", "rm", "llm_endpoint.e")
    limited.core.ok("import", "-no-color", "llm_endpoint.e", "aws/us-east-1/c/eval/judge")
    limited.core.no_difference()
    calls = {f"{c['service']}:{c['operation']}" for c in sim.calls()}
    policy = PAGE.split("### llm_endpoint on AWS\n")[1].split("\n### ")[0]
    assert "eks:DescribeCluster" in calls and all(f'"{c}"' in policy for c in calls), calls
    limited.destroy()
    limited.kube.request("DELETE", "/apis/storage.k8s.io/v1/storageclasses/efs")


def test_what_is_not_allowed_is_said(limited):
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{GROUP}"
    role = limited.kube.get(path)
    limited.kube.request("PUT", path, {**role, "rules": [r for r in role["rules"] if r["resources"] != ["poddisruptionbudgets"]]})
    try:
        limited.refused('trying out the pod disruption budget "kube_budget.main"', "Forbidden")
    finally:
        limited.kube.request("PUT", path, {**limited.kube.get(path), "rules": role["rules"]})


# ---- what is refused


SCHEMES = {"aws": "s3", "gcp": "gs"}
REGISTRIES = {"aws": "123456789012.dkr.ecr.us-east-1.amazonaws.com", "gcp": "us-central1-docker.pkg.dev/test-project"}


def test_what_the_pods_would_fetch_is_not_there(both):
    """Said by the plan, where it was written; pods would try for an hour."""
    at, image = SCHEMES[both.cloud], REGISTRIES[both.cloud] + "/own/judge:1"
    both.bucket("weights", "mistral/config.json")
    for attributes, says in (({"model": f"{at}://weights/mistal/"}, "weights/mistal/"), ({"model": f"{at}://nowhere/x/"}, "no such bucket"),
                             ({"adapters": {"sql": f"{at}://weights/sql"}}, "weights/sql"),
                             ({"container": {"image": image, "stack": "vllm"}}, "There is no such image"),
                             ({"model": f"oci://{image}"}, "There is no such image"),
                             ({"variants": {"a": {"weight": 50}, "b": {"weight": 50, "model": f"{at}://weights/none/"}}}, "weights/none/")):
        both.write(**attributes)
        assert both.core.validate().status == 0
        planned = both.core.plan()
        assert planned.status == 1 and says.lower() in planned.text.lower(), planned.output
    assert both.names() == set()


def test_files_are_looked_for_when_pods_would_fetch_them(ground):
    ground.bucket("weights", "mistral/config.json")
    model = {"model": "s3://weights/mistral/"}
    ground.change(**model)
    Cloud(ground.sim.endpoint).client("s3").delete_object(Bucket="weights", Key="mistral/config.json")
    ground.core.no_difference()
    ground.change(**model, scaling={"min": 2})
    ground.refused("There is nothing at s3://weights/mistral/", **model, environment={"A": "b"})
    ground.write(**model, scaling={"min": 2})
    ground.destroy()


def object_of(kind, api, name, **more):
    return f"/{'api' if api == 'v1' else 'apis'}/{api}/namespaces/eval/{kind}", {"metadata": {"name": name}, **more}


GPUS = object_of("resourcequotas", "v1", "gpus", spec={"hard": {"requests.nvidia.com/gpu": "2"}})
LIMITS = object_of("limitranges", "v1", "small", spec={"limits": [{"type": "Container", "max": {"memory": "4Gi", "cpu": "2"}}]})
DENY = object_of("networkpolicies", "networking.k8s.io/v1", "default-deny", spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})


@pytest.mark.parametrize("there, attributes, says", [
    (GPUS, {"scaling": {"min": 3}}, 'The quota "gpus" allows 2 of requests.nvidia.com/gpu, of which 0 are in use; 3 more are needed'),
    (GPUS, {"machine": {"gpus": 2}, "scaling": {"min": 2}}, "4 more are needed"),
    (LIMITS, {}, 'A pod asks for 12Gi of memory, and a LimitRange of "eval" allows 4Gi'),
    (LIMITS, {"machine": {"memory_gib": 4, "cpu": "2500m"}}, "A pod asks for 2500m of cpu"),
    (None, {"cluster": {"priority_class": "Not A Name"}}, 'trying out the deployment "kube_deployment.main"'),
    (None, {"cluster": {"node_selector": {"a": "b c"}}}, "Invalid label"),
])
def test_refused_at_plan(ground, there, attributes, says):
    if there:
        ground.kube.request("POST", *there)
    ground.refused(says, **attributes)
    assert ground.names() == set()


def test_a_namespace_that_is_not_there_yet(ground):
    """Whether the same run makes it is not known: the plan warns, and an apply without it leaves nothing."""
    ground.write(cluster={"namespace": "nowhere"})
    planned = ground.core.plan()
    assert planned.status == 0 and 'The cluster has no namespace "nowhere"' in planned.text, planned.output
    result = ground.core.apply()
    assert result.status == 1 and 'namespaces "nowhere" not found' in result.text and "0 of 5 components" in result.text, result.output
    assert ground.core.ok("state", "list").output == ""
    ground.apply()
    ground.refused("Make it first: the endpoint moves there", cluster={"namespace": "nowhere"})
    ground.write()
    ground.destroy()
    made = 'resource "terraform_data" "n" {\n  provisioner "local-exec" {\n    command = "%s"\n  }\n}\n' % " ".join(
        ["kubectl", "--server", ground.kube.endpoint, "--certificate-authority", ground.kube.path("ca.pem"), "--token", ground.kube.admin, "create", "namespace", "nowhere"])
    ground.core.write(made + endpoint(cloud="aws", cluster={"namespace": "nowhere"}).replace("{\n", "{\n  depends_on = [terraform_data.n]\n", 1))
    with ground.kube.controllers():
        ground.core.apply_ok(PATH=f"{ROOT / '.cache/bin'}:{os.environ['PATH']}")
        ground.core.no_difference()
        assert ground.core.destroy().status == 0
    ground.kube.request("DELETE", "/api/v1/namespaces/nowhere")
    ground.kube.finish_deletions()


def test_what_the_pods_name_is_not_there(ground):
    """Another resource of the run may make it: a warning, where no pod would ever start."""
    named = {"role": "reader", "huggingface_token_secret": "hub"}
    ground.write(**named)
    planned = ground.core.plan()
    for says in ('There is no "reader" in "eval"', 'There is no "hub" in "eval"'):
        assert planned.status == 0 and says in planned.text, planned.output
    ground.kube.request("POST", *object_of("serviceaccounts", "v1", "reader"))
    ground.kube.request("POST", *object_of("secrets", "v1", "hub", stringData={"hf-token": "hf_canary"}))
    planned = ground.core.plan(TF_LOG="TRACE")
    assert 'The Secret "hub" of "eval" has no key "token"' in planned.text and "There is no" not in planned.text, planned.output
    assert "hf_canary" not in planned.output and base64.b64encode(b"hf_canary").decode() not in planned.output
    ground.kube.merge(f"{CORE}/secrets/hub", {"stringData": {"token": "hf_canary"}})
    planned = ground.core.plan()
    assert planned.status == 0 and "no pod starts" not in planned.text, planned.output


def test_a_change_needs_room_for_a_pod_more(ground):
    ground.apply()
    ground.kube.request("POST", *object_of("resourcequotas", "v1", "gpus", spec={"hard": {"requests.nvidia.com/gpu": "1"}}))
    ground.kube.set_status(f"{CORE}/resourcequotas/gpus", {"hard": {"requests.nvidia.com/gpu": "1"}, "used": {"requests.nvidia.com/gpu": "1"}})
    ground.refused("of which 1 are in use; 1 more are needed", "brings up a new pod before an old one goes", model="mistral:7b")
    ground.write()
    ground.core.no_difference()
    ground.destroy()


def test_namespaces_with_rules(ground):
    ground.kube.request("POST", *DENY)
    ground.write()
    planned = ground.core.plan()
    assert planned.status == 0 and 'The policy "default-deny" of "eval" denies what goes out' in planned.text, planned.output
    ground.kube.merge("/api/v1/namespaces/eval", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    ground.refused("The namespace does not let the pods in")


@pytest.mark.parametrize("attributes, says", [
    ({"data_capture": {"uri": "s3://b/p"}}, "A cluster has no such setting"),
    ({"kms_key": "arn:aws:kms:us-east-1:1:key/x"}, "A cluster has no such setting"),
    ({"network": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}}, "Pods run in the cluster's network"),
    ({"scaling": {"scale_to_zero": True}}, "keeps at least one pod"),
    ({"rollout": {"strategy": "canary"}}, "use `linear`"),
    ({"scaling": {"max": 3, "target_invocations": 60}}, "name the metric in `cluster.metrics.requests`"),
    ({"scaling": {"max": 3, "target_gpu_percent": 60}}, "name the metric in `cluster.metrics.gpu`"),
    ({"variants": {"a": {"weight": 90}, "b": {"weight": 10}}}, 'with 1 of 2 pods, "a" gets 50 percent, not 90'),
    ({"variants": {"a": {"weight": 50}, "b": {"weight": 50}}, "scaling": {"max": 3, "target_gpu_percent": 60}, "cluster": METRICS}, "Scale one variant"),
    ({"container": {"stack": "djl_lmi", "image": "r/i:1"}}, "`djl_lmi` is AWS' stack"),
    ({"container": {"stack": "tgi"}, "model": "s3://b/p/"}, "Only `vllm` reads files of a bucket"),
    ({"model": "s3://b/m.tar.gz"}, "Archives are not unpacked"),
    ({"model": "gs://b/m/"}, "Files in the other cloud"),
    ({"adapters": {"a": "s3://b/a.tar.gz"}}, "Archives are not unpacked"),
    ({"adapters": {"a": "sql"}}, "neither ORG/NAME of Hugging Face nor a folder"),
    ({"adapters": {"a": "org/a"}, "container": {"stack": "tgi"}}, "Adapters need a stack"),
    ({"role": "arn:aws:iam::123456789012:role/x"}, "a service account of the namespace"),
    ({"huggingface_token_secret": "arn:aws:secretsmanager:x"}, "a Secret of the namespace"),
    ({"network": {"source_ranges": ["10.0.0.0/8"]}}, "there is with `expose`"),
    ({"cluster": {"shared_storage": True}}, "Which storage class?"),
    ({"machine": {"cpu": "0.0005"}}, "in thousandths at most"),
    ({"machine": {"type": "g6.xlarge"}, "model": "llama3.1:70b"}, "The machine cannot hold the model"),
    ({"machine": {"type": "ml.g6.xlarge"}}, "name that of the nodes: g6.xlarge."),
    ({"variants": {"a": {"weight": 100, "machine_type": "ml.g5.xlarge"}}}, "name that of the nodes: g5.xlarge."),
    ({"machine": {"type": "g6.xlarge", "gpus": 4}}, "g6.xlarge has 1 × L4, and 4 are asked for"),
    ({"tags": {"a b": "c"}}, "Invalid label"),
    ({"tags": {"llm-x": "c"}}, "Reserved label"),
    ({"container": {"version": "0.1"}}, "There is no image of vllm 0.1 for a cluster. There are: vllm 0.27.1, vllm 0.25.0, tgi 3.3.5."),
    ({"cluster": {"name": None}}, "Which cluster?"),
])
def test_invalid(one_core, attributes, says):
    one_core.write(endpoint(cloud="aws", **attributes))
    result = one_core.validate()
    assert result.status == 1 and says in result.text, result.output


GATE = "The model is gated, and there is no token"
OPEN = {"aws": "Copy the weights to S3", "gcp": "Set `huggingface_token_wo`"}


def managed(cloud, **attributes):
    given = {"name": "chat", "cloud": cloud, "model": "llama3.1:8b", **attributes}
    return 'resource "llm_endpoint" "e" {\n' + "".join(f"  {k} = {json.dumps(v)}\n" for k, v in given.items()) + "}\n"


@pytest.mark.parametrize("cloud", OPEN)
def test_a_gated_model_without_a_token_is_warned_of(one_core, cloud):
    for text, says in ((managed(cloud), OPEN[cloud]), (endpoint(cloud=cloud), "Set `huggingface_token_wo`"),
                       (endpoint(cloud=cloud, model="meta-llama/Llama-3.1-8B-Instruct"), "fetch meta-llama/Llama-3.1-8B-Instruct"),
                       (endpoint(cloud=cloud, model="qwen2.5:7b", variants={"a": {"weight": 100, "model": "gemma3:4b"}}), "fetch google/gemma-3-4b-it")):
        one_core.write(text)
        result = one_core.validate()
        assert result.status == 0 and GATE in result.text and says in result.text, result.output


@pytest.mark.parametrize("attributes", [
    {"model": "qwen2.5:7b"}, {"model": "TheBloke/Mistral-7B-Instruct-v0.2-AWQ", "quantization": "awq"}, {"huggingface_token_secret": "hub"},
    {"huggingface_token_wo": "hf_x", "huggingface_token_wo_version": 1}, {"container": {"image": "registry.example.com/own:1", "stack": "vllm"}},
    {"environment": {"HF_ENDPOINT": "https://hub.example.com"}}, {"model": "s3://weights/llama/"},
])
def test_what_needs_no_token_is_not_warned_of(one_core, attributes):
    one_core.write(endpoint(cloud="aws", **attributes))
    result = one_core.validate()
    assert result.status == 0 and GATE not in result.text, result.output
