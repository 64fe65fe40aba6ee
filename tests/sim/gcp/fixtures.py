"""Fixtures and helpers of the GCP simulator's own tests."""
import json
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from googleapiclient.errors import HttpError

from tests.sim.gcp.client import Cloud, OperationFailed

ROOT = pathlib.Path(__file__).resolve().parents[3]
P, R, Z = "test-project", "us-central1", "us-central1-a"


class Front:
    def __init__(self, directory):
        self.directory = directory
        self.start()

    def start(self):
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, "-m", "tests.sim.gcp", "--port-file", str(port_file)], cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{int(port_file.read_text())}"

    def control(self, name, value=None, method=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{name}", data=data, method=method or ("GET" if value is None else "POST"))
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def rule(self, **rule):
        self.control("rules", [rule])

    def cloud(self, **options):
        return Cloud(self.url, **options)

    def rest(self, method, path, body=None, token="test", headers=None):
        """(status, answer) of a plain call."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json"} if data is not None else {"content-length": "0"}
        if token:
            sent["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={**sent, **(headers or {})})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else text.decode()


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("gcp"))
    yield front
    front.process.kill()


@pytest.fixture
def front(process):
    """The simulator with an empty world; its own answers must fit the documents."""
    if process.process.poll() is not None:
        process.start()
    process.control("reset", {})
    yield process
    if process.process.poll() is None:
        assert process.control("defects") == []


@pytest.fixture
def clean(front):
    """As front; after the test there may be no violation."""
    yield front
    assert front.control("violations") == []


def refused(request):
    """(status, reason or canonical code, message) of the error that a call gives."""
    with pytest.raises(HttpError) as caught:
        request.execute()
    error = json.loads(caught.value.content)["error"]
    return caught.value.status_code, (error.get("errors") or [{}])[0].get("reason") or error["status"], error["message"]


def failed(cloud, request):
    with pytest.raises(OperationFailed) as caught:
        cloud.done(request.execute())
    return caught.value


class Node:
    """Everything that one instance needs, by Google's client."""

    def __init__(self, front, **options):
        self.cloud = cloud = front.cloud()
        self.compute = compute = cloud.compute
        done = cloud.done
        done(compute.networks().insert(project=P, body={"name": "net", "autoCreateSubnetworks": False}).execute())
        done(compute.subnetworks().insert(project=P, region=R, body={
            "name": "sub", "network": "global/networks/net", "ipCidrRange": "10.0.0.0/24", "privateIpGoogleAccess": True}).execute())
        done(compute.routers().insert(project=P, region=R, body={"name": "router", "network": f"projects/{P}/global/networks/net", "nats": [{
            "name": "nat", "natIpAllocateOption": "AUTO_ONLY", "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
            "subnetworks": [{"name": f"projects/{P}/regions/{R}/subnetworks/sub", "sourceIpRangesToNat": ["ALL_IP_RANGES"]}]}]}).execute())
        done(compute.firewalls().insert(project=P, body={"name": "iap", "network": "global/networks/net", "sourceRanges": ["35.235.240.0/20"],
                                                         "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}], "targetTags": ["node"]}).execute())
        self.email = cloud.client("iam").projects().serviceAccounts().create(name=f"projects/{P}", body={
            "accountId": "node-vm", "serviceAccount": {"displayName": "Node"}}).execute()["email"]
        done(compute.disks().insert(project=P, zone=Z, body={"name": "data", "sizeGb": "200", "type": f"zones/{Z}/diskTypes/pd-balanced"}).execute())
        self.insertion = compute.instances().insert(project=P, zone=Z, body=self.body(**options))

    def body(self, **changes):
        return {
            "name": "node", "machineType": f"zones/{Z}/machineTypes/g2-standard-4", "tags": {"items": ["node"]},
            "disks": [{"boot": True, "autoDelete": True, "initializeParams": {
                "sourceImage": "projects/deeplearning-platform-release/global/images/family/common-cu128-ubuntu-2204-nvidia-570",
                "diskSizeGb": "100", "diskType": f"zones/{Z}/diskTypes/pd-balanced"}}, {"source": f"zones/{Z}/disks/data", "deviceName": "data"}],
            "networkInterfaces": [{"subnetwork": f"regions/{R}/subnetworks/sub"}], "scheduling": {"onHostMaintenance": "TERMINATE"},
            "serviceAccounts": [{"email": self.email, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}],
            "metadata": {"items": [{"key": "enable-guest-attributes", "value": "TRUE"}]}, "labels": {"a": "b"}, **changes}

    def made(self):
        self.cloud.done(self.insertion.execute())
        return self

    def get(self):
        return self.compute.instances().get(project=P, zone=Z, instance="node").execute()
