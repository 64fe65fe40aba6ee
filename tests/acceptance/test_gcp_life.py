"""The main job on Google Cloud: create, no difference, drift and repair, update, destroy. What exists is asked by plain REST."""
import collections
import json
import threading
import time

from conftest import gcp_node

EXPECTED = {"networks": 1, "subnetworks": 1, "routers": 1, "firewalls": 2, "serviceAccounts": 1, "secrets": 1, "versions": 1, "buckets": 1, "sinks": 1,
            "instances": 1, "disks": 2}
BASE = "llm-node-demo-us-central1"
ACCOUNT = "llm-demo-830978cf@test-project.iam.gserviceaccount.com"


def made(cloud):
    """What somebody made, by collection; what is only kept for its time of grace is gone."""
    return collections.Counter(name.split("/")[-2] for name in cloud.made())


def instances(cloud):
    return [b for n, b in cloud.things("compute").items() if n.split("/")[-2] == "instances"]


def members(cloud, role):
    policy = cloud.client("cloudresourcemanager", "v1").projects().getIamPolicy(resource="test-project", body={}).execute()
    return {m for b in policy.get("bindings", []) if b["role"] == role for m in b["members"]}


def writes(sim, since=0):
    reads = (".get", ".list", ".aggregatedList", ".wait", ".getIamPolicy", ".getFromFamily", ".batchGet", ".getGuestAttributes")
    return [c["operation"] for c in sim.calls()[since:] if not c["operation"].endswith(reads)]


def test_apply_plan_destroy(gcp_core, gcp_sim, gcp_cloud):
    core = gcp_core
    core.write(gcp_node() + 'output "url" {\n  value = llm_gpu_node.n.ollama_url\n}\n')
    plan = core.plan()
    assert plan.status == 0, plan.output
    assert '"router_nat"' in plan.output and '"firewall.iap-ssh"' in plan.output
    assert made(gcp_cloud) == {}, "a plan makes nothing"
    core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    core.no_difference()
    [instance] = instances(gcp_cloud)
    state = core.state()["llm_gpu_node.n"]
    assert state["instance_id"] == f"projects/test-project/zones/us-central1-a/instances/{BASE}"
    assert state["private_ip"] == instance["networkInterfaces"][0]["networkIP"]
    assert state["zone"] == instance["zone"].rsplit("/", 1)[1] == "us-central1-a"
    assert state["machine_type"] == "n1-standard-4+nvidia-tesla-t4:1" and state["gpu"] == "T4"
    assert {c["state"] for c in state["components"].values()} == {"ready"}
    assert core.outputs()["url"] == "http://demo:11434"
    destroy = core.destroy()
    assert destroy.status == 0, destroy.output
    assert made(gcp_cloud) == {}
    for role in ("roles/logging.logWriter", "roles/monitoring.metricWriter"):
        assert members(gcp_cloud, role) == set()


