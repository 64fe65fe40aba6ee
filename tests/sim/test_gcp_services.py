"""IAM, Resource Manager, Secret Manager, Logging and Service Usage of the GCP simulator, seen by Google's own client."""
import base64
import threading
import time

import pytest
from googleapiclient.errors import HttpError

from tests.sim.gcp.fixtures import Node, P, clean, front, process, refused  # noqa: F401

NUMBER = "123456789012"
EMAIL = f"node-vm@{P}.iam.gserviceaccount.com"
ROLE = "roles/logging.logWriter"


def accounts(front):
    return front.cloud().client("iam").projects().serviceAccounts()


def make_account(front, account_id="node-vm"):
    return accounts(front).create(name=f"projects/{P}", body={"accountId": account_id, "serviceAccount": {"displayName": "Node"}}).execute()


# --- service accounts ---


def test_a_service_account_lives_and_comes_back(clean):
    iam, made = accounts(clean), make_account(clean)
    assert made["email"] == EMAIL and made["projectId"] == P and len(made["uniqueId"]) == 21
    for name in (made["name"], f"projects/-/serviceAccounts/{EMAIL}", f"projects/{P}/serviceAccounts/{made['uniqueId']}", f"projects/{NUMBER}/serviceAccounts/{EMAIL}"):
        assert iam.get(name=name).execute()["uniqueId"] == made["uniqueId"]
    assert refused(iam.create(name=f"projects/{P}", body={"accountId": "node-vm"}))[:2] == (409, "ALREADY_EXISTS")
    assert refused(iam.create(name=f"projects/{P}", body={"accountId": "short"}))[:2] == (400, "INVALID_ARGUMENT")
    changed = iam.patch(name=made["name"], body={"serviceAccount": {"displayName": "New", "etag": made["etag"]}, "updateMask": "displayName"}).execute()
    assert changed["displayName"] == "New"
    assert refused(iam.patch(name=made["name"], body={"serviceAccount": {"displayName": "Old", "etag": made["etag"]}}))[:2] == (409, "ABORTED")
    iam.delete(name=made["name"]).execute()
    assert refused(iam.get(name=made["name"]))[:2] == (404, "NOT_FOUND")
    assert make_account(clean)["uniqueId"] != made["uniqueId"]
    assert refused(iam.undelete(name=f"projects/{P}/serviceAccounts/{made['uniqueId']}"))[:2] == (400, "FAILED_PRECONDITION")
    iam.delete(name=made["name"]).execute()
    assert iam.undelete(name=f"projects/{P}/serviceAccounts/{made['uniqueId']}").execute()["restoredAccount"]["email"] == EMAIL


def test_a_new_account_is_not_known_everywhere_at_once(clean):
    clean.control("visible", {"iam.projects.serviceAccounts.create": 0.5})
    make_account(clean)
    request = policy_request(clean, {"bindings": [{"role": ROLE, "members": [f"serviceAccount:{EMAIL}"]}]})
    assert refused(request)[:2] == (400, "INVALID_ARGUMENT")
    time.sleep(0.6)
    assert request.execute()["bindings"][0]["members"] == [f"serviceAccount:{EMAIL}"]


# --- policies ---


def policy_request(front, policy, **more):
    return front.cloud().client("cloudresourcemanager").projects().setIamPolicy(resource=P, body={"policy": policy, **more})


def read_policy(front, version=3):
    return front.cloud().client("cloudresourcemanager").projects().getIamPolicy(resource=P, body={"options": {"requestedPolicyVersion": version}}).execute()


