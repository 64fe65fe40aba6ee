"""The simulated GCP asked by google-api-python-client, Google's own client: the tests' view, which the provider has no part in."""
import functools
import json
import os
import time
import urllib.request

import google.auth.credentials
from google.api_core.client_options import ClientOptions
from googleapiclient.discovery import build_from_document
from googleapiclient.http import build_http
from google_auth_httplib2 import AuthorizedHttp

from tests.sim.gcp.model import DOCUMENTS, VERSIONS
from tests.sim.gcp.show import own


@functools.lru_cache(None)
def own_document(service, version):
    """A copy for Google's client, which adds to it."""
    with open(os.path.join(DOCUMENTS, f"{service}.{version}.json"), encoding="utf-8") as file:
        return json.load(file)


class Bearer(google.auth.credentials.Credentials):
    """A token that never ends."""

    def __init__(self, token):
        super().__init__()
        self.token = token

    def refresh(self, request):
        pass


class Cloud:
    def __init__(self, endpoint, project="test-project", token="test"):
        self.endpoint, self.project, self.token, self.clients = endpoint, project, token, {}

    def client(self, service, version=None):
        """Google's client of a service."""
        key = service, version or VERSIONS[service][0]
        if key not in self.clients:
            raw = own_document(*key)
            root = f"{self.endpoint}/{service}/" if service not in ("compute", "storage") else f"{self.endpoint}/"
            raw = {**raw, "rootUrl": root, "baseUrl": root + raw["servicePath"]}
            self.clients[key] = build_from_document(raw, http=AuthorizedHttp(Bearer(self.token), build_http()),
                                                    client_options=ClientOptions(api_endpoint=root + raw["servicePath"]))
        return self.clients[key]

    @property
    def compute(self):
        return self.client("compute")

    def done(self, operation, timeout=60):
        """Waits for one of Compute Engine's operations; raises if it failed."""
        scope = {"project": self.project}
        kind = "global"
        for name in ("zone", "region"):
            if name in operation:
                kind, scope[name] = name, operation[name].rsplit("/", 1)[1]
        deadline = time.monotonic() + timeout
        collection = getattr(self.compute, f"{kind}Operations")()
        while operation["status"] != "DONE":
            assert time.monotonic() < deadline, operation
            time.sleep(0.02)
            operation = collection.get(operation=operation["name"], **scope).execute()
        if "error" in operation:
            raise OperationFailed(operation)
        return operation

    def things(self, service=None):
        """Everything that exists: {service: {name: body}}, or the one service's."""
        with urllib.request.urlopen(f"{self.endpoint}/_sim/things") as answer:
            found = json.load(answer)
        return found if service is None else found.get(service, {})

    def made(self):
        """What somebody made and still exists: sorted "service name". A secret's version that was destroyed is a number without a value."""
        return sorted(f"{s} {n}" for s, found in self.things().items() for n, body in found.items()
                      if own(s, n) and body.get("lifecycleState") != "DELETE_REQUESTED" and body.get("state") != "DESTROYED")

    def names(self, collection):
        """The names of what a collection of Compute Engine has."""
        return [n for n in self.things("compute") if n.split("/")[-2] == collection]


class OperationFailed(Exception):
    def __init__(self, operation):
        super().__init__(json.dumps(operation["error"]))
        self.operation = operation
        self.code = operation["error"]["errors"][0]["code"]
