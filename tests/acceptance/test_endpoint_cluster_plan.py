"""llm_endpoint in a cluster: what a plan refuses, what it warns of, and what it cannot know yet."""
import base64
import json
import os
import re

import pytest

from conftest import ROOT
from endpoint_cluster import APPS, CORE, METRICS, endpoint, ground, on_eks  # noqa: F401
from tests.sim.cloud import Cloud


# ---- other clusters, and what is not known yet


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


# ---- what others have


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


# ---- what is refused


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