def test_a_policy_is_changed_only_from_its_newest(clean):
    make_account(clean)
    old = read_policy(clean)
    policy_request(clean, {**old, "bindings": [{"role": "roles/viewer", "members": ["user:a@example.com"]}]}).execute()
    conflict = refused(policy_request(clean, {**old, "bindings": [{"role": ROLE, "members": [f"serviceAccount:{EMAIL}"]}]}))
    assert conflict[:2] == (409, "ABORTED") and "read-modify-write" in conflict[2]
    now = read_policy(clean)
    now["bindings"].append({"role": ROLE, "members": [f"serviceAccount:{EMAIL}"]})
    policy_request(clean, now).execute()
    assert {b["role"]: b["members"] for b in read_policy(clean)["bindings"]} == {"roles/viewer": ["user:a@example.com"], ROLE: [f"serviceAccount:{EMAIL}"]}


def test_a_deleted_account_stays_in_the_policy_as_deleted(clean):
    made = make_account(clean)
    policy_request(clean, {"bindings": [{"role": ROLE, "members": [f"serviceAccount:{EMAIL}"]}]}).execute()
    accounts(clean).delete(name=made["name"]).execute()
    assert read_policy(clean)["bindings"][0]["members"] == [f"deleted:serviceAccount:{EMAIL}?uid={made['uniqueId']}"]
    assert refused(policy_request(clean, {"bindings": [{"role": ROLE, "members": [f"serviceAccount:{EMAIL}"]}]}))[2] == f"Service account {EMAIL} does not exist."


@pytest.mark.parametrize("binding, version, text", [
    ({"role": "viewer", "members": ["user:a@example.com"]}, 1, "Role viewer is not supported"), ({"role": ROLE, "members": ["a@example.com"]}, 1, "Invalid member"),
    ({"role": ROLE, "members": ["user:a@example.com"], "condition": {"title": "x", "expression": "true"}}, 1, "version 3"),
    ({"role": f"projects/{P}/roles/none", "members": ["user:a@example.com"]}, 1, "does not exist")])
def test_what_a_policy_must_not_hold(clean, binding, version, text):
    status, _, message = refused(policy_request(clean, {"version": version, "bindings": [binding]}))
    assert status == 400 and text in message


