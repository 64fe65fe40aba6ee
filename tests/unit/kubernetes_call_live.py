"""Calls by the Kubernetes driver against a real API server: server-side apply of the kinds that a platform cluster has, conflicts,
validation, deletion, quotas, access control, trust and tokens.

Usage: kubernetes_call_live.py PROGRAM   PROGRAM is the built kubernetes_call_lines.
"""
import json
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.kube.cluster import Cluster, authority  # noqa: E402

CORE, IN_NAMESPACE = "/api/v1/namespaces/{name}", "/api/v1/namespaces/{namespace}"
MANAGER = "terraform-provider-llm"


class Ground:
    def __init__(self, program, cluster):
        self.cluster = cluster
        self.program = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={})
        self.namespaces = 0

    def end(self):
        self.program.stdin.close()
        assert self.program.wait(60) == 0

    def send(self, method, uri, request=None, **options):
        c = self.cluster
        line = {"endpoint": c.endpoint, "ca": c.ca_pem, "tokens": [c.admin], "name": "Test", "method": method, "uri": uri, "request": request or {}, **options}
        self.program.stdin.write(json.dumps(line) + "\n")
        self.program.stdin.flush()
        return json.loads(self.program.stdout.readline())

    def ok(self, *args, **options):
        result = self.send(*args, **options)
        assert "answer" in result, result
        return result["answer"]

    def refused(self, class_, *args, says=(), **options):
        result = self.send(*args, **options)
        assert result.get("class") == class_, result
        for part in says:
            assert part in result["message"], (part, result)
        return result

    def namespace(self):
        """A new namespace, by the driver."""
        self.namespaces += 1
        name = f"test-{self.namespaces}"
        self.ok("PATCH", CORE, {"name": name, "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name


def in_namespace(api, plural):
    """The path of objects, and of one of them."""
    many = f"/{api}/namespaces/{{namespace}}/{plural}"
    return many, many + "/{name}"


CONFIG_MAPS, CONFIG_MAP = in_namespace("api/v1", "configmaps")


def config_map(namespace, data, name="config", **metadata):
    return {"namespace": namespace, "name": name, "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}


LABELS = {"team": "ml"}
LIMITS = {"limits": [{"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "250m", "memory": "256Mi"}}]}
POD = {"metadata": {"labels": {"app": "agent"}}, "spec": {
    "containers": [{"name": "agent", "image": "registry.example/agent:1", "ports": [{"containerPort": 9400, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "100m"}}}],
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}}
PLATFORM = [
    ("api/v1", "resourcequotas", "v1", "ResourceQuota", {"spec": {"hard": {"requests.cpu": "8", "requests.memory": "32Gi", "pods": "20"}}}),
    ("api/v1", "limitranges", "v1", "LimitRange", {"spec": LIMITS}),
    ("api/v1", "configmaps", "v1", "ConfigMap", {"data": {"MODEL": "llama", "empty": "", "multi": "a\nb\n"}}),
    ("api/v1", "serviceaccounts", "v1", "ServiceAccount", {"automountServiceAccountToken": False}),
    ("apis/rbac.authorization.k8s.io/v1", "roles", "rbac.authorization.k8s.io/v1", "Role",
     {"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]}),
    ("apis/rbac.authorization.k8s.io/v1", "rolebindings", "rbac.authorization.k8s.io/v1", "RoleBinding",
     {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "object"},
      "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "ml"}]}),
    ("apis/networking.k8s.io/v1", "networkpolicies", "networking.k8s.io/v1", "NetworkPolicy",
     {"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"namespaceSelector": {"matchLabels": LABELS}}]}]}}),
    ("apis/apps/v1", "daemonsets", "apps/v1", "DaemonSet", {"spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": POD}}),
]


def test_platform_objects(g):
    """Each kind: applied, read back as it was applied in spite of defaults, applied again without a change, found, deleted."""
    namespace = g.namespace()
    for api, plural, version, kind, body in PLATFORM:
        many, one = in_namespace(api, plural)
        owner = {"type": "llm_platform_cluster", "name": "demo", "component": f"{plural}.object"}
        where = {"namespace": namespace, "name": "object"}
        request = {**where, "apiVersion": version, "kind": kind, "metadata": {"name": "object", "labels": "$labels"}, **body}
        made = g.ok("PATCH", one, request, owner=owner)
        got = g.ok("GET", one, where)
        assert got["kind"] == kind and "managedFields" not in got["metadata"], got
        assert got["metadata"]["labels"] == {"app.kubernetes.io/managed-by": MANAGER, "llm-component": f"{plural}.object",
                                             "llm-resource": "llm_platform_cluster--demo"}, got
        assert {**got["applied"], "metadata": None} == {**body, "metadata": None}, (got["applied"], body)
        assert got["applied"]["metadata"] == {"labels": got["metadata"]["labels"]}
        again = g.ok("PATCH", one, request, owner=owner)
        assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        found = g.ok("GET", many + "{?labelSelector}", {"namespace": namespace, "labelSelector": "$selector"}, owner=owner)["items"]
        assert [i["metadata"]["name"] for i in found] == ["object"] and found[0]["applied"] == got["applied"], found
        g.ok("DELETE", one, {**where, "propagationPolicy": "Background", "preconditions": {"uid": got["metadata"]["uid"]}})
        g.refused("not found", "GET", one, where, says=[plural, '"object" not found'])


def test_namespace_applied(g):
    owner = {"type": "llm_platform_cluster", "name": "demo", "component": "namespace.team-a"}
    g.ok("PATCH", CORE, {"name": "team-a", "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a", "labels": "$labels"}}, owner=owner)
    got = g.ok("GET", CORE, {"name": "team-a"})
    assert got["status"]["phase"] == "Active" and got["metadata"]["labels"]["kubernetes.io/metadata.name"] == "team-a"
    assert "kubernetes.io/metadata.name" not in got["applied"]["metadata"]["labels"]
    found = g.ok("GET", "/api/v1/namespaces{?labelSelector}", {"labelSelector": "$selector"}, owner=owner)
    assert [i["metadata"]["name"] for i in found["items"]] == ["team-a"]


def test_what_is_no_longer_applied_goes(g):
    namespace = g.namespace()
    g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"a": "1", "b": "2"}))
    g.cluster.merge(f"/api/v1/namespaces/{namespace}/configmaps/config", {"data": {"theirs": "3"}, "metadata": {"labels": {"x": "y"}}})
    got = g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"a": "1"}))
    assert got["data"] == {"a": "1", "theirs": "3"} and got["applied"] == {"data": {"a": "1"}}, got


def test_conflict(g):
    namespace = g.namespace()
    path = f"/api/v1/namespaces/{namespace}/configmaps/config"
    g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"a": "1", "b": "2", "c": "3"}))
    g.cluster.merge(path, {"data": {"a": "theirs"}}, manager="kubectl-edit")
    g.cluster.apply(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"b": "theirs"}}, "helm", force=True)
    assert g.ok("GET", CONFIG_MAP, {"namespace": namespace, "name": "config"})["applied"] == {"data": {"c": "3"}}
    result = g.refused("conflict", "PATCH", CONFIG_MAP, config_map(namespace, {"a": "1", "b": "2", "c": "4"}),
                       says=['"kubectl-edit" using v1', " has .data.a", '"helm" has .data.b', "Nothing was changed"])
    assert result["code"] == "FieldManagerConflict" and result["status"] == 409, result
    assert g.cluster.get(path)["data"] == {"a": "theirs", "b": "theirs", "c": "3"}
    # the same value is no conflict
    g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"a": "theirs", "c": "4"}))


