"""The objects of a platform in a cluster, each through its whole life by its component table, against a real API server: made, found to be as
wanted, changed, found again, destroyed, with a token that is allowed what the table names and no more; and what others do to them meanwhile.

Usage: kubernetes_component_live.py PROGRAM [NAME …]   PROGRAM is the built kubernetes_component_lines.
"""
import json
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.kube.cluster import Cluster, Refused  # noqa: E402

MANAGER, RBAC = "terraform-provider-llm", "rbac.authorization.k8s.io"
OWNER = {"app.kubernetes.io/managed-by": MANAGER, "llm-component": "it", "llm-resource": "llm_test--x"}
TABLES = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "schemas/components/kubernetes").glob("*.json"))}


class Ground:
    def __init__(self, program, cluster):
        self.cluster, self.count = cluster, 0
        self.program = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={})

    def end(self):
        self.program.stdin.close()
        assert self.program.wait(60) == 0

    def allow(self):
        """For each kind, a token that is allowed what its table names."""
        c, account = self.cluster, {"kind": "ServiceAccount", "namespace": "kube-system"}
        for kind, table in TABLES.items():
            name = kind.replace("_", "-")
            rules = []
            for permission in table["permissions"]:
                resource, _, verb = permission.partition(":")
                plural, _, group = resource.partition(".")
                rules.append({"apiGroups": [group], "resources": [plural], "verbs": [verb]})
            c.request("POST", "/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": name}})
            c.request("POST", f"/apis/{RBAC}/v1/clusterroles", {"metadata": {"name": name}, "rules": rules})
            c.request("POST", f"/apis/{RBAC}/v1/clusterrolebindings", {"metadata": {"name": name}, "subjects": [{**account, "name": name}],
                                                                       "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}})
        self.tokens = {kind: c.account_token("kube-system", kind.replace("_", "-"), 3600) for kind in TABLES}
        time.sleep(1)  # the server reads roles through a cache

    def namespace(self):
        self.count += 1
        self.cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": f"n{self.count}"}})
        return f"n{self.count}"

    def send(self, what, kind, inputs, records=None):
        c = self.cluster
        line = {"do": what, "components": {"it": {"kind": f"kubernetes_{kind}", "inputs": inputs}}, "endpoint": c.endpoint, "ca": c.ca_pem, "token": self.tokens[kind],
                **({"records": records} if records else {})}
        self.program.stdin.write(json.dumps(line) + "\n")
        self.program.stdin.flush()
        return json.loads(self.program.stdout.readline())

    def good(self, what, kind, inputs, records=None):
        answer = self.send(what, kind, inputs, records)
        assert answer["errors"] == [], (kind, what, answer["errors"])
        return answer

    def refused(self, *given, says):
        answer = self.send(*given)
        assert answer["errors"], (given[:2], answer)
        for part in says:
            assert part in answer["errors"][0], (part, answer["errors"])
        return answer


def path(kind, inputs):
    """Of the object, as its table has it."""
    return TABLES[kind]["read"]["uri"].format(**inputs)


def gone(ground, kind, inputs):
    try:
        ground.cluster.get(path(kind, inputs))
    except Refused as why:
        return why.status == 404
    return False


def attributes(answer):
    records = answer["records"]
    assert len(records) <= 1, records
    return records[0]["attrs"] if records else None


def life(ground, kind, inputs, *changes):
    """A whole life. `changes`: an update, and what another client must see of the object then."""
    made, uid = ground.good("apply", kind, inputs), None
    for change, seen in (({}, {}), *changes):
        inputs = {**inputs, **change}
        made = ground.good("apply", kind, inputs, made["records"])
        there = ground.cluster.get(path(kind, inputs))
        there["metadata"].get("annotations", {}).pop("deprecated.daemonset.template.generation", None)
        if not there["metadata"].get("annotations"):
            there["metadata"].pop("annotations", None)
        uid = uid or there["metadata"]["uid"]
        assert there["metadata"]["uid"] == uid, (kind, change, "is another object")
        assert there["metadata"]["labels"].items() >= {**OWNER, **inputs.get("labels", {})}.items(), there
        for at, value in seen.items():
            found = there
            for part in at.split("."):
                found = found[int(part)] if isinstance(found, list) else (found or {}).get(part)
            assert found == value, (kind, at, found)
        read = ground.good("refresh", kind, inputs, made["records"])
        assert read["changes"] == {}, (kind, change, read["changes"], read["records"])
        found = ground.good("find", kind, inputs)
        assert found["changes"] == {}, (kind, "found", change, found["changes"], found["records"])
        assert attributes(found)["id"] == "/".join(inputs[k] for k in ("namespace", "name") if k in inputs) and attributes(found)["uid"] == uid
    with ground.cluster.controllers():
        assert attributes(ground.good("destroy", kind, inputs, made["records"])) is None
    assert gone(ground, kind, inputs)
    assert attributes(ground.good("destroy", kind, inputs, made["records"])) is None, "once more does no harm"
    assert ground.good("find", kind, inputs)["changes"] != {}, (kind, "is still found")


METADATA = [({"labels": {"team": "ml"}, "annotations": {"a": "b", "c": "d"}}, {"metadata.annotations": {"a": "b", "c": "d"}}),
            ({"labels": {"team": "other"}, "annotations": {"a": "x"}}, {"metadata.annotations": {"a": "x"}}),
            ({"labels": {}, "annotations": {}}, {"metadata.annotations": None})]


def test_namespace(g):
    life(g, "namespace", {"name": "team-a", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}, *METADATA)


def test_resource_quota(g):
    life(g, "resource_quota", {"namespace": g.namespace(), "name": "q", "hard": {"requests.cpu": "0.5", "requests.memory": "1024Mi", "pods": "20"}}, *METADATA,
         ({"hard": {"requests.cpu": "1500m", "limits.memory": "1.5Gi", "requests.nvidia.com/gpu": "4"}},
          {"spec.hard": {"requests.cpu": "1500m", "limits.memory": "1536Mi", "requests.nvidia.com/gpu": "4"}}), ({"hard": {}}, {"spec.hard": None}))


def test_limit_range(g):
    life(g, "limit_range", {"namespace": g.namespace(), "name": "l", "limits": [{"type": "Container", "max": {"cpu": "4000m", "memory": "8Gi"}, "min": {"cpu": "0.1"}}]},
         *METADATA, ({"limits": [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "0.25"}}]},
                     {"spec.limits": [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "250m"}}]}),
         ({"limits": [{"type": "Container", "default": {"cpu": "1"}}, {"type": "Pod", "max": {"memory": "1e9"}}]}, {"spec.limits.1.max.memory": "1e9"}))


