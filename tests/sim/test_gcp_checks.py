"""What the GCP simulator finds in requests, how it routes them, and the faults it can be told to have; by plain REST."""
import http.client
import json
import time
import urllib.error
import urllib.request

import pytest

from tests.sim.gcp.fixtures import P, R, Z, clean, front, process  # noqa: F401
from tests.sim.gcp.model import document, route

NETWORKS = f"/compute/v1/projects/{P}/global/networks"
SECRETS = f"/v1/projects/{P}/secrets"
NETWORK = {"name": "net", "autoCreateSubnetworks": False}


@pytest.mark.parametrize("path, body, said, status", [
    (NETWORKS, {**NETWORK, "nonsense": 1}, "nonsense: not a field", 400), (NETWORKS, {**NETWORK, "autoCreateSubnetworks": "no"}, "not a boolean", 400),
    (NETWORKS, {**NETWORK, "mtu": "many"}, "not a number", 400), (NETWORKS, {**NETWORK, "mtu": 1 << 40}, "not an int32", 400),
    (NETWORKS, {**NETWORK, "name": 5}, "not a string", 400), (NETWORKS, {**NETWORK, "name": "Upper"}, "Must be a match of regex", 400),
    (NETWORKS, {"autoCreateSubnetworks": False}, "name: is required", 400), (NETWORKS, {**NETWORK, "id": "1"}, "id: is read-only", 200),
    (NETWORKS, {**NETWORK, "routingConfig": {"routingMode": "LOCAL"}}, "not one of", 400), (NETWORKS, {**NETWORK, "routingConfig": []}, "not an object", 400),
    (f"{NETWORKS}?requestid=x", NETWORK, "requestid: not a parameter", 400), (f"/compute/v1/projects/{P}/global/Networks", NETWORK, "no method", 404),
    (f"{SECRETS}?secretId=a", {"replication": {"automatic": {}}, "expireTime": "tomorrow"}, "not an RFC 3339 time", 400),
    (f"{SECRETS}?secretId=a", {"replication": {"automatic": {}}, "ttl": "1h"}, "not a duration", 400),
    (f"{SECRETS}?secretId=a", {"replication": {"automatic": {}}, "create_time": "x"}, "create_time: not a field", 400),
    (f"{SECRETS}/a:addVersion", {"payload": {"data": "%%%"}}, "not base64", 400),
    (f"/v2/projects/{P}/sinks", {"name": "a"}, "destination: is required", 400)])
def test_what_the_documents_do_not_allow(front, path, body, said, status):
    got, answer = front.rest("POST", path, body)
    assert got == status and any(said in v for v in front.control("violations")), (answer, front.control("violations"))


@pytest.mark.parametrize("body", [{**NETWORK, "mtu": "1500"}, {**NETWORK, "description": None}, {**NETWORK, "routingConfig": {"routingMode": "GLOBAL"}}])
def test_what_the_json_form_allows(clean, body):
    assert clean.rest("POST", NETWORKS, body)[0] == 200


def test_a_read_only_field_has_no_effect(front):
    front.rest("POST", NETWORKS, {**NETWORK, "id": "1", "selfLink": "x"})
    assert front.rest("GET", f"{NETWORKS}/net")[1]["id"] != "1"
    assert len(front.control("violations")) == 2


def test_what_was_read_may_come_back_with_a_change(clean):
    clean.control("settings", {"operation_s": 0})
    clean.rest("POST", NETWORKS, NETWORK)
    found = clean.rest("GET", f"{NETWORKS}/net")[1]
    found["routingConfig"]["routingMode"] = "GLOBAL"
    assert clean.rest("PATCH", f"{NETWORKS}/net", found)[0] == 200
    assert clean.rest("GET", f"{NETWORKS}/net")[1]["routingConfig"]["routingMode"] == "GLOBAL"
    assert clean.control("advice") != []


def test_bodies_must_be_json(front):
    for body, kind in ((b"{", "application/json"), (b"[]", "application/json"), (json.dumps(NETWORK).encode(), "text/plain")):
        request = urllib.request.Request(front.url + NETWORKS, data=body, headers={"authorization": "Bearer test", "content-type": kind})
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as error:
            assert error.code == 400 and b"parseError" in error.read()
    assert len(front.control("violations")) == 3


