"""The simulated clouds and the resources that are made there: how the provider is pointed at a cloud, the configurations of each operation, and what
exists, asked by boto3, Google's client and the Kubernetes API."""
import base64
import collections
import contextlib
import functools
import json
import types

from tests.acceptance.conftest import Simulator, aws_settings, gcp_settings
from tests.kube.cluster import Gone
from tests.kube.linked import Linked
from tests.sim import test_gcp_platform, test_sim_eks
from tests.sim.cloud import Cloud
from tests.sim.gcp.client import Cloud as GcpCloud

OPERATIONS = ("create", "update", "replace", "recreate", "destroy")


class Ground:
    """A simulator of its own, and what is asked of it.

    base: the configuration that is there before; changes: what an update changes; moved: what makes components anew; anew: what makes the resource
    anew. made_last: a call near the end of a create. short: timeouts of a run that has little time. thing: what messages call it. fresh: another
    secret than that of `base`; keys: the two.
    """
    name = module = resource = base = changes = moved = anew = made_last = short = thing = fresh = keys = None

    def __init__(self, directory):
        directory.mkdir(parents=True)
        self.sim = Simulator(directory, self.module)
        self.reset()

    @property
    def type(self):
        return f"llm_{self.resource}"

    def reset(self):
        self.sim.reset()

    def stop(self):
        self.sim.stop()

    def configurations(self, operation):
        """(before or None, after or None). replace: components are made anew; recreate: the resource is."""
        after = {"update": {**self.base, **self.changes}, "replace": {**self.base, **self.moved}, "recreate": {**self.base, **self.anew},
                 "create": self.base, "destroy": None}[operation]
        return None if operation == "create" else self.base, after

    # ---- calls, and rules for them

    def calls(self):
        return self.sim.calls()

    def rules(self, rules=None):
        return self.sim.control("rules", rules)

    def clear_rules(self):
        self.sim.clear_rules()

    def hits(self):
        return sum(r.get("hits", 0) for r in self.rules())

    # ---- what exists

    def identities(self):
        """The ids of what exists, in the same order each time."""
        raise NotImplementedError

    def wrong(self):
        """What the simulator found wrong with requests, or with itself."""
        return self.sim.violations()


class Aws(Ground):
    name, module = "aws", "tests.sim.aws"
    removable = {}  # kind -> f(clients, id)

    @property
    def settings(self):
        return aws_settings(self.sim.endpoint)

    @functools.cached_property
    def clients(self):
        return Cloud(self.sim.endpoint)

    def identities(self):
        return sorted((kind, name) for kind, name, _ in self.clients.owned())

    def exists(self):
        return collections.Counter(kind for kind, _, _ in self.clients.owned())

    def remove(self, choice):
        """Removes an object by another hand; which one, `choice` says."""
        found = [(kind, name) for kind, name, _ in self.clients.owned() if kind in self.removable]
        if found:
            kind, name = found[choice % len(found)]
            self.removable[kind](self.clients, name)

    def secret(self):
        """What the only secret holds."""
        client = self.clients.client("secretsmanager")
        [name] = [s["Name"] for s in client.list_secrets()["SecretList"]]
        return client.get_secret_value(SecretId=name)["SecretString"]


class Gcp(Ground):
    name, module = "gcp", "tests.sim.gcp"
    removable = ()  # collections

    @property
    def settings(self):
        return gcp_settings(self.sim.endpoint)

    def reset(self):
        super().reset()
        self.sim.control("settings", {"operation_s": 0.02})

    def identities(self):
        # A version of a secret may take another's place.
        return sorted(n for n in GcpCloud(self.sim.endpoint).made() if "/versions/" not in n)

    def exists(self):
        # Zones, the numbers of versions, and ids that the cloud chooses may differ.
        cloud = GcpCloud(self.sim.endpoint)
        made = [n.rsplit("/", 1)[0] if "/versions/" in n or "/alertPolicies/" in n
                else "/".join("*" if p.startswith("us-central1-") else p for p in n.split("/")) for n in cloud.made()]
        policies = cloud.client("cloudresourcemanager", "v1").projects()
        policy = policies.getIamPolicy(resource="test-project", body={}).execute()
        return collections.Counter(made + [f"{b['role']} {m.split('?')[0]}" for b in policy.get("bindings", []) for m in b["members"]
                                           if "llm-" in m])

    def wrong(self):
        return self.sim.violations() + self.sim.control("defects")

    def remove(self, choice):
        found = [n for n in GcpCloud(self.sim.endpoint).made() if any(f"/{k}/" in n for k in self.removable) and "/versions/" not in n]
        if found:
            service, name = found[choice % len(found)].split(" ")
            if service == "secretmanager":  # with its versions
                GcpCloud(self.sim.endpoint).client(service).projects().secrets().delete(name=name).execute()
            else:
                self.sim.control("remove", {"service": service, "resource": name})

    def secret(self):
        """What the only secret holds."""
        cloud = GcpCloud(self.sim.endpoint)
        [name] = [n for n in cloud.things("secretmanager") if "/versions/" not in n]
        found = cloud.client("secretmanager").projects().secrets().versions().access(name=f"{name}/versions/latest").execute()
        return base64.b64decode(found["payload"]["data"]).decode()


