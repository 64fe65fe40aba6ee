"""Lives of the single objects of a platform by their tables, against the simulator: what was made reads as it was wanted, is found again as
ours, changes in place where its table says so, and goes; with no more permissions than the table names.

Usage: gcp_component_live.py PROGRAM [TEST …]   PROGRAM is the built gcp_component_lines.
"""
import json
import pathlib
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests/unit"))

from gcp_call_live import PROJECT, REGION, Ground  # noqa: E402

EMAIL = f"gke-nodes@{PROJECT}.iam.gserviceaccount.com"
NETWORK, SUBNETWORK = f"projects/{PROJECT}/global/networks/n", f"projects/{PROJECT}/regions/{REGION}/subnetworks/s"
ZONES = [f"{REGION}-{z}" for z in "ab"]
KEY = f"projects/{PROJECT}/locations/{REGION}/keyRings/r/cryptoKeys/k"
RANGES = [{"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}, {"rangeName": "services", "ipCidrRange": "10.5.0.0/20"}]
ACCOUNT = {"account_id": "gke-nodes"}
SUBNET = {"name": "s", "network": NETWORK, "ip_cidr_range": "10.0.0.0/20", "private_ip_google_access": True, "secondary_ranges": RANGES}
POOL = {"name": "general", "cluster": "c", "location": REGION, "machine_type": "e2-standard-4", "service_account": EMAIL}
CLUSTER = {"name": "c", "location": REGION, "network": NETWORK, "subnetwork": SUBNETWORK, "pods_range": "pods", "services_range": "services", "node_locations": ZONES,
           "version": "1.33", "release_channel": "REGULAR", "private_nodes": True, "public_endpoint": True, "authorized_networks_only": False, "authorized_networks": [],
           "logging_components": ["WORKLOADS", "SYSTEM_COMPONENTS"], "monitoring_components": ["SYSTEM_COMPONENTS"], "managed_prometheus": False,
           "workload_pool": f"{PROJECT}.svc.id.goog", "dns_cache": True, "disk_csi_driver": True, "shielded_nodes": True, "encryption_state": "DECRYPTED",
           "labels": {"env": "dev"}, "initial_pool": {"name": "general", "initialNodeCount": 1, "config": {
               "machineType": "e2-standard-4", "serviceAccount": EMAIL, "resourceLabels": {"llm-component": "it", "llm-resource": "llm_platform_cluster--test"}}}}
GPU = {**POOL, "name": "gpu", "machine_type": "g2-standard-8", "node_locations": ZONES, "spot": True, "initial_nodes": 0, "autoscaling": True, "total_min_nodes": 0,
       "total_max_nodes": 3, "location_policy": "ANY", "disk_type": "pd-balanced", "disk_size": 200, "image_type": "COS_CONTAINERD", "secure_boot": False,
       "private_nodes": True, "node_labels": {"team": "a"}, "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}], "network_tags": [],
       "max_surge": 1, "max_unavailable": 0, "labels": {},
       "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": "1", "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}]}


class Life:
    """One object."""

    def __init__(self, ground, kind, **inputs):
        self.ground, self.kind, self.inputs, self.attrs = ground, f"gcp_{kind}", inputs, {}
        ground.kinds.add(kind)

    def send(self, verb):
        line = {"kind": self.kind, "name": "it", "do": verb, "inputs": self.inputs, "attrs": self.attrs, "block": self.ground.block}
        self.ground.program.stdin.write(json.dumps(line) + "\n")
        self.ground.program.stdin.flush()
        return json.loads(self.ground.program.stdout.readline())

    def ok(self, verb):
        result = self.send(verb)
        assert "attrs" in result, (self.kind, verb, result)
        if verb != "find":
            self.attrs = result["attrs"]
        return result

    def same(self):
        result = self.ok("read")
        assert result["found"] and result["differs"] == [], (self.kind, result)

    def make(self):
        self.ok("create")
        self.same()
        return self

    def found(self):
        result = self.ok("find")
        assert result["found"] and result["owned"], (self.kind, result)
        return result

    def change(self, **inputs):
        """Each one by itself: seen as a difference, set, and then as wanted."""
        for name, value in inputs.items():
            self.inputs = {**self.inputs, **(value if name.startswith("_") else {name: value})}
            seen = self.ok("read")["differs"]
            assert set(seen) == (set(value) if name.startswith("_") else {name}), (self.kind, name, seen)
            self.ok("update")
            self.same()

    def end(self):
        self.ok("destroy")
        assert not self.ok("read")["found"]
        self.ok("destroy")


def ground_of_a_cluster(g):
    for made in (Life(g, "network", name="n"), Life(g, "subnetwork", **SUBNET), Life(g, "service_account", **ACCOUNT)):
        made.make()


def test_a_subnetwork_with_ranges(g):
    Life(g, "network", name="n").make()
    subnetwork = Life(g, "subnetwork", **SUBNET).make()
    assert subnetwork.found()["differs"] == ["network"]
    subnetwork.end()


def test_a_cluster(g):
    ground_of_a_cluster(g)
    cluster = Life(g, "cluster", **CLUSTER).make()
    assert cluster.attrs["endpoint"] and cluster.attrs["ca_certificate"] and cluster.attrs["self_link"] == f"projects/{PROJECT}/locations/{REGION}/clusters/c"
    assert set(cluster.found()["differs"]) <= {"version", "workload_pool"}
    office = [{"cidrBlock": "192.0.2.0/24"}]
    cluster.change(_networks={"authorized_networks": office, "authorized_networks_only": True}, public_endpoint=False, private_nodes=False,
                   logging_components=["SYSTEM_COMPONENTS"], _metrics={"managed_prometheus": True, "monitoring_components": ["SYSTEM_COMPONENTS", "DCGM"]},
                   dns_cache=False, shielded_nodes=False, labels={"env": "prod", "team": "a"}, node_locations=[*ZONES, f"{REGION}-c"], release_channel="STABLE",
                   _key={"encryption_state": "ENCRYPTED", "encryption_key": KEY})
    cluster.change(_open={"authorized_networks": [], "authorized_networks_only": False}, public_endpoint=True, managed_prometheus=False, shielded_nodes=True)
    cluster.end()


def test_a_cluster_is_upgraded(g):
    ground_of_a_cluster(g)
    cluster = Life(g, "cluster", **{**CLUSTER, "version": "1.32"}).make()
    pool = Life(g, "node_pool", **{**POOL, "version": "1.32"})
    pool.ok("create")
    cluster.inputs["version"] = "1.34"
    assert cluster.ok("read")["differs"] == ["version"]
    refused = cluster.send("update")
    assert "more than one minor" in refused["message"], refused
    cluster.change(version="1.33")
    assert cluster.attrs["current_version"].startswith("1.33.")
    pool.change(version="1.33")
    assert pool.attrs["current_version"] == cluster.attrs["current_version"]


def other_pool(g):
    """Somebody else makes a node pool, which takes two seconds."""
    g.control("settle", {"container.projects.locations.clusters.nodePools.create": 2})
    body = json.dumps({"nodePool": {"name": "other", "config": {"machineType": "e2-medium"}}}).encode()
    url = f"{g.address}/container/v1/projects/{PROJECT}/locations/{REGION}/clusters/c/nodePools"
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers={"authorization": "Bearer test", "content-type": "application/json"})):
        pass


def test_a_cluster_that_is_busy_is_waited_for(g):
    ground_of_a_cluster(g)
    cluster = Life(g, "cluster", **CLUSTER).make()
    other_pool(g)
    cluster.change(shielded_nodes=False)
    assert [c for c in g.calls("container.projects.locations.clusters.update") if c["status"] == 400], "it was not busy"
    other_pool_gone = Life(g, "node_pool", **{**POOL, "name": "other"})
    other_pool_gone.attrs = other_pool_gone.inputs
    other_pool_gone.end()


def test_a_pool_with_gpus(g):
    ground_of_a_cluster(g)
    Life(g, "cluster", **CLUSTER).make()
    pool = Life(g, "node_pool", **GPU).make()
    assert len(pool.attrs["instance_groups"]) == 2 and pool.found()["differs"] in ([], ["cluster", "location"])
    taints = [*GPU["taints"], {"key": "team", "value": "a", "effect": "NO_EXECUTE"}]
    pool.change(total_min_nodes=1, total_max_nodes=5, location_policy="BALANCED", node_labels={"team": "b", "x": "y"}, taints=taints, network_tags=["llm"], max_surge=2, max_unavailable=1,
                disk_size=300, image_type="UBUNTU_CONTAINERD", labels={"env": "dev"}, node_locations=[ZONES[0]])
    pool.change(total_min_nodes=0, node_labels={}, network_tags=[], max_unavailable=0, private_nodes=False)
    pool.end()


def test_a_pool_of_a_fixed_size_and_the_cluster_s_first(g):
    ground_of_a_cluster(g)
    Life(g, "cluster", **CLUSTER).make()
    pool = Life(g, "node_pool", **{**POOL, "nodes": 1, "autoscaling": False, "spot": False}).make()
    assert len(g.calls("container.projects.locations.clusters.nodePools.create")) == 1
    pool.change(nodes=3)
    pool.change(nodes=0)
    assert "setAutoscaling" not in str([c["operation"] for c in g.control("calls")])


def test_a_pool_for_which_there_are_no_machines(g):
    ground_of_a_cluster(g)
    Life(g, "cluster", **CLUSTER).make()
    g.control("stock", {ZONES[0]: {"nvidia-l4": 0}})
    pool = Life(g, "node_pool", **{**GPU, "initial_nodes": 1})
    result = pool.send("create")
    assert result["class"] == "capacity" and result["code"] == "GCE_STOCKOUT", result
    pool.attrs = pool.inputs
    pool.end()


def test_a_repository(g):
    keep = {"keep": {"id": "keep", "action": "KEEP", "mostRecentVersions": {"keepCount": 15}}}
    old = {"old": {"id": "old", "action": "DELETE", "condition": {"tagState": "UNTAGGED", "olderThan": "604800s"}}}
    repository = Life(g, "artifact_repository", name="quant-api", location=REGION, description="", immutable_tags=False, scanning="INHERITED", cleanup_policies={**keep, **old},
                      kms_key_name=KEY, labels={}).make()
    assert repository.attrs["url"] == f"{REGION}-docker.pkg.dev/{PROJECT}/quant-api" and repository.found()["differs"] == ["location"]
    member = Life(g, "artifact_repository_iam_member", repository="quant-api", location=REGION, role="roles/artifactregistry.reader", member="user:a@example.com").make()
    member.end()
    repository.change(immutable_tags=True, cleanup_policies=keep, scanning="DISABLED", description="x", labels={"a": "b"})
    repository.change(immutable_tags=False, cleanup_policies={}, description="", scanning="INHERITED")
    repository.end()


def test_a_workload_s_binding(g):
    ground_of_a_cluster(g)
    Life(g, "cluster", **CLUSTER).make()
    account = Life(g, "service_account", account_id="quant-api").make()
    member = Life(g, "service_account_iam_member", service_account=account.attrs["email"], role="roles/iam.workloadIdentityUser",
                  member=f"serviceAccount:{PROJECT}.svc.id.goog[platform/quant-api]").make()
    assert member.ok("find")["found"]
    member.end()


def test_a_dashboard(g):
    tile = {"width": 6, "height": 4, "widget": {"title": "CPU", "text": {"content": "x", "format": "MARKDOWN"}}}
    dashboard = Life(g, "dashboard", name="llm-test", display_name="Platform", layout={"columns": 12, "tiles": [tile]}, labels={}).make()
    assert dashboard.found()["differs"] == ["layout"]
    dashboard.change(display_name="New", layout={"columns": 12, "tiles": [tile, {**tile, "xPos": 6}]}, labels={"a": "b"})
    dashboard.end()


def test_an_alert_policy(g):
    policy = Life(g, "alert_policy", display_name="CPU of llm-test", enabled=True, comparison="COMPARISON_GT", threshold=0.8, duration="300s", documentation="Look.",
                  filter='metric.type = "kubernetes.io/node/cpu/allocatable_utilization" AND resource.type = "k8s_node"', channels=[], labels={}, auto_close="1800s",
                  aggregations=[{"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_MEAN"}], severity="WARNING").make()
    assert policy.found()["differs"] == []
    policy.change(threshold=0, enabled=False, duration="0s", display_name="Other", documentation="", aggregations=[], severity="ERROR", labels={"a": "b"})
    policy.end()


def lacking(g):
    """Permissions that calls needed and no table of the objects names."""
    named = {p for kind in g.kinds for p in json.loads((ROOT / f"schemas/components/gcp/{kind}.json").read_text())["permissions"]}
    return sorted(set(g.control("permissions")["used"]) - named - {"compute.subnetworks.use"})


# ---- Vertex AI

NUMBER = "123456789012"
MODEL = {"name": "llama-1", "location": REGION, "display_name": "llama", "description": "", "image_uri": "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/vllm:x",
         "command": ["python", "-m", "vllm.entrypoints.api_server"], "args": ["--model=gs://b/llama", "--tensor-parallel-size=1"], "env": [{"name": "MODEL_ID", "value": "x/y"}],
         "ports": [{"containerPort": 8080}], "predict_route": "/generate", "health_route": "/ping", "shared_memory_mb": 16384, "deployment_timeout": "3600s",
         "startup_probe": {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 10, "failureThreshold": 180}, "labels": {"team": "quant"}}
ENDPOINT = {"name": "quant", "location": REGION, "display_name": "quant", "description": "", "dedicated": True, "labels": {"team": "quant"}}
GPU_METRIC = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"
DEPLOYED = {"name": "1001", "location": REGION, "endpoint": "quant", "model": f"projects/{PROJECT}/locations/{REGION}/models/llama-1", "display_name": "llama",
            "machine_type": "g2-standard-12", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1, "spot": False, "min_replicas": 1, "max_replicas": 2,
            "metric_targets": [{"metricName": GPU_METRIC, "target": 70}], "access_logging": True, "disable_container_logging": False}


def test_a_vertex_model(g):
    model = Life(g, "vertex_model", **{**MODEL, "artifact_uri": "gs://b/llama", "version_description": "first",
                                       "kms_key_name": f"projects/{PROJECT}/locations/{REGION}/keyRings/r/cryptoKeys/k"}).make()
    assert (model.attrs["full_name"], model.attrs["version_id"]) == (f"projects/{NUMBER}/locations/{REGION}/models/llama-1", "1")
    assert model.found()["differs"] == ["location"]
    model.change(display_name="other", description="words", labels={"a": "b"})
    model.change(description="")
    model.inputs["image_uri"] = "us-docker.pkg.dev/x/y/z:2"
    assert model.ok("read")["differs"] == ["image_uri"]
    model.inputs["image_uri"] = MODEL["image_uri"]
    model.end()


def test_a_vertex_endpoint(g):
    endpoint = Life(g, "vertex_endpoint", **ENDPOINT).make()
    assert endpoint.attrs["dns"] == f"quant.{REGION}-{NUMBER}.prediction.vertexai.goog" and endpoint.found()["differs"] == ["location"]
    endpoint.change(display_name="other", description="words", labels={},
                    _more={"logging_enabled": True, "logging_rate": 0.1, "logging_table": "bq://p.d.t"})
    endpoint.change(logging_enabled=False)
    endpoint.end()
    Life(g, "network", name="n").make()
    private = Life(g, "vertex_endpoint", **{**ENDPOINT, "dedicated": False, "network": f"projects/{NUMBER}/global/networks/n", "inference_timeout": "120s"}).make()
    private.end()
    connected = Life(g, "vertex_endpoint", **{**ENDPOINT, "dedicated": False, "private_service_connect": True, "allowed_projects": ["other"]}).make()
    connected.end()


def test_deployed_models_and_their_traffic(g):
    """The new one comes before the old one goes; who has traffic stays."""
    model, other = Life(g, "vertex_model", **MODEL).make(), Life(g, "vertex_model", **{**MODEL, "name": "llama-2"}).make()
    endpoint = Life(g, "vertex_endpoint", **ENDPOINT).make()
    Life(g, "service_account", account_id="serving").make()
    old = Life(g, "vertex_deployed_model", **DEPLOYED, service_account=f"serving@{PROJECT}.iam.gserviceaccount.com").make()
    assert set(old.found()["differs"]) == {"location", "endpoint", "model"}
    traffic = Life(g, "vertex_traffic_split", endpoint="quant", location=REGION, split={"1001": 100}).make()
    old.change(_more={"min_replicas": 2, "max_replicas": 3}, metric_targets=[{"metricName": GPU_METRIC, "target": 50}], disable_container_logging=True)
    new = Life(g, "vertex_deployed_model", **{**DEPLOYED, "name": "1002", "model": DEPLOYED["model"].replace("llama-1", "llama-2")}).make()
    traffic.change(split={"1001": 10, "1002": 90})
    assert "percent of the traffic" in old.send("destroy")["message"]
    traffic.change(split={"1002": 100})
    old.end()
    model.end()
    traffic.ok("destroy")
    assert traffic.ok("read")["differs"] == ["split"]
    new.end()
    for one in (endpoint, other):
        one.end()


def test_a_deployment_that_fails_late(g):
    Life(g, "vertex_model", **MODEL).make()
    Life(g, "vertex_endpoint", **ENDPOINT).make()
    g.control("quotas", {f"{REGION}/custom_model_serving_nvidia_l4_gpus": 1})
    deployed = Life(g, "vertex_deployed_model", **DEPLOYED)
    refused = deployed.send("create")
    assert "custom_model_serving_nvidia_l4_gpus" in refused["message"] and refused["class"] == "quota", refused
    assert not deployed.ok("find")["found"]
    g.control("quotas", {f"{REGION}/custom_model_serving_nvidia_l4_gpus": 2})
    g.control("rules", [{"operation": "aiplatform.projects.locations.endpoints.deployModel", "operation_error": {"code": 8, "message": "Resources are insufficient in region."},
                         "times": 1}])
    refused = deployed.send("create")
    assert refused["class"] == "capacity" and "insufficient" in refused["message"], refused
    deployed.make()


def main():
    ground = Ground(sys.argv[1])
    failures = 0
    try:
        for name, test in [(n, t) for n, t in globals().items() if n.startswith("test_") and (not sys.argv[2:] or n in sys.argv[2:])]:
            ground.control("reset", {})
            ground.control("settings", {"operation_s": 0.05})
            ground.kinds = set()
            try:
                test(ground)
                wrong = ground.control("violations") + ground.control("defects") + lacking(ground)
                assert not wrong, wrong
                print(f"ok {name}", flush=True)
            except AssertionError as error:
                failures += 1
                print(f"FAILED {name}: {error}", flush=True)
    finally:
        ground.end()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
