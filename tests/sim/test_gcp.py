"""The GCP simulator's Compute Engine must do what Google's documents and behaviour say, seen by Google's own client and by plain REST."""
import subprocess
import sys
import threading
import time
import uuid

import pytest

from tests.sim.gcp.catalog import GPUS, REGIONS, gpu_zones, zones
from tests.sim.gcp.fixtures import ROOT, Node, P, R, Z, clean, failed, front, process, refused  # noqa: F401
from tests.sim.gcp.model import document

DEVICE = {"deviceName": "data"}


def instance_of(node):
    return {"project": P, "zone": Z, "instance": "node"}


def test_a_node_is_made_and_removed(clean):
    node = Node(clean).made()
    cloud, compute = node.cloud, node.compute
    instance = node.get()
    assert instance["status"] == "RUNNING" and instance["networkInterfaces"][0]["networkIP"] == "10.0.0.2"
    assert instance["guestAccelerators"][0]["acceleratorCount"] == 1 and instance["guestAccelerators"][0]["acceleratorType"].endswith("/nvidia-l4")
    assert instance["selfLink"] == f"https://www.googleapis.com/compute/v1/projects/{P}/zones/{Z}/instances/node"
    assert sorted(cloud.names("disks")) == [f"projects/{P}/zones/{Z}/disks/data", f"projects/{P}/zones/{Z}/disks/node"]
    assert refused(compute.networks().delete(project=P, network="net"))[:2] == (400, "resourceInUseByAnotherResource")
    assert refused(compute.subnetworks().delete(project=P, region=R, subnetwork="sub"))[:2] == (400, "resourceInUseByAnotherResource")
    assert refused(compute.disks().delete(project=P, zone=Z, disk="data"))[:2] == (400, "resourceInUseByAnotherResource")
    cloud.done(compute.instances().delete(**instance_of(node)).execute())
    assert cloud.names("disks") == [f"projects/{P}/zones/{Z}/disks/data"]
    cloud.done(compute.disks().delete(project=P, zone=Z, disk="data").execute())
    cloud.done(compute.firewalls().delete(project=P, firewall="iap").execute())
    cloud.done(compute.routers().delete(project=P, region=R, router="router").execute())
    cloud.done(compute.subnetworks().delete(project=P, region=R, subnetwork="sub").execute())
    cloud.done(compute.networks().delete(project=P, network="net").execute())
    assert cloud.things("compute") == {}
    assert cloud.made() == [f"iam projects/{P}/serviceAccounts/{node.email}"]
    shown = subprocess.run([sys.executable, "-m", "tests.sim.gcp.show", clean.url, "--expect-nothing"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert shown.returncode == 1 and node.email in shown.stdout and "-compute@" not in shown.stdout
    cloud.client("iam").projects().serviceAccounts().delete(name=f"projects/{P}/serviceAccounts/{node.email}").execute()
    assert cloud.made() == []


# --- operations ---


def test_an_operation_takes_time_and_its_target_is_not_ready(clean):
    clean.control("settings", {"operation_s": 0.5})
    cloud = clean.cloud()
    compute = cloud.compute
    started = compute.networks().insert(project=P, body={"name": "net", "autoCreateSubnetworks": False}).execute()
    assert started["status"] == "PENDING" and started["kind"] == "compute#operation" and started["operationType"] == "insert"
    subnetwork = {"name": "sub", "network": "global/networks/net", "ipCidrRange": "10.0.0.0/24"}
    assert refused(compute.subnetworks().insert(project=P, region=R, body=subnetwork))[:2] == (400, "resourceNotReady")
    assert refused(compute.networks().delete(project=P, network="net"))[:2] == (400, "resourceNotReady")
    seen = set()
    while "DONE" not in seen:
        seen.add(compute.globalOperations().get(project=P, operation=started["name"]).execute()["status"])
    assert "RUNNING" in seen
    cloud.done(compute.subnetworks().insert(project=P, region=R, body=subnetwork).execute())


def test_wait_answers_when_the_operation_is_done(clean):
    clean.control("settle", {"compute.networks.insert": 0.4})
    compute = clean.cloud().compute
    started = compute.networks().insert(project=P, body={"name": "net", "autoCreateSubnetworks": False}).execute()
    before = time.monotonic()
    assert compute.globalOperations().wait(project=P, operation=started["name"]).execute()["status"] == "DONE"
    assert time.monotonic() - before > 0.2
    assert refused(compute.zoneOperations().get(project=P, zone=Z, operation=started["name"]))[:2] == (404, "notFound")


def test_an_operation_that_fails_late_leaves_nothing(clean):
    clean.rule(operation="compute.instances.insert", operation_error={"code": "INTERNAL_ERROR", "message": "Internal error.", "status": 500})
    node = Node(clean)
    error = failed(node.cloud, node.insertion)
    assert error.code == "INTERNAL_ERROR" and error.operation["httpErrorStatusCode"] == 500
    assert refused(node.compute.instances().get(**instance_of(node)))[:2] == (404, "notFound")
    assert node.cloud.names("disks") == [f"projects/{P}/zones/{Z}/disks/data"]
    assert "users" not in node.cloud.things("compute")[f"projects/{P}/zones/{Z}/disks/data"]


def test_an_operation_that_never_ends(clean):
    clean.rule(operation="compute.networks.insert", operation_ms=-1)
    compute = clean.cloud().compute
    started = compute.networks().insert(project=P, body={"name": "net", "autoCreateSubnetworks": False}).execute()
    time.sleep(0.3)
    assert compute.globalOperations().get(project=P, operation=started["name"]).execute()["status"] == "RUNNING"
    clean.control("settings", {"wait_s": 0.2})
    before = time.monotonic()
    assert compute.globalOperations().wait(project=P, operation=started["name"]).execute()["status"] == "RUNNING"
    assert 0.2 <= time.monotonic() - before < 60
    clean.control("finish", {})
    assert compute.globalOperations().get(project=P, operation=started["name"]).execute()["status"] == "DONE"


def test_a_request_id_is_answered_once(clean):
    cloud = clean.cloud()
    given = {"project": P, "requestId": str(uuid.uuid4()), "body": {"name": "net", "autoCreateSubnetworks": False}}
    first, second = (cloud.compute.networks().insert(**given).execute() for _ in range(2))
    assert first["name"] == second["name"] and first["clientOperationId"] == given["requestId"]
    cloud.done(first)
    assert cloud.compute.networks().insert(**given).execute()["name"] == first["name"]
    assert refused(cloud.compute.networks().insert(**{**given, "requestId": str(uuid.uuid4())}))[:2] == (409, "alreadyExists")
    assert refused(cloud.compute.networks().insert(**{**given, "requestId": "again"}))[:2] == (400, "invalid")
    assert refused(cloud.compute.networks().insert(**{**given, "requestId": str(uuid.UUID(int=0))}))[:2] == (400, "invalid")


# --- fingerprints ---


def test_labels_need_the_current_fingerprint(clean):
    node = Node(clean).made()
    instance, where = node.get(), instance_of(node)
    body = {"labels": {"c": "d"}, "labelFingerprint": instance["labelFingerprint"]}
    node.cloud.done(node.compute.instances().setLabels(**where, body=body).execute())
    assert node.get()["labels"] == {"c": "d"}
    assert refused(node.compute.instances().setLabels(**where, body=body))[:2] == (412, "conditionNotMet")
    assert refused(node.compute.instances().setLabels(**where, body={"labels": {}}))[:2] == (412, "conditionNotMet")
    clean.control("edit", {"resource": f"projects/{P}/zones/{Z}/instances/node", "set": {"labels.x": "y"}})
    assert node.get()["labels"] == {"c": "d", "x": "y"} and node.get()["labelFingerprint"] != instance["labelFingerprint"]
    wide = {"größe": "x-1", "ä" * 63: "", "日": "日" * 42}
    node.cloud.done(node.compute.instances().setLabels(**where, body={"labels": wide, "labelFingerprint": node.get()["labelFingerprint"]}).execute())
    assert node.get()["labels"] == wide
    bad = {"labels": {"Upper": "x"}, "labelFingerprint": node.get()["labelFingerprint"]}
    assert refused(node.compute.instances().setLabels(**where, body=bad))[:2] == (400, "invalid")


def test_metadata_and_tags_need_the_current_fingerprint(clean):
    node = Node(clean).made()
    instance, where = node.get(), instance_of(node)
    items = [{"key": "startup-script", "value": "#!/bin/sh"}]
    node.cloud.done(node.compute.instances().setMetadata(**where, body={"items": items, "fingerprint": instance["metadata"]["fingerprint"]}).execute())
    assert node.get()["metadata"]["items"] == items
    assert refused(node.compute.instances().setMetadata(**where, body={"items": [], "fingerprint": instance["metadata"]["fingerprint"]}))[0] == 412
    assert refused(node.compute.instances().setTags(**where, body={"items": ["x"]}))[0] == 412
    node.cloud.done(node.compute.instances().setTags(**where, body={"items": ["x"], "fingerprint": instance["tags"]["fingerprint"]}).execute())
    assert node.get()["tags"]["items"] == ["x"]


def test_subnetworks_are_patched_with_their_fingerprint(clean):
    node = Node(clean)
    where = {"project": P, "region": R, "subnetwork": "sub"}
    old = node.compute.subnetworks().get(**where).execute()
    assert refused(node.compute.subnetworks().patch(**where, body={"privateIpGoogleAccess": False}))[:2] == (412, "conditionNotMet")
    node.cloud.done(node.compute.subnetworks().patch(**where, body={"privateIpGoogleAccess": False, "fingerprint": old["fingerprint"]}).execute())
    new = node.compute.subnetworks().get(**where).execute()
    assert new["privateIpGoogleAccess"] is False and new["fingerprint"] != old["fingerprint"] and new["ipCidrRange"] == old["ipCidrRange"]


# --- quotas and capacity ---


@pytest.mark.parametrize("metric, limit, scheduling", [
    ("NVIDIA_L4_GPUS", 0, {"onHostMaintenance": "TERMINATE"}), ("GPUS_ALL_REGIONS", 0, {"onHostMaintenance": "TERMINATE"}),
    (f"{R}/CPUS", 2, {"onHostMaintenance": "TERMINATE"}), ("PREEMPTIBLE_NVIDIA_L4_GPUS", 0, {"provisioningModel": "SPOT"}),
    ("SSD_TOTAL_GB", 250, {"onHostMaintenance": "TERMINATE"})])
def test_what_is_over_the_quota_fails_in_the_operation(clean, metric, limit, scheduling):
    clean.control("quotas", {metric: limit})
    node = Node(clean, scheduling=scheduling)
    error = failed(node.cloud, node.insertion)
    name = metric.rpartition("/")[2]
    entry = error.operation["error"]["errors"][0]
    assert error.code == "QUOTA_EXCEEDED" and f"Quota '{name}' exceeded.  Limit: {limit}.0" in entry["message"]
    assert entry["errorDetails"][0]["quotaInfo"]["metricName"] == f"compute.googleapis.com/{name.lower()}"
    assert f"projects/{P}/zones/{Z}/disks/node" not in node.cloud.names("disks")


def test_spot_does_not_count_against_the_other_quota(clean):
    clean.control("quotas", {"NVIDIA_L4_GPUS": 0})
    node = Node(clean, scheduling={"provisioningModel": "SPOT", "instanceTerminationAction": "DELETE"}).made()
    assert node.get()["scheduling"] == {"provisioningModel": "SPOT", "instanceTerminationAction": "DELETE", "preemptible": True,
                                        "automaticRestart": False, "onHostMaintenance": "TERMINATE"}
    assert clean.control("preempt", {"instance": "node"}) == {"preempted": 1}
    assert node.cloud.names("instances") == []


def test_regions_and_projects_show_limits_and_use(clean):
    clean.control("quotas", {f"{R}/NVIDIA_L4_GPUS": 4, "GPUS_ALL_REGIONS": 5})
    node = Node(clean).made()
    where = instance_of(node)

    def gpus():
        region = node.compute.regions().get(project=P, region=R).execute()
        project = node.compute.projects().get(project=P).execute()
        return [next((q["limit"], q["usage"]) for q in quotas if q["metric"] == metric)
                for quotas, metric in ((region["quotas"], "NVIDIA_L4_GPUS"), (project["quotas"], "GPUS_ALL_REGIONS"))]
    assert gpus() == [(4, 1), (5, 1)]
    node.cloud.done(node.compute.instances().stop(**where).execute())
    assert gpus() == [(4, 0), (5, 0)]
    clean.control("quotas", {f"{R}/NVIDIA_L4_GPUS": 0})
    assert failed(node.cloud, node.compute.instances().start(**where)).code == "QUOTA_EXCEEDED"
    assert node.get()["status"] == "TERMINATED"


def test_a_zone_without_capacity_names_others(clean):
    clean.control("stock", {Z: {"nvidia-l4": 0}, "us-central1-b": {"g2-standard-4": 0}})
    node = Node(clean)
    error = failed(node.cloud, node.insertion)
    entry = error.operation["error"]["errors"][0]
    assert error.code == "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS" and error.operation["httpErrorStatusCode"] == 503
    info = next(d["errorInfo"] for d in entry["errorDetails"] if "errorInfo" in d)
    assert info["metadatas"] == {"vmType": "g2-standard-4", "attachment": "nvidia-l4:1", "zone": Z, "zonesAvailable": "us-central1-c"}
    clean.control("settings", {"stockout_details": False})
    assert failed(node.cloud, node.compute.instances().insert(project=P, zone=Z, body=node.body())).code == "ZONE_RESOURCE_POOL_EXHAUSTED"
    clean.control("stock", {Z: {"nvidia-l4": 1}})
    node.made()
    node.cloud.done(node.compute.instances().stop(**instance_of(node)).execute())
    clean.control("stock", {Z: {"nvidia-l4": 0}})
    assert failed(node.cloud, node.compute.instances().start(**instance_of(node))).code == "ZONE_RESOURCE_POOL_EXHAUSTED"


def test_spot_capacity_may_be_gone_alone(clean):
    clean.control("stock", {Z: {"spot:nvidia-l4": 0}})
    node = Node(clean, scheduling={"provisioningModel": "SPOT"})
    assert failed(node.cloud, node.insertion).code == "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"
    node.cloud.done(node.compute.instances().insert(project=P, zone=Z, body=node.body()).execute())


# --- what an instance needs ---


ACCELERATOR = [{"acceleratorType": f"zones/{Z}/acceleratorTypes/nvidia-tesla-t4", "acceleratorCount": 1}]
STAYS = {"onHostMaintenance": "TERMINATE"}


@pytest.mark.parametrize("changes, status, reason", [
    ({"machineType": f"zones/{Z}/machineTypes/n2-standard-4", "guestAccelerators": ACCELERATOR}, 400, "badRequest"),
    ({"machineType": f"zones/{Z}/machineTypes/n1-standard-96", "guestAccelerators": ACCELERATOR}, 400, "badRequest"),
    ({"machineType": f"zones/{Z}/machineTypes/n1-standard-4", "guestAccelerators": [{**ACCELERATOR[0], "acceleratorCount": 3}]}, 400, "invalid"),
    ({"machineType": f"zones/{Z}/machineTypes/n1-standard-4", "guestAccelerators": [
        {"acceleratorType": f"zones/{Z}/acceleratorTypes/nvidia-none", "acceleratorCount": 1}]}, 404, "notFound"),
    ({"guestAccelerators": ACCELERATOR}, 400, "badRequest"),
    ({"machineType": f"zones/{Z}/machineTypes/a3-ultragpu-8g"}, 400, "invalid"),
    ({"machineType": "g2-standard-4"}, 400, "invalid"),
    ({"scheduling": {}}, 400, "badRequest"),
    ({"scheduling": {"onHostMaintenance": "TERMINATE", "instanceTerminationAction": "STOP"}}, 400, "badRequest"),
    ({"scheduling": {"provisioningModel": "SPOT", "automaticRestart": True}}, 400, "invalid"),
    ({"disks": []}, 400, "invalid"),
    ({"disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-1"}}]}, 404, "notFound"),
    ({"disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12", "diskSizeGb": "5"}}]},
     400, "invalid"),
    ({"disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12",
                                                    "diskType": f"zones/{Z}/diskTypes/pd-standard"}}]}, 400, "badRequest"),
    ({"disks": [{"boot": True, "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12",
                                                    "diskType": f"zones/{Z}/diskTypes/hyperdisk-balanced"}}]}, 400, "badRequest"),
    ({"disks": [{"boot": True, "source": f"zones/{Z}/disks/none"}]}, 404, "notFound"),
    ({"networkInterfaces": []}, 400, "invalid"),
    ({"networkInterfaces": [{"network": "global/networks/net"}]}, 400, "invalid"),
    ({"networkInterfaces": [{"subnetwork": f"regions/{R}/subnetworks/none"}]}, 404, "notFound"),
    ({"metadata": {"items": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}}, 400, "invalid"),
    ({"metadata": {"items": [{"key": "a", "value": "x" * 262145}]}}, 400, "invalid"),
    ({"tags": {"items": ["No_Tag"]}}, 400, "invalid"),
    ({"labels": {"a": "Upper"}}, 400, "invalid"),
    ({"labels": {"Ä": "x"}}, 400, "invalid"),
    ({"labels": {"b": "日" * 43}}, 400, "invalid")])
