"""The life of llm_endpoint in a cluster, on EKS and on GKE: what is made, load balancers, import, drift, a platform of the same configuration, and
files that are not there."""
import time

from endpoint_cluster import APPS, CORE, both, either, endpoint  # noqa: F401

MACHINES = {"aws": "g6.xlarge", "gcp": "g2-standard-4"}
VLLM = "docker.io/vllm/vllm-openai:v0.27.1"


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
