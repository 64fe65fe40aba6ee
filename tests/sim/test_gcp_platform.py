"""What a platform cluster needs of the GCP simulator: GKE, Artifact Registry, Cloud Monitoring, Workload Identity and secondary ranges, seen by
Google's own client."""
import base64
import time

import pytest

from tests.sim.gcp.fixtures import P, R, clean, front, process, refused  # noqa: F401

PARENT = f"projects/{P}/locations/{R}"
NAME = f"{PARENT}/clusters/c"
BUSY = (400, "failedPrecondition")
BAD = (400, "badRequest")


class Platform:
    """A network with secondary ranges, a service account of nodes, and calls of GKE by Google's client."""

    def __init__(self, front):
        self.front, self.cloud = front, front.cloud()
        compute, done = self.cloud.compute, self.cloud.done
        done(compute.networks().insert(project=P, body={"name": "net", "autoCreateSubnetworks": False}).execute())
        done(compute.subnetworks().insert(project=P, region=R, body={
            "name": "sub", "network": "global/networks/net", "ipCidrRange": "10.0.0.0/20", "privateIpGoogleAccess": True, "secondaryIpRanges": [
                {"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}, {"rangeName": "services", "ipCidrRange": "10.5.0.0/20"}]}).execute())
        self.email = self.account("gke-nodes")
        api = self.cloud.client("container").projects().locations()
        self.locations, self.clusters, self.pools, self.operations = api, api.clusters(), api.clusters().nodePools(), api.operations()

    def account(self, name):
        return self.cloud.client("iam").projects().serviceAccounts().create(name=f"projects/{P}", body={"accountId": name, "serviceAccount": {}}).execute()["email"]

    def body(self, **changes):
        return {"cluster": {
            "name": "c", "network": f"projects/{P}/global/networks/net", "subnetwork": f"projects/{P}/regions/{R}/subnetworks/sub",
            "initialClusterVersion": "1.33", "releaseChannel": {"channel": "REGULAR"}, "resourceLabels": {"a": "b"},
            "ipAllocationPolicy": {"useIpAliases": True, "clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
            "privateClusterConfig": {"enablePrivateNodes": True}, "workloadIdentityConfig": {"workloadPool": f"{P}.svc.id.goog"},
            "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}},
            "addonsConfig": {"dnsCacheConfig": {"enabled": True}}, "shieldedNodes": {"enabled": True}, "nodePools": [self.pool("general")], **changes}}

    def pool(self, name, **changes):
        config = {"machineType": "e2-standard-4", "serviceAccount": self.email, "labels": {"team": "a"}, **changes.pop("config", {})}
        return {"name": name, "initialNodeCount": 1, "config": config, **changes}

    def waited(self, operation):
        deadline = time.monotonic() + 30
        while operation["status"] != "DONE":
            assert time.monotonic() < deadline
            time.sleep(0.02)
            operation = self.operations.get(name=f"{PARENT}/operations/{operation['name']}").execute()
        return operation

    def done(self, request):
        operation = self.waited(request.execute())
        assert "error" not in operation, operation
        return operation

    def failed(self, request):
        return self.waited(request.execute())["error"]

    def made(self, **changes):
        self.done(self.clusters.create(parent=PARENT, body=self.body(**changes)))
        return self

    def get(self):
        return self.clusters.get(name=NAME).execute()

    def get_pool(self, name="general"):
        return self.pools.get(name=f"{NAME}/nodePools/{name}").execute()

    def update(self, **change):
        return self.clusters.update(name=NAME, body={"update": change})

    def add(self, pool):
        return self.pools.create(parent=NAME, body={"nodePool": pool})

    def change(self, pool="general", **change):
        return self.pools.update(name=f"{NAME}/nodePools/{pool}", body=change)


# --- clusters ---


def test_a_cluster_lives(clean):
    platform = Platform(clean)
    clean.control("settle", {"container.projects.locations.clusters.create": 1})
    started = platform.clusters.create(parent=PARENT, body=platform.body()).execute()
    assert started["status"] in ("PENDING", "RUNNING") and started["operationType"] == "CREATE_CLUSTER" and started["progress"]["metrics"]
    early = platform.get()
    assert early["status"] == "PROVISIONING" and "endpoint" not in early and early["nodePools"][0]["status"] == "PROVISIONING"
    assert refused(platform.clusters.delete(name=NAME))[:2] == BUSY
    assert refused(platform.add(platform.pool("gpu")))[:2] == BUSY
    ended = platform.waited(started)
    assert ended["endTime"] and ended["progress"]["status"] == "DONE"
    cluster = platform.get()
    assert cluster["status"] == "RUNNING" and cluster["endpoint"] and cluster["masterAuth"]["clusterCaCertificate"]
    assert cluster["currentMasterVersion"].startswith("1.33.") and cluster["network"] == "net" and cluster["subnetwork"] == "sub"
    assert cluster["networkConfig"]["subnetwork"] == f"projects/{P}/regions/{R}/subnetworks/sub" and cluster["networkConfig"]["defaultEnablePrivateNodes"] is True
    assert cluster["clusterIpv4Cidr"] == "10.4.0.0/16" and cluster["servicesIpv4Cidr"] == "10.5.0.0/20"
    assert cluster["selfLink"] == f"https://container.googleapis.com/v1/{NAME}" and len(cluster["locations"]) == 3
    assert cluster["autopilot"] == {} and "enablePrivateEndpoint" not in cluster["privateClusterConfig"]
    assert refused(platform.clusters.create(parent=PARENT, body=platform.body()))[:2] == (409, "alreadyExists")
    assert f"container {NAME}" in platform.cloud.made()
    compute = platform.cloud.compute
    assert refused(compute.subnetworks().delete(project=P, region=R, subnetwork="sub"))[:2] == (400, "resourceInUseByAnotherResource")
    platform.done(platform.clusters.delete(name=NAME))
    assert refused(platform.clusters.get(name=NAME))[:2] == (404, "notFound")
    platform.cloud.done(compute.subnetworks().delete(project=P, region=R, subnetwork="sub").execute())


@pytest.mark.parametrize("change, text", [
    ({"network": "none"}, "has no network"), ({"subnetwork": "none"}, "does not exist"), ({"initialClusterVersion": "1.20"}, "unsupported"),
    ({"ipAllocationPolicy": {"clusterSecondaryRangeName": "none"}}, "does not exist in subnetwork"), ({"name": "Bad"}, "Invalid value"),
    ({"workloadIdentityConfig": {"workloadPool": "other.svc.id.goog"}}, "workload pool"), ({"nodePools": []}, "greater than zero"),
    ({"databaseEncryption": {"state": "ENCRYPTED"}}, "key_name"), ({"resourceLabels": {"A": "b"}}, "label"),
    ({"loggingConfig": {"componentConfig": {"enableComponents": ["WORKLOADS"]}}}, "SYSTEM_COMPONENTS"),
    ({"nodePools": [{"name": "p", "config": {"serviceAccount": f"none@{P}.iam.gserviceaccount.com"}}]}, "does not exist"),
    ({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"authorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "10.0.0.1/8"}]}}}}, "CIDR")])
def test_what_a_cluster_must_not_be(clean, change, text):
    platform = Platform(clean)
    status, reason, message = refused(platform.clusters.create(parent=PARENT, body=platform.body(**change)))
    assert (status, reason) == BAD and text in message
    assert platform.cloud.things("container") == {}


def test_a_cluster_that_fails_stays_to_be_deleted(clean):
    platform = Platform(clean)
    clean.rule(operation="container.projects.locations.clusters.create", operation_error={"message": "All is lost."})
    error = platform.failed(platform.clusters.create(parent=PARENT, body=platform.body()))
    assert error == {"code": 13, "message": "All is lost."}
    assert platform.get()["status"] == "ERROR" and platform.get()["conditions"][0]["message"] == "All is lost."
    platform.done(platform.clusters.delete(name=NAME))


def test_the_endpoint_is_where_the_test_says(clean):
    platform = Platform(clean).made()
    certificate = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()
    clean.control("cluster_endpoint", {"endpoint": "127.0.0.1:6443", "clusterCaCertificate": certificate})
    cluster = platform.get()
    assert cluster["endpoint"] == "127.0.0.1:6443" and cluster["masterAuth"] == {"clusterCaCertificate": certificate}
    clean.control("cluster_endpoint", {"endpoint": "127.0.0.1:6444", "cluster": "c"})
    assert platform.get()["endpoint"] == "127.0.0.1:6444"
    status, found = clean.rest("GET", f"/container/v1/{NAME}/.well-known/openid-configuration")
    assert status == 200 and found["issuer"] == f"https://container.googleapis.com/v1/{NAME}"


def test_a_cluster_changes_one_thing_at_a_time(clean):
    platform = Platform(clean).made()
    etag = platform.get()["etag"]
    clean.control("settings", {"operation_s": 0.5})
    started = platform.update(desiredLoggingConfig={"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]}}).execute()
    assert platform.get()["status"] == "RECONCILING"
    for request in (platform.update(desiredLocations=[f"{R}-a"]), platform.change(labels={"labels": {}}), platform.clusters.delete(name=NAME),
                    platform.add(platform.pool("more")), platform.clusters.setResourceLabels(name=NAME, body={"labelFingerprint": "x"})):
        status, reason, message = refused(request)
        assert (status, reason) == BUSY and started["name"] in message
    platform.waited(started)
    cluster = platform.get()
    assert cluster["status"] == "RUNNING" and cluster["etag"] != etag
    assert cluster["loggingConfig"]["componentConfig"]["enableComponents"] == ["SYSTEM_COMPONENTS"]
    assert refused(platform.update(desiredLocations=[f"{R}-a"], desiredShieldedNodes={"enabled": True}))[:2] == BAD
    assert refused(platform.update())[:2] == BAD
    assert refused(platform.update(desiredShieldedNodes={"enabled": True}, etag=etag))[:2] == (409, "aborted")


def test_settings_of_a_cluster(clean):
    clean.control("settings", {"operation_s": 0})
    platform = Platform(clean).made()
    networks = {"enabled": True, "cidrBlocks": [{"cidrBlock": "192.0.2.0/24", "displayName": "office"}]}
    platform.done(platform.update(desiredControlPlaneEndpointsConfig={"ipEndpointsConfig": {"authorizedNetworksConfig": networks}}))
    cluster = platform.get()
    assert cluster["masterAuthorizedNetworksConfig"] == networks == cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["authorizedNetworksConfig"]
    assert cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["enablePublicEndpoint"] is True
    platform.done(platform.update(desiredControlPlaneEndpointsConfig={"ipEndpointsConfig": {"enablePublicEndpoint": False}}))
    cluster = platform.get()
    addresses = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    assert addresses["enablePublicEndpoint"] is False and addresses["authorizedNetworksConfig"] == networks
    assert cluster["endpoint"] == addresses["privateEndpoint"] and cluster["privateClusterConfig"]["enablePrivateEndpoint"] is True
    platform.done(platform.update(desiredEnablePrivateEndpoint=False))
    assert platform.get()["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["enablePublicEndpoint"] is True
    platform.done(platform.update(desiredMonitoringConfig={"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "DCGM"]},
                                                           "managedPrometheusConfig": {"enabled": False}}))
    assert platform.get()["monitoringConfig"] == {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "DCGM"]}, "managedPrometheusConfig": {}}
    platform.done(platform.update(desiredAddonsConfig={"dnsCacheConfig": {"enabled": False}}))
    assert platform.get()["addonsConfig"]["dnsCacheConfig"] == {} and platform.get()["addonsConfig"]["gcePersistentDiskCsiDriverConfig"] == {"enabled": True}
    platform.done(platform.update(desiredReleaseChannel={"channel": "STABLE"}))
    assert platform.get()["releaseChannel"] == {"channel": "STABLE"}
    key = f"projects/{P}/locations/{R}/keyRings/r/cryptoKeys/k"
    platform.done(platform.update(desiredDatabaseEncryption={"state": "ENCRYPTED", "keyName": key}))
    assert platform.get()["databaseEncryption"]["currentState"] == "CURRENT_STATE_ENCRYPTED"
    assert refused(platform.update(desiredDatabaseEncryption={"state": "ENCRYPTED", "keyName": key.replace(R, "global")}))[:2] == BAD


def test_labels_of_a_cluster_need_the_newest_fingerprint(clean):
    platform = Platform(clean).made()
    old = platform.get()["labelFingerprint"]

    def label(fingerprint):
        return platform.clusters.setResourceLabels(name=NAME, body={"resourceLabels": {"c": "d"}, "labelFingerprint": fingerprint})
    platform.done(label(old))
    assert platform.get()["resourceLabels"] == {"c": "d"} and platform.get()["labelFingerprint"] != old
    assert refused(label(old))[0] == 412


# --- versions ---


def test_versions_are_offered_by_channel(clean):
    config = Platform(clean).locations.getServerConfig(name=PARENT).execute()
    channels = {c["channel"]: c for c in config["channels"]}
    assert set(channels) == {"RAPID", "REGULAR", "STABLE", "EXTENDED"} and config["defaultClusterVersion"] in config["validMasterVersions"]
    assert all(c["defaultVersion"] in c["validVersions"] and set(c["validVersions"]) <= set(config["validMasterVersions"]) for c in channels.values())


def test_a_control_plane_goes_up_one_minor_at_a_time(clean):
    platform = Platform(clean).made(initialClusterVersion="1.32")
    assert "more than one minor" in refused(platform.update(desiredMasterVersion="1.34"))[2]
    assert "unsupported" in refused(platform.update(desiredMasterVersion="1.32.8-gke.1"))[2]
    clean.control("settings", {"operation_s": 0.4})
    started = platform.update(desiredMasterVersion="1.33").execute()
    assert started["operationType"] == "UPGRADE_MASTER"
    assert "currently upgrading cluster" in refused(platform.change(nodeVersion="1.33"))[2]
    platform.waited(started)
    assert platform.get()["currentMasterVersion"].startswith("1.33.") and platform.get()["currentNodeVersion"].startswith("1.32.")
    assert "not newer" in refused(platform.update(desiredMasterVersion="1.32"))[2]
    clean.control("settings", {"operation_s": 0})
    platform.done(platform.update(desiredMasterVersion="1.34"))
    operation = platform.done(platform.change(nodeVersion="-"))
    assert operation["operationType"] == "UPGRADE_NODES"
    assert platform.get_pool()["version"] == platform.get()["currentMasterVersion"] == platform.get()["currentNodeVersion"]


def test_nodes_are_not_newer_than_their_control_plane(clean):
    platform = Platform(clean).made()
    status, reason, message = refused(platform.add(platform.pool("gpu", version="1.34")))
    assert (status, reason) == BAD and "must not have a greater minor version" in message
    assert "must not have a greater minor version" in refused(platform.change(nodeVersion="1.34"))[2]
    assert "unsupported" in refused(platform.change(nodeVersion="1.99"))[2]


def test_nodes_that_are_too_old_hold_the_control_plane_back(clean):
    clean.control("settings", {"operation_s": 0})
    platform = Platform(clean).made(initialClusterVersion="1.32", releaseChannel={"channel": "UNSPECIFIED"})
    platform.done(platform.update(desiredMasterVersion="1.33"))
    platform.done(platform.update(desiredMasterVersion="1.34"))
    assert "too old" in refused(platform.update(desiredMasterVersion="1.35"))[2]
    platform.done(platform.change(nodeVersion="-"))
    platform.done(platform.update(desiredMasterVersion="1.35"))


# --- node pools ---


def gpu_pool(platform, **changes):
    return platform.pool("gpu", initialNodeCount=0, autoscaling={"enabled": True, "minNodeCount": 0, "maxNodeCount": 3}, upgradeSettings={"maxSurge": 1},
                         config={"machineType": "g2-standard-8", "spot": True, "taints": [{"key": "gpu", "value": "true", "effect": "NO_SCHEDULE"}],
                                 "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": "1", "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}],
                                 **changes})


def test_a_pool_with_gpus(clean):
    platform = Platform(clean).made()
    platform.done(platform.add(gpu_pool(platform)))
    pool = platform.get_pool("gpu")
    assert pool["status"] == "RUNNING" and pool["config"]["spot"] is True and pool["version"] == platform.get()["currentMasterVersion"]
    assert pool["config"]["accelerators"][0]["gpuDriverInstallationConfig"] == {"gpuDriverVersion": "LATEST"}
    assert {t["key"] for t in pool["config"]["taints"]} == {"gpu", "nvidia.com/gpu"} and pool["networkConfig"]["enablePrivateNodes"] is True
    assert pool["config"]["workloadMetadataConfig"] == {"mode": "GKE_METADATA"} and pool["management"] == {"autoRepair": True, "autoUpgrade": True}
    assert pool["autoscaling"] == {"enabled": True, "maxNodeCount": 3, "locationPolicy": "BALANCED"} and "initialNodeCount" not in pool
    assert pool["upgradeSettings"] == {"maxSurge": 1, "strategy": "SURGE"} and len(pool["instanceGroupUrls"]) == 3
    assert refused(platform.add(gpu_pool(platform)))[:2] == (409, "alreadyExists")
    platform.done(platform.pools.delete(name=f"{NAME}/nodePools/gpu"))
    assert refused(platform.pools.get(name=f"{NAME}/nodePools/gpu"))[:2] == (404, "notFound")


@pytest.mark.parametrize("change, text", [
    ({"config": {"machineType": "none"}}, "does not exist"), ({"config": {"serviceAccount": f"none@{P}.iam.gserviceaccount.com"}}, "does not exist"),
    ({"config": {"accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": "1"}]}}, "cannot be attached"),
    ({"config": {"machineType": "g2-standard-8", "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": "4"}]}}, "has 1 accelerators"),
    ({"config": {"taints": [{"key": "a", "effect": "NO_SCHEDULE"}, {"key": "a", "effect": "NO_SCHEDULE"}]}}, "twice"),
    ({"autoscaling": {"enabled": True, "minNodeCount": 4, "maxNodeCount": 3}}, "limits"), ({"management": {"autoUpgrade": False}}, "release_channel"),
    ({"upgradeSettings": {"maxSurge": 0}}, "max_surge"), ({"locations": ["europe-west1-b"]}, "not in the cluster's region"), ({"name": "A"}, "Invalid value")])
def test_what_a_pool_must_not_be(clean, change, text):
    platform = Platform(clean).made()
    status, reason, message = refused(platform.add({**platform.pool("more"), **platform.pool(change.pop("name", "more"), **change)}))
    assert (status, reason) == BAD and text in message


def test_a_pool_changes(clean):
    clean.control("settings", {"operation_s": 0})
    platform = Platform(clean).made()
    taints = [{"key": "a", "value": "b", "effect": "NO_EXECUTE"}]
    for change in ({"labels": {"labels": {"team": "b"}}}, {"taints": {"taints": taints}}, {"machineType": "e2-standard-8", "diskSizeGb": "200"},
                   {"upgradeSettings": {"maxSurge": 2, "maxUnavailable": 1}}, {"locations": [f"{R}-a", f"{R}-b"]}, {"resourceLabels": {"labels": {"x": "y"}}}):
        platform.done(platform.change(**change))
    pool = platform.get_pool()
    assert pool["config"]["labels"] == {"team": "b"} and pool["config"]["taints"] == taints and pool["config"]["diskSizeGb"] == 200
    assert pool["config"]["machineType"] == "e2-standard-8" and pool["upgradeSettings"] == {"maxSurge": 2, "maxUnavailable": 1, "strategy": "SURGE"}
    assert pool["config"]["resourceLabels"] == {"x": "y", "goog-gke-node-pool-provisioning-model": "on-demand"} and pool["locations"] == [f"{R}-a", f"{R}-b"]
    platform.done(platform.update(desiredNodePoolId="general", desiredImageType="ubuntu_containerd"))
    assert platform.get_pool()["config"]["imageType"] == "UBUNTU_CONTAINERD"
    assert refused(platform.update(desiredNodePoolId="none", desiredImageType="COS_CONTAINERD"))[:2] == (404, "notFound")
    platform.done(platform.change(taints={"taints": []}))
    assert "taints" not in platform.get_pool()["config"]
    assert refused(platform.change(labels={"labels": {}}, taints={"taints": []}))[:2] == BAD and refused(platform.change())[:2] == BAD
    assert refused(platform.change(labels={"labels": {}}, etag="old"))[:2] == (409, "aborted")
    platform.done(platform.pools.setSize(name=f"{NAME}/nodePools/general", body={"nodeCount": 5}))
    assert platform.get_pool()["initialNodeCount"] == 5 and platform.get()["currentNodeCount"] == 10
    scaling = {"enabled": True, "minNodeCount": 1, "maxNodeCount": 5, "locationPolicy": "ANY"}
    platform.done(platform.pools.setAutoscaling(name=f"{NAME}/nodePools/general", body={"autoscaling": scaling}))
    assert platform.get_pool()["autoscaling"] == scaling
    platform.done(platform.pools.setAutoscaling(name=f"{NAME}/nodePools/general", body={"autoscaling": {"enabled": False}}))
    assert platform.get_pool()["autoscaling"] == {}
    assert refused(platform.pools.setManagement(name=f"{NAME}/nodePools/general", body={"management": {"autoRepair": True}}))[:2] == BAD


def test_pools_change_side_by_side_or_one_by_one(clean):
    platform = Platform(clean).made()
    clean.control("settings", {"operation_s": 0.5})
    first, second = platform.add(platform.pool("a")).execute(), platform.add(platform.pool("b")).execute()
    assert platform.get()["status"] == "RECONCILING"
    assert refused(platform.pools.delete(name=f"{NAME}/nodePools/a"))[:2] == BUSY
    assert refused(platform.update(desiredShieldedNodes={"enabled": True}))[:2] == BUSY and refused(platform.clusters.delete(name=NAME))[:2] == BUSY
    for operation in (first, second):
        platform.waited(operation)
    clean.control("settings", {"concurrent_pools": False})
    first = platform.add(platform.pool("d")).execute()
    assert refused(platform.add(platform.pool("e")))[:2] == BUSY
    platform.waited(first)


def test_a_pool_for_which_there_are_no_machines(clean):
    platform = Platform(clean).made()
    clean.control("stock", {f"{R}-a": {"nvidia-l4": 0}})
    platform.done(platform.add(gpu_pool(platform)))
    error = platform.failed(platform.add({**gpu_pool(platform), "name": "full", "initialNodeCount": 1}))
    assert error["code"] == 8 and "GCE_STOCKOUT" in error["message"]
    assert platform.get_pool("full")["status"] == "ERROR" and "GCE_STOCKOUT" == platform.get_pool("full")["conditions"][0]["code"]
    platform.done(platform.pools.delete(name=f"{NAME}/nodePools/full"))


# --- Workload Identity, secondary ranges ---


def test_a_workload_is_bound_to_its_account(clean):
    platform = Platform(clean)
    accounts = platform.cloud.client("iam").projects().serviceAccounts()
    name = f"projects/{P}/serviceAccounts/{platform.account('quant-api')}"
    binding = {"role": "roles/iam.workloadIdentityUser", "members": [f"serviceAccount:{P}.svc.id.goog[platform/quant-api]"]}
    request = accounts.setIamPolicy(resource=name, body={"policy": {"bindings": [binding]}})
    status, _, message = refused(request)
    assert status == 400 and f"Identity Pool does not exist ({P}.svc.id.goog)" in message
    platform.made()
    request.execute()
    assert accounts.getIamPolicy(resource=name, options_requestedPolicyVersion=3).execute()["bindings"] == [binding]
    bad = {**binding, "members": [f"serviceAccount:{P}.svc.id.goog[quant-api]"]}
    assert refused(accounts.setIamPolicy(resource=name, body={"policy": {"bindings": [bad]}}))[0] == 400


def test_secondary_ranges(clean):
    platform = Platform(clean).made()
    subnetworks = platform.cloud.compute.subnetworks()
    where = {"project": P, "region": R, "subnetwork": "sub"}
    now = subnetworks.get(**where).execute()
    more = [*now["secondaryIpRanges"], {"rangeName": "more", "ipCidrRange": "10.6.0.0/16"}]
    assert refused(subnetworks.patch(**where, body={"secondaryIpRanges": more}))[:2] == (412, "conditionNotMet")
    platform.cloud.done(subnetworks.patch(**where, body={"secondaryIpRanges": more, "fingerprint": now["fingerprint"]}).execute())
    now = subnetworks.get(**where).execute()
    assert now["secondaryIpRanges"] == more and now["ipCidrRange"] == "10.0.0.0/20"

    def patch(ranges):
        return subnetworks.patch(**where, body={"secondaryIpRanges": ranges, "fingerprint": now["fingerprint"]})
    assert refused(patch(more[1:]))[:2] == (400, "resourceInUseByAnotherResource")
    assert "conflicts" in refused(patch([*more, {"rangeName": "again", "ipCidrRange": "10.6.128.0/17"}]))[2]
    assert refused(patch([*more, {"rangeName": "more", "ipCidrRange": "10.7.0.0/16"}]))[:2] == (400, "invalid")
    platform.cloud.done(patch(more[:2]).execute())


# --- Artifact Registry ---


def repositories(front):
    return front.cloud().client("artifactregistry").projects().locations().repositories()


def waited(front, operation):
    operations = front.cloud().client("artifactregistry").projects().locations().operations()
    while "done" not in operation:
        time.sleep(0.02)
        operation = operations.get(name=operation["name"]).execute()
    return operation


POLICIES = {"keep": {"id": "keep", "action": "KEEP", "mostRecentVersions": {"keepCount": 15}},
            "old": {"id": "old", "action": "DELETE", "condition": {"tagState": "UNTAGGED", "olderThan": "604800s"}}}


def test_a_repository_lives(clean):
    made, name = repositories(clean), f"{PARENT}/repositories/quant-api"
    body = {"format": "DOCKER", "labels": {"a": "b"}, "dockerConfig": {"immutableTags": True}, "cleanupPolicies": POLICIES, "description": "x",
            "kmsKeyName": f"projects/{P}/locations/{R}/keyRings/r/cryptoKeys/k"}
    operation = made.create(parent=PARENT, repositoryId="quant-api", body=body).execute()
    assert "/operations/" in operation["name"] and waited(clean, operation)["response"]["name"] == name
    repository = made.get(name=name).execute()
    assert repository["cleanupPolicies"] == POLICIES and repository["registryUri"] == f"{R}-docker.pkg.dev/{P}/quant-api"
    assert repository["dockerConfig"] == {"immutableTags": True} and "cleanupPolicyDryRun" not in repository
    changed = made.patch(name=name, updateMask="dockerConfig,cleanupPolicies", body={"dockerConfig": {"immutableTags": False},
                                                                                   "cleanupPolicies": {"old": POLICIES["old"]}}).execute()
    assert changed["dockerConfig"] == {} and changed["cleanupPolicies"] == {"old": POLICIES["old"]} and changed["labels"] == {"a": "b"}
    assert refused(made.patch(name=name, updateMask="kmsKeyName", body={"kmsKeyName": "other"}))[0] == 400
    assert refused(made.create(parent=PARENT, repositoryId="quant-api", body=body))[:2] == (409, "ALREADY_EXISTS")
    assert platform_policy(made, name)["bindings"][0]["members"] == ["user:a@example.com"]
    assert waited(clean, made.delete(name=name).execute())["done"] is True
    assert refused(made.get(name=name))[:2] == (404, "NOT_FOUND")


def platform_policy(made, name):
    policy = made.getIamPolicy(resource=name).execute()
    made.setIamPolicy(resource=name, body={"policy": {**policy, "bindings": [{"role": "roles/artifactregistry.reader", "members": ["user:a@example.com"]}]}}).execute()
    return made.getIamPolicy(resource=name).execute()


@pytest.mark.parametrize("name, change, text", [
    ("UPPER", {}, "lowercase"), ("x", {"format": None}, "format"), ("x", {"cleanupPolicies": {"a": {"action": "DELETE", "mostRecentVersions": {"keepCount": 1}}}}, "KEEP"),
    ("x", {"cleanupPolicies": {"a": {"id": "b", "action": "DELETE", "condition": {}}}}, "has the id"), ("x", {"kmsKeyName": "key"}, "Cloud KMS"),
    ("x", {"cleanupPolicies": {"a": {"action": "KEEP"}}}, "needs one of"), ("x", {"labels": {"A": "b"}}, "label")])
def test_what_a_repository_must_not_be(clean, name, change, text):
    status, _, message = refused(repositories(clean).create(parent=PARENT, repositoryId=name, body={"format": "DOCKER", **change}))
    assert status == 400 and text in message


# --- Cloud Monitoring ---


def chart(**place):
    return {"width": 6, "height": 4, **place, "widget": {"title": "CPU", "xyChart": {"dataSets": [{"timeSeriesQuery": {
        "prometheusQuery": "sum(rate(container_cpu_usage_seconds_total[5m]))"}, "plotType": "LINE"}]}}}


def test_a_dashboard_lives(clean):
    dashboards = clean.cloud().client("monitoring", "v1").projects().dashboards()
    body = {"displayName": "Platform", "labels": {"a": ""}, "mosaicLayout": {"columns": 12, "tiles": [chart(), chart(xPos=6)]}}
    made = dashboards.create(parent=f"projects/{P}", body={**body, "name": f"projects/{P}/dashboards/platform-dev"}).execute()
    assert made["name"].endswith("/dashboards/platform-dev") and made["etag"]
    again = dashboards.get(name=f"projects/{P}/dashboards/platform-dev").execute()
    assert again == made and "xPos" not in again["mosaicLayout"]["tiles"][0]
    assert refused(dashboards.create(parent=f"projects/{P}", body={**body, "name": made["name"]}))[:2] == (409, "ALREADY_EXISTS")
    changed = dashboards.patch(name=made["name"], body={**body, "displayName": "New", "etag": made["etag"]}).execute()
    assert changed["displayName"] == "New" and changed["etag"] != made["etag"]
    assert refused(dashboards.patch(name=made["name"], body={**body, "etag": made["etag"]}))[:2] == (409, "ABORTED")
    overlapping = {**body, "mosaicLayout": {"columns": 12, "tiles": [chart(), chart(xPos=3)]}}
    assert "overlaps" in refused(dashboards.patch(name=made["name"], body=overlapping))[2]
    assert [d["displayName"] for d in dashboards.list(parent=f"projects/{P}").execute()["dashboards"]] == ["New"]
    dashboards.delete(name=made["name"]).execute()
    assert refused(dashboards.get(name=made["name"]))[:2] == (404, "NOT_FOUND")


CONDITION = {"displayName": "CPU", "conditionThreshold": {
    "filter": 'metric.type = "kubernetes.io/node/cpu/allocatable_utilization" AND resource.type = "k8s_node"', "comparison": "COMPARISON_GT", "thresholdValue": 0.8,
    "duration": "300s", "aggregations": [{"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_MEAN"}]}}


def test_an_alert_policy_lives(clean):
    projects = clean.cloud().client("monitoring").projects()
    policies, channels = projects.alertPolicies(), projects.notificationChannels()
    channel = channels.create(name=f"projects/{P}", body={"type": "email", "labels": {"email_address": "a@example.com"}}).execute()["name"]
    body = {"displayName": "CPU is high", "combiner": "OR", "conditions": [CONDITION], "userLabels": {"llm-resource": "a"}, "notificationChannels": [channel],
            "documentation": {"content": "Look.", "mimeType": "text/markdown"}, "alertStrategy": {"autoClose": "1800s"}}
    made = policies.create(name=f"projects/{P}", body=body).execute()
    assert made["name"].startswith(f"projects/{P}/alertPolicies/") and made["conditions"][0]["name"].startswith(made["name"]) and made["enabled"] is True
    found = policies.list(name=f"projects/{P}", filter='user_labels.llm-resource="a"').execute()["alertPolicies"]
    assert [f["name"] for f in found] == [made["name"]]
    assert "alertPolicies" not in policies.list(name=f"projects/{P}", filter='user_labels.llm-resource="b"').execute()
    changed = policies.patch(name=made["name"], updateMask="enabled", body={"enabled": False}).execute()
    assert changed["enabled"] is False and changed["displayName"] == "CPU is high"
    assert refused(channels.delete(name=channel))[:2] == (400, "FAILED_PRECONDITION")
    channels.delete(name=channel, force=True).execute()
    assert policies.get(name=made["name"]).execute().get("notificationChannels", []) == []
    policies.delete(name=made["name"]).execute()
    assert refused(policies.get(name=made["name"]))[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize("change, text", [
    ({"displayName": ""}, "display_name"), ({"conditions": []}, "conditions"), ({"notificationChannels": [f"projects/{P}/notificationChannels/1"]}, "does not exist"),
    ({"conditions": [{"displayName": "x", "conditionThreshold": {**CONDITION["conditionThreshold"], "filter": "x"}}]}, "metric.type"),
    ({"conditions": [{"displayName": "x", "conditionThreshold": {**CONDITION["conditionThreshold"], "duration": "90s"}}]}, "multiple of one minute"),
    ({"userLabels": {"A": "b"}}, "user_labels")])
def test_what_an_alert_policy_must_not_be(clean, change, text):
    policies = clean.cloud().client("monitoring").projects().alertPolicies()
    message = refused(policies.create(name=f"projects/{P}", body={"displayName": "x", "combiner": "OR", "conditions": [CONDITION], **change}))[2]
    assert text in message


# --- permissions ---


def test_a_cluster_needs_these_permissions(clean):
    platform = Platform(clean).made()
    platform.done(platform.add(platform.pool("more")))
    platform.done(platform.update(desiredShieldedNodes={"enabled": True}))
    used = [p for p in clean.control("permissions")["used"] if p.startswith(("container", "iam.serviceAccounts.actAs"))]
    assert used == ["container.clusters.create", "container.clusters.update", "container.operations.get", "iam.serviceAccounts.actAs"]
    clean.control("permissions", {"denied": ["container.clusters.update"]})
    assert refused(platform.add(platform.pool("other")))[:2] == (403, "forbidden")