def test_version_and_uid(g):
    namespace = g.namespace()
    made = g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"a": "1"}))
    g.refused("conflict", "PATCH", CONFIG_MAP, config_map(namespace, {"a": "2"}, resourceVersion="1"))
    where = {"namespace": namespace, "name": "config"}
    g.refused("conflict", "DELETE", CONFIG_MAP, {**where, "preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}, says=["UID"])
    g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"a": "2"}, resourceVersion=made["metadata"]["resourceVersion"]))
    g.refused("conflict", "POST", CONFIG_MAPS, {k: v for k, v in config_map(namespace, {}).items() if k != "name"}, says=["already exists"])


def test_validation(g):
    """Each with the field's path, and nothing made."""
    namespace = g.namespace()
    quotas, quota = in_namespace("api/v1", "resourcequotas")
    where = {"namespace": namespace, "name": "q", "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}}
    g.refused("invalid", "PATCH", quota, {**where, "spec": {"hrad": {"pods": "1"}}}, says=[".spec.hrad"])
    g.refused("invalid", "PATCH", quota, {**where, "spec": {"hard": {"pods": "many"}}}, says=["quantities"])
    g.refused("invalid", "PATCH", quota, {**where, "spec": {"hard": {"pods": "-1"}}}, says=["spec.hard[pods]"])
    g.refused("invalid", "POST", quotas, {**{k: v for k, v in where.items() if k != "name"}, "spec": {"hrad": {}}}, says=["strict decoding error", "spec.hrad"])
    g.refused("invalid", "PATCH", CONFIG_MAP, config_map(namespace, {"a": 1}), says=[".data.a"])
    result = g.refused("invalid", "PATCH", CONFIG_MAP, config_map(namespace, {"a/b": "1"}, labels={"x": "-"}), says=["metadata.labels", "data[a/b]"])
    assert result["status"] == 422 and result["code"] == "Invalid" and result["request_id"], result
    g.refused("invalid", "PATCH", CONFIG_MAP, {**config_map(namespace, {}), "metadata": {"name": "another"}})
    g.refused("invalid", "PATCH", CORE, {"name": "No_Name", "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "No_Name"}}, says=["metadata.name"])
    g.refused("not found", "GET", quota, {"namespace": namespace, "name": "q"})


def test_apis_that_are_not_there(g):
    g.refused("unsupported", "GET", "/apis/nothing.example/v1/things", says=["no such API"])
    g.refused("not found", "PATCH", CONFIG_MAP, config_map("nowhere", {}), says=['namespaces "nowhere" not found'])


def test_delete_waits_for_finalizers(g):
    namespace = g.namespace()
    where = {"namespace": namespace, "name": "config"}
    made = g.ok("PATCH", CONFIG_MAP, config_map(namespace, {}, finalizers=["example.com/hold"]))
    answer = g.ok("DELETE", CONFIG_MAP, {**where, "propagationPolicy": "Foreground", "preconditions": {"uid": made["metadata"]["uid"]}})
    assert answer["metadata"]["deletionTimestamp"], answer
    assert g.ok("GET", CONFIG_MAP, where)["metadata"]["deletionTimestamp"]
    assert "answer" in g.send("DELETE", CONFIG_MAP, where), "once more does no harm"
    g.cluster.merge(f"/api/v1/namespaces/{namespace}/configmaps/config", {"metadata": {"finalizers": None}})
    g.refused("not found", "GET", CONFIG_MAP, where)
    g.refused("not found", "DELETE", CONFIG_MAP, where)


def test_namespace_that_goes(g):
    namespace = g.namespace()
    g.ok("DELETE", CORE, {"name": namespace})
    assert g.ok("GET", CORE, {"name": namespace})["status"]["phase"] == "Terminating"
    result = g.refused("dependency", "PATCH", CONFIG_MAP, config_map(namespace, {}), says=["being terminated"])
    assert result["code"] == "NamespaceTerminating", result
    g.cluster.finish_namespace(namespace)
    g.refused("not found", "GET", CORE, {"name": namespace})


def test_quota(g):
    namespace = g.namespace()
    quota = f"/api/v1/namespaces/{namespace}/resourcequotas/q"
    hard = {"count/configmaps": "1"}
    g.ok("PATCH", in_namespace("api/v1", "resourcequotas")[1], {"namespace": namespace, "name": "q", "apiVersion": "v1", "kind": "ResourceQuota",
                                                                "metadata": {"name": "q"}, "spec": {"hard": hard}})
    g.cluster.set_status(quota, {"hard": hard, "used": {"count/configmaps": "0"}})
    # The server's admission sees a new quota a moment later; what is made before does not count.
    for i in range(100):
        g.ok("PATCH", CONFIG_MAP, config_map(namespace, {}, name=f"first-{i}"))
        if g.cluster.get(quota)["status"]["used"]["count/configmaps"] == "1":
            break
        time.sleep(0.1)
    g.refused("quota", "PATCH", CONFIG_MAP, config_map(namespace, {}, name="second"), says=["exceeded quota: q", "limited: count/configmaps=1"])


def test_limit_range(g):
    namespace = g.namespace()
    g.ok("PATCH", in_namespace("api/v1", "limitranges")[1], {"namespace": namespace, "name": "l", "apiVersion": "v1", "kind": "LimitRange",
                                                             "metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}})
    g.ok("PATCH", in_namespace("api/v1", "serviceaccounts")[1], {"namespace": namespace, "name": "default", "apiVersion": "v1", "kind": "ServiceAccount",
                                                                 "metadata": {"name": "default"}})
    pod = {"containers": [{"name": "c", "image": "registry.example/i:1", "resources": {"limits": {"cpu": "2"}}}]}
    g.refused("invalid", "PATCH", in_namespace("api/v1", "pods")[1], {"namespace": namespace, "name": "p", "apiVersion": "v1", "kind": "Pod",
                                                                      "metadata": {"name": "p"}, "spec": pod}, says=["maximum cpu usage per Container"])


def test_access(g):
    namespace, nobody = g.namespace(), [g.cluster.nobody]
    g.refused("permission", "PATCH", CONFIG_MAP, config_map(namespace, {}), tokens=nobody, says=["cannot patch", '"configmaps"', f'"{namespace}"'])
    g.refused("permission", "GET", CONFIG_MAPS, {"namespace": namespace}, tokens=nobody, says=["cannot list", '"configmaps"'])
    role = {"namespace": namespace, "name": "editor", "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "editor"},
            "rules": [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["get", "create", "patch"]}]}
    path = in_namespace("apis/rbac.authorization.k8s.io/v1", "roles")[1]
    g.ok("PATCH", path, role)
    g.ok("PATCH", path.replace("roles", "rolebindings"),
         {"namespace": namespace, "name": "b", "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
          "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "editor"},
          "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "nobody"}]})
    more = {**role, "name": "more", "metadata": {"name": "more"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}
    time.sleep(1)  # the server reads roles through a cache
    g.refused("permission", "PATCH", path, more, tokens=nobody, says=["attempting to grant RBAC permissions not currently held"])


def test_trust(g):
    _, other = authority("another authority")
    _, namesake = authority()
    g.refused("other", "GET", "/version", ca=namesake.decode())
    g.refused("other", "GET", "/version", ca=other.decode(), says=["certificate"])
    # the right authority, but a name that is not in the certificate
    g.refused("other", "GET", "/version", endpoint=g.cluster.endpoint.replace("127.0.0.1", "localhost"), says=["localhost"])
    assert g.ok("GET", "/version", ca=other.decode() + g.cluster.ca_pem)["minor"] == "34"
    # nothing is sent to a server that is not trusted
    result = g.refused("other", "POST", "/api/v1/namespaces", {"kind": "Namespace"}, ca=other.decode())
    assert not result["maybe_processed"], result


def test_tokens(g):
    result = g.refused("credentials", "GET", "/version", tokens=["wrong", "wrong-too"])
    assert result["code"] == "Unauthorized" and result["status"] == 401 and "wrong" not in json.dumps(result), result
    result = g.send("GET", "/version", tokens=["wrong", g.cluster.admin])
    assert result["tokens_used"] == 2 and result["answer"]["minor"] == "34", result
    namespace = g.namespace()
    for i in range(20):  # the server answers before it has read the body
        result = g.send("PATCH", CONFIG_MAP, config_map(namespace, {"a": "x" * 1000 * i}), tokens=["wrong", g.cluster.admin])
        assert result.get("tokens_used") == 2, result
        result = g.send("POST", CONFIG_MAPS, {"namespace": namespace}, tokens=["wrong"])
        assert result["class"] == "credentials", result


def test_a_token_that_has_expired_is_renewed(g):
    namespace = g.namespace()
    where = {"namespace": namespace, "name": "ci", "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci"}}
    g.ok("PATCH", in_namespace("api/v1", "serviceaccounts")[1], where)
    expired, good = (g.cluster.account_token(namespace, "ci", seconds) for seconds in (-300, 600))
    g.refused("credentials", "GET", "/version", tokens=[expired])
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    result = g.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", who, tokens=[expired, good])
    assert result.get("tokens_used") == 2, result
    assert result["answer"]["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:ci", result


def test_many_at_once(g):
    """Two programs apply different parts of one object, and neither is refused."""
    namespace = g.namespace()
    path = f"/api/v1/namespaces/{namespace}/configmaps/config"
    failures = []

    def others():
        try:
            for i in range(20):
                g.cluster.merge(path, {"data": {"theirs": str(i)}}, manager="other")
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"ours": "-1"}))
    thread = threading.Thread(target=others)
    thread.start()
    for i in range(20):
        g.ok("PATCH", CONFIG_MAP, config_map(namespace, {"ours": str(i)}))
    thread.join()
    assert not failures and g.cluster.get(path)["data"] == {"ours": "19", "theirs": "19"}, failures


def main():
    failures = 0
    with Cluster() as cluster:
        ground = Ground(sys.argv[1], cluster)
        for name, test in [(n, t) for n, t in globals().items() if n.startswith("test_")]:
            try:
                test(ground)
                print(f"ok {name}")
            except AssertionError as error:
                failures += 1
                print(f"FAILED {name}: {error}")
        ground.end()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