def test_what_is_made_is_safe(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  network = { ingress_cidrs = ["10.0.0.0/8"] }'))
    gcp_one_core.apply_ok()
    [instance] = instances(gcp_cloud)
    assert all("accessConfigs" not in i for i in instance["networkInterfaces"]), "no public address"
    assert instance["shieldedInstanceConfig"]["enableVtpm"] and instance["shieldedInstanceConfig"]["enableIntegrityMonitoring"]
    metadata = {i["key"]: i["value"] for i in instance["metadata"]["items"]}
    assert metadata["enable-oslogin"] == "TRUE" and metadata["block-project-ssh-keys"] == "TRUE"
    assert "tskey" not in json.dumps(instance)
    assert [s["email"] for s in instance["serviceAccounts"]] == [ACCOUNT]
    assert instance["scheduling"]["onHostMaintenance"] == "TERMINATE"
    rules = [b for n, b in gcp_cloud.things("compute").items() if "/firewalls/" in n]
    ways_in = {r["sourceRanges"][0]: r["allowed"] for r in rules if r["direction"] == "INGRESS"}
    assert ways_in == {"35.235.240.0/20": [{"IPProtocol": "tcp", "ports": ["22"]}], "10.0.0.0/8": [{"IPProtocol": "tcp", "ports": ["11434"]}]}
    assert all(r["targetTags"] == instance["tags"]["items"] for r in rules)
    secrets = gcp_cloud.client("secretmanager").projects().secrets()
    name = f"projects/test-project/secrets/{BASE}-tailscale"
    assert secrets.versions().access(name=name + "/versions/latest").execute()["payload"]["data"] == "dHNrZXktYXV0aC1jYW5hcnk="
    assert secrets.getIamPolicy(resource=name).execute()["bindings"] == [
        {"role": "roles/secretmanager.secretAccessor", "members": [f"serviceAccount:{ACCOUNT}"]}]
    assert members(gcp_cloud, "roles/logging.logWriter") == {f"serviceAccount:{ACCOUNT}"}


def test_others_bindings_stay(gcp_one_core, gcp_cloud):
    projects = gcp_cloud.client("cloudresourcemanager", "v1").projects()
    policy = projects.getIamPolicy(resource="test-project", body={}).execute()
    policy.setdefault("bindings", []).append({"role": "roles/logging.logWriter", "members": ["user:somebody@example.com"]})
    projects.setIamPolicy(resource="test-project", body={"policy": policy}).execute()
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    assert members(gcp_cloud, "roles/logging.logWriter") == {"user:somebody@example.com", f"serviceAccount:{ACCOUNT}"}
    assert gcp_one_core.destroy().status == 0
    assert members(gcp_cloud, "roles/logging.logWriter") == {"user:somebody@example.com"}


def test_secret_is_nowhere(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node())
    result = gcp_one_core.apply(TF_LOG_PROVIDER="TRACE")
    assert result.status == 0, result.output
    for text in ("tskey-auth-canary", "dHNrZXktYXV0aC1jYW5hcnk"):
        carriers = [c["operation"] for c in gcp_sim.calls() if text in str(c["params"])]
        assert carriers in ([], ["secretmanager.projects.secrets.addVersion"])
        assert text not in result.output
        assert text not in (gcp_one_core.directory / "terraform.tfstate").read_text()
    assert "Bearer test" not in result.output


def test_drift_is_shown_and_repaired(gcp_core, gcp_sim, gcp_cloud):
    core = gcp_core
    core.write(gcp_node())
    core.apply_ok()
    [instance] = instances(gcp_cloud)
    gcp_sim.control("edit", {"service": "compute", "resource": f"projects/test-project/global/firewalls/{BASE}-ssh", "set": {"sourceRanges": ["0.0.0.0/0"]}})
    gcp_sim.control("edit", {"service": "compute", "resource": f"projects/test-project/zones/us-central1-a/instances/{BASE}", "set": {"labels.team": "x"}})
    gcp_sim.control("remove", {"service": "logging", "resource": f"projects/test-project/sinks/{BASE}"})
    projects = gcp_cloud.client("cloudresourcemanager", "v1").projects()
    policy = projects.getIamPolicy(resource="test-project", body={}).execute()
    policy["bindings"] = [b for b in policy["bindings"] if b["role"] != "roles/logging.logWriter"]
    projects.setIamPolicy(resource="test-project", body={"policy": policy}).execute()
    plan = core.plan("-detailed-exitcode")
    assert plan.status == 2, plan.output
    assert "changed (source_ranges)" in plan.output and "changed (labels)" in plan.output and '"missing" -> "ready"' in plan.output
    before = len(gcp_sim.calls())
    core.apply_ok()
    assert set(writes(gcp_sim, before)) == {"compute.firewalls.patch", "compute.instances.setLabels", "logging.projects.sinks.create",
                                            "cloudresourcemanager.projects.setIamPolicy"}
    assert made(gcp_cloud) == EXPECTED
    assert [i["id"] for i in instances(gcp_cloud)] == [instance["id"]]
    core.no_difference()


def test_a_deleted_instance_is_made_again(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    [old] = instances(gcp_cloud)
    gcp_cloud.done(gcp_cloud.compute.instances().delete(project="test-project", zone="us-central1-a", instance=BASE).execute())
    gcp_one_core.apply_ok()
    [new] = instances(gcp_cloud)
    assert new["id"] != old["id"]
    assert [d["deviceName"] for d in new["disks"]] == ["boot", "models"], "the model disk is attached again"
    assert made(gcp_cloud) == EXPECTED
    gcp_one_core.no_difference()


def test_everything_deleted_is_a_new_node(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    gcp_sim.reset()
    plan = gcp_one_core.plan("-detailed-exitcode")
    assert plan.status == 2 and "will be created" in plan.output, plan.output


def test_a_log_bucket_in_its_time_of_grace_is_used_again(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    assert gcp_one_core.destroy().status == 0
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  log_retention_days = 7'))
    gcp_one_core.apply_ok()
    assert made(gcp_cloud) == EXPECTED
    [bucket] = [b for n, b in gcp_cloud.things("logging").items() if n.endswith("/" + BASE) and "/buckets/" in n]
    assert bucket["lifecycleState"] == "ACTIVE" and bucket["retentionDays"] == 7
    gcp_one_core.no_difference()


BODY = """models = {models}
  log_retention_days = {days}
  tags = {{ owner = "{owner}" }}
  power = "{power}"
  disk = {{ size_gib = {size} }}
  network = {{ ingress_cidrs = ["{cidr}"] }}
  machine = {{ type = "g2-standard-4" }}"""


def test_updates_in_place(gcp_core, gcp_sim, gcp_cloud):
    core = gcp_core
    core.write(gcp_node(body=BODY.format(models='["llama3.1:8b"]', days=30, owner="a", power="running", size=100, cidr="10.0.0.0/8")))
    core.apply_ok()
    [before] = instances(gcp_cloud)
    core.write(gcp_node(body=BODY.format(models='["llama3.1:8b", "nomic-embed-text"]', days=60, owner="b", power="stopped", size=150, cidr="10.1.0.0/16")))
    plan = core.plan()
    assert "will be updated in-place" in plan.output, plan.output
    core.apply_ok()
    [after] = instances(gcp_cloud)
    assert after["id"] == before["id"] and after["status"] == "TERMINATED"
    assert after["labels"]["owner"] == "b"
    assert "nomic-embed-text" in {i["key"]: i["value"] for i in after["metadata"]["items"]}["llm-served"]
    things = gcp_cloud.things()
    assert [b["sizeGb"] for n, b in things["compute"].items() if n.endswith(f"disks/{BASE}-data")] == ["150"]
    assert [b["retentionDays"] for n, b in things["logging"].items() if n.endswith(f"buckets/{BASE}")] == [60]
    assert [b["sourceRanges"] for n, b in things["compute"].items() if n.endswith(f"{BASE}-api")] == [["10.1.0.0/16"]]
    core.no_difference()
    core.write(gcp_node(body=BODY.format(models='["llama3.1:8b"]', days=60, owner="b", power="running", size=150, cidr="10.1.0.0/16")))
    core.apply_ok()
    [again] = instances(gcp_cloud)
    assert again["id"] == before["id"] and again["status"] == "RUNNING"
    core.no_difference()


def test_machine_type_changes_through_a_stop(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  machine = { type = "g2-standard-4" }'))
    gcp_one_core.apply_ok()
    [before] = instances(gcp_cloud)
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  machine = { type = "g2-standard-8" }'))
    plan = gcp_one_core.plan()
    assert "stops and starts the instance" in plan.text, plan.output
    gcp_one_core.apply_ok()
    [after] = instances(gcp_cloud)
    assert (after["id"], after["machineType"].rsplit("/", 1)[1], after["status"]) == (before["id"], "g2-standard-8", "RUNNING")
    assert gcp_one_core.state()["llm_gpu_node.n"]["machine_type"] == "g2-standard-8"
    gcp_one_core.no_difference()


def test_another_series_is_another_instance(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  machine = { type = "g2-standard-4" }'))
    gcp_one_core.apply_ok()
    [before] = instances(gcp_cloud)
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  machine = { type = "n1-standard-8+nvidia-tesla-t4:1" }'))
    gcp_one_core.apply_ok()
    [after] = instances(gcp_cloud)
    assert after["id"] != before["id"] and after["guestAccelerators"][0]["acceleratorType"].endswith("nvidia-tesla-t4")
    assert made(gcp_cloud) == EXPECTED
    gcp_one_core.no_difference()


def test_another_key_is_another_version(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node())
    gcp_one_core.apply_ok()
    gcp_one_core.write(gcp_node().replace("tskey-auth-canary", "tskey-auth-second").replace("_wo_version = 1", "_wo_version = 2"))
    before = len(gcp_sim.calls())
    gcp_one_core.apply_ok()
    assert sorted(writes(gcp_sim, before)) == ["compute.instances.setMetadata", "secretmanager.projects.secrets.addVersion",
                                               "secretmanager.projects.secrets.versions.destroy"]
    versions = {n.rsplit("/", 1)[1]: b["state"] for n, b in gcp_cloud.things("secretmanager").items() if "/versions/" in n}
    assert versions == {"1": "DESTROYED", "2": "ENABLED"}
    gcp_one_core.no_difference()


def test_import_rebuilds(gcp_core, gcp_cloud):
    core = gcp_core
    core.write(gcp_node(body='models = ["llama3.1:8b"]\n  tags = { team = "ml" }'))
    core.apply_ok()
    components = core.state()["llm_gpu_node.n"]["components"]
    (core.directory / "terraform.tfstate").unlink()
    core.ok("import", "-no-color", "llm_gpu_node.n", "gcp/us-central1/demo")
    state = core.state()["llm_gpu_node.n"]
    assert set(state["components"]) == set(components)
    assert state["models"] == ["llama3.1:8b"] and state["tags"] == {"team": "ml"}
    assert state["machine_type"] == "n1-standard-4+nvidia-tesla-t4:1"
    before = {n: b.get("id") for n, b in gcp_cloud.things("compute").items()}
    core.apply_ok()
    assert {n: b.get("id") for n, b in gcp_cloud.things("compute").items()} == before
    core.no_difference()
    assert core.destroy().status == 0
    assert made(gcp_cloud) == {}


def test_existing_network_and_account(gcp_one_core, gcp_cloud):
    compute = gcp_cloud.compute
    gcp_cloud.done(compute.networks().insert(project="test-project", body={"name": "corp", "autoCreateSubnetworks": False}).execute())
    gcp_cloud.done(compute.subnetworks().insert(project="test-project", region="us-central1", body={
        "name": "gpu", "network": "projects/test-project/global/networks/corp", "ipCidrRange": "10.9.0.0/20"}).execute())
    accounts = gcp_cloud.client("iam").projects().serviceAccounts()
    email = accounts.create(name="projects/test-project", body={"accountId": "own-account"}).execute()["email"]
    gcp_one_core.write(gcp_node(body=f"""models = ["llama3.1:8b"]
  service_account = "{email}"
  egress = "existing"
  network = {{
    vpc_id     = "corp"
    subnet_ids = ["gpu"]
  }}"""))
    gcp_one_core.apply_ok()
    [instance] = instances(gcp_cloud)
    assert instance["networkInterfaces"][0]["subnetwork"].endswith("/regions/us-central1/subnetworks/gpu")
    assert [s["email"] for s in instance["serviceAccounts"]] == [email]
    counts = made(gcp_cloud)
    assert counts["networks"] == 1 and counts["routers"] == 0 and counts["serviceAccounts"] == 1 and counts["firewalls"] == 1
    gcp_one_core.no_difference()
    assert gcp_one_core.destroy().status == 0
    assert made(gcp_cloud) == {"networks": 1, "subnetworks": 1, "serviceAccounts": 1}


def test_vllm_on_spot_with_a_cache(gcp_one_core, gcp_cloud):
    gcp_one_core.write(gcp_node(body="""models = ["llama3.1:8b"]
  runtime     = "vllm"
  model_cache = { gcs_uri = "gs://models/cache" }
  machine = {
    type         = "g2-standard-8"
    provisioning = "spot"
  }"""))
    gcp_one_core.apply_ok()
    [instance] = instances(gcp_cloud)
    assert instance["scheduling"]["provisioningModel"] == "SPOT" and instance["scheduling"]["instanceTerminationAction"] == "STOP"
    policy = gcp_cloud.client("cloudresourcemanager", "v1").projects().getIamPolicy(
        resource="test-project", body={"options": {"requestedPolicyVersion": 3}}).execute()
    [cache] = [b for b in policy["bindings"] if b["role"] == "roles/storage.objectUser"]
    assert "projects/_/buckets/models/objects/cache" in cache["condition"]["expression"]
    gcp_one_core.no_difference()


def report(sim, cloud, text):
    while not instances(cloud):
        time.sleep(0.1)
    time.sleep(0.5)
    sim.control("guest", {"*": {"llm/status": text}})


def test_serving_waits_for_the_node(gcp_one_core, gcp_sim, gcp_cloud):
    thread = threading.Thread(target=report, args=(gcp_sim, gcp_cloud, "serving"))
    thread.start()
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  wait_for = "serving"'))
    gcp_one_core.apply_ok()
    thread.join()
    gcp_one_core.no_difference()


def test_failed_node_says_why(gcp_one_core, gcp_sim, gcp_cloud):
    thread = threading.Thread(target=report, args=(gcp_sim, gcp_cloud, "failed: no space left on device"))
    thread.start()
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  wait_for = "serving"'))
    result = gcp_one_core.apply()
    thread.join()
    assert result.status == 1 and "no space left on device" in result.text, result.output


def test_preempted_is_started_again(gcp_one_core, gcp_sim, gcp_cloud):
    gcp_one_core.write(gcp_node(body='models = ["llama3.1:8b"]\n  machine = {\n    type = "g2-standard-4"\n    provisioning = "spot"\n  }'))
    gcp_one_core.apply_ok()
    gcp_sim.control("preempt", {"instance": BASE})
    time.sleep(0.3)
    plan = gcp_one_core.plan("-detailed-exitcode")
    assert plan.status == 2 and "changed (power)" in plan.output, plan.output
    gcp_one_core.apply_ok()
    assert [i["status"] for i in instances(gcp_cloud)] == ["RUNNING"]
    gcp_one_core.no_difference()