def test_what_an_instance_must_not_be(clean, changes, status, reason):
    assert refused(Node(clean, **changes).insertion)[:2] == (status, reason)


def test_an_accelerator_is_attached_to_n1(clean):
    node = Node(clean, machineType=f"zones/{Z}/machineTypes/n1-standard-8", guestAccelerators=ACCELERATOR).made()
    assert node.get()["guestAccelerators"][0]["acceleratorType"].endswith(f"/zones/{Z}/acceleratorTypes/nvidia-tesla-t4")


def test_an_unknown_service_account_fails_in_the_operation(clean):
    node = Node(clean)
    node.cloud.client("iam").projects().serviceAccounts().delete(name=f"projects/{P}/serviceAccounts/{node.email}").execute()
    assert failed(node.cloud, node.insertion).code == "EXTERNAL_RESOURCE_NOT_FOUND"


def test_a_disk_serves_one_instance(clean):
    node = Node(clean).made()
    body = {**node.body(), "name": "other"}
    assert refused(node.compute.instances().insert(project=P, zone=Z, body=body))[:2] == (400, "resourceInUseByAnotherResource")


# --- changes ---


def test_an_instance_stops_changes_and_starts(clean):
    node = Node(clean).made()
    done, instances, where = node.cloud.done, node.compute.instances(), instance_of(node)
    bigger = {"machineType": f"zones/{Z}/machineTypes/g2-standard-24"}
    assert refused(instances.setMachineType(**where, body=bigger))[0] == 400
    assert refused(instances.setServiceAccount(**where, body={"email": node.email, "scopes": []}))[0] == 400
    clean.control("settle", {"compute.instances.stop": 0.4})
    started = instances.stop(**where).execute()
    assert node.get()["status"] == "STOPPING"
    done(started)
    assert node.get()["status"] == "TERMINATED"
    done(instances.setMachineType(**where, body=bigger).execute())
    assert node.get()["guestAccelerators"][0]["acceleratorCount"] == 2
    done(instances.setServiceAccount(**where, body={"email": node.email, "scopes": ["https://www.googleapis.com/auth/logging.write"]}).execute())
    done(instances.start(**where).execute())
    assert node.get()["status"] == "RUNNING" and node.get()["machineType"].endswith("/g2-standard-24")
    assert node.get()["serviceAccounts"][0]["scopes"] == ["https://www.googleapis.com/auth/logging.write"]


