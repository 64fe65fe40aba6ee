"""llm_platform_cluster on Google Cloud: the real core, the simulated GCP, and a real Kubernetes API server as the cluster's."""
import base64
import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import CORES, ROOT, Core, gcp_settings
from tests.kube.cluster import Cluster

BASE = "llm-k8s-dev-us-central1"
CLUSTER = "projects/test-project/locations/us-central1/clusters/dev"
CLUSTERS = "container.projects.locations.clusters"
SYSTEM = {"default", "kube-system", "kube-public", "kube-node-lease"}

TWO_LINES = 'resource "llm_platform_cluster" "p" {\n  name  = "dev"\n  cloud = "gcp"\n}\n'

NAMESPACES = """namespaces = { for n in ["platform", "quant", "finetune", "eval", "observability"] : n => {
    labels      = { tier = "team" }
    quota       = { "requests.cpu" = %(cpu)s, "limits.memory" = "32Gi", pods = "50" }
    limit_range = { default_cpu = "500m", default_memory = "512Mi" }
    config      = { LOG_LEVEL = "debug" }
    rbac        = { editors = ["${n}-team"] }
    default_deny = n == "eval" ? ["Egress", "Ingress"] : null
  } }"""

WORKLOADS = """workloads = {
    gateway      = { namespace = "platform", metrics = true }
    quant-api    = { namespace = "quant", invoke_endpoints = ["quant-*"], metrics = true, policies = ["roles/storage.objectViewer", "roles/logging.logWriter"] }
    finetune-api = { namespace = "finetune", invoke_endpoints = ["finetune-*"] }
    eval-api     = { namespace = "eval", service_account = "evaluator", invoke_endpoints = ["eval-*"] }
  }"""

GENERAL = 'general = { machine_types = ["e2-standard-4"], provisioning = "spot", min = 2, max = 4 }'
GPU = 'gpu = { machine_types = ["g2-standard-8"], gpu = true, provisioning = "spot", min = 0, max = 1 }'
REGISTRIES = ["gateway", "quant-api", "finetune-api", "eval-api", "grafana-plugin"]


def dev(version='"1.34"', general=GENERAL, gpu=GPU, cpu='"8"', observability="retention_days = 7, gpu_metrics = true, alarms = {}", registries=REGISTRIES,
        endpoint="public = true", more="", keep_tagged=15):
    """The requirement's development environment."""
    return f"""
resource "llm_platform_cluster" "p" {{
  name                = "dev"
  cloud               = "gcp"
  kubernetes_version  = {version}
  deletion_protection = false
  network             = {{ cidr = "10.0.0.0/16", zones = 3, nat = "single" }}
  endpoint            = {{ {endpoint} }}
  access              = {{ admins = ["ops@example.com"] }}
  node_pools          = {{
    {general}
    {gpu}
  }}
  registries          = {{ names = {json.dumps(registries)}, keep_tagged = {keep_tagged} }}
  {NAMESPACES % {"cpu": cpu}}
  {WORKLOADS}
  observability       = {{ {observability} }}
  tags                = {{ environment = "dev" }}
  {more}
}}
"""


@pytest.fixture(scope="module")
def kube():
    with Cluster() as cluster, cluster.controllers():
        yield cluster