def test_a_length_is_required(clean):
    connection = http.client.HTTPConnection(clean.url.removeprefix("http://"))
    connection.putrequest("POST", f"/compute/v1/projects/{P}/zones/{Z}/instances/i/stop")
    connection.putheader("authorization", "Bearer test")
    connection.endheaders()
    assert connection.getresponse().status == 411


def test_what_is_not_simulated_says_so(clean):
    status, answer = clean.rest("POST", f"{NETWORKS}/net/addPeering", {"name": "x"})
    assert status == 501 and "compute.networks.addPeering" in answer["error"]["message"]


@pytest.mark.parametrize("http_method, path, host, method", [
    ("GET", "/compute/v1/projects/p/zones/z/instances/i", "", "compute.instances.get"),
    ("GET", "/compute/compute/v1/projects/p/zones/z/instances/i", "", "compute.instances.get"),
    ("GET", "/compute/v1/projects/p/global/images/family/f", "", "compute.images.getFromFamily"),
    ("POST", "/v1/projects/p/serviceAccounts", "", "iam.projects.serviceAccounts.create"),
    ("POST", "/v1/projects/-/serviceAccounts/a%40p.iam.gserviceaccount.com:generateAccessToken", "", "iamcredentials.projects.serviceAccounts.generateAccessToken"),
    ("GET", "/v1/projects/p/secrets/s:getIamPolicy", "", "secretmanager.projects.secrets.getIamPolicy"),
    ("GET", "/v1/projects/p/secrets/s/versions/latest:access", "", "secretmanager.projects.secrets.versions.access"),
    ("GET", "/v1/projects/p", "", "cloudresourcemanager.projects.get"), ("GET", "/v3/projects/p", "", "cloudresourcemanager.projects.get"),
    ("POST", "/v1/projects/p:setIamPolicy", "", "cloudresourcemanager.projects.setIamPolicy"),
    ("GET", "/v1/projects/p/services/compute.googleapis.com", "", "serviceusage.services.get"),
    ("GET", "/v2/projects/p/sinks/s", "", "logging.projects.sinks.get"),
    ("GET", "/v1/projects/p/locations", "", "secretmanager.projects.locations.list"),
    ("GET", "/v1/projects/p/locations", "aiplatform.googleapis.com", "aiplatform.projects.locations.list"),
    ("GET", "/artifactregistry/v1/projects/p/locations", "", "artifactregistry.projects.locations.list"),
    ("GET", "/storage/v1/b/bucket/o/a%2Fb", "", "storage.objects.get")])
def test_routes(http_method, path, host, method):
    assert route(http_method, path, host)[0].id == method


def test_every_method_of_the_documents_can_be_reached():
    """The example of each compute path leads to its own method."""
    known = document("compute", "v1")
    for method in (m for m in known.methods if "{+" not in m.path):
        path = "/compute/v1/" + "/".join("abc" if p.startswith("{") else p for p in method.path.split("/"))
        assert route(method.http, path, "")[0].id == method.id


# --- faults ---


def test_errors_that_a_rule_gives(clean):
    clean.rule(operation="compute.networks.get", error={"status": 429, "code": "rateLimitExceeded", "message": "slow down", "retry_after": 1})
    status, answer = clean.rest("GET", f"{NETWORKS}/net")
    assert status == 429 and answer["error"]["errors"][0]["reason"] == "rateLimitExceeded"
    assert clean.rest("GET", f"{NETWORKS}/net")[0] == 404
    clean.rule(operation="secretmanager.*", error={"status": 503, "code": "UNAVAILABLE"}, times=2)
    assert clean.rest("GET", SECRETS)[1]["error"]["status"] == "UNAVAILABLE"
    assert clean.rest("GET", SECRETS)[0] == 503 and clean.rest("GET", SECRETS)[0] == 200