def test_disks_are_attached_detached_and_resized(clean):
    node = Node(clean).made()
    done, compute, where = node.cloud.done, node.compute, instance_of(node)
    done(compute.disks().resize(project=P, zone=Z, disk="data", body={"sizeGb": "300"}).execute())
    assert node.get()["disks"][1]["diskSizeGb"] == "300"
    assert refused(compute.disks().resize(project=P, zone=Z, disk="data", body={"sizeGb": "200"}))[:2] == (400, "invalid")
    done(compute.instances().setDiskAutoDelete(**where, autoDelete=True, **DEVICE).execute())
    assert node.get()["disks"][1]["autoDelete"] is True
    done(compute.instances().detachDisk(**where, **DEVICE).execute())
    assert len(node.get()["disks"]) == 1
    assert refused(compute.instances().detachDisk(**where, **DEVICE))[:2] == (400, "invalid")
    done(compute.instances().attachDisk(**where, body={"source": f"zones/{Z}/disks/data", "deviceName": "again"}).execute())
    assert node.get()["disks"][1]["deviceName"] == "again"
    assert refused(compute.disks().delete(project=P, zone=Z, disk="data"))[:2] == (400, "resourceInUseByAnotherResource")


def test_a_protected_instance_stays(clean):
    node = Node(clean, deletionProtection=True).made()
    where = instance_of(node)
    assert refused(node.compute.instances().delete(**where))[:2] == (412, "conditionNotMet")
    node.cloud.done(node.compute.instances().setDeletionProtection(project=P, zone=Z, resource="node", deletionProtection=False).execute())
    node.cloud.done(node.compute.instances().delete(**where).execute())