class Ground:
    """A core whose project has clusters at the real API server's address."""

    def __init__(self, directory, sim, cloud, kube):
        self.sim, self.cloud, self.kube, self.directory = sim, cloud, kube, directory
        sim.control("tokens", {kube.admin: {"identity": "admin@example.com", "owner": True}})
        sim.control("cluster_endpoint", {"endpoint": kube.endpoint.partition("//")[2],
                                         "clusterCaCertificate": base64.b64encode(kube.ca_pem.encode()).decode()})
        self.core = self.new_core("first")

    def new_core(self, name):
        directory = self.directory / name
        directory.mkdir()
        return Core(CORES[sorted(CORES)[-1]], directory, {**gcp_settings(self.sim.endpoint), "GOOGLE_OAUTH_ACCESS_TOKEN": self.kube.admin})

    def apply(self, text):
        self.core.write(text)
        self.sim.control("calls", method="DELETE")
        return self.core.apply_ok()

    def change(self, text):
        """Applies a change; what was called, and nothing more to do after it."""
        self.apply(text)
        calls = [c["operation"] for c in self.sim.calls() if c["status"] < 300]
        self.core.no_difference()
        return calls

    def kubectl(self, *arguments):
        command = [str(ROOT / ".cache/bin/kubectl"), "--server", self.kube.endpoint, "--certificate-authority", self.kube.path("ca.pem"),
                   "--token", self.kube.admin, *arguments, "-o", "json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)

    def kube_names(self, kind, *arguments):
        return {i["metadata"]["name"] for i in self.kubectl("get", kind, *arguments)["items"]}

    def cluster(self):
        return self.cloud.client("container").projects().locations().clusters().get(name=CLUSTER).execute()

    def pools(self):
        """By the name in the configuration."""
        return {p["name"].rpartition("-")[0]: p for p in self.cluster().get("nodePools", [])}

    def edit(self, service, resource, **values):
        self.sim.control("edit", {"service": service, "resource": resource, "set": values})

    def state(self):
        return self.core.state()["llm_platform_cluster.p"]

    def roles(self):
        """Of each service account in the project: its roles."""
        policy = self.cloud.client("cloudresourcemanager").projects().getIamPolicy(resource="projects/test-project", body={}).execute()
        found = {}
        for binding in policy.get("bindings", []):
            for member in binding["members"]:
                found.setdefault(member.removeprefix("serviceAccount:"), set()).add(binding["role"])
        return found

    def destroy(self):
        result = self.core.destroy()
        assert result.status == 0, result.output
        assert self.cloud.made() == []
        assert self.kube_names("namespaces") == SYSTEM
        assert "llm-platform-cluster" not in self.kube_names("configmaps", "-n", "kube-system")
        assert not any(n.startswith("llm-platform") for n in self.kube_names("clusterrolebindings"))


    def clean(self):
        """What a test has left in the cluster, where nobody empties namespaces that go."""
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        for name in self.kube_names("namespaces") - SYSTEM:
            for kind in ("resourcequotas", "limitranges", "configmaps", "serviceaccounts"):
                self.kube.request("DELETE", f"/api/v1/namespaces/{name}/{kind}")
            for path in (f"/apis/networking.k8s.io/v1/namespaces/{name}/networkpolicies", f"{rbac}/namespaces/{name}/rolebindings"):
                self.kube.request("DELETE", path)
            self.kube.request("DELETE", f"/api/v1/namespaces/{name}")
        for name in self.kube_names("configmaps", "-n", "kube-system") & {"llm-platform-cluster"}:
            self.kube.request("DELETE", f"/api/v1/namespaces/kube-system/configmaps/{name}")
        for name in self.kube_names("clusterrolebindings"):
            if name.startswith("llm-platform"):
                self.kube.request("DELETE", f"{rbac}/clusterrolebindings/{name}")


@pytest.fixture
def ground(tmp_path, gcp_sim, gcp_cloud, kube):
    g = Ground(tmp_path, gcp_sim, gcp_cloud, kube)
    yield g
    g.clean()


def test_two_lines(ground):
    ground.apply(TWO_LINES)
    # the cluster was made with its pool: no other came and went
    assert not [c for c in ground.sim.calls() if c["operation"].endswith("nodePools.delete")]
    ground.sim.control("calls", method="DELETE")
    ground.core.no_difference()
    # a plan without a difference reads what is there, once
    calls = [c["operation"].rsplit(".", 1)[1] for c in ground.sim.calls()]
    assert set(calls) <= {"get", "getIamPolicy"} and len(calls) == 11, calls
    cluster = ground.cluster()
    assert cluster["locations"] == [f"us-central1-{z}" for z in "abc"] and cluster["location"] == "us-central1"
    assert cluster["networkConfig"]["defaultEnablePrivateNodes"] and cluster["networkConfig"]["datapathProvider"] == "ADVANCED_DATAPATH"
    assert cluster["workloadIdentityConfig"] == {"workloadPool": "test-project.svc.id.goog"}
    assert cluster["releaseChannel"] == {"channel": "REGULAR"} and cluster["shieldedNodes"] == {"enabled": True}
    assert cluster["addonsConfig"]["dnsCacheConfig"] == {"enabled": True}
    assert set(cluster["loggingConfig"]["componentConfig"]["enableComponents"]) == {
        "SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"}
    assert cluster["monitoringConfig"]["managedPrometheusConfig"] == {"enabled": True}
    pools = ground.pools()
    assert list(pools) == ["general"]
    pool = pools["general"]["config"]
    assert pool["machineType"] == "e2-standard-2" and pool["diskSizeGb"] == 50 and pool["shieldedInstanceConfig"]["enableSecureBoot"]
    assert pools["general"]["autoscaling"] == {"enabled": True, "totalMinNodeCount": 1, "totalMaxNodeCount": 3, "locationPolicy": "BALANCED"}
    subnetwork = ground.cloud.things("compute")[f"projects/test-project/regions/us-central1/subnetworks/{BASE}"]
    assert {r["rangeName"]: r["ipCidrRange"] for r in subnetwork["secondaryIpRanges"]} == {"pods": "10.128.0.0/14", "services": "10.112.0.0/20"}
    assert subnetwork["privateIpGoogleAccess"]
    state = ground.state()
    assert ground.roles()[state["node_role"]] == {"roles/container.defaultNodeServiceAccount"}
    assert state["kubernetes_version"] == "1.34" and state["cluster_endpoint"] == ground.kube.endpoint
    assert state["cluster_ca_certificate"] == ground.kube.ca_pem and state["workload_pool"] == "test-project.svc.id.goog"
    assert state["kubeconfig_command"] == "gcloud container clusters get-credentials dev --region us-central1 --project test-project"
    assert state["oidc_provider_arn"] is None and state["vpc_id"].endswith(f"/networks/{BASE}")
    assert state["log_groups"] == [f"projects/test-project/locations/us-central1/buckets/{BASE}"]
    refused = ground.core.run("plan", "-destroy", "-no-color", "-input=false")
    assert refused.status == 1 and "protected from being destroyed" in refused.text
    ground.apply(TWO_LINES.replace("}", "  deletion_protection = false\n}"))
    written = """  deletion_protection = false
  network = { cidr = "10.0.0.0/16", zones = 3, pods_cidr = "10.128.0.0/14", services_cidr = "10.112.0.0/20" }
}"""
    ground.apply(TWO_LINES.replace("}", written))
    assert not [c for c in ground.sim.calls() if c["operation"].endswith("clusters.delete")]
    ground.core.no_difference()
    ground.destroy()


def test_development(ground):
    ground.apply(dev())
    ground.core.no_difference()
    state, things = ground.state(), ground.cloud.things()
    # registries
    repositories = {n.rsplit("/", 1)[1]: b for n, b in things["artifactregistry"].items()}
    assert set(repositories) == {f"dev-{r}" for r in REGISTRIES}
    policies = repositories["dev-gateway"]["cleanupPolicies"]
    assert policies["keep-newest"]["mostRecentVersions"] == {"keepCount": 15} and policies["delete-untagged"]["condition"]["olderThan"] == "604800s"
    assert policies["delete-tagged"]["condition"] == {"tagState": "TAGGED", "tagPrefixes": ["v", "sha-", "main", "develop", "dev-"]}
    assert repositories["dev-gateway"]["labels"]["environment"] == "dev"
    assert state["registry_urls"]["quant-api"] == "us-central1-docker.pkg.dev/test-project/dev-quant-api"
    readers = ground.cloud.client("artifactregistry").projects().locations().repositories().getIamPolicy(
        resource="projects/test-project/locations/us-central1/repositories/dev-gateway").execute()
    assert readers["bindings"] == [{"role": "roles/artifactregistry.reader", "members": [f"serviceAccount:{state['node_role']}"]}]
    # pools
    pools = ground.pools()
    gpu = pools["gpu"]["config"]
    assert gpu["accelerators"] == [{"acceleratorCount": "1", "acceleratorType": "nvidia-l4", "gpuDriverInstallationConfig": {"gpuDriverVersion": "DEFAULT"}}]
    assert gpu["spot"] and gpu["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}] and gpu["diskSizeGb"] == 200
    assert pools["gpu"]["autoscaling"] == {"enabled": True, "totalMaxNodeCount": 1, "locationPolicy": "ANY"}
    assert "accelerators" not in pools["general"]["config"] and pools["general"]["config"]["serviceAccount"] == state["node_role"]
    # workloads
    emails, roles = state["workload_identities"], ground.roles()
    assert set(emails) == {"gateway", "quant-api", "finetune-api", "eval-api"}
    assert roles[emails["quant-api"]] == {"roles/aiplatform.user", "roles/monitoring.metricWriter", "roles/logging.logWriter", "roles/storage.objectViewer"}
    assert roles[emails["eval-api"]] == {"roles/aiplatform.user"}
    users = ground.cloud.client("iam").projects().serviceAccounts().getIamPolicy(
        resource=f"projects/test-project/serviceAccounts/{emails['eval-api']}").execute()
    assert users["bindings"] == [{"role": "roles/iam.workloadIdentityUser", "members": ["serviceAccount:test-project.svc.id.goog[eval/evaluator]"]}]
    account = ground.kubectl("get", "serviceaccount", "evaluator", "-n", "eval")
    assert account["metadata"]["annotations"] == {"iam.gke.io/gcp-service-account": emails["eval-api"]}
    # namespaces
    assert ground.kube_names("namespaces") == SYSTEM | {"platform", "quant", "finetune", "eval", "observability"}
    assert ground.kubectl("get", "resourcequota", "quant-quota", "-n", "quant")["spec"]["hard"] == {"requests.cpu": "8", "limits.memory": "32Gi", "pods": "50"}
    assert ground.kube_names("networkpolicies", "-n", "quant") == {"default-deny"}
    assert ground.kubectl("get", "networkpolicy", "default-deny", "-n", "eval")["spec"] == {"podSelector": {}, "policyTypes": ["Egress", "Ingress"]}
    assert ground.kube_names("serviceaccounts", "-n", "observability") == {"observability-sa"}
    admins = ground.kubectl("get", "clusterrolebinding", "llm-platform-admins")
    assert admins["subjects"] == [{"kind": "User", "name": "ops@example.com", "apiGroup": "rbac.authorization.k8s.io"}]
    # logs, dashboard, alarms
    bucket = things["logging"][f"projects/test-project/locations/us-central1/buckets/{BASE}"]
    assert bucket["retentionDays"] == 7
    sink = things["logging"][f"projects/test-project/sinks/{BASE}"]
    assert sink["destination"].endswith(f"/buckets/{BASE}") and 'resource.labels.cluster_name="dev"' in sink["filter"]
    alarms = {b["displayName"]: b for n, b in things["monitoring"].items() if "/alertPolicies/" in n}
    assert set(alarms) == {"dev (us-central1): CPU of the pool general", "dev (us-central1): CPU of the pool gpu", "dev (us-central1): Cloud NAT"}
    threshold = alarms["dev (us-central1): CPU of the pool gpu"]["conditions"][0]["conditionThreshold"]
    assert threshold["thresholdValue"] == 0.85 and pools["gpu"]["name"] in threshold["filter"]
    assert "DCGM" in ground.cluster()["monitoringConfig"]["componentConfig"]["enableComponents"]
    ground.destroy()


LABELLED = GENERAL.replace("max = 4", "max = 6").replace("}", ', labels = { team = "a" } }')
READS = ("get", "getIamPolicy", "batchGet", "list", "getServerConfig")
# settings; the writes to Google's APIs, by their methods; what holds afterwards
STEPS = [
    (dict(general=GENERAL.replace("max = 4", "max = 6"), cpu='"16"', observability="retention_days = 90, gpu_metrics = true, alarms = {}",
          endpoint='public = true, public_cidrs = ["192.0.2.0/24"]'),
     ["buckets.patch", "clusters.update", "nodePools.setAutoscaling"],
     {"limits": lambda g: g.pools()["general"]["autoscaling"]["totalMaxNodeCount"] == 6,
      "quota": lambda g: g.kubectl("get", "resourcequota", "quant-quota", "-n", "quant")["spec"]["hard"]["requests.cpu"] == "16",
      "retention": lambda g: g.cloud.things("logging")[f"projects/test-project/locations/us-central1/buckets/{BASE}"]["retentionDays"] == 90,
      "who reaches it": lambda g: g.cluster()["masterAuthorizedNetworksConfig"] == {"enabled": True, "cidrBlocks": [{"cidrBlock": "192.0.2.0/24"}]}}),
    (dict(general=LABELLED, cpu='"16"', endpoint="public = false", observability='retention_days = 90, cluster_logs = ["api"]',
          registries=["gateway", "new"], keep_tagged=20),
     ["alertPolicies.delete"] * 3 + ["clusters.update"] * 3 + ["nodePools.update", "repositories.create", "repositories.patch"]
     + ["repositories.delete"] * 4 + ["repositories.setIamPolicy"] * 5,
     {"node labels": lambda g: g.pools()["general"]["config"]["labels"] == {"team": "a"},
      "logs": lambda g: set(g.cluster()["loggingConfig"]["componentConfig"]["enableComponents"]) == {"SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER"},
      "private": lambda g: g.cluster()["privateClusterConfig"]["enablePrivateEndpoint"],
      "all networks": lambda g: not g.cluster().get("masterAuthorizedNetworksConfig", {}).get("enabled"),
      "registries": lambda g: sorted(n.rsplit("/", 1)[1] for n in g.cloud.things("artifactregistry")) == ["dev-gateway", "dev-new"]}),
    (dict(general=LABELLED[:-1] + ', taints = [{ key = "spot", effect = "NO_SCHEDULE" }] }'), None,
     {"taints": lambda g: g.pools()["general"]["config"]["taints"] == [{"key": "spot", "effect": "NO_SCHEDULE"}]}),
    (dict(), None, {"no labels": lambda g: not g.pools()["general"]["config"].get("labels"), "no taints": lambda g: not g.pools()["general"]["config"].get("taints")}),
]


def test_changes_in_place(ground):
    ground.apply(dev())
    before = {n: b["selfLink"] for n, b in ground.pools().items()}
    for settings, wanted, holds in STEPS:
        calls = [".".join(c.split(".")[-2:]) for c in ground.change(dev(**settings))]
        if wanted is not None:
            assert sorted(c for c in calls if c.rsplit(".", 1)[1] not in READS) == sorted(wanted)
        for name, check in holds.items():
            assert check(ground), name
    assert {n: b["selfLink"] for n, b in ground.pools().items()} == before


def test_a_pool_is_made_before_the_old_one_goes(ground):
    ground.apply(small(GENERAL))
    old = ground.pools()["general"]["name"]
    calls = ground.change(small(GENERAL.replace("e2-standard-4", "e2-standard-8")))
    pools = [c.rsplit(".", 1)[1] for c in calls if ".nodePools." in c and c.rsplit(".", 1)[1] in ("create", "delete")]
    assert pools == ["create", "delete"]
    new = ground.pools()["general"]
    assert new["name"] != old and new["config"]["machineType"] == "e2-standard-8"
    assert not [c for c in calls if c.endswith("clusters.create")]


def small(pools, version="null", more=""):
    return f"""
resource "llm_platform_cluster" "p" {{
  name                = "dev"
  cloud               = "gcp"
  kubernetes_version  = {version}
  deletion_protection = false
  node_pools          = {{
    {pools}
  }}
  {more}
}}
"""


def test_a_fixed_size_is_kept_in_zones_that_divide_it(ground):
    fixed = 'general = {{ machine_types = ["e2-standard-4"], autoscaling = false, min = 0, max = 9, desired = {} }}'
    ground.apply(small(fixed.format(4)))
    pool = ground.pools()["general"]
    assert pool["initialNodeCount"] == 2 and pool["locations"] == ["us-central1-a", "us-central1-b"] and "enabled" not in pool.get("autoscaling", {})
    ground.change(small(fixed.format(6)))
    assert ground.pools()["general"]["initialNodeCount"] == 3 and len(ground.pools()["general"]["locations"]) == 2
    ground.change(small(fixed.format(3)))
    assert ground.pools()["general"]["initialNodeCount"] == 1 and len(ground.pools()["general"]["locations"]) == 3
    ground.edit("container", f"{CLUSTER}/nodePools/{pool['name']}", initialNodeCount=5)
    assert ground.core.plan("-detailed-exitcode").status == 2
    ground.change(small(GENERAL.replace(', provisioning = "spot"', "")))
    assert ground.pools()["general"]["autoscaling"]["enabled"]


def test_gpus_are_placed_where_they_are(ground):
    ground.sim.control("offers", {"nvidia-tesla-t4": ["us-central1-b", "us-central1-f"]})
    t4 = 'gpu = { machine_types = ["n1-standard-8+nvidia-tesla-t4:1"], gpu = true, min = 0, max = 2 }'
    ground.apply(small(GENERAL + "\n    " + t4))
    ground.core.no_difference()
    pools = ground.pools()
    assert pools["gpu"]["locations"] == ["us-central1-b"] and pools["general"]["locations"] == [f"us-central1-{z}" for z in "abc"]
    assert pools["gpu"]["config"]["machineType"] == "n1-standard-8" and pools["gpu"]["config"]["accelerators"][0]["acceleratorType"] == "nvidia-tesla-t4"
    ground.sim.control("offers", {"nvidia-l4": ["us-central1-f"]})
    ground.core.write(small(GENERAL + "\n    " + GPU))
    refused = ground.core.plan()
    assert refused.status == 1 and "g2-standard-8 is in none of the cluster's zones" in refused.text


def test_upgrade(ground):
    ground.apply(small(GENERAL + "\n    " + GPU, '"1.32"'))
    assert ground.cluster()["currentMasterVersion"].startswith("1.32.")
    ground.core.write(small(GENERAL + "\n    " + GPU, '"1.34"'))
    refused = ground.core.plan()
    assert refused.status == 1 and "goes up one minor version at a time" in refused.text, refused.output
    calls = [c for c in ground.change(small(GENERAL + "\n    " + GPU, '"1.33"')) if c.endswith(("clusters.update", "nodePools.update"))]
    assert [c.rsplit(".", 2)[1] for c in calls] == ["clusters", "nodePools", "nodePools"]
    assert ground.cluster()["currentMasterVersion"].startswith("1.33.")
    assert all(p["version"].startswith("1.33.") for p in ground.pools().values())
    assert ground.state()["kubernetes_version"] == "1.33"
    ground.core.write(small(GENERAL + "\n    " + GPU, '"1.99"'))
    refused = ground.core.plan()
    assert refused.status == 1 and "has no 1.99 in us-central1; it has: 1." in refused.text and "one minor version" not in refused.text, refused.output
    ground.core.write(small(GENERAL + "\n    " + GPU, '"1.32"'))
    refused = ground.core.plan()
    assert refused.status == 1 and "kubernetes_version" in refused.text, refused.output


def test_google_upgrades_by_itself(ground):
    ground.apply(small(GENERAL))
    assert ground.state()["kubernetes_version"] == "1.34"
    newer = "1.35.0-gke.1300000"
    ground.edit("container", CLUSTER, currentMasterVersion=newer)
    ground.core.no_difference()
    for pool in ground.pools().values():
        ground.edit("container", f"{CLUSTER}/nodePools/{pool['name']}", version=newer)
    ground.core.no_difference()
    ground.core.apply_ok("-refresh-only")
    assert ground.state()["kubernetes_version"] == "1.35"
    # who then names the version that is there changes nothing in the cloud
    ground.sim.control("calls", method="DELETE")
    ground.apply(small(GENERAL, '"1.35"'))
    assert not [c for c in ground.sim.calls() if c["operation"].endswith(".update")]
    assert ground.state()["kubernetes_version"] == "1.35"


def test_drift_shows(ground):
    ground.apply(dev())
    pool = ground.pools()["general"]["name"]
    ground.edit("container", f"{CLUSTER}/nodePools/{pool}", **{"config.labels": {"other": "x"}})
    ground.kube.merge("/api/v1/namespaces/quant/resourcequotas/quant-quota", {"spec": {"hard": {"pods": "1"}}})
    ground.kube.request("DELETE", "/api/v1/namespaces/eval/configmaps/eval-config")
    ground.sim.control("remove", {"service": "artifactregistry", "resource": "projects/test-project/locations/us-central1/repositories/dev-gateway"})
    plan = ground.core.plan("-detailed-exitcode")
    assert plan.status == 2, plan.output
    for component in ("repository.gateway", "config_map.namespace-eval"):
        assert f'"{component}"' in plan.output, component
    assert "changed (node_labels)" in plan.output
    # what somebody else has set is not taken from them
    refused = ground.core.apply()
    assert refused.status == 1 and "kubectl-edit" in refused.text and ".spec.hard.pods" in refused.text, refused.output
    ground.kube.merge("/api/v1/namespaces/quant/resourcequotas/quant-quota", {"spec": {"hard": {"pods": "50"}}})
    ground.core.apply_ok()
    ground.core.no_difference()
    assert ground.pools()["general"]["config"].get("labels") in (None, {})
    assert ground.kubectl("get", "configmap", "eval-config", "-n", "eval")["data"] == {"LOG_LEVEL": "debug"}


def test_import_into_a_fresh_state(ground):
    ground.apply(dev())
    before, first = ground.state(), ground.core
    ground.core = ground.new_core("second")
    ground.core.write(dev())
    taken = ground.core.plan()
    assert taken.status == 1 and "gcp/us-central1/dev" in taken.text, taken.output
    ground.core.ok("import", "-no-color", "-input=false", "llm_platform_cluster.p", "gcp/us-central1/dev")
    ground.core.no_difference()
    assert ground.state() == before and first is not ground.core


def test_in_an_existing_network(ground):
    compute, region = ground.cloud.compute, {"project": "test-project", "region": "us-central1"}
    ground.cloud.done(compute.networks().insert(project="test-project", body={"name": "shared", "autoCreateSubnetworks": False}).execute())
    ground.cloud.done(compute.subnetworks().insert(**region, body={
        "name": "nodes", "network": "projects/test-project/global/networks/shared", "ipCidrRange": "10.9.0.0/20", "secondaryIpRanges": [
            {"rangeName": "p", "ipCidrRange": "10.64.0.0/14"}, {"rangeName": "s", "ipCidrRange": "10.68.0.0/20"}]}).execute())
    Leftovers(ground).firewall("gke-dev-0712d06d-mcsd", network="projects/test-project/global/networks/shared")
    before = ground.cloud.made()
    network = 'network = { vpc_id = "shared", private_subnet_ids = ["nodes"], pods_range_name = "p", services_range_name = "s" }'
    ground.change(small(GENERAL, more=network))
    cluster, state = ground.cluster(), ground.state()
    assert cluster["ipAllocationPolicy"]["clusterIpv4CidrBlock"] == "10.64.0.0/14" and cluster["subnetwork"] == "nodes"
    assert state["vpc_id"] == "projects/test-project/global/networks/shared"
    assert state["private_subnet_ids"] == ["projects/test-project/regions/us-central1/subnetworks/nodes"]
    assert not {"network", "subnetwork", "router", "router_nat"} & set(state["components"])
    result = ground.core.destroy()
    assert result.status == 0 and ground.cloud.made() == before, result.output


def test_what_a_plan_knows(ground):
    """What does not change is known in the plan, so that what uses it does not change either."""
    outputs = "".join(f'output "{n}" {{\n  value = llm_platform_cluster.p.{n}\n}}\n' for n in (
        "cluster_endpoint", "cluster_ca_certificate", "kubernetes_version", "node_role", "workload_pool", "vpc_id", "log_groups", "kubeconfig_command",
        "dashboard_url", "registry_urls", "workload_identities"))
    ground.apply(dev() + outputs)
    ground.core.write(dev(cpu='"9"', general=GENERAL.replace("max = 4", "max = 5")) + outputs)
    plan = ground.core.plan("-out=plan")
    assert plan.status == 0 and "Changes to Outputs" not in plan.output, plan.output
    ground.core.write(dev(registries=[*REGISTRIES, "one-more"]) + outputs)
    changes = json.loads(ground.core.ok("plan", "-no-color", "-input=false", "-out=plan").status == 0 and ground.core.ok("show", "-json", "plan").output)["output_changes"]
    assert [n for n, c in sorted(changes.items()) if c["actions"] != ["no-op"]] == ["registry_urls"]


def test_permissions_of_the_page_are_enough(ground):
    part = (ROOT / "docs/guides/permissions.md").read_text().split("### llm_platform_cluster on Google Cloud\n")[1].split("\n### ")[0]
    allowed = set(re.findall(r"^  - (\S+)$", part, re.MULTILINE))
    ground.sim.control("permissions", {"allowed": sorted(allowed)})
    ground.apply(dev())
    for settings, _, _ in STEPS[:2]:
        ground.apply(dev(**settings))
    result = ground.core.destroy()
    assert result.status == 0, result.output
    used = set(ground.sim.control("permissions")["used"])
    in_cluster = {p for p in allowed if re.match(r"container\.(?!clusters\.|operations\.)", p)}
    assert used <= allowed and len(in_cluster) == 39
    assert allowed - used - in_cluster <= {
        # of what this life does not do
        "compute.forwardingRules.list", "compute.forwardingRules.delete", "compute.targetPools.delete", "compute.regionBackendServices.delete",
        "compute.firewalls.delete", "compute.networkEndpointGroups.delete", "compute.disks.delete", "compute.zoneOperations.get",
        "compute.acceleratorTypes.list", "compute.subnetworks.setPrivateIpGoogleAccess", "iam.serviceAccounts.update", "logging.sinks.update",
        "monitoring.alertPolicies.update", "monitoring.dashboards.update", "logging.buckets.undelete"}, allowed - used - in_cluster


def test_a_stock_out_passes(ground):
    """It comes late, for the cluster's first pool or another; what could not be made is made anew by the next apply."""
    def stock(**machines):
        ground.sim.control("stock", {f"us-central1-{z}": {f"e2-standard-{n[1:]}": count for n, count in machines.items()} for z in "abcf"})

    stock(n4=0, n8=0)
    ground.core.write(small(GENERAL + '\n    other = { machine_types = ["e2-standard-8"] }'))
    for component, left in (("cluster", dict(n4=99, n8=0)), ("node_pool.other-", dict(n4=99, n8=99))):
        failed = ground.core.apply()
        assert failed.status == 1 and f'"{component}' in failed.text and "GCE_STOCKOUT" in failed.text, failed.output
        stock(**left)
    ground.core.apply_ok()
    ground.core.no_difference()
    assert set(ground.pools()) == {"general", "other"} and {p["status"] for p in ground.pools().values()} == {"RUNNING"}


def test_values_that_are_not_known_yet(ground):
    ground.core.write("""
resource "terraform_data" "x" {
  input = { name = "dev", version = "1.34", region = "us-central1", text = "quant", machine = "e2-standard-4", two = 2, cidr = "192.0.2.0/24", zone = "us-central1-b",
            mail = "a@b.co", yes = true }
}
locals { x = terraform_data.x.output }
resource "llm_platform_cluster" "p" {
  name                = local.x.name
  cloud               = "gcp"
  region              = local.x.region
  kubernetes_version  = local.x.version
  deletion_protection = false
  network             = { zone_names = [local.x.zone], nat = local.x.yes ? "single" : "none" }
  endpoint            = { public_cidrs = [local.x.cidr, "127.0.0.1/32"], public = local.x.yes }
  access              = { admins = [local.x.mail] }
  node_pools          = { a = { machine_types = [local.x.machine], min = local.x.two, labels = { a = local.x.text },
                          taints = [{ key = "k", value = local.x.text, effect = "NO_SCHEDULE"}] } }
  registries          = { names = [local.x.text], keep_tagged = local.x.two }
  namespaces          = { (local.x.text) = { quota = { pods = local.x.two } } }
  workloads           = { w = { namespace = local.x.text, metrics = local.x.yes } }
  observability       = { retention_days = local.x.two, dashboard = local.x.yes, alarms = { node_cpu_percent = local.x.two } }
  tags                = { a = local.x.text }
}
""")
    ground.core.apply_ok()
    ground.core.no_difference()
    assert ground.cluster()["locations"] == ["us-central1-b"] and ground.kube_names("namespaces") == SYSTEM | {"quant"}


def apply_until(ground, made):
    """An apply that is killed a moment after `made` says so."""
    process = subprocess.Popen([ground.core.binary, "apply", "-auto-approve", "-no-color"], cwd=ground.core.directory, env=ground.core.env,
                               start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not made():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ground.sim.clear_rules()


def test_what_a_killed_apply_has_made_for_other_settings_goes(ground):
    """Registries and alert policies; what has such a name, and is not ours, stays."""
    registries = ground.cloud.client("artifactregistry").projects().locations().repositories()
    parent = "projects/test-project/locations/us-central1"
    registries.create(parent=parent, repositoryId="dev-theirs", body={"format": "DOCKER"}).execute()

    def names():
        return {r["name"].rpartition("/")[2] for r in registries.list(parent=parent).execute().get("repositories", [])}

    def watched():
        found = ground.cloud.client("monitoring", "v3").projects().alertPolicies().list(name="projects/test-project").execute()
        return {p["displayName"].partition(": ")[2] for p in found.get("alertPolicies", [])}
    alarms = "observability = { alarms = {} }"
    ground.core.write(small(GENERAL + GENERAL.replace("general", "\n old"), more=f'registries = {{ names = ["images", "old"] }}\n{alarms}'))
    ground.sim.rule("container.projects.locations.clusters.nodePools.create", operation_ms=5000)
    apply_until(ground, lambda: names() == {"dev-theirs", "dev-images", "dev-old"} and len(watched()) == 3)
    assert watched() == {"Cloud NAT", "CPU of the pool general", "CPU of the pool old"}
    ground.core.write(small(GENERAL, more=f'registries = {{ names = ["images"] }}\n{alarms}'))
    result = ground.core.apply("-lock=false")
    assert result.status == 0, result.output
    assert names() == {"dev-theirs", "dev-images"} and watched() == {"Cloud NAT", "CPU of the pool general"}
    ground.core.no_difference()
    result = ground.core.destroy()
    assert result.status == 0 and names() == {"dev-theirs"}, result.output


def test_an_apply_that_was_killed_is_gone_on_with(ground):
    made = f"{CLUSTERS}.create"
    ground.core.write(small(GENERAL))
    ground.sim.rule(made, operation_ms=2000)
    apply_until(ground, lambda: ground.sim.calls(made))
    result = ground.core.apply("-lock=false")
    assert result.status == 0 and "An interrupted apply is continued" in result.text, result.output
    ground.core.no_difference()
    assert len([c for c in ground.sim.calls(made) if c["status"] == 200]) == 1


NODES = "gke-dev-0712d06d-node"


class Leftovers:
    """What GKE and its controllers make in a cluster's network, as they name and describe it."""

    def __init__(self, ground):
        self.cloud, self.compute, self.network = ground.cloud, ground.cloud.compute, f"projects/test-project/global/networks/{BASE}"
        self.region = {"project": "test-project", "region": "us-central1"}
        self.subnetwork = f"projects/test-project/regions/us-central1/subnetworks/{BASE}"

    def firewall(self, name, tag=NODES, description="", network=None):
        tags = {"targetTags": [tag]} if tag else {}
        self.cloud.done(self.compute.firewalls().insert(project="test-project", body={
            "name": name, "network": network or self.network, "description": description, "sourceRanges": ["0.0.0.0/0"],
            "allowed": [{"IPProtocol": "tcp", "ports": ["80"]}], **tags}).execute())

    def classic(self, name, service, tag=NODES):
        """A load balancer with a target pool, and without a network (cloud-provider-gcp, gce_loadbalancer_external.go)."""
        said = json.dumps({"kubernetes.io/service-name": service})
        self.cloud.done(self.compute.targetPools().insert(**self.region, body={"name": name, "description": said}).execute())
        self.cloud.done(self.compute.forwardingRules().insert(**self.region, body={
            "name": name, "description": said, "IPProtocol": "TCP", "portRange": "80-80", "loadBalancingScheme": "EXTERNAL",
            "target": f"projects/test-project/regions/us-central1/targetPools/{name}"}).execute())
        self.firewall(f"k8s-fw-{name}", tag, json.dumps({"kubernetes.io/service-name": service, "kubernetes.io/service-ip": "34.1.2.3"}))

    def internal(self, uid, service, tag=NODES):
        """One with a backend service and an endpoint group (ingress-gce, l4_namer.go)."""
        name, said = f"k8s2-{uid}-{service.replace('/', '-')}-cysix1wq", json.dumps({"networking.gke.io/service-name": service})
        self.group(name, kind="GCE_VM_IP")
        self.cloud.done(self.compute.regionBackendServices().insert(**self.region, body={
            "name": name, "description": said, "protocol": "TCP", "loadBalancingScheme": "INTERNAL", "network": self.network,
            "backends": [{"group": f"projects/test-project/zones/us-central1-a/networkEndpointGroups/{name}", "balancingMode": "CONNECTION"}]}).execute())
        self.cloud.done(self.compute.forwardingRules().insert(**self.region, body={
            "name": name.replace("k8s2-", "k8s2-tcp-"), "description": said, "IPProtocol": "TCP", "ports": ["80"], "loadBalancingScheme": "INTERNAL",
            "network": self.network, "subnetwork": self.subnetwork,
            "backendService": f"projects/test-project/regions/us-central1/backendServices/{name}"}).execute())
        self.firewall(name, tag, said)
        return name

    def group(self, name, kind="GCE_VM_IP_PORT", description=""):
        self.cloud.done(self.compute.networkEndpointGroups().insert(project="test-project", zone="us-central1-a", body={
            "name": name, "networkEndpointType": kind, "network": self.network, "subnetwork": self.subnetwork, "description": description}).execute())

    def disk(self, name, claim, cluster="dev", location="us-central1", size="10"):
        namespace, _, of = claim.partition("/")
        said = {"kubernetes.io/created-for/pvc/name": of, "kubernetes.io/created-for/pvc/namespace": namespace,
                "kubernetes.io/created-for/pv/name": name, "storage.gke.io/created-by": "pd.csi.storage.gke.io"} if claim else {}
        self.cloud.done(self.compute.disks().insert(project="test-project", zone="us-central1-a", body={
            "name": name, "sizeGb": size, "description": json.dumps(said),
            "labels": {"goog-gke-volume": "", "goog-k8s-cluster-name": cluster, "goog-k8s-cluster-location": location}}).execute())

    def names(self, *collections):
        return {n for c in collections for n in self.cloud.names(c)}


LEFT = ("firewalls", "forwardingRules", "targetPools", "backendServices", "networkEndpointGroups")


def test_a_destroy_takes_what_the_cluster_has_left(ground):
    ground.apply(small(GENERAL))
    left = Leftovers(ground)
    left.classic("ab16272a0bd4044f685878bd7dd5aee6", "platform/gateway")
    left.internal("uid01234", "quant/models")
    left.firewall("k8s-329f64ee191b8305-node-http-hc", description=json.dumps({"kubernetes.io/cluster-id": "329f64ee191b8305"}))
    left.firewall("gke-dev-0712d06d-mcsd")
    ground.sim.control("calls", method="DELETE")
    ground.destroy()
    assert left.names(*LEFT) == set()
    # what stands in the way of another goes before it: nothing was tried in vain
    assert [c for c in ground.sim.calls() if c["operation"].startswith("compute.") and c["operation"].endswith(".delete") and c["status"] >= 400] == []


def test_a_destroy_without_leftovers_looks_once(ground):
    ground.apply(small(GENERAL))
    ground.sim.control("calls", method="DELETE")
    ground.destroy()
    calls = [c["operation"] for c in ground.sim.calls()]
    assert sorted(c for c in calls if re.fullmatch(r"compute\..*[lL]ist", c)) == [
        "compute.disks.aggregatedList", "compute.firewalls.list", "compute.networkEndpointGroups.aggregatedList"], calls


def test_a_destroy_says_what_of_others_is_in_the_way(ground):
    """And takes what is the cluster's, but neither by its name alone, nor what looks much like it."""
    ground.apply(small(GENERAL))
    left = Leftovers(ground)
    left.classic("a111", "platform/gateway")
    left.classic("a222", "platform/other", tag="gke-dev2-0712d06d-node")
    left.firewall("database", tag="postgres", description="of the team next door")
    left.firewall("gke-dev-0712d06d-all", tag=None)
    left.group("k8s1-9c84b76e-quant-models-80-5e5645ab", description=json.dumps({"cluster-uid": "9c84b76e", "namespace": "quant"}))
    theirs = left.internal("uid56789", "team/db", tag="postgres")
    failed = ground.core.destroy()
    assert failed.status == 1 and "The network is still in use" in failed.text, failed.output
    for said in ('global/firewalls/database, for postgres, "of the team next door"', "global/firewalls/gke-dev-0712d06d-all",
                 "global/firewalls/k8s-fw-a222, for gke-dev2-0712d06d-node", "zones/us-central1-a/networkEndpointGroups/k8s1-9c84b76e-quant-models-80-5e5645ab",
                 'forwardingRules/k8s2-tcp-uid56789-team-db-cysix1wq, "{\\"networking.gke.io/service-name\\": \\"team/db\\"}"'.replace('\\"', '"')):
        assert said in failed.text, (said, failed.output)
    assert "a111" not in failed.text
    here = {n.rsplit("/", 1)[1] for n in left.names(*LEFT)}
    assert here == {"a222", "k8s-fw-a222", "database", "gke-dev-0712d06d-all", "k8s1-9c84b76e-quant-models-80-5e5645ab", theirs,
                    theirs.replace("k8s2-", "k8s2-tcp-")}
    assert f"projects/test-project/global/networks/{BASE}" in left.names("networks") and ground.cloud.names("subnetworks") == [left.subnetwork]
    c, region = left.compute, left.region
    for rule in ("a222", theirs.replace("k8s2-", "k8s2-tcp-")):
        left.cloud.done(c.forwardingRules().delete(**region, forwardingRule=rule).execute())
    left.cloud.done(c.targetPools().delete(**region, targetPool="a222").execute())
    left.cloud.done(c.regionBackendServices().delete(**region, backendService=theirs).execute())
    for name in ("k8s1-9c84b76e-quant-models-80-5e5645ab", theirs):
        left.cloud.done(c.networkEndpointGroups().delete(project="test-project", zone="us-central1-a", networkEndpointGroup=name).execute())
    for name in ("k8s-fw-a222", "database", "gke-dev-0712d06d-all", theirs):
        left.cloud.done(c.firewalls().delete(project="test-project", firewall=name).execute())
    ground.destroy()


def test_a_network_with_another_cluster_keeps_its_rules(ground):
    """The hash in a tag is not known any more: of two clusters, it may be either's."""
    ground.apply(small(GENERAL))
    left = Leftovers(ground)
    left.firewall("gke-dev-0712d06d-mcsd")
    clusters = ground.cloud.client("container").projects().locations().clusters()
    clusters.create(parent="projects/test-project/locations/us-central1-a", body={"cluster": {
        "name": "dev", "network": BASE, "subnetwork": BASE, "initialNodeCount": 1, "ipAllocationPolicy": {"useIpAliases": True}}}).execute()
    failed = ground.core.destroy()
    assert failed.status == 1 and "global/firewalls/gke-dev-0712d06d-mcsd, for gke-dev-0712d06d-node" in failed.text, failed.output
    assert len(left.names("firewalls")) == 1
    clusters.delete(name="projects/test-project/locations/us-central1-a/clusters/dev").execute()
    until = time.monotonic() + 60
    while ground.cloud.things("container") and time.monotonic() < until:
        time.sleep(0.2)
    ground.destroy()


def test_a_destroy_that_failed_while_clearing_is_gone_on_with(ground):
    """The cluster is gone, and with it the cause of what it has left: that must not be forgotten."""
    ground.apply(small(GENERAL))
    left = Leftovers(ground)
    left.classic("a111", "platform/gateway")
    ground.sim.control("permissions", {"denied": ["compute.targetPools.delete"]})
    failed = ground.core.destroy()
    assert failed.status == 1 and "compute.targetPools.delete" in failed.text, failed.output
    assert ground.cloud.things("container") == {} and left.names("firewalls", "networks", "subnetworks") == {
        left.network, left.subnetwork, "projects/test-project/global/firewalls/k8s-fw-a111"}
    ground.sim.control("permissions", {"denied": []})
    ground.destroy()
    assert left.names(*LEFT) == set()


def test_a_tainted_platform_takes_what_it_has_left(ground):
    """The core hands over no records of one that is tainted: all is found by names, also what the cluster has left."""
    ground.apply(small(GENERAL))
    left = Leftovers(ground)
    left.classic("a111", "platform/gateway")
    ground.core.ok("taint", "-no-color", "llm_platform_cluster.p")
    ground.core.apply_ok()
    assert left.names(*LEFT) == set()
    ground.core.no_difference()
    ground.destroy()


def test_disks_that_a_cluster_has_left(ground):
    """Those of claims that are named go; others of the cluster are said, and others' are not looked at."""
    ground.apply(small(GENERAL, more='leftovers = { volumes = ["quant/models"] }'))
    ground.core.no_difference()
    left = Leftovers(ground)
    left.disk("pvc-gone", "quant/models")
    left.disk("pvc-kept", "quant/data", size="20")
    left.disk("pvc-theirs", "quant/models", cluster="another")
    left.disk("pvc-elsewhere", "quant/models", location="europe-west4")
    left.disk("boot", "")
    result = ground.core.destroy()
    assert result.status == 0 and "The cluster has left disks" in result.text, result.output
    assert "zones/us-central1-a/disks/pvc-kept, 20 GB, of the claim quant/data Remove" in result.text
    assert not [n for n in ("pvc-gone", "pvc-theirs", "pvc-elsewhere", "boot") if n in result.text]
    assert {n.rsplit("/", 1)[1] for n in left.names("disks")} == {"pvc-kept", "pvc-theirs", "pvc-elsewhere", "boot"}


def test_a_cluster_that_is_gone_is_made_again(ground):
    ground.apply(small(GENERAL))
    for name in ground.cloud.things("container"):
        ground.sim.control("remove", {"service": "container", "resource": name})
    ground.clean()
    plan = ground.core.plan("-detailed-exitcode")
    assert plan.status == 2, plan.output
    ground.core.apply_ok()
    ground.core.no_difference()
    assert set(ground.pools()) == {"general"}


def test_names_of_others_are_left_alone(ground):
    ground.cloud.client("compute")
    network = {"name": "theirs", "autoCreateSubnetworks": True}
    ground.cloud.done(ground.cloud.compute.networks().insert(project="test-project", body=network).execute())
    ground.cloud.client("container").projects().locations().clusters().create(
        parent="projects/test-project/locations/us-central1", body={"cluster": {"name": "dev", "network": "theirs", "initialNodeCount": 1}}).execute()
    ground.core.write(TWO_LINES)
    refused = ground.core.plan()
    assert refused.status == 1 and f"The cluster {CLUSTER} is not this provider's" in refused.text


@pytest.mark.parametrize("setup, settings, says", [
    (lambda sim: sim.control("projects", {"test-project": {"services": ["compute.googleapis.com", "iam.googleapis.com"]}}), "",
     "gcloud services enable container.googleapis.com"),
    (lambda sim: None, 'kubernetes_version = "1.29"', "GKE's release channel REGULAR has no 1.29 in us-central1; it has: 1.34, 1.33, 1.32"),
    (lambda sim: None, 'region = "us-nowhere1"', 'has no region "us-nowhere1"'),
    (lambda sim: None, "network = { zones = 4 }\n  region = \"us-east1\"", "us-east1 has 3 zones, and 4 are asked for"),
], ids=["services", "version", "region", "zones"])
def test_refused_at_plan(ground, setup, settings, says):
    setup(ground.sim)
    ground.core.write(TWO_LINES.replace("\n}", f"\n  {settings}\n}}"))
    refused = ground.core.plan()
    assert refused.status == 1 and says in refused.text, refused.output


def test_apis_of_registries(ground):
    """Without the API that scans, nothing fails: a warning. The registries' own is looked for also when they come later."""
    said = "Images are not scanned"
    settings = lambda text: TWO_LINES.replace("\n}", f"\n  deletion_protection = false\n  {text}\n}}")
    scanned, unscanned = 'registries = { names = ["a"] }', 'registries = { names = ["a"], scan_on_push = false }'
    for text, warned in ((scanned, True), (unscanned, False), ("", False)):
        ground.core.write(settings(text))
        plan = ground.core.plan()
        assert plan.status == 0 and (said in plan.text) == warned, plan.output
        assert not warned or "gcloud services enable containerscanning.googleapis.com --project test-project" in plan.text
    ground.apply(settings(""))
    services = [f"{s}.googleapis.com" for s in ("compute", "iam", "container", "cloudresourcemanager", "logging", "monitoring", "serviceusage", "containerscanning")]
    ground.sim.control("projects", {"test-project": {"services": services}})
    ground.core.write(settings(scanned))
    plan = ground.core.plan()
    assert plan.status == 1 and "has not enabled: artifactregistry.googleapis.com." in plan.text and said not in plan.text, plan.output
    ground.core.write(settings(""))
    ground.destroy()


INVALID = [
    ('network = { vpc_id = "n", private_subnet_ids = ["s"], public_subnet_ids = ["p"], pods_range_name = "a", services_range_name = "b" }', "need no subnetwork of their own"),
    ('network = { vpc_id = "n", private_subnet_ids = ["s"] }', "name the subnetwork's secondary range for pods"),
    ('network = { pods_range_name = "a", services_range_name = "b" }', "It names a range of an existing subnetwork"),
    ('network = { vpc_id = "n", private_subnet_ids = ["s", "t"], pods_range_name = "a", services_range_name = "b" }', "name one"),
    ('network = { pods_cidr = "10.112.0.0/16" }', "and the default of `network.services_cidr` (10.112.0.0/20) have addresses in common"),
    ('network = { zone_names = ["europe-west4-a"] }', "is not a zone of us-central1"),
    ('endpoint = { private = false }', "Always so on this cloud"),
    ('observability = { cluster_logs = ["authenticator"] }', "GKE has no log `authenticator`"),
    ('observability = { retention_days = 3653 }', "At most 3650 days"),
    ('observability = { alarms = { actions = ["arn:aws:sns:us-east-1:1:x"] } }', "is not a notification channel"),
    ('access = { admins = ["arn:aws:iam::123456789012:role/x"] }', "is not the e-mail address"),
    ('access = { groups = { team = ["arn:aws:iam::123456789012:role/x"] } }', "Name users in `rbac` as user:EMAIL"),
    ('namespaces = { a = {} }\n  workloads = { w = { namespace = "a", policies = ["arn:aws:iam::aws:policy/X"] } }', "is not a role"),
    ('node_pools = { a = { machine_types = ["e2-standard-2", "e2-standard-4"] } }', "make a pool for each"),
    ('node_pools = { a = { machine_types = ["n1-standard-8+nvidia-tesla-t4:x"], gpu = true } }', "is no machine type"),
    ('node_pools = { a = { machine_types = ["e2-standard-4"], gpu = true } }', "has none"),
    ('node_pools = { a = { machine_types = ["g2-standard-9"], gpu = true } }', "does not know which GPUs g2-standard-9 has"),
    ('namespaces = { gmp-system = {} }', "The namespace is the cloud's own"),
    ('namespaces = { kube-node-lease = {} }', "The namespace is Kubernetes' own"),
    ('namespaces = { a = { labels = { "app.kubernetes.io/managed-by" = "me" } } }', "is set by this provider"),
    ('node_pools = { "1st" = {} }', "starts with a letter"),
    ('node_pools = { a = { max_unavailable = 20 } }', "set at most 19"),
    ('node_pools = { a = { image_type = "WINDOWS_LTSC" } }', "none of GKE's for Linux"),
    ('encryption = { kms_key = "arn:aws:kms:us-east-1:1:key/x" }', "is not a Cloud KMS key"),
    ('tags = { Team = "x" }', "tags are labels"),
    ('region = "us-central1-a"', "is a zone"),
]


def test_invalid(ground):
    """One configuration for each, all in one call of the core."""
    blocks = [TWO_LINES.replace('"p"', f'"p{i}"').replace("\n}", f'\n  {"" if "region" in text else "region = " + chr(34) + "us-central1" + chr(34)}\n  {text}\n}}')
              for i, (text, _) in enumerate(INVALID)]
    ground.core.write("\n".join(blocks))
    result = ground.core.validate()
    assert result.status == 1
    parts = result.text.split("Error: ")
    for i, (text, says) in enumerate(INVALID):
        assert any(says in p and f'"p{i}"' in p for p in parts), (text, result.output)


@pytest.mark.parametrize("text, warned", [
    ('network = { pods_cidr = "10.64.0.0/21" }\n  node_pools = { a = { max = 4 }, b = { max = 5 } }', "has room for 8 nodes (a /24 each), and the pools may have 9 together"),
    ('network = { pods_cidr = "10.64.0.0/21" }\n  node_pools = { a = { max = 4 }, b = { max = 4 } }', None),
    ('node_pools = { a = { max = 1000 }, b = { max = 25 } }', "The pods' range 10.128.0.0/14 has room for 1024 nodes"),
    ('node_pools = { a = { max = 1000 } }', None)])
def test_more_nodes_than_ranges(ground, text, warned):
    ground.core.write(TWO_LINES.replace("\n}", f'\n  region = "us-central1"\n  {text}\n}}'))
    result = ground.core.validate()
    assert result.status == 0 and (warned in result.text if warned else "pods' range" not in result.text), result.output
