"""llm_endpoint in a cluster: what its pods are made of, how many there are, and that the old ones serve until the new ones do."""
import base64
import contextlib
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading
import time

import pytest

from endpoint_cluster import APPS, CORE, METRICS, ground, on_eks  # noqa: F401
from tests.kube.cluster import Gone, Refused


@pytest.fixture
def classes(ground):
    path = "/apis/storage.k8s.io/v1/storageclasses"
    for name, provisioner in (("efs", "efs.csi.aws.com"), ("fsx", "fsx.csi.aws.com"), ("gp3", "ebs.csi.aws.com")):
        ground.kube.request("POST", path, {"metadata": {"name": name}, "provisioner": provisioner, "allowVolumeExpansion": True})
    yield
    for name in ("efs", "fsx", "gp3"):
        ground.kube.request("DELETE", f"{path}/{name}")


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


# ---- variants, storage


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