def test_routers_are_patched(clean):
    node = Node(clean)
    where = {"project": P, "region": R, "router": "router"}
    nats = node.compute.routers().get(**where).execute()["nats"]
    assert nats[0]["subnetworks"][0]["name"].startswith("https://www.googleapis.com/compute/v1/projects/")
    node.cloud.done(node.compute.routers().patch(**where, body={"nats": [{**nats[0], "minPortsPerVm": 128}]}).execute())
    assert node.compute.routers().get(**where).execute()["nats"][0]["minPortsPerVm"] == 128
    manual = {"name": "nat", "natIpAllocateOption": "MANUAL_ONLY", "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"}
    assert refused(node.compute.routers().patch(**where, body={"nats": [manual]}))[:2] == (400, "invalid")
    node.cloud.done(node.compute.addresses().insert(project=P, region=R, body={"name": "out"}).execute())
    node.cloud.done(node.compute.routers().patch(**where, body={"nats": [{**manual, "natIps": [f"regions/{R}/addresses/out"]}]}).execute())
    assert refused(node.compute.addresses().delete(project=P, region=R, address="out"))[:2] == (400, "resourceInUseByAnotherResource")
    node.cloud.done(node.compute.routers().patch(**where, body={"nats": []}).execute())
    node.cloud.done(node.compute.addresses().delete(project=P, region=R, address="out").execute())