def test_config_map(g):
    life(g, "config_map", {"namespace": g.namespace(), "name": "c", "data": {"MODEL": "llama", "empty": "", "multi": "a\nb\n"}}, *METADATA,
         ({"data": {"MODEL": "other"}}, {"data": {"MODEL": "other"}}), ({"data": {}}, {"data": None}))


def test_service_account(g):
    life(g, "service_account", {"namespace": g.namespace(), "name": "s", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/r"}}, *METADATA,
         ({"automount_service_account_token": False}, {"automountServiceAccountToken": False}), ({"automount_service_account_token": True}, {"automountServiceAccountToken": True}))


def test_role(g):
    rule = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}
    life(g, "role", {"namespace": g.namespace(), "name": "r", "rules": [rule]}, *METADATA,
         ({"rules": [rule, {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"], "resourceNames": ["x"]}]}, {"rules.1.resourceNames": ["x"]}), ({"rules": []}, {"rules": None}))


def test_role_binding(g):
    group = {"kind": "Group", "name": "ml"}
    inputs = {"namespace": g.namespace(), "name": "b", "role_ref": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}, "subjects": [group]}
    life(g, "role_binding", inputs, *METADATA, ({"subjects": [group, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}, {"kind": "User", "apiGroup": RBAC, "name": "u"}]},
                                                {"subjects.0.apiGroup": RBAC, "subjects.1.name": "s"}), ({"subjects": []}, {"subjects": None}))
    made = g.good("apply", "role_binding", inputs)
    uid = attributes(made)["uid"]
    inputs["role_ref"] = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"}
    assert g.good("plan", "role_binding", inputs, made["records"])["changes"] == {"it": ["role_ref"]}
    made = g.good("apply", "role_binding", inputs, made["records"])
    there = g.cluster.get(path("role_binding", inputs))
    assert there["roleRef"]["name"] == "edit" and there["metadata"]["uid"] == attributes(made)["uid"] != uid, there


def test_cluster_role_binding(g):
    group = {"kind": "Group", "name": "ml"}
    inputs = {"name": "platform-admins", "role_ref": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}, "subjects": [group]}
    life(g, "cluster_role_binding", inputs, *METADATA, ({"subjects": [group, {"kind": "User", "apiGroup": RBAC, "name": "u"}]}, {"subjects.0.apiGroup": RBAC, "subjects.1.name": "u"}))


def test_network_policy(g):
    inner = [{"from": [{"namespaceSelector": {"matchLabels": {"team": "ml"}}}, {"podSelector": {}}], "ports": [{"port": 80}, {"port": "metrics", "protocol": "UDP"}]}]
    inputs = {"namespace": g.namespace(), "name": "default-deny", "pod_selector": {}, "policy_types": ["Ingress"]}
    life(g, "network_policy", inputs, *METADATA, ({"ingress": inner}, {"spec.podSelector": {}, "spec.ingress.0.ports.0.protocol": "TCP", "spec.ingress.0.from.1.podSelector": {}}),
         ({"policy_types": ["Ingress", "Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}], "ingress": []}, {"spec.ingress": None}),
         ({"egress": [{}], "pod_selector": {"matchLabels": {"app": "x"}}}, {"spec.egress": [{}], "spec.podSelector.matchLabels": {"app": "x"}}))


PLUGIN = {"name": "nvidia-device-plugin-ctr", "image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.1", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
          "env": [{"name": "FAIL_ON_INIT_ERROR", "value": "false"}, {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}], "ports": [{"containerPort": 9400}],
          "volumeMounts": [{"name": "kubelet-device-plugins-dir", "mountPath": "/var/lib/kubelet/device-plugins"}]}


def test_daemon_set(g):
    """The device plugin of NVIDIA as its own manifest has it, and more."""
    labels = {"name": "nvidia-device-plugin-ds"}
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["a"]}]}]}}}
    inputs = {"namespace": g.namespace(), "name": "nvidia-device-plugin-daemonset", "selector": {"matchLabels": labels}, "update_strategy": {"type": "RollingUpdate"}, "pod_labels": labels,
              "tolerations": [toleration], "priority_class_name": "system-node-critical", "containers": [PLUGIN],
              "volumes": [{"name": "kubelet-device-plugins-dir", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}]}
    life(g, "daemon_set", inputs, *METADATA, ({"containers": [{**PLUGIN, "image": "other:1", "ports": []}]}, {"spec.template.spec.containers.0.image": "other:1"}),
         ({"node_selector": {"gpu": "yes"}, "affinity": affinity, "tolerations": [toleration, {"operator": "Exists"}], "pod_annotations": {"a": "b"}, "pod_labels": {**labels, "x": "y"}},
          {"spec.template.spec.affinity": affinity, "spec.template.spec.nodeSelector": {"gpu": "yes"}, "spec.template.metadata.labels": {**labels, "x": "y"}}),
         ({"volumes": [*inputs["volumes"], {"name": "tmp", "emptyDir": {}}], "init_containers": [{"name": "i", "image": "i:1"}], "service_account_name": "s",
           "update_strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}}}, {"spec.template.spec.volumes.1.emptyDir": {}}),
         ({"node_selector": {}, "tolerations": [], "volumes": inputs["volumes"], "init_containers": [], "priority_class_name": "", "service_account_name": "", "pod_annotations": {}},
          {"spec.template.spec.nodeSelector": None, "spec.template.spec.tolerations": None, "spec.template.spec.priorityClassName": None}))


# ---- a model in the cluster

SERVE = {"app.kubernetes.io/name": "vllm", "app.kubernetes.io/instance": "m"}
PROBE = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10}
VLLM = {"name": "vllm", "image": "vllm/vllm-openai:v0.11.0", "args": ["--model", "mistralai/Mistral-7B-Instruct-v0.3", "--max-model-len", "8192"],
        "ports": [{"name": "http", "containerPort": 8000}], "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "24Gi"}, "requests": {"cpu": "2", "memory": "24Gi"}},
        "env": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}], "readinessProbe": PROBE, "startupProbe": {**PROBE, "failureThreshold": 180},
        "volumeMounts": [{"name": "weights", "mountPath": "/root/.cache/huggingface"}, {"name": "shm", "mountPath": "/dev/shm"}]}


