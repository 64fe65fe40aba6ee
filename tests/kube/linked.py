"""A real control plane as the API of a simulated cloud's clusters, for tests in which platforms live. All clusters of the simulator have this one,
so that only one platform is there at a time."""
import base64
import contextlib

from tests.kube.cluster import CONTENTS, Cluster, Gone

KINDS = ("/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", *CONTENTS)


class Linked(Cluster):
    """`with Linked("aws") as kube, kube.controllers(): kube.link(simulator)`; once more after each reset of the simulator.

    settings: what the provider needs beside the simulator's. AWS's tokens are checked by the simulator; on Google Cloud the administrator's
    token of this cluster is that of the project's owner."""

    def __init__(self, cloud):
        super().__init__(authenticate=self.known if cloud == "aws" else None)
        self.cloud, self.sim = cloud, None

    def __enter__(self):
        super().__enter__()
        self.usual = self.all_objects()
        return self

    @property
    def settings(self):
        return {} if self.cloud == "aws" else {"GOOGLE_OAUTH_ACCESS_TOKEN": self.admin}

    def known(self, token):
        seen = self.sim.control("cluster_token", {"token": token})
        return (seen["arn"], ["system:masters"]) if seen["valid"] else None

    def link(self, sim):
        self.sim = sim
        authority = base64.b64encode(self.ca_pem.encode()).decode()
        if self.cloud == "aws":
            sim.control("cluster_endpoint", {"endpoint": self.endpoint, "certificateAuthority": authority})
        else:
            sim.control("tokens", {self.admin: {"identity": "admin@example.com", "owner": True}})
            sim.control("cluster_endpoint", {"endpoint": self.endpoint.partition("//")[2], "clusterCaCertificate": authority})

    def all_objects(self):
        found = ((path.rpartition("/")[2], i["metadata"]) for path in KINDS for i in self.get(path)["items"])
        return {f"{kind} {m.get('namespace', '')}/{m['name']}" for kind, m in found}

    def objects(self):
        """What somebody made: sorted "kind namespace/name"."""
        return sorted(self.all_objects() - self.usual)

    def clean(self):
        """Takes away what a test has left."""
        paths = {path.rpartition("/")[2]: path for path in KINDS}
        for one in self.objects():
            kind, _, full = one.partition(" ")
            namespace, _, name = full.partition("/")
            place = paths[kind].rpartition("/")[0] + (f"/namespaces/{namespace}" if namespace else "")
            with contextlib.suppress(Gone):
                self.request("DELETE", f"{place}/{kind}/{name}")
        while self.objects():
            with contextlib.suppress(Gone):
                self.finish_deletions()