# ---- llm_gpu_node

class Node(Ground):
    resource = "gpu_node"
    common = {"name": "demo", "models": ["llama3.1:8b"], "tailscale": {"auth_key_wo": "tskey-x", "auth_key_wo_version": 1}}
    # Updates of many components in place: firewall, machine, secret, logs, tags.
    changes = {"models": ["llama3.1:8b", "mistral"], "context_tokens": 16384, "log_retention_days": 7, "tags": {"team": "ml"},
               "network": {"ingress_cidrs": ["10.0.0.0/8"]}, "tailscale": {"auth_key_wo": "tskey-y", "auth_key_wo_version": 2}}
    anew = {"network": {"cidr": "10.77.0.0/16"}}
    short = {"create": "3s", "update": "3s", "delete": "3s"}
    thing, keys = "node", ("tskey-x", "tskey-fresh")
    fresh = {"tailscale": {"auth_key_wo": keys[1], "auth_key_wo_version": 1}}


class AwsNode(Node, Aws):
    base = {**Node.common, "cloud": "aws", "zones": ["us-east-1a", "us-east-1b"], "machine": {"candidates": ["g5.xlarge"]}}
    moved = {"zones": ["us-east-1b", "us-east-1c"]}
    made_last = "AttachVolume"
    removable = {
        "instance": lambda c, i: c.client("ec2").terminate_instances(InstanceIds=[i]),
        "NAT gateway": lambda c, i: c.client("ec2").delete_nat_gateway(NatGatewayId=i),
        "Elastic IP address": lambda c, i: c.client("ec2").release_address(AllocationId=i),
        "secret": lambda c, i: c.client("secretsmanager").delete_secret(SecretId=i, ForceDeleteWithoutRecovery=True),
        "log group": lambda c, i: c.client("logs").delete_log_group(logGroupName=i)}


class GcpNode(Node, Gcp):
    base = {**Node.common, "cloud": "gcp", "zones": ["us-central1-a", "us-central1-b"]}
    moved = {"zones": ["us-central1-b", "us-central1-c"]}
    made_last = "compute.instances.attachDisk"
    removable = ("instances", "sinks", "firewalls", "routers", "secrets")