def serving(namespace):
    return {"namespace": namespace, "name": "vllm", "replicas": 2, "selector": {"matchLabels": SERVE}, "pod_labels": SERVE, "containers": [VLLM],
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, "progress_deadline_s": 1800, "termination_grace_period_s": 120,
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}], "node_selector": {"pool": "gpu"},
            "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}, {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]}


def test_deployment(g):
    spread = [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": SERVE}}]
    inside = "spec.template.spec."
    with g.cluster.controllers():
        life(g, "deployment", serving(g.namespace()), *METADATA, ({"containers": [{**VLLM, "image": "vllm/vllm-openai:v0.11.1"}]}, {inside + "containers.0.image": "vllm/vllm-openai:v0.11.1"}),
             ({"replicas": 3}, {"spec.replicas": 3}), ({"replicas": 0}, {"spec.replicas": 0, "status.availableReplicas": None}),
             ({"min_ready_s": 30, "revision_history_limit": 3, "strategy": {"type": "Recreate"}, "progress_deadline_s": 3600}, {"spec.strategy": {"type": "Recreate"}, "spec.minReadySeconds": 30}),
             ({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}},
               "topology_spread_constraints": spread, "security_context": {"fsGroup": 1000}, "image_pull_secrets": [{"name": "registry"}], "runtime_class_name": "nvidia",
               "service_account_name": "quant-sa", "automount_service_account_token": False, "init_containers": [{"name": "i", "image": "i:1"}], "pod_annotations": {"a": "b"}},
              {inside + "runtimeClassName": "nvidia", inside + "topologySpreadConstraints.0.maxSkew": 1, inside + "automountServiceAccountToken": False}),
             ({"topology_spread_constraints": [], "image_pull_secrets": [], "runtime_class_name": "", "service_account_name": "", "init_containers": [], "tolerations": [], "node_selector": {},
               "pod_annotations": {}, "termination_grace_period_s": 60}, {inside + "runtimeClassName": None, inside + "tolerations": None, inside + "terminationGracePeriodSeconds": 60}))