def test_what_a_nat_uses_stays(clean):
    node = Node(clean)
    where = {"project": P, "region": R, "subnetwork": "sub"}
    assert refused(node.compute.subnetworks().delete(**where)) == (
        400, "resourceInUseByAnotherResource",
        f"The subnetwork resource 'projects/{P}/regions/{R}/subnetworks/sub' is already being used by 'projects/{P}/regions/{R}/routers/router'")
    node.cloud.done(node.compute.routers().delete(project=P, region=R, router="router").execute())
    node.cloud.done(node.compute.subnetworks().delete(**where).execute())


def test_one_change_at_a_time(clean):
    node = Node(clean)
    clean.control("settle", {"compute.routers.patch": 0.4})
    where = {"project": P, "region": R, "router": "router"}
    first = node.compute.routers().patch(**where, body={"description": "a"}).execute()
    assert refused(node.compute.routers().patch(**where, body={"nats": []}))[:2] == (400, "resourceNotReady")
    node.cloud.done(first)
    node.cloud.done(node.compute.routers().patch(**where, body={"nats": []}).execute())
    found = node.compute.routers().get(**where).execute()
    assert found["description"] == "a" and not found.get("nats")


def test_a_removal_that_fails_leaves_the_object(clean):
    node = Node(clean)
    clean.rule(operation="compute.disks.delete", operation_error={"code": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "message": "busy"})
    request = node.compute.disks().delete(project=P, zone=Z, disk="data")
    assert failed(node.cloud, request).code == "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
    assert node.compute.disks().get(project=P, zone=Z, disk="data").execute()["status"] == "READY"
    node.cloud.done(request.execute())