class InCluster(Ground):
    """With an API server of its own behind the simulator's clusters, and a proxy before it. removable_inside: kinds of objects there."""
    removable_inside = ()

    def __init__(self, directory):
        self.stack = contextlib.ExitStack()
        self.kube = self.stack.enter_context(Linked(self.name, proxied=True))
        self.stack.enter_context(self.kube.controllers())
        super().__init__(directory)

    @property
    def settings(self):
        return {**super().settings, **self.kube.settings}

    def reset(self):
        self.clear_rules()
        super().reset()
        self.kube.clean()
        self.kube.proxy.forget()
        self.kube.link(self.sim)

    def stop(self):
        super().stop()
        self.stack.close()

    def calls(self):
        return sorted(super().calls() + self.kube.proxy.calls(), key=lambda c: c["start"])

    def rules(self, rules=None):
        inside = lambda rule: rule["operation"].startswith("kubernetes.")
        outer = super().rules(rules and [r for r in rules if not inside(r)])
        return outer + self.kube.proxy.rules(rules and [r for r in rules if inside(r)])

    def clear_rules(self):
        super().clear_rules()
        self.kube.proxy.clear_rules()

    def identities(self):
        return [*map(str, super().identities()), *self.kube.objects()]

    def exists(self):
        return super().exists() + collections.Counter(self.kube.objects())

    def remove(self, choice):
        """Every other time something in the cluster, where the cloud has something too."""
        found = [o for o in self.kube.objects() if o.split(" ")[0] in self.removable_inside]
        if self.removable and (not found or choice % 2):
            return super().remove(choice // 2)
        if found:
            with contextlib.suppress(Gone):
                self.kube.delete(found[choice // 2 % len(found)])
        return None


# ---- llm_platform_cluster

def space(**more):
    return {"quota": {"requests.cpu": "4", "pods": "10"}, "limit_range": {"default_cpu": "500m"}, "config": {"LOG_LEVEL": "info"},
            "rbac": {"editors": ["team"], "roles": {"reader": {"subjects": ["user:ada"], "rules": [{"resources": ["pods"], "verbs": ["get"]}]}}}, **more}


class Platform(InCluster):
    resource = "platform_cluster"
    common = {"name": "demo", "deletion_protection": False, "node_pools": {"general": {"max": 2}}, "registries": {"names": ["gateway"]},
              "namespaces": {"quant": space()}, "workloads": {"api": {"namespace": "quant", "metrics": True}}, "observability": {"alarms": {}}}
    # Of each kind of object in place, and some that come and go.
    changes = {"node_pools": {"general": {"max": 4, "labels": {"tier": "x"}}}, "registries": {"names": ["gateway", "eval"], "keep_tagged": 5},
               "namespaces": {"quant": space(quota={"pods": "20"}, config={"LOG_LEVEL": "debug"}, rbac={"viewers": ["team"]}), "eval": {}},
               "workloads": {"api": {"namespace": "quant"}, "judge": {"namespace": "eval"}},
               "observability": {"retention_days": 90}, "endpoint": {"public_cidrs": ["0.0.0.0/0", "8.8.8.8/32"]}, "tags": {"team": "ml"}}
    moved = {"node_pools": {"general": {"max": 2, "disk_gib": 80}}}
    pool = pool_goes = None  # how an object that is a pool is named among those that exist; the call that removes it
    anew = {"network": {"cidr": "10.77.0.0/16"}}
    short = {"create": "8s", "update": "8s", "delete": "8s"}
    thing = "platform"
    removable_inside = ("configmaps", "resourcequotas", "rolebindings", "networkpolicies", "serviceaccounts")


class AwsPlatform(Platform, Aws):
    base = {**Platform.common, "cloud": "aws", "network": {"zones": 2}}
    anew = {"network": {"zones": 2, "cidr": "10.77.0.0/16"}}
    made_last, pool, pool_goes = "CreateNodegroup", "EKS node group", "DeleteNodegroup"
    removable = {
        "ECR repository": lambda c, i: c.client("ecr").delete_repository(repositoryName=i, force=True),
        "log group": lambda c, i: c.client("logs").delete_log_group(logGroupName=i),
        "CloudWatch dashboard": lambda c, i: c.client("cloudwatch").delete_dashboards(DashboardNames=[i]),
        "CloudWatch alarm": lambda c, i: c.client("cloudwatch").delete_alarms(AlarmNames=[i]),
        "OIDC provider": lambda c, i: c.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=i)}


class GcpPlatform(Platform, Gcp):
    base = {**Platform.common, "cloud": "gcp", "network": {"zones": 2}}
    made_last, pool_goes = (f"container.projects.locations.clusters.nodePools.{verb}" for verb in ("create", "delete"))
    pool = "/nodePools/"
    removable = ("sinks", "routers", "repositories", "dashboards", "alertPolicies")


# ---- llm_endpoint

class Endpoint(Ground):
    """A public model with a token of the hub, so that there is a secret."""
    resource, thing = "endpoint", "model endpoint"
    keys = ("hf_x", "hf_fresh")
    common = {"name": "demo", "huggingface_token_wo": keys[0], "huggingface_token_wo_version": 1}
    # Another version of the model, and objects beside it in place.
    changes = {"model_revision": "0a1b2c", "environment": {"LOG_LEVEL": "debug"}, "huggingface_token_wo": "hf_y", "huggingface_token_wo_version": 2,
               "tags": {"team": "ml"}}
    anew = {"name": "other"}
    fresh = {"huggingface_token_wo": keys[1]}
    short = {"create": "8s", "update": "8s", "delete": "8s"}


class SageMaker(Endpoint, Aws):
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"
    base = {**Endpoint.common, "cloud": "aws", "target": "managed", "model": "meta-llama/Llama-3.1-8B-Instruct", "machine": {"type": "ml.g5.2xlarge"},
            "container": {"image": image, "stack": "vllm"}, "scaling": {"max": 2, "target_invocations": 60}, "alarms": {"errors_5xx": 5}}
    changes = {**Endpoint.changes, "scaling": {"max": 3, "target_invocations": 30}, "alarms": {"latency_ms": 5000}, "log_retention_days": 7}
    moved = {"machine": {"type": "ml.g5.4xlarge"}}
    made_last = "PutScalingPolicy"
    removable = {
        "SageMaker endpoint": lambda c, i: c.client("sagemaker").delete_endpoint(EndpointName=i),
        "scalable target": lambda c, i: c.client("application-autoscaling").deregister_scalable_target(
            ServiceNamespace="sagemaker", ResourceId=i, ScalableDimension="sagemaker:variant:DesiredInstanceCount"),
        "CloudWatch alarm": lambda c, i: c.client("cloudwatch").delete_alarms(AlarmNames=[i]),
        "secret": lambda c, i: c.client("secretsmanager").delete_secret(SecretId=i, ForceDeleteWithoutRecovery=True),
        "log group": lambda c, i: c.client("logs").delete_log_group(logGroupName=i)}

    def reset(self):
        """With the image in a registry, and a quota for the machines of the old and the new version."""
        super().reset()
        self.sim.control("quotas", {f"{self.base['machine']['type']} for endpoint usage": 8, f"{self.moved['machine']['type']} for endpoint usage": 8})
        ecr = self.clients.client("ecr")
        ecr.create_repository(repositoryName="own")
        ecr.put_image(repositoryName="own", imageTag="1", imageManifest=json.dumps(
            {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}))


class VertexAi(Endpoint, Gcp):
    base = {**Endpoint.common, "cloud": "gcp", "target": "managed", "model": "meta-llama/Llama-3.1-8B-Instruct", "machine": {"type": "g2-standard-12"},
            "alarms": {"errors_5xx": 5}}
    changes = {**Endpoint.changes, "scaling": {"max": 2, "target_gpu_percent": 60}, "alarms": {"errors_5xx": 9, "latency_ms": 5000}}
    moved = {"machine": {"type": "g2-standard-24"}}
    made_last = "aiplatform.projects.locations.endpoints.deployModel"
    removable = ("endpoints", "alertPolicies", "secrets")

    def exists(self):
        """With what is deployed, whose ids the cloud chooses."""
        endpoints = [b for n, b in GcpCloud(self.sim.endpoint).things("aiplatform").items() if "/endpoints/" in n]
        models = collections.Counter(f"deployed {d['displayName']}" for e in endpoints for d in e.get("deployedModels", []))
        return super().exists() + models


class ClusterEndpoint(Endpoint, InCluster):
    """In a cluster that is there before, as is its namespace. given: what exists then, under the same names each time."""
    given = None
    base = {**Endpoint.common, "target": "cluster", "model": "llama3.1:8b", "cluster": {"name": "c", "namespace": "eval"}}
    moved = {"variants": {"a": {"weight": 75, "instances": 3}, "b": {"weight": 25, "model": "mistral:7b"}}}
    made_last = "kubernetes.deployments.patch"
    removable_inside = ("services", "deployments", "serviceaccounts", "secrets", "poddisruptionbudgets", "networkpolicies")

    def reset(self):
        super().reset()
        self.kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": "eval"}})
        self.make_cluster()
        self.given = self.given or (super().exists(), super().identities())

    def make_cluster(self):
        raise NotImplementedError

    def exists(self):
        return super().exists() - self.given[0]

    def identities(self):
        return [i for i in super().identities() if i not in self.given[1]]

    def secret(self):
        [name] = [o for o in self.kube.objects() if o.startswith("secrets ")]
        return base64.b64decode(self.kube.get(f"/api/v1/namespaces/eval/secrets/{name.rpartition('/')[2]}")["data"]["token"]).decode()


class EksEndpoint(ClusterEndpoint, Aws):
    base = {**ClusterEndpoint.base, "cloud": "aws", "machine": {"type": "g6.xlarge"}}

    def make_cluster(self):
        test_sim_eks.Platform(self.clients)


class GkeEndpoint(ClusterEndpoint, Gcp):
    base = {**ClusterEndpoint.base, "cloud": "gcp", "machine": {"type": "g2-standard-4"}}

    def make_cluster(self):
        platform = test_gcp_platform.Platform(types.SimpleNamespace(cloud=lambda: GcpCloud(self.sim.endpoint)))
        platform.done(platform.clusters.create(parent=test_gcp_platform.PARENT, body=platform.body()))


# By resource, and where it is: a cloud, or a cloud's clusters.
GROUNDS = {"gpu_node": {"gcp": GcpNode, "aws": AwsNode}, "platform_cluster": {"gcp": GcpPlatform, "aws": AwsPlatform},
           "endpoint": {"gcp": VertexAi, "aws": SageMaker, "gke": GkeEndpoint, "eks": EksEndpoint}}