def test_a_deployment_is_waited_for(g):
    """Until its pods are available; and what a scaler sets is left to it."""
    inputs = serving(g.namespace())
    del inputs["replicas"]
    where, ended = path("deployment", inputs), []
    thread = threading.Thread(target=lambda: ended.append(g.good("apply", "deployment", inputs)))
    thread.start()
    numbers = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 0, "availableReplicas": 0}
    time.sleep(1)
    g.cluster.set_status(where, {"observedGeneration": 1, **numbers})
    time.sleep(1.5)
    assert not ended
    g.cluster.set_status(where, {"readyReplicas": 1, "availableReplicas": 1})
    thread.join(20)
    assert ended, "it is complete"
    g.cluster.merge(where + "/scale", {"spec": {"replicas": 5}}, manager="scaler")
    seen = g.good("refresh", "deployment", inputs, ended[0]["records"])
    assert seen["changes"] == {} and "replicas" not in {k for k, v in attributes(seen).items() if v is not None}, seen
    with g.cluster.controllers():
        made = g.good("apply", "deployment", {**inputs, "min_ready_s": 5}, seen["records"])
    assert g.cluster.get(where)["spec"]["replicas"] == 5
    with g.cluster.controllers():
        g.good("destroy", "deployment", inputs, made["records"])


def test_replicas_are_left_to_a_scaler(g):
    """From then on that they are not set any more."""
    inputs = serving(g.namespace())
    with g.cluster.controllers():
        made = g.good("apply", "deployment", inputs)
        g.cluster.merge(path("deployment", inputs) + "/scale", {"spec": {"replicas": 5}}, manager="scaler")
        del inputs["replicas"]
        inputs["min_ready_s"] = 5
        made = g.good("apply", "deployment", inputs, made["records"])
        assert g.cluster.get(path("deployment", inputs))["spec"]["replicas"] == 5
        assert attributes(g.good("refresh", "deployment", inputs, made["records"])).get("replicas") is None
        g.good("destroy", "deployment", inputs, made["records"])


def test_a_deployment_that_does_not_come(g):
    inputs = serving(g.namespace())
    where, ended = path("deployment", inputs), []
    thread = threading.Thread(target=lambda: ended.append(g.send("apply", "deployment", inputs)))
    thread.start()
    time.sleep(1)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: gpus"}
    g.cluster.set_status(where, {"observedGeneration": 1, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}, failure]})
    thread.join(20)
    assert '"ProgressDeadlineExceeded": exceeded quota: gpus' in ended[0]["errors"][0] and attributes(ended[0])["uid"], ended
    with g.cluster.controllers():
        made = g.good("apply", "deployment", {**inputs, "replicas": 1}, ended[0]["records"])
        g.good("destroy", "deployment", inputs, made["records"])