@pytest.mark.parametrize("body, reason", [
    ({"allowed": [{"IPProtocol": "tcp", "ports": ["22"]}], "denied": [{"IPProtocol": "all"}]}, "invalid"), ({}, "invalid"),
    ({"allowed": [{"IPProtocol": "icmp", "ports": ["22"]}]}, "invalid"), ({"allowed": [{"IPProtocol": "nonsense"}]}, "invalid"),
    ({"allowed": [{"IPProtocol": "all"}], "sourceRanges": ["10.0.0.1/8"]}, "invalid"),
    ({"allowed": [{"IPProtocol": "all"}], "direction": "EGRESS", "sourceTags": ["x"]}, "invalid")])
def test_what_a_firewall_must_not_be(clean, body, reason):
    Node(clean)
    given = {"name": "bad", "network": "global/networks/net", **body}
    assert refused(clean.cloud().compute.firewalls().insert(project=P, body=given))[:2] == (400, reason)


def test_ranges_must_not_overlap(clean):
    node = Node(clean)
    body = {"name": "two", "network": "global/networks/net", "ipCidrRange": "10.0.0.128/25"}
    assert refused(node.compute.subnetworks().insert(project=P, region="us-east1", body=body))[:2] == (400, "invalid")
    body["ipCidrRange"] = "10.0.1.0/33"
    assert refused(node.compute.subnetworks().insert(project=P, region="us-east1", body=body))[:2] == (400, "invalid")


def test_an_auto_mode_network_has_subnetworks_and_goes_with_them(clean):
    cloud = clean.cloud()
    cloud.done(cloud.compute.networks().insert(project=P, body={"name": "auto", "autoCreateSubnetworks": True}).execute())
    assert len(cloud.names("subnetworks")) > 20
    cloud.done(cloud.compute.networks().delete(project=P, network="auto").execute())
    assert cloud.things("compute") == {}


def test_internal_addresses(clean):
    node = Node(clean)
    node.cloud.done(node.compute.addresses().insert(project=P, region=R, body={
        "name": "in", "addressType": "INTERNAL", "subnetwork": f"regions/{R}/subnetworks/sub", "address": "10.0.0.9"}).execute())
    body = node.body(networkInterfaces=[{"subnetwork": f"regions/{R}/subnetworks/sub", "networkIP": "10.0.0.9"}])
    node.cloud.done(node.compute.instances().insert(project=P, zone=Z, body=body).execute())
    assert node.get()["networkInterfaces"][0]["networkIP"] == "10.0.0.9"
    found = node.compute.addresses().get(project=P, region=R, address="in").execute()
    assert found["status"] == "IN_USE" and found["users"] == [node.get()["selfLink"]]
    assert refused(node.compute.addresses().delete(project=P, region=R, address="in"))[:2] == (400, "resourceInUseByAnotherResource")


