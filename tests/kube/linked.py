"""A real control plane as the API of a simulated cloud's clusters, for tests in which platforms live. All clusters of the simulator have this one,
so that only one platform is there at a time."""
import base64
import contextlib

from tests.kube.cluster import CONTENTS, Cluster, Gone
from tests.kube.proxy import Proxy

KINDS = ("/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", *CONTENTS)


class Linked(Cluster):
    """`with Linked("aws") as kube, kube.controllers(): kube.link(simulator)`; once more after each reset of the simulator.

    settings: what the provider needs beside the simulator's. AWS's tokens are checked by the simulator; on Google Cloud the administrator's
    token of this cluster is that of the project's owner. proxied: clients of the simulated cloud come through `proxy`, which notes their calls and
    has rules."""

    def __init__(self, cloud, proxied=False):
        super().__init__(authenticate=self.known if cloud == "aws" else None)
        self.cloud, self.sim, self.proxied, self.proxy = cloud, None, proxied, None

    def __enter__(self):
        super().__enter__()
        self.usual = self.all_objects()
        self.proxy = Proxy(self).__enter__() if self.proxied else None
        return self

    def __exit__(self, *why):
        if self.proxy:
            self.proxy.__exit__(*why)
        super().__exit__(*why)

    @property
    def settings(self):
        return {} if self.cloud == "aws" else {"GOOGLE_OAUTH_ACCESS_TOKEN": self.admin}

    def known(self, token):
        seen = self.sim.control("cluster_token", {"token": token})
        return (seen["arn"], ["system:masters"]) if seen["valid"] else None

    def link(self, sim):
        self.sim = sim
        endpoint = self.proxy.endpoint if self.proxy else self.endpoint
        authority = base64.b64encode(self.ca_pem.encode()).decode()
        if self.cloud == "aws":
            sim.control("cluster_endpoint", {"endpoint": endpoint, "certificateAuthority": authority})
        else:
            sim.control("tokens", {self.admin: {"identity": "admin@example.com", "owner": True}})
            sim.control("cluster_endpoint", {"endpoint": endpoint.partition("//")[2], "clusterCaCertificate": authority})

    def all_objects(self):
        found = ((path.rpartition("/")[2], i["metadata"]) for path in KINDS for i in self.get(path)["items"])
        return {f"{kind} {m.get('namespace', '')}/{m['name']}" for kind, m in found} - {"services default/kubernetes"}  # the server makes it when it likes

    def objects(self):
        """What somebody made: sorted "kind namespace/name"."""
        return sorted(self.all_objects() - self.usual)

    def delete(self, one):
        """Removes an object, which is called as objects() does."""
        kind, _, full = one.partition(" ")
        namespace, _, name = full.partition("/")
        place = next(path for path in KINDS if path.endswith(f"/{kind}")).rpartition("/")[0] + (f"/namespaces/{namespace}" if namespace else "")
        self.request("DELETE", f"{place}/{kind}/{name}")

    def clean(self):
        """Takes away what a test has left."""
        for one in self.objects():
            with contextlib.suppress(Gone):
                self.delete(one)
        while self.objects():
            with contextlib.suppress(Gone):
                self.finish_deletions()