def test_conditions_are_shown_to_who_asks_for_them(clean):
    condition = {"title": "until", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"}
    policy_request(clean, {"version": 3, "bindings": [{"role": ROLE, "members": ["user:a@example.com"], "condition": condition}]}).execute()
    assert read_policy(clean)["bindings"][0]["condition"] == condition
    hidden = read_policy(clean, 1)
    assert "condition" not in hidden["bindings"][0] and "_withcond_" in hidden["bindings"][0]["role"]
    assert refused(policy_request(clean, {"bindings": [{"role": ROLE, "members": ["user:b@example.com"]}]}))[0] == 400


def test_writers_who_race_lose_nothing(clean):
    errors = []

    def add(index):
        try:
            while True:
                policy = read_policy(clean)
                policy.setdefault("bindings", []).append({"role": ROLE, "members": [f"user:u{index}@example.com"]})
                try:
                    policy_request(clean, policy).execute()
                    return
                except HttpError as error:
                    if error.status_code != 409:
                        raise
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)
    threads = [threading.Thread(target=add, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(read_policy(clean)["bindings"][0]["members"]) == 5


def test_accounts_and_secrets_have_policies(clean):
    made = make_account(clean)
    policy = {"bindings": [{"role": "roles/iam.serviceAccountUser", "members": ["user:a@example.com"]}]}
    assert accounts(clean).setIamPolicy(resource=made["name"], body={"policy": policy}).execute()["bindings"] == policy["bindings"]
    assert accounts(clean).getIamPolicy(resource=made["name"]).execute()["bindings"] == policy["bindings"]
    secrets = clean.cloud().client("secretmanager").projects().secrets()
    secrets.create(parent=f"projects/{P}", secretId="key", body={"replication": {"automatic": {}}}).execute()
    empty = secrets.getIamPolicy(resource=f"projects/{P}/secrets/key").execute()
    assert "bindings" not in empty and empty["etag"]
    grant = {"etag": empty["etag"], "bindings": [{"role": "roles/secretmanager.secretAccessor", "members": [f"serviceAccount:{EMAIL}"]}]}
    secrets.setIamPolicy(resource=f"projects/{P}/secrets/key", body={"policy": grant}).execute()
    assert refused(secrets.setIamPolicy(resource=f"projects/{P}/secrets/key", body={"policy": grant}))[:2] == (409, "ABORTED")


def test_custom_roles(clean):
    roles = clean.cloud().client("iam").projects().roles()
    made = roles.create(parent=f"projects/{P}", body={"roleId": "stopper", "role": {"title": "Stopper", "includedPermissions": ["compute.instances.stop"]}}).execute()
    assert made["name"] == f"projects/{P}/roles/stopper"
    policy_request(clean, {"bindings": [{"role": made["name"], "members": ["user:a@example.com"]}]}).execute()
    assert roles.delete(name=made["name"]).execute()["deleted"] is True


def test_workload_identity_pools_come_by_operations(clean):
    iam = clean.cloud().client("iam").projects().locations().workloadIdentityPools()
    parent = f"projects/{P}/locations/global"
    operation = iam.create(parent=parent, workloadIdentityPoolId="ci", body={"displayName": "CI"}).execute()
    assert "done" not in operation
    while "done" not in operation:
        operation = iam.operations().get(name=operation["name"]).execute()
    assert iam.get(name=f"{parent}/workloadIdentityPools/ci").execute()["state"] == "ACTIVE"
    assert refused(iam.create(parent=parent, workloadIdentityPoolId="ci", body={}))[:2] == (409, "ALREADY_EXISTS")


def test_a_long_running_operation_that_fails(clean):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "NOPE", "domain": "iam.googleapis.com"}]
    clean.rule(operation="iam.projects.locations.workloadIdentityPools.create", operation_error={"code": 9, "message": "no", "details": details})
    iam = clean.cloud().client("iam").projects().locations().workloadIdentityPools()
    operation = iam.create(parent=f"projects/{P}/locations/global", workloadIdentityPoolId="ci", body={}).execute()
    while "done" not in operation:
        operation = iam.operations().get(name=operation["name"]).execute()
    assert operation["error"] == {"code": 9, "message": "no", "details": details} and "response" not in operation
    assert refused(iam.get(name=f"projects/{P}/locations/global/workloadIdentityPools/ci"))[:2] == (404, "NOT_FOUND")


# --- projects ---


def test_projects(clean):
    projects = clean.cloud().client("cloudresourcemanager").projects()
    assert projects.get(projectId=P).execute()["projectNumber"] == NUMBER
    assert refused(projects.get(projectId="none-such"))[:2] == (403, "PERMISSION_DENIED")
    third = clean.cloud().client("cloudresourcemanager", "v3").projects()
    assert third.get(name=f"projects/{P}").execute() == {**third.get(name=f"projects/{NUMBER}").execute()}
    asked = {"permissions": ["compute.instances.create", "iam.serviceAccounts.create"]}
    assert projects.testIamPermissions(resource=P, body=asked).execute() == asked
    clean.control("permissions", {"denied": ["iam.serviceAccounts.create"]})
    assert projects.testIamPermissions(resource=P, body=asked).execute() == {"permissions": ["compute.instances.create"]}


# --- secrets ---


def secret(front, **body):
    secrets = front.cloud().client("secretmanager").projects().secrets()
    made = secrets.create(parent=f"projects/{P}", secretId="key", body={"replication": {"automatic": {}}, **body}).execute()
    return secrets, made


def payload(data):
    return {"payload": {"data": base64.b64encode(data).decode()}}