def test_guest_attributes(clean):
    node = Node(clean).made()
    ask = {**instance_of(node), "queryPath": "llm/"}
    assert refused(node.compute.instances().getGuestAttributes(**ask))[:2] == (404, "notFound")
    clean.control("guest", {"node": {"llm/ready": "yes"}})
    assert node.compute.instances().getGuestAttributes(**ask).execute()["queryValue"]["items"] == [{"namespace": "llm", "key": "ready", "value": "yes"}]
    fingerprint = node.get()["metadata"]["fingerprint"]
    node.cloud.done(node.compute.instances().setMetadata(**instance_of(node), body={"items": [], "fingerprint": fingerprint}).execute())
    assert refused(node.compute.instances().getGuestAttributes(**ask))[0] == 403


def test_snapshots_and_images(clean):
    node = Node(clean)
    node.cloud.done(node.compute.disks().createSnapshot(project=P, zone=Z, disk="data", body={"name": "snap"}).execute())
    assert node.compute.snapshots().get(project=P, snapshot="snap").execute()["status"] == "READY"
    node.cloud.done(node.compute.images().insert(project=P, body={"name": "own", "family": "mine", "sourceDisk": f"zones/{Z}/disks/data"}).execute())
    assert node.compute.images().getFromFamily(project=P, family="mine").execute()["name"] == "own"
    node.cloud.done(node.compute.disks().delete(project=P, zone=Z, disk="data").execute())


# --- what Google has ---


def test_regions_are_those_of_the_document():
    assert set(REGIONS) == {e["location"] for e in document("compute", "v1").raw["endpoints"]}
    assert all(set(gpu_zones(g)) <= set(zones()) for g in GPUS)


def test_public_images_move_on_and_stay(clean):
    images = clean.cloud().compute.images()
    ask = {"project": "deeplearning-platform-release", "family": "common-cu128-ubuntu-2204-nvidia-570"}
    old = images.getFromFamily(**ask).execute()
    clean.control("offers", {"image versions": ["20261115"]})
    new = images.getFromFamily(**ask).execute()
    assert (old["name"], new["name"]) == (f"{ask['family']}-v20261020", f"{ask['family']}-v20261115")
    assert images.get(project=ask["project"], image=old["name"]).execute()["deprecated"]["state"] == "DEPRECATED"
    assert refused(images.getFromFamily(project=ask["project"], family="none"))[:2] == (404, "notFound")


def test_machine_and_accelerator_types_are_in_their_zones(clean):
    compute = clean.cloud().compute
    assert compute.machineTypes().get(project=P, zone=Z, machineType="g2-standard-4").execute()["accelerators"] == [
        {"guestAcceleratorType": "nvidia-l4", "guestAcceleratorCount": 1}]
    assert refused(compute.machineTypes().get(project=P, zone="us-central1-f", machineType="g2-standard-4"))[:2] == (404, "notFound")
    assert compute.acceleratorTypes().get(project=P, zone=Z, acceleratorType="nvidia-tesla-t4").execute()["maximumCardsPerInstance"] == 4
    clean.control("offers", {"nvidia-l4": ["us-east1-b"]})
    assert refused(compute.acceleratorTypes().get(project=P, zone=Z, acceleratorType="nvidia-l4"))[:2] == (404, "notFound")
    assert refused(compute.machineTypes().get(project=P, zone=Z, machineType="g2-standard-4"))[:2] == (404, "notFound")
    everywhere = compute.acceleratorTypes().aggregatedList(project=P, filter="name = nvidia-l4").execute()["items"]
    assert [place for place, found in everywhere.items() if "acceleratorTypes" in found] == ["zones/us-east1-b"]
    assert refused(compute.zones().get(project=P, zone="us-central1-z"))[:2] == (404, "notFound")
    assert refused(compute.instances().list(project=P, zone="us-central1-z"))[:2] == (400, "invalid")