def test_a_change_that_fails_leaves_the_old_pods_and_takes_another(g):
    inputs = serving(g.namespace())
    where, ended = path("deployment", inputs), []
    with g.cluster.controllers():
        made = g.good("apply", "deployment", inputs)
    count = inputs["replicas"]
    other = {**inputs, "pod_annotations": {"try": "2"}}
    thread = threading.Thread(target=lambda: ended.append(g.send("apply", "deployment", other, made["records"])))
    thread.start()
    time.sleep(1)
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
    generation = g.cluster.get(where)["metadata"]["generation"]
    g.cluster.set_status(where, {"observedGeneration": generation, "replicas": count + 1, "updatedReplicas": 1, "readyReplicas": count, "availableReplicas": count,
                                 "conditions": [late]})
    thread.join(20)
    assert '"RolloutFailed": late' in ended[0]["errors"][0], ended
    uid = g.cluster.get(where)["metadata"]["uid"]
    read = g.good("refresh", "deployment", other, ended[0]["records"])
    with g.cluster.controllers():
        made = g.good("apply", "deployment", {**inputs, "pod_annotations": {"try": "3"}}, read["records"])
        there = g.cluster.get(where)
        assert there["metadata"]["uid"] == uid and there["spec"]["template"]["metadata"]["annotations"] == {"try": "3"}
        read = g.good("refresh", "deployment", inputs, made["records"])
        assert (attributes(read)["ready_replicas"], attributes(read)["desired_replicas"]) == (count, count), read
        g.good("destroy", "deployment", inputs, made["records"])


def test_service(g):
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    inputs = {"namespace": g.namespace(), "name": "vllm", "type": "ClusterIP", "selector": SERVE, "ports": [port]}
    life(g, "service", inputs, *METADATA, ({"ports": [{**port, "port": 8000, "targetPort": 8000}, {"name": "metrics", "port": 9090}]}, {"spec.ports.1.protocol": "TCP"}),
         ({"selector": {"app": "other"}, "session_affinity": "ClientIP"}, {"spec.selector": {"app": "other"}}))
    life(g, "service", {**inputs, "cluster_ip": "None", "name": "pods"}, ({}, {"spec.clusterIP": "None"}))


def test_a_load_balancer_is_waited_for(g):
    inputs = {"namespace": g.namespace(), "name": "vllm", "type": "LoadBalancer", "selector": SERVE, "ports": [{"port": 80}], "load_balancer_class": "service.k8s.aws/nlb",
              "load_balancer_source_ranges": ["10.0.0.0/8"], "external_traffic_policy": "Local"}
    with g.cluster.controllers(pause_s=1):
        life(g, "service", inputs, ({"load_balancer_source_ranges": []}, {"spec.loadBalancerSourceRanges": None}))
        made = g.good("apply", "service", inputs)
    assert attributes(made)["hostname"] == "lb.example.com" and attributes(made)["address"].startswith("10.96."), attributes(made)


