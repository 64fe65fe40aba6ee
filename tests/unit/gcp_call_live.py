"""Calls by the GCP driver against the simulator, which checks each by Google's discovery documents: operations that take time
and fail, errors in Google's shapes and in none, tokens that expire, deadlines.

Usage: gcp_call_live.py PROGRAM   PROGRAM is the built gcp_call_lines.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT, ZONE, REGION = "test-project", "us-central1-a", "us-central1"


class Ground:
    def __init__(self, program):
        self.directory = tempfile.TemporaryDirectory()
        port_file = pathlib.Path(self.directory.name) / "port"
        self.simulator = subprocess.Popen([sys.executable, "-m", "tests.sim.gcp", "--port-file", str(port_file)], cwd=ROOT, stdout=subprocess.DEVNULL)
        while not port_file.exists():
            assert self.simulator.poll() is None
            time.sleep(0.05)
        self.address = f"http://127.0.0.1:{port_file.read_text()}"
        self.program = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"HOME": self.directory.name})
        names = ("compute", "iam", "resource_manager", "secret_manager", "logging", "service_usage", "container", "artifact_registry", "monitoring", "vertex_ai")
        paths = ("compute", "iam", "cloudresourcemanager", "secretmanager", "logging", "serviceusage", "container", "artifactregistry", "monitoring", "aiplatform")
        self.block = {"project": PROJECT, "access_token": "test", "endpoints": {n: f"{self.address}/{p}/" for n, p in zip(names, paths)}}

    def end(self):
        self.program.stdin.close()
        self.program.wait(60)
        self.simulator.kill()
        self.simulator.wait()
        self.directory.cleanup()

    def control(self, name, value=None, method=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.address}/_sim/{name}", data=data, method=method or ("GET" if value is None else "POST"))
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def send(self, service, name, method, uri, request=None, block=None, **options):
        line = {"service": service, "name": name, "method": method, "uri": uri, "request": {"project": PROJECT, **(request or {})},
                "block": {**self.block, **(block or {})}, **options}
        self.program.stdin.write(json.dumps(line) + "\n")
        self.program.stdin.flush()
        return json.loads(self.program.stdout.readline())

    def ok(self, *args, **options):
        result = self.send(*args, **options)
        assert "answer" in result, result
        return result["answer"]

    def calls(self, operation):
        return [c for c in self.control("calls") if c["operation"] == operation]


COMPUTE = "/compute/v1/projects/{project}"


def network(g):
    g.ok("compute", "networks.insert", "POST", COMPUTE + "/global/networks{?requestId}", {"name": "n", "autoCreateSubnetworks": False},
         token_param="requestId")
    g.ok("compute", "subnetworks.insert", "POST", COMPUTE + "/regions/{region}/subnetworks",
         {"region": REGION, "name": "s", "network": f"projects/{PROJECT}/global/networks/n", "ipCidrRange": "10.0.0.0/20"})


def instance(name="i", machine="g2-standard-4", zone=ZONE):
    return {"zone": zone, "name": name, "machineType": f"zones/{zone}/machineTypes/{machine}",
            "scheduling": {"onHostMaintenance": "TERMINATE", "automaticRestart": True},
            "disks": [{"boot": True, "autoDelete": True, "initializeParams": {"diskType": f"zones/{zone}/diskTypes/pd-balanced", "sourceImage": "projects/debian-cloud/global/images/family/debian-12"}}],
            "networkInterfaces": [{"subnetwork": f"projects/{PROJECT}/regions/{REGION}/subnetworks/s", "accessConfigs": None}]}


INSERT = ("compute", "instances.insert", "POST", COMPUTE + "/zones/{zone}/instances{?requestId}")


def test_operations_are_waited_for(g):
    network(g)
    made = g.ok(*INSERT, {**instance(), "requestId": "3f2b1c7e-0000-4000-8000-000000000001"}, token_param="requestId")
    assert made["status"] == "DONE" and made["targetLink"].endswith("/instances/i")
    got = g.ok("compute", "instances.get", "GET", COMPUTE + "/zones/{zone}/instances/{instance}", {"zone": ZONE, "instance": "i"})
    assert got["status"] == "RUNNING" and "accessConfigs" not in json.dumps(got)
    assert any(c["operation"].endswith("Operations.wait") for c in g.control("calls"))


def test_an_error_of_the_operation(g):
    network(g)
    g.control("stock", {ZONE: {"nvidia-l4": 0}})
    result = g.send(*INSERT, instance())
    assert result["class"] == "capacity" and result["code"].startswith("ZONE_RESOURCE_POOL_EXHAUSTED"), result
    assert "zonesAvailable: " in result["message"], result


def test_a_quota(g):
    network(g)
    g.control("quotas", {"NVIDIA_L4_GPUS": 0})
    result = g.send(*INSERT, instance())
    assert result["class"] == "quota" and "NVIDIA" in result["message"].upper(), result


def test_an_operation_that_never_ends(g):
    g.control("rules", [{"operation": "compute.networks.insert", "operation_ms": -1}])
    result = g.send("compute", "networks.insert", "POST", COMPUTE + "/global/networks", {"name": "n", "autoCreateSubnetworks": False}, deadline_ms=3000)
    assert result["class"] == "deadline" and "operation-" in result["message"], result


def test_long_running(g):
    g.control("projects", {PROJECT: {"services": ["serviceusage.googleapis.com", "compute.googleapis.com"]}})
    answer = g.ok("serviceusage", "services.enable", "POST", "/v1/projects/{project}/services/{service}:enable", {"service": "iam.googleapis.com"})
    assert answer["service"]["state"] == "ENABLED", answer


PLACE = "/v1/projects/{project}/locations/{location}"
CLUSTER = ("container", "projects.locations.clusters.create", "POST", PLACE + "/clusters", {"location": REGION, "cluster": {
    "name": "c", "network": "n", "subnetwork": "s", "initialNodeCount": 1, "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"}}})


def test_operations_of_gke(g):
    network(g)
    made = g.ok(*CLUSTER)
    assert made["status"] == "DONE" and made["targetLink"].endswith("/clusters/c"), made
    got = g.ok("container", "projects.locations.clusters.get", "GET", PLACE + "/clusters/{cluster}", {"location": REGION, "cluster": "c"})
    assert got["status"] == "RUNNING" and got["endpoint"]
    assert len(g.calls("container.projects.locations.operations.get")) > 1
    result = g.send(*CLUSTER)
    assert result["class"] == "conflict" and result["code"] == "alreadyExists", result
    g.control("rules", [{"operation": "container.projects.locations.clusters.delete", "operation_ms": -1}])
    delete = ("container", "projects.locations.clusters.delete", "DELETE", PLACE + "/clusters/{cluster}", {"location": REGION, "cluster": "c"})
    result = g.send(*delete, deadline_ms=2000)
    assert result["class"] == "deadline" and "operation-" in result["message"], result
    result = g.send(*delete)
    assert result["code"] == "failedPrecondition" and "incompatible operation" in result["message"], result


def test_an_operation_of_gke_that_fails(g):
    network(g)
    g.control("rules", [{"operation": "container.projects.locations.clusters.create", "operation_error": {"message": "All is lost."}, "times": 1}])
    result = g.send(*CLUSTER)
    assert result["code"] == "INTERNAL" and "All is lost." in result["message"], result


def test_gke_without_machines(g):
    network(g)
    g.control("stock", {ZONE: {"e2-medium": 0}})
    result = g.send(*CLUSTER)
    assert result["class"] == "capacity" and result["code"] == "GCE_STOCKOUT" and "does not have enough resources" in result["message"], result


def test_operations_of_artifact_registry(g):
    made = g.ok("artifactregistry", "projects.locations.repositories.create", "POST", PLACE + "/repositories{?repositoryId}",
                {"location": REGION, "repositoryId": "repository", "format": "DOCKER"})
    assert made["name"].endswith("/repositories/repository"), made
    where = {"service": "artifactregistry", "uri": PLACE + "/repositories/{repository}", "location": REGION, "repository": "repository"}
    assert "answer" in member(g, "add", "roles/artifactregistry.reader", "user:a@example.com", **where)
    assert "answer" in member(g, "get", "roles/artifactregistry.reader", "user:a@example.com", **where)


def test_not_found_and_taken(g):
    network(g)
    result = g.send("compute", "networks.get", "GET", COMPUTE + "/global/networks/{network}", {"network": "other"})
    assert result["class"] == "not found" and result["code"] == "notFound", result
    result = g.send("compute", "networks.insert", "POST", COMPUTE + "/global/networks", {"name": "n", "autoCreateSubnetworks": False})
    assert result["class"] == "conflict" and result["code"] == "alreadyExists", result
    result = g.send("compute", "networks.delete", "DELETE", COMPUTE + "/global/networks/{network}", {"network": "n"})
    assert result["class"] == "dependency", result


def test_an_api_that_is_disabled(g):
    g.control("projects", {PROJECT: {"services": ["compute.googleapis.com"]}})
    result = g.send("secretmanager", "projects.secrets.get", "GET", "/v1/projects/{project}/secrets/{secret}", {"secret": "s"})
    assert result["class"] == "permission" and "gcloud services enable secretmanager.googleapis.com" in result["message"], result


def test_a_missing_permission_is_named(g):
    g.control("permissions", {"denied": ["compute.networks.create"]})
    result = g.send("compute", "networks.insert", "POST", COMPUTE + "/global/networks", {"name": "n", "autoCreateSubnetworks": False})
    assert result["class"] == "permission" and "compute.networks.create" in result["message"], result


def test_a_token_that_is_refused_is_no_loop(g):
    result = g.send("compute", "networks.list", "GET", COMPUTE + "/global/networks", block={"access_token": "wrong"})
    assert result["class"] == "credentials", result
    assert len(g.calls("compute.networks.list")) == 2


def test_throttled_and_broken(g):
    g.control("rules", [{"operation": "compute.networks.list", "error": {"status": 429, "code": "rateLimitExceeded"}, "times": 2}])
    g.ok("compute", "networks.list", "GET", COMPUTE + "/global/networks")
    g.control("rules", [{"operation": "compute.networks.list", "error": {"status": 503, "code": "backendError"}, "times": 1}])
    g.ok("compute", "networks.list", "GET", COMPUTE + "/global/networks")
    g.control("rules", [{"operation": "compute.networks.insert", "error": {"status": 503, "code": "backendError"}, "times": 1}])
    result = g.send("compute", "networks.insert", "POST", COMPUTE + "/global/networks", {"name": "n", "autoCreateSubnetworks": False})
    assert result["class"] == "transient", "a write without a token is not made twice"


def test_rubbish(g):
    for raw in ({"status": 200, "body": "<html>sign in</html>"}, {"status": 200, "body": "", "type": "application/json"}, {"status": 502, "body": "<html>bad gateway</html>", "type": "text/html"},
                {"status": 404, "body": ""}, {"status": 200, "body": "[1]", "type": "application/json"}, {"status": 200, "body": "{\"kind\": ", "type": "application/json"}):
        g.control("rules", [{"operation": "compute.networks.list", "raw": raw, "times": -1}])
        result = g.send("compute", "networks.list", "GET", COMPUTE + "/global/networks", block={"retries": 0} if "retries" in g.block else None, deadline_ms=2500)
        assert "class" in result and result["message"], (raw, result)
        g.control("rules", method="DELETE")


def test_quota_project(g):
    g.ok("compute", "networks.list", "GET", COMPUTE + "/global/networks", block={"billing_project": PROJECT, "user_project_override": True})
    assert g.calls("compute.networks.list")[0]["quota_project"] == PROJECT


def member(g, change, role, who, service="cloudresourcemanager", uri="/v1/projects/{project}", **request):
    return g.send(service, f"x.{change}IamMember", "POST", uri, {"role": role, "member": who, **request})


def bindings(g, service, path):
    method = "GET" if service == "secretmanager" else "POST"
    request = urllib.request.Request(f"{g.address}/{service}{path}:getIamPolicy", data=None if method == "GET" else b"{}", method=method,
                                     headers={"Authorization": "Bearer test", "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return {b["role"]: set(b["members"]) for b in json.load(answer).get("bindings", [])}


def test_members_of_a_policy(g):
    g.ok("iam", "projects.serviceAccounts.create", "POST", "/v1/projects/{project}/serviceAccounts", {"accountId": "ci-account", "serviceAccount": {}})
    who, role = f"serviceAccount:ci-account@{PROJECT}.iam.gserviceaccount.com", "roles/logging.logWriter"
    before = bindings(g, "cloudresourcemanager", f"/v1/projects/{PROJECT}")
    assert member(g, "get", role, who)["class"] == "not found"
    assert member(g, "add", role, who)["answer"] == {"role": role, "member": who}
    assert "answer" in member(g, "add", role, who)
    assert "answer" in member(g, "get", role, who)
    assert bindings(g, "cloudresourcemanager", f"/v1/projects/{PROJECT}") == {**before, role: {who}}
    assert "answer" in member(g, "add", role, "user:somebody@example.com")
    assert "answer" in member(g, "remove", role, who)
    assert "answer" in member(g, "remove", role, who)
    assert bindings(g, "cloudresourcemanager", f"/v1/projects/{PROJECT}") == {**before, role: {"user:somebody@example.com"}}


def test_members_of_a_secret(g):
    g.ok("secretmanager", "projects.secrets.create", "POST", "/v1/projects/{project}/secrets{?secretId}", {"secretId": "s", "replication": {"automatic": {}}})
    where = {"service": "secretmanager", "uri": "/v1/projects/{project}/secrets/{secret}", "secret": "s"}
    assert "answer" in member(g, "add", "roles/secretmanager.secretAccessor", "user:a@example.com", **where)
    assert bindings(g, "secretmanager", f"/v1/projects/{PROJECT}/secrets/s") == {"roles/secretmanager.secretAccessor": {"user:a@example.com"}}


def test_members_of_a_service_account(g):
    g.ok("iam", "projects.serviceAccounts.create", "POST", "/v1/projects/{project}/serviceAccounts", {"accountId": "quant-api", "serviceAccount": {}})
    account = f"quant-api@{PROJECT}.iam.gserviceaccount.com"
    where = {"service": "iam", "uri": "/v1/projects/{project}/serviceAccounts/{account}", "account": account}
    role, who = "roles/iam.workloadIdentityUser", f"serviceAccount:{PROJECT}.svc.id.goog[platform/quant-api]"
    result = member(g, "add", role, who, **where)
    assert result["class"] == "invalid" and "Identity Pool does not exist" in result["message"], result
    network(g)
    g.ok(*CLUSTER)
    assert "answer" in member(g, "add", role, who, **where)
    assert bindings(g, "iam", f"/v1/projects/{PROJECT}/serviceAccounts/{account}") == {role: {who}}
    assert "answer" in member(g, "remove", role, who, **where)
    assert member(g, "get", role, who, **where)["class"] == "not found"


def test_a_policy_that_others_change(g):
    """Two refused writes: the policy is read anew, and nobody's member is lost."""
    g.control("rules", [{"operation": "cloudresourcemanager.projects.setIamPolicy", "error": {"status": 409, "code": "ABORTED"}, "times": 2}])
    assert "answer" in member(g, "add", "roles/logging.logWriter", "user:a@example.com")
    assert len(g.calls("cloudresourcemanager.projects.getIamPolicy")) == 3


def main():
    ground = Ground(sys.argv[1])
    failures = 0
    try:
        for name, test in [(n, t) for n, t in globals().items() if n.startswith("test_")]:
            ground.control("reset", {})
            try:
                test(ground)
                violations = ground.control("violations")
                assert not violations, violations
                print(f"ok {name}")
            except AssertionError as error:
                failures += 1
                print(f"FAILED {name}: {error}")
    finally:
        ground.end()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