def test_lists_have_pages_filters_and_fields(clean):
    cloud = clean.cloud()
    disks = cloud.compute.disks()
    for index in range(5):
        cloud.done(disks.insert(project=P, zone=Z, body={"name": f"d{index}", "sizeGb": str(10 + index), "labels": {"odd": str(index % 2)}}).execute())
    first = disks.list(project=P, zone=Z, maxResults=2).execute()
    names, request = [d["name"] for d in first["items"]], disks.list(project=P, zone=Z, maxResults=2)
    while (request := disks.list_next(request, request.execute())) is not None:
        names += [d["name"] for d in request.execute()["items"]]
    assert names == [f"d{i}" for i in range(5)]
    for expression, expected in (("name = d1", ["d1"]), ("labels.odd=1", ["d1", "d3"]), ("name eq d[0-1]", ["d0", "d1"]), ("sizeGb > 12", ["d3", "d4"]),
                                 ("(labels.odd = 0) AND NOT name = d0", ["d2", "d4"]), ("name:d1 OR name:d2", ["d1", "d2"]), ("labels.none:*", []),
                                 ('name = "d*" (sizeGb < 11)', ["d0"])):
        assert [d["name"] for d in disks.list(project=P, zone=Z, filter=expression).execute().get("items", [])] == expected, expression
    assert refused(disks.list(project=P, zone=Z, filter="name ="))[:2] == (400, "invalid")
    assert disks.list(project=P, zone=Z, fields="items(name,labels/odd)", maxResults=1).execute() == {"items": [{"name": "d0", "labels": {"odd": "0"}}]}
    assert disks.get(project=P, zone=Z, disk="d0", fields="name").execute() == {"name": "d0"}
    clean.control("settings", {"page_size": 3})
    assert len(disks.list(project=P, zone=Z).execute()["items"]) == 3


@pytest.mark.parametrize("collection, scope, body", [
    ("healthChecks", {}, {"type": "TCP", "tcpHealthCheck": {"port": 80}}), ("resourcePolicies", {"region": R}, {"description": "x"}),
    ("instanceGroups", {"zone": Z}, {"description": "x"}), ("sslCertificates", {}, {"certificate": "x", "privateKey": "y"}),
    ("backendServices", {}, {"protocol": "HTTP"}), ("targetVpnGateways", {"region": R}, {"network": "global/networks/net"}),
    ("globalAddresses", {}, {"addressType": "EXTERNAL"})])
def test_collections_without_behaviour_of_their_own(clean, collection, scope, body):
    cloud = clean.cloud()
    cloud.done(cloud.compute.networks().insert(project=P, body={"name": "net", "autoCreateSubnetworks": False}).execute())
    resource = getattr(cloud.compute, collection)()
    cloud.done(resource.insert(project=P, **scope, body={"name": "thing", **body}).execute())
    name = {"healthChecks": "healthCheck", "resourcePolicies": "resourcePolicy", "globalAddresses": "address"}.get(collection, collection[:-1])
    found = resource.get(project=P, **scope, **{name: "thing"}).execute()
    assert found["name"] == "thing" and found["id"].isdigit()
    assert [i["name"] for i in resource.list(project=P, **scope).execute()["items"]] == ["thing"]
    cloud.done(resource.delete(project=P, **scope, **{name: "thing"}).execute())
    assert refused(resource.get(project=P, **scope, **{name: "thing"}))[:2] == (404, "notFound")


def test_many_at_once(clean):
    cloud, errors = clean.cloud(), []

    def make(index):
        try:
            own = clean.cloud()
            own.done(own.compute.disks().insert(project=P, zone=Z, body={"name": f"d{index}", "sizeGb": "10"}).execute())
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)
    threads = [threading.Thread(target=make, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(cloud.names("disks")) == 12


def test_what_a_hyperdisk_may_be_provisioned_with(clean):
    cloud, disks = clean.cloud(), clean.cloud().compute.disks()
    where = {"project": P, "zone": Z}
    body = {"name": "d", "sizeGb": "100", "type": f"zones/{Z}/diskTypes/hyperdisk-balanced"}
    for wrong in ({"provisionedIops": "2999"}, {"provisionedIops": "160001"}, {"provisionedThroughput": "139"}):
        assert refused(disks.insert(**where, body={**body, **wrong}))[:2] == (400, "invalid")
    cloud.done(disks.insert(**where, body=body).execute())
    assert refused(disks.update(**where, disk="d", paths="provisionedIops", body={"name": "d", "provisionedIops": "100"}))[:2] == (400, "invalid")
    cloud.done(disks.update(**where, disk="d", paths="provisionedIops", body={"name": "d", "provisionedIops": "5000"}).execute())
    assert disks.get(**where, disk="d").execute()["provisionedIops"] == "5000"