def test_horizontal_pod_autoscaler(g):
    waiting = lambda amount: {"type": "Pods", "pods": {"metric": {"name": "vllm:num_requests_waiting"}, "target": {"type": "AverageValue", "averageValue": amount}}}
    life(g, "horizontal_pod_autoscaler", {"namespace": g.namespace(), "name": "vllm", "scale_target_ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm"},
                                          "min_replicas": 1, "max_replicas": 4, "metrics": [waiting("5000m")]}, *METADATA,
         ({"max_replicas": 8, "min_replicas": 2}, {"spec.maxReplicas": 8}), ({"metrics": [waiting("0.5")]}, {"spec.metrics.0.pods.target.averageValue": "500m"}),
         ({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
           "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}}}, {"spec.behavior.scaleDown.stabilizationWindowSeconds": 600}))


def test_persistent_volume_claim(g):
    inputs = {"namespace": g.namespace(), "name": "weights", "access_modes": ["ReadWriteOnce"], "storage": "102400Mi", "storage_class_name": "fast", "volume_mode": "Filesystem"}
    life(g, "persistent_volume_claim", inputs, *METADATA, ({"storage": "100Gi"}, {"spec.resources.requests.storage": "100Gi"}))
    g.cluster.request("POST", "/apis/storage.k8s.io/v1/storageclasses", {"metadata": {"name": "fast"}, "provisioner": "x", "allowVolumeExpansion": True})
    made, where = g.good("apply", "persistent_volume_claim", inputs), path("persistent_volume_claim", inputs)
    g.cluster.set_status(where, {"phase": "Bound", "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"]})
    made = g.good("apply", "persistent_volume_claim", {**inputs, "storage": "200Gi"}, made["records"])
    assert g.cluster.get(where)["spec"]["resources"]["requests"]["storage"] == "200Gi"
    assert g.good("plan", "persistent_volume_claim", {**inputs, "storage_class_name": "slow", "storage": "200Gi"}, made["records"])["changes"] == {"it": ["storage_class_name"]}


def test_pod_disruption_budget(g):
    life(g, "pod_disruption_budget", {"namespace": g.namespace(), "name": "vllm", "selector": {"matchLabels": SERVE}, "min_available": 1}, *METADATA,
         ({"min_available": "50%"}, {"spec.minAvailable": "50%"}), ({"unhealthy_pod_eviction_policy": "AlwaysAllow"}, {"spec.unhealthyPodEvictionPolicy": "AlwaysAllow"}))
    life(g, "pod_disruption_budget", {"namespace": g.namespace(), "name": "other", "selector": {"matchLabels": SERVE}, "max_unavailable": "25%"}, ({"max_unavailable": 1}, {"spec.maxUnavailable": 1}))


def test_secret(g):
    """Its data is never recorded: a change shows in the version alone."""
    inputs = {"namespace": g.namespace(), "name": "hub", "type": "Opaque", "data": {"token": "hf_first", "more": "ü"}, "data_version": 1}
    life(g, "secret", inputs, *METADATA, ({"data": {"token": "hf_second"}, "data_version": 2}, {"data": {"token": "aGZfc2Vjb25k"}}))
    made = g.good("apply", "secret", inputs)
    assert "hf_" not in json.dumps(made) and "aGZf" not in json.dumps(made), made
    assert g.good("plan", "secret", {**inputs, "data": {"token": "hf_third"}}, made["records"])["changes"] == {}
    there = g.cluster.get(path("secret", inputs))
    assert there["data"] == {"token": "aGZfZmlyc3Q=", "more": "w7w="} and there["type"] == "Opaque"


# ---- others ----

def config_map(g, data):
    inputs = {"namespace": g.namespace(), "name": "c", "data": data}
    return inputs, g.good("apply", "config_map", inputs)


def test_what_others_add_is_left_alone(g):
    inputs, made = config_map(g, {"ours": "1"})
    where = path("config_map", inputs)
    g.cluster.merge(where, {"data": {"theirs": "2"}, "metadata": {"labels": {"x": "y"}, "annotations": {"seen": "by"}}})
    assert g.good("refresh", "config_map", inputs, made["records"])["changes"] == {}
    for data in ({"ours": "3"}, {}, {"ours": "4"}):
        inputs["data"] = data
        made = g.good("apply", "config_map", inputs, made["records"])
        there = g.cluster.get(where)
        assert there["data"] == {"theirs": "2", **data} and there["metadata"]["labels"]["x"] == "y" and there["metadata"]["annotations"] == {"seen": "by"}, there
        assert g.good("refresh", "config_map", inputs, made["records"])["changes"] == {}, data


def test_drift_is_seen_and_repaired(g):
    inputs, made = config_map(g, {"a": "1", "b": "2"})
    inputs2 = {"namespace": inputs["namespace"], "name": "l", "limits": [{"type": "Container", "max": {"cpu": "2"}}]}
    limits = g.good("apply", "limit_range", inputs2)
    g.cluster.merge(path("config_map", inputs), {"data": {"a": None}})
    g.cluster.merge(path("limit_range", inputs2), {"spec": {"limits": [{"type": "Container", "max": {"cpu": "3"}}]}})
    seen = g.good("refresh", "config_map", inputs, made["records"])
    assert seen["changes"] == {"it": ["data"]}, seen
    g.good("apply", "config_map", inputs, seen["records"])
    assert g.cluster.get(path("config_map", inputs))["data"] == {"a": "1", "b": "2"}
    seen = g.good("refresh", "limit_range", inputs2, limits["records"])
    assert seen["changes"] == {"it": ["limits"]}, seen


def test_another_manager_is_named(g):
    inputs, made = config_map(g, {"a": "1", "b": "2"})
    g.cluster.merge(path("config_map", inputs), {"data": {"a": "theirs"}}, manager="helm")
    seen = g.good("refresh", "config_map", inputs, made["records"])
    assert seen["changes"] == {"it": ["data"]}, seen
    answer = g.refused("apply", "config_map", inputs, seen["records"], says=['config map "it"', '"helm"', ".data.a"])
    assert g.cluster.get(path("config_map", inputs))["data"] == {"a": "theirs", "b": "2"} and attributes(answer)["id"] == f"{inputs['namespace']}/c"


def test_objects_of_others_are_not_taken(g):
    namespace = g.namespace()
    for labels in ({}, {**OWNER, "llm-resource": "llm_test--another"}):
        name = f"c{len(labels)}"
        inputs = {"namespace": namespace, "name": name, "data": {"a": "1"}, "annotations": {"a": "b"}}
        theirs = g.cluster.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": name, "labels": labels}, "data": {"b": "2"}})
        assert attributes(g.good("find", "config_map", inputs)) is None
        answer = g.refused("apply", "config_map", inputs, says=["The name is taken", f'"{name}" in "{namespace}" was made by "console"',
                                                               *(f'{k} is "{v}"' for k, v in labels.items())])
        assert attributes(answer) is None and g.cluster.get(path("config_map", inputs)) == theirs
    g.refused("apply", "namespace", {"name": namespace}, says=[f'the Namespace "{namespace}" was made by "console"'])
    assert g.cluster.get(f"/api/v1/namespaces/{namespace}")["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}


def test_what_took_an_object_s_place_is_not_it(g):
    inputs, made = config_map(g, {"a": "1"})
    where = path("config_map", inputs)
    g.cluster.request("DELETE", where)
    theirs = g.cluster.request("POST", where.rsplit("/", 1)[0], {"metadata": {"name": "c"}, "data": {"a": "1"}})
    seen = g.good("refresh", "config_map", inputs, made["records"])
    assert "it" in seen["changes"], seen
    g.refused("apply", "config_map", inputs, seen["records"], says=["The name is taken"])
    assert attributes(g.good("destroy", "config_map", inputs, made["records"])) is None
    assert g.cluster.get(where) == theirs


def test_a_deletion_ends_when_the_object_is_gone(g):
    inputs, made = config_map(g, {"a": "1"})
    where, ended = path("config_map", inputs), []
    g.cluster.merge(where, {"metadata": {"finalizers": ["example.com/hold"]}})
    thread = threading.Thread(target=lambda: ended.append(g.good("destroy", "config_map", inputs, made["records"])))
    thread.start()
    time.sleep(1.5)
    assert not ended and g.cluster.get(where)["metadata"]["deletionTimestamp"]
    g.cluster.merge(where, {"metadata": {"finalizers": None}})
    thread.join(20)
    assert ended and attributes(ended[0]) is None and gone(g, "config_map", inputs)


def test_a_namespace_that_goes_is_waited_for(g):
    """Of the name, and of what it has inside: somebody deletes it, and its controller takes a while."""
    namespace = g.namespace()
    g.cluster.request("DELETE", f"/api/v1/namespaces/{namespace}")
    with g.cluster.controllers(pause_s=1.5):
        made = g.good("apply", "namespace", {"name": namespace})
    assert g.cluster.get(f"/api/v1/namespaces/{namespace}")["status"]["phase"] == "Active" and attributes(made)["id"] == namespace
    g.cluster.request("DELETE", f"/api/v1/namespaces/{namespace}")

    def anew():
        time.sleep(1.5)
        g.cluster.finish_namespace(namespace)
        g.cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})

    thread = threading.Thread(target=anew)
    thread.start()
    g.good("apply", "config_map", {"namespace": namespace, "name": "c", "data": {}})
    thread.join()


def main():
    failures, names = 0, sys.argv[2:]
    with Cluster() as cluster:
        ground = Ground(sys.argv[1], cluster)
        ground.allow()
        tests = [(n, t) for n, t in globals().items() if n.startswith("test_") and (not names or n in names)]
        assert not TABLES.keys() - {n[5:] for n in globals()}, "a table without a test"
        for name, test in tests:
            try:
                test(ground)
                print(f"ok {name}", flush=True)
            except (AssertionError, Refused) as error:
                failures += 1
                print(f"FAILED {name}: {error!r}", flush=True)
        ground.end()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
