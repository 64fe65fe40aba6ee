"""The simulated clouds: how the provider is pointed at one, the node that is made there, and what exists, asked by boto3 and Google's client."""
import base64
import collections
import functools

from tests.acceptance.conftest import Simulator, aws_settings, gcp_settings
from tests.sim.cloud import Cloud
from tests.sim.gcp.client import Cloud as GcpCloud

COMMON = {"name": "demo", "models": ["llama3.1:8b"], "tailscale": {"auth_key_wo": "tskey-x", "auth_key_wo_version": 1}}
# Updates of many components in place: firewall, machine, secret, logs, tags.
CHANGED = {"models": ["llama3.1:8b", "mistral"], "context_tokens": 16384, "log_retention_days": 7, "tags": {"team": "ml"},
           "network": {"ingress_cidrs": ["10.0.0.0/8"]}, "tailscale": {"auth_key_wo": "tskey-y", "auth_key_wo_version": 2}}
OPERATIONS = ("create", "update", "replace", "recreate", "destroy")


class Ground:
    """A simulator of its own, and what is asked of it."""
    module = region = base = moved = None

    def __init__(self, directory):
        directory.mkdir(parents=True)
        self.sim = Simulator(directory, self.module)
        self.reset()

    def reset(self):
        self.sim.reset()

    def configurations(self, operation):
        """(before or None, after or None). replace: the zone is another, so that components are made anew; recreate: the network's range is,
        and so the resource."""
        after = {"update": {**self.base, **CHANGED}, "replace": {**self.base, "zones": self.moved},
                 "recreate": {**self.base, "network": {"cidr": "10.77.0.0/16"}}, "create": self.base, "destroy": None}[operation]
        return None if operation == "create" else self.base, after

    def identities(self):
        """The ids of what exists, in the same order each time."""
        raise NotImplementedError

    def wrong(self):
        """What the simulator found wrong with requests, or with itself."""
        return self.sim.violations()


class Aws(Ground):
    name, module = "aws", "tests.sim.aws"
    base = {**COMMON, "cloud": "aws", "zones": ["us-east-1a", "us-east-1b"], "machine": {"candidates": ["g5.xlarge"]}}
    moved = ["us-east-1b", "us-east-1c"]
    placed, made_last = "RunInstances", "AttachVolume"

    @property
    def settings(self):
        return aws_settings(self.sim.endpoint)

    def identities(self):
        return sorted((kind, name) for kind, name, _ in Cloud(self.sim.endpoint).owned())

    def exists(self):
        return collections.Counter(kind for kind, _, _ in Cloud(self.sim.endpoint).owned())

    def secret(self):
        client = Cloud(self.sim.endpoint).client("secretsmanager")
        [name] = [s["Name"] for s in client.list_secrets()["SecretList"]]
        return client.get_secret_value(SecretId=name)["SecretString"]

    @functools.cached_property
    def clients(self):
        return Cloud(self.sim.endpoint)

    def remove(self, choice):
        """Removes an object by another hand; which one, `choice` says."""
        c = self.clients
        ec2 = c.client("ec2")
        # EC2 does not release an address that a NAT gateway has.
        used = [a["AllocationId"] for n in ec2.describe_nat_gateways()["NatGateways"] if n["State"] != "deleted" for a in n["NatGatewayAddresses"]]
        found = [(kind, name) for kind, name, _ in c.owned()
                 if kind in ("instance", "secret", "log group", "NAT gateway", "Elastic IP address") and name not in used]
        if not found:
            return
        kind, name = found[choice % len(found)]
        {"instance": lambda: ec2.terminate_instances(InstanceIds=[name]), "NAT gateway": lambda: ec2.delete_nat_gateway(NatGatewayId=name),
         "Elastic IP address": lambda: ec2.release_address(AllocationId=name),
         "secret": lambda: c.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True),
         "log group": lambda: c.client("logs").delete_log_group(logGroupName=name)}[kind]()


class Gcp(Ground):
    name, module = "gcp", "tests.sim.gcp"
    base = {**COMMON, "cloud": "gcp", "zones": ["us-central1-a", "us-central1-b"]}
    moved = ["us-central1-b", "us-central1-c"]
    placed, made_last = "compute.instances.insert", "compute.instances.attachDisk"

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
        # Zones and the numbers of versions may differ.
        cloud = GcpCloud(self.sim.endpoint)
        made = [n.rsplit("/", 1)[0] if "/versions/" in n else "/".join("*" if p.startswith("us-central1-") else p for p in n.split("/"))
                for n in cloud.made()]
        policies = cloud.client("cloudresourcemanager", "v1").projects()
        policy = policies.getIamPolicy(resource="test-project", body={}).execute()
        return collections.Counter(made + [f"{b['role']} {m.split('?')[0]}" for b in policy.get("bindings", []) for m in b["members"]
                                           if "llm-" in m])

    def secret(self):
        versions = GcpCloud(self.sim.endpoint).client("secretmanager").projects().secrets().versions()
        name = "projects/test-project/secrets/llm-node-demo-us-central1-tailscale/versions/latest"
        return base64.b64decode(versions.access(name=name).execute()["payload"]["data"]).decode()

    def wrong(self):
        return self.sim.violations() + self.sim.control("defects")

    def remove(self, choice):
        found = [n for n in GcpCloud(self.sim.endpoint).made() if any(f"/{k}/" in n for k in ("instances", "sinks", "firewalls", "routers", "secrets"))
                 and "/versions/" not in n]
        if found:
            service, name = found[choice % len(found)].split(" ")
            if service == "secretmanager":  # with its versions
                GcpCloud(self.sim.endpoint).client(service).projects().secrets().delete(name=name).execute()
            else:
                self.sim.control("remove", {"service": service, "resource": name})


GROUNDS = {"gcp": Gcp, "aws": Aws}