def test_a_secret_and_its_versions(clean):
    secrets, made = secret(clean, labels={"a": "b"})
    name = f"projects/{P}/secrets/key"
    assert made["name"] == f"projects/{NUMBER}/secrets/key" and made["labels"] == {"a": "b"}
    assert refused(secrets.versions().access(name=f"{name}/versions/latest"))[:2] == (404, "NOT_FOUND")
    first = secrets.addVersion(parent=name, body=payload(b"one")).execute()
    secrets.addVersion(parent=name, body=payload(b"two")).execute()
    found = secrets.versions().access(name=f"{name}/versions/latest").execute()
    assert base64.b64decode(found["payload"]["data"]) == b"two" and found["name"].endswith("/versions/2")
    assert secrets.versions().access(name=f"{name}/versions/1").execute()["payload"]["dataCrc32c"]
    assert secrets.versions().destroy(name=f"{name}/versions/1", body={"etag": first["etag"]}).execute()["state"] == "DESTROYED"
    assert refused(secrets.versions().access(name=f"{name}/versions/1"))[:2] == (400, "FAILED_PRECONDITION")
    assert refused(secrets.versions().enable(name=f"{name}/versions/1"))[:2] == (400, "FAILED_PRECONDITION")
    assert [v["state"] for v in secrets.versions().list(parent=name).execute()["versions"]] == ["ENABLED", "DESTROYED"]
    secrets.delete(name=name).execute()
    assert refused(secrets.get(name=name))[:2] == (404, "NOT_FOUND")
    assert clean.cloud().things("secretmanager") == {}


def test_what_a_secret_must_not_be(clean):
    secrets, made = secret(clean)
    name = f"projects/{P}/secrets/key"
    assert refused(secrets.create(parent=f"projects/{P}", secretId="key", body={"replication": {"automatic": {}}}))[:2] == (409, "ALREADY_EXISTS")
    assert refused(secrets.create(parent=f"projects/{P}", secretId="a b", body={"replication": {"automatic": {}}}))[0] == 400
    assert refused(secrets.create(parent=f"projects/{P}", secretId="bare", body={}))[0] == 400
    assert refused(secrets.addVersion(parent=name, body=payload(b"")))[0] == 400
    assert refused(secrets.addVersion(parent=name, body=payload(b"x" * 65537)))[0] == 400
    wrong = {"payload": {**payload(b"123456789")["payload"], "dataCrc32c": "1"}}
    assert refused(secrets.addVersion(parent=name, body=wrong))[0] == 400
    wrong["payload"]["dataCrc32c"] = str(0xE3069283)  # the check value of CRC-32C
    secrets.addVersion(parent=name, body=wrong).execute()
    assert refused(secrets.patch(name=name, body={"labels": {"a": "b"}}))[0] == 400
    new = secrets.patch(name=name, updateMask="labels", body={"labels": {"a": "b"}, "etag": made["etag"]}).execute()
    assert new["labels"] == {"a": "b"} and new["etag"] != made["etag"]
    assert refused(secrets.patch(name=name, updateMask="labels", body={"etag": made["etag"]}))[:2] == (400, "FAILED_PRECONDITION")
    assert refused(secrets.delete(name=name, etag=made["etag"]))[:2] == (400, "FAILED_PRECONDITION")


# --- logging ---


def test_log_buckets(clean):
    buckets = clean.cloud().client("logging").projects().locations().buckets()
    parent = f"projects/{P}/locations/us-central1"
    made = buckets.create(parent=parent, bucketId="node", body={"retentionDays": 7}).execute()
    assert made["retentionDays"] == 7 and made["lifecycleState"] == "ACTIVE"
    assert refused(buckets.create(parent=parent, bucketId="node", body={}))[:2] == (409, "ALREADY_EXISTS")
    assert refused(buckets.patch(name=made["name"], body={"retentionDays": 9}))[0] == 400
    assert buckets.patch(name=made["name"], updateMask="retention_days", body={"retentionDays": 9}).execute()["retentionDays"] == 9
    assert refused(buckets.patch(name=made["name"], updateMask="retentionDays", body={"retentionDays": 5000}))[0] == 400
    assert refused(buckets.delete(name=f"projects/{P}/locations/global/buckets/_Default"))[:2] == (400, "FAILED_PRECONDITION")
    buckets.delete(name=made["name"]).execute()
    assert buckets.get(name=made["name"]).execute()["lifecycleState"] == "DELETE_REQUESTED"
    buckets.undelete(name=made["name"], body={}).execute()
    assert buckets.get(name=made["name"]).execute()["lifecycleState"] == "ACTIVE"
    ways = clean.cloud().client("logging").projects().locations()
    operation = ways.buckets().createAsync(parent=parent, bucketId="late", body={}).execute()
    while "done" not in operation:
        operation = ways.operations().get(name=operation["name"]).execute()
    assert operation["response"]["lifecycleState"] == "ACTIVE"