def test_rules_match_parameters_and_bodies(clean):
    clean.rule(operation="compute.disks.insert", match={"zone": Z, "body.name": {"re": "^bad"}}, error={"status": 403, "code": "forbidden"}, times=-1)
    disks = f"/compute/v1/projects/{P}/zones/{{}}/disks"
    assert clean.rest("POST", disks.format(Z), {"name": "bad", "sizeGb": "10"})[0] == 403
    assert clean.rest("POST", disks.format("us-central1-b"), {"name": "bad", "sizeGb": "10"})[0] == 200
    assert clean.rest("POST", disks.format(Z), {"name": "good", "sizeGb": "10"})[0] == 200


@pytest.mark.parametrize("when, there", [("before", 404), ("after", 200)])
def test_a_connection_that_breaks(clean, when, there):
    clean.rule(operation="compute.networks.insert", drop=when)
    with pytest.raises((urllib.error.URLError, ConnectionError, http.client.HTTPException)):
        clean.rest("POST", NETWORKS, NETWORK)
    assert clean.rest("GET", f"{NETWORKS}/net")[0] == there


def test_answers_that_are_wrong_slow_or_rewritten(clean):
    clean.rule(operation="compute.projects.get", raw={"status": 502, "type": "text/html", "body": "<html>Bad Gateway</html>"})
    assert clean.rest("GET", f"/compute/v1/projects/{P}") == (502, "<html>Bad Gateway</html>")
    clean.rule(operation="compute.projects.get", delay_ms=200, set={"name": "other"}, rewrite=["PREMIUM", "STANDARD"])
    before = time.monotonic()
    answer = clean.rest("GET", f"/compute/v1/projects/{P}")[1]
    assert time.monotonic() - before >= 0.2 and (answer["name"], answer["defaultNetworkTier"]) == ("other", "STANDARD")


def test_a_rate(clean):
    clean.rule(operation="compute.regions.*", rate={"per_s": 1, "burst": 2})
    assert [clean.rest("GET", f"/compute/v1/projects/{P}/regions/{R}")[0] for _ in range(4)] == [200, 200, 429, 429]


def test_the_simulator_can_die(front):
    front.rule(operation="compute.networks.insert", kill=True)
    with pytest.raises((urllib.error.URLError, ConnectionError, http.client.HTTPException)):
        front.rest("POST", NETWORKS, NETWORK)
    assert front.process.wait(60) == 9
    front.start()
    assert front.rest("GET", NETWORKS)[0] == 200


def test_calls_are_recorded(clean):
    clean.rest("POST", NETWORKS, NETWORK)
    clean.rest("GET", f"{NETWORKS}/none", headers={"x-goog-request-reason": "ticket", "user-agent": "me"})
    first, second = clean.control("calls")
    assert (first["operation"], first["status"], first["identity"], first["project"]) == ("compute.networks.insert", 200, "owner@example.com", P)
    assert first["params"] == {"project": P, "body": NETWORK} and first["end"] >= first["start"]
    assert (second["status"], second["code"], second["request_reason"], second["user_agent"]) == (404, "notFound", "ticket", "me")
    clean.control("calls", method="DELETE")
    assert clean.control("calls") == []


def test_the_answer_of_another_hand(clean):
    clean.control("settings", {"operation_s": 0})
    clean.rest("POST", NETWORKS, NETWORK)
    clean.control("remove", {"resource": f"projects/{P}/global/networks/net"})
    assert clean.rest("GET", f"{NETWORKS}/net")[0] == 404


@pytest.mark.parametrize("name, value", [("rules", [{"operation": "compute.network.insert"}]), ("settle", {"compute.instances.create": 1}), ("nothing", {})])
def test_a_control_that_means_nothing_is_refused(clean, name, value):
    with pytest.raises(urllib.error.HTTPError):
        clean.control(name, value)


def test_rules_for_token_endpoints(clean):
    clean.rule(operation="oauth2.token", error={"status": 400, "code": "invalid_grant", "message": "gone"})
    request = urllib.request.Request(f"{clean.url}/token", data=b"grant_type=refresh_token&refresh_token=test-refresh&client_id=test-client&client_secret=test-secret")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert json.load(caught.value) == {"error": "invalid_grant", "error_description": "gone"}
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["access_token"]