def test_log_sinks_and_exclusions(clean):
    logging = clean.cloud().client("logging").projects()
    destination = f"logging.googleapis.com/projects/{P}/locations/us-central1/buckets/node"
    made = logging.sinks().create(parent=f"projects/{P}", uniqueWriterIdentity=True, body={"name": "node", "destination": destination, "filter": "x"}).execute()
    assert made["writerIdentity"].startswith("serviceAccount:")
    assert refused(logging.sinks().create(parent=f"projects/{P}", body={"name": "node", "destination": destination}))[:2] == (409, "ALREADY_EXISTS")
    assert refused(logging.sinks().create(parent=f"projects/{P}", body={"name": "other", "destination": "elsewhere"}))[0] == 400
    name = f"projects/{P}/sinks/node"
    assert logging.sinks().patch(sinkName=name, updateMask="filter", body={"filter": "y"}).execute()["filter"] == "y"
    logging.sinks().delete(sinkName=name).execute()
    assert refused(logging.sinks().get(sinkName=name))[:2] == (404, "NOT_FOUND")
    exclusion = logging.exclusions().create(parent=f"projects/{P}", body={"name": "noise", "filter": "severity<INFO"}).execute()
    assert exclusion["name"] == "noise"
    assert [e["name"] for e in logging.exclusions().list(parent=f"projects/{P}").execute()["exclusions"]] == ["noise"]
    logging.exclusions().delete(name=f"projects/{P}/exclusions/noise").execute()


# --- which APIs may be called ---


def test_an_api_that_is_off_says_so_and_can_be_enabled(clean):
    clean.control("projects", {P: {"services": ["serviceusage.googleapis.com", "iam.googleapis.com"]}})
    cloud = clean.cloud()
    status, answer = clean.rest("GET", f"/compute/v1/projects/{P}")
    error = answer["error"]
    assert status == 403 and error["errors"][0]["reason"] == "accessNotConfigured" and error["status"] == "PERMISSION_DENIED"
    info = next(d for d in error["details"] if d["@type"].endswith("ErrorInfo"))
    assert info["reason"] == "SERVICE_DISABLED" and info["metadata"]["service"] == "compute.googleapis.com"
    assert info["metadata"]["consumer"] == f"projects/{NUMBER}"
    assert refused(cloud.client("secretmanager").projects().secrets().list(parent=f"projects/{P}"))[0] == 403
    usage = cloud.client("serviceusage")
    name = f"projects/{P}/services/compute.googleapis.com"
    assert usage.services().get(name=name).execute()["state"] == "DISABLED"
    operation = usage.services().enable(name=name, body={}).execute()
    while "done" not in operation:
        operation = usage.operations().get(name=operation["name"]).execute()
    assert operation["response"]["service"]["state"] == "ENABLED"
    assert cloud.compute.projects().get(project=P).execute()["name"] == P
    enabled = usage.services().list(parent=f"projects/{P}", filter="state:ENABLED").execute()["services"]
    assert {s["config"]["name"] for s in enabled} == {"compute.googleapis.com", "iam.googleapis.com", "serviceusage.googleapis.com"}
    assert refused(usage.services().get(name=f"projects/{P}/services/none.example.com"))[0] == 403


def test_another_project_may_pay(clean):
    clean.control("projects", {"payer": {"services": []}})
    path = f"/compute/v1/projects/{P}"
    assert clean.rest("GET", path, headers={"x-goog-user-project": P})[0] == 200
    status, answer = clean.rest("GET", path, headers={"x-goog-user-project": "payer"})
    assert status == 403 and any(d.get("reason") == "SERVICE_DISABLED" for d in answer["error"]["details"])
    status, answer = clean.rest("GET", path, headers={"x-goog-user-project": "none"})
    assert status == 403 and any(d.get("reason") == "USER_PROJECT_DENIED" for d in answer["error"]["details"])
    assert [c["quota_project"] for c in clean.control("calls")] == [P, "payer", "none"]


def test_a_project_that_is_not_there(clean):
    cloud = clean.cloud()
    assert refused(cloud.compute.networks().list(project="none-such"))[:2] == (404, "notFound")
    status, answer = clean.rest("GET", "/v1/projects/none-such/secrets")
    assert status == 403 and answer["error"]["details"][0]["reason"] == "CONSUMER_INVALID"
    clean.control("projects", {"none-such": {}})
    assert "items" not in cloud.compute.networks().list(project="none-such").execute()


# --- services that have only the core ---


def test_other_services_by_the_core(clean):
    cloud = clean.cloud()
    repositories = cloud.client("artifactregistry").projects().locations().repositories()
    parent = f"projects/{P}/locations/us-central1"
    operation = repositories.create(parent=parent, repositoryId="images", body={"format": "DOCKER"}).execute()
    while "done" not in operation:
        operation = cloud.client("artifactregistry").projects().locations().operations().get(name=operation["name"]).execute()
    assert repositories.get(name=f"{parent}/repositories/images").execute()["format"] == "DOCKER"
    assert repositories.patch(name=f"{parent}/repositories/images", updateMask="labels", body={"labels": {"a": "b"}}).execute()["labels"] == {"a": "b"}
    endpoints = cloud.client("aiplatform").projects().locations().endpoints()
    operation = endpoints.create(parent=parent, body={"displayName": "e"}).execute()
    while "done" not in operation:
        operation = endpoints.operations().get(name=operation["name"]).execute()
    assert operation["response"]["displayName"] == "e"
    assert len(endpoints.list(parent=parent).execute()["endpoints"]) == 1


def test_a_cluster_and_its_node_pools(clean):
    cloud = clean.cloud()
    clusters = cloud.client("container").projects().locations().clusters()
    operations = cloud.client("container").projects().locations().operations()
    parent = f"projects/{P}/locations/us-central1"
    cloud.done(cloud.compute.networks().insert(project=P, body={"name": "default", "autoCreateSubnetworks": True}).execute())

    def done(operation):
        while operation["status"] != "DONE":
            operation = operations.get(name=f"{parent}/operations/{operation['name']}").execute()
        assert "error" not in operation
    started = clusters.create(parent=parent, body={"cluster": {"name": "c", "initialNodeCount": 1}}).execute()
    assert started["operationType"] == "CREATE_CLUSTER"
    done(started)
    name = f"{parent}/clusters/c"
    assert clusters.get(name=name).execute()["nodePools"][0]["status"] == "RUNNING"
    pool = {"nodePool": {"name": "gpu", "initialNodeCount": 0, "config": {"machineType": "g2-standard-4"}}}
    done(clusters.nodePools().create(parent=name, body=pool).execute())
    assert refused(clusters.nodePools().create(parent=name, body=pool))[:2] == (409, "alreadyExists")
    started = clusters.nodePools().delete(name=f"{name}/nodePools/gpu").execute()
    assert refused(clusters.delete(name=name))[:2] == (400, "failedPrecondition")
    done(started)
    done(clusters.delete(name=name).execute())
    assert refused(clusters.get(name=name))[:2] == (404, "notFound")


def test_buckets_and_objects(clean):
    from googleapiclient.http import MediaInMemoryUpload
    storage = clean.cloud().client("storage")
    made = storage.buckets().insert(project=P, body={"name": "state-bucket", "versioning": {"enabled": True}, "location": "us-central1"}).execute()
    assert made["location"] == "US-CENTRAL1" and made["locationType"] == "region"
    assert refused(storage.buckets().insert(project=P, body={"name": "state-bucket"}))[:2] == (409, "conflict")
    body = MediaInMemoryUpload(b"{}", mimetype="application/json")
    first = storage.objects().insert(bucket="state-bucket", name="a/lock", media_body=body, ifGenerationMatch=0).execute()
    assert refused(storage.objects().insert(bucket="state-bucket", name="a/lock", media_body=body, ifGenerationMatch=0))[:2] == (412, "conditionNotMet")
    assert storage.objects().get_media(bucket="state-bucket", object="a/lock").execute() == b"{}"
    assert [o["name"] for o in storage.objects().list(bucket="state-bucket", prefix="a/").execute()["items"]] == ["a/lock"]
    assert refused(storage.buckets().delete(bucket="state-bucket"))[:2] == (409, "conflict")
    assert refused(storage.objects().delete(bucket="state-bucket", object="a/lock", ifGenerationMatch=1))[0] == 412
    storage.objects().delete(bucket="state-bucket", object="a/lock", ifGenerationMatch=first["generation"]).execute()
    changed = storage.buckets().patch(bucket="state-bucket", body={"labels": {"a": "b"}}).execute()
    assert changed["labels"] == {"a": "b"} and changed["metageneration"] == "2"
    storage.buckets().delete(bucket="state-bucket").execute()
    assert refused(storage.buckets().get(bucket="state-bucket"))[:2] == (404, "notFound")


# --- permissions ---


def test_a_node_needs_these_permissions_and_no_others(clean):
    Node(clean).made()
    used = clean.control("permissions")["used"]
    assert used == sorted([
        "compute.disks.create", "compute.disks.use", "compute.firewalls.create", "compute.globalOperations.get", "compute.instances.create",
        "compute.instances.setLabels", "compute.instances.setMetadata", "compute.instances.setServiceAccount", "compute.instances.setTags",
        "compute.networks.create", "compute.networks.updatePolicy", "compute.regionOperations.get", "compute.routers.create", "compute.subnetworks.create",
        "compute.subnetworks.use", "compute.zoneOperations.get", "iam.serviceAccounts.actAs", "iam.serviceAccounts.create"])
    clean.control("reset", {})
    clean.control("permissions", {"allowed": used})
    Node(clean).made()
    clean.control("reset", {})
    clean.control("permissions", {"allowed": [u for u in used if u != "iam.serviceAccounts.actAs"]})
    status, reason, message = refused(Node(clean).insertion)
    assert (status, reason) == (403, "forbidden") and "'iam.serviceAccounts.actAs'" in message


def test_a_denied_permission_is_named(clean):
    clean.control("permissions", {"denied": ["secretmanager.secrets.create", "resourcemanager.projects.setIamPolicy"]})
    status, answer = clean.rest("POST", f"/v1/projects/{P}/secrets?secretId=a", {"replication": {"automatic": {}}})
    assert status == 403 and answer["error"]["status"] == "PERMISSION_DENIED"
    assert answer["error"]["details"][0]["reason"] == "IAM_PERMISSION_DENIED"
    assert answer["error"]["details"][0]["metadata"]["permission"] == "secretmanager.secrets.create"
    assert clean.rest("POST", f"/v1/projects/{P}:setIamPolicy", {"policy": {}})[1]["error"]["message"] == "The caller does not have permission"
    assert clean.rest("GET", f"/v1/projects/{P}/secrets")[0] == 200
