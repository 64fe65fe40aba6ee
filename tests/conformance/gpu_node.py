"""Generated configurations of llm_gpu_node: what there is on each cloud, what goes together, what exists beforehand."""
import copy

from tests.conformance import clouds
from tests.conformance.clouds import QUOTED, Existing, drop, get, put, word

MODELS = ["llama3.2:1b", "llama3.2:3b", "llama3.1:8b", "mistral:7b", "qwen2.5:7b", "gemma2:2b", "phi3:3.8b", "qwen2.5:0.5b"]
# Values that are right on the cloud that has the attribute.
FOREIGN = {"aws": {"service_account": "given@test-project.iam.gserviceaccount.com", "model_cache.gcs_uri": "gs://models/a"},
           "gcp": {"model_cache.s3_uri": "s3://models/a", "instance_profile": "given", "network.security_group_id": "sg-1"}}


def common(existing):
    """Values for attributes whose schema allows more than there is, the same on every cloud."""
    return {
        "models": lambda r: r.sample(MODELS, r.randint(1, 2)),
        "custom_model.name": lambda r: r.choice(["my-model:7b", "org/Model-7B", word(r)]),
        "custom_model.memory_gib": lambda r: r.choice([1, 4, 5.5, 12]), "custom_model.disk_gib": lambda r: r.choice([1, 10, 60.5]),
        "context_tokens": lambda r: r.choice([512, 2048, 4096, 8192]),
        "disk.size_gib": lambda r: r.choice([60, 100, 200]), "disk.kms_key": lambda r: existing.kms_key,
        "network.cidr": lambda r: r.choice(["10.0.0.0/16", "10.1.0.0/20", "192.168.0.0/24", "172.16.4.0/25"]),
        "network.ingress_cidrs": lambda r: r.sample(["10.0.0.0/8", "192.168.1.0/24", "10.9.8.7/32"], r.randint(0, 3)),
        "tailscale.auth_key_wo": lambda r: f"tskey-auth-{word(r)}", "tailscale.auth_key_wo_version": lambda r: r.randint(0, 9),
        "tailscale.auth_key_secret": lambda r: r.choice(existing.secrets), "tailscale.hostname": lambda r: word(r),
        "tailscale.tags": lambda r: [f"tag:{word(r)}" for _ in range(r.randint(0, 2))],
        "huggingface_token_secret": lambda r: r.choice(existing.secrets), "image": lambda r: r.choice(existing.images),
        "model_cache.snapshot_id": lambda r: r.choice(existing.snapshots), "power": lambda r: r.choice(["running", "running", "stopped"]),
    }


class Node:
    """What holds for a node on any cloud."""
    resource, never_unknown = "gpu_node", ("tailscale.auth_key_wo",)  # a write-only value that another resource has would be in the state
    likely, needs = {"models": 0.7}, {"tailscale": {"auth_key_secret": "s"}}

    @property
    def base(self):
        return {"name": "n", "cloud": self.name, "region": self.region, "models": ["llama3.1:8b"]}

    @property
    def foreign(self):
        return FOREIGN[self.name]

    def mend(self, rng, config, existing):
        values = self.domain(existing)
        if "models" not in config and "custom_model" not in config:
            config["models"] = values["models"](rng)
        if config.get("runtime") == "vllm":
            config.pop("custom_model" if "models" in config else "", None)
            config["models"] = config.get("models", [])[:1] or config.pop("models", [])
            if not config["models"]:
                config.pop("models")
        for one, other in (("machine.type", "machine.candidates"), ("tailscale.auth_key_wo", "tailscale.auth_key_secret"),
                           ("model_cache.s3_uri", "model_cache.snapshot_id"), ("model_cache.gcs_uri", "model_cache.snapshot_id")):
            if get(config, one) is not None and get(config, other) is not None:
                drop(config, rng.choice([one, other]))
        network = config.get("network") or {}
        if any(k in network for k in ("vpc_id", "subnet_ids", "security_group_id")):
            network.setdefault("vpc_id", values["network.vpc_id"](rng))
            network.setdefault("subnet_ids", values["network.subnet_ids"](rng))
            network.pop("cidr", None)
        elif config.get("egress") == "existing":
            config.pop("egress")
        tailscale = config.get("tailscale")
        if tailscale is not None:
            if "auth_key_secret" in tailscale:
                tailscale.pop("auth_key_wo_version", None)
            else:
                tailscale.setdefault("auth_key_wo", "tskey-auth-x")
                tailscale.setdefault("auth_key_wo_version", 1)
        # The named machines are small: what needs more than a few small models takes one of the catalogue's choice.
        if "custom_model" in config or config.get("runtime") == "vllm":
            for key in ("type", "candidates"):
                drop(config, f"machine.{key}")
        if config.get("power") == "stopped":
            provisioning = get(config, "machine.provisioning")
            if provisioning in ("spot", "spot_preferred"):
                config["machine"]["provisioning"] = "on_demand"
        self.fit(rng, config, existing)
        return config

    def keep(self, rng, config, other, existing):
        """Disks never get smaller."""
        # EC2 stops no spot instance, and one that is there stays one when `provisioning` changes.
        if self.name == "aws" and "spot" in (get(config, "machine.provisioning") or ""):
            other.pop("power", None)
        other = self.mend(rng, other, existing)
        # What a size of its own follows may have been made from the models, up to 100 GiB.
        old, new = get(config, "disk.size_gib"), get(other, "disk.size_gib")
        if old and (new or 0) < old or new and not old:
            put(other, "disk.size_gib", old or 200)
            other = self.mend(rng, other, existing)
        return other

    def invalid(self, base):
        yield "unknown model", "models", {**base, "models": ["no-such-model:1b"]}
        yield "twice", "models", {**base, "models": ["llama3.1:8b", "llama3.1:8b"]}
        yield "no key", "tailscale", {**base, "tailscale": {"hostname": "h"}}
        yield "egress", "egress", {**base, "egress": "existing"}
        yield "stopped spot", "power", {**base, "power": "stopped", "machine": {"provisioning": "spot"}}
        yield "stopped serving", "wait_for", {**base, "power": "stopped", "wait_for": "serving"}
        yield "two of vLLM", "models", {**base, "runtime": "vllm", "models": ["llama3.1:8b", "mistral:7b"]}
        yield "name too long", "name", {**base, "name": "n" * 41}
        yield from self.invalid_here(copy.deepcopy(base))


class Aws(Node, clouds.Aws):
    machines = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge", "g5.2xlarge", "g6.2xlarge"]
    retention = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
    offline = Existing(vpc="vpc-1", subnets=["subnet-1"], security_group="sg-1", snapshots=["snap-1"], images=["ami-1"], instance_profile="given",
                       secrets=["given"], kms_key="given")

    def prepare(self, sim, client):
        """An account with the objects that configurations may name."""
        sim.control("quotas", {})
        ec2 = client.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.200.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                   for i, z in enumerate("abc")]
        group = ec2.create_security_group(VpcId=vpc, GroupName="given", Description="given")["GroupId"]
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=20)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        image = next(i for i in ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}, {"Name": "state", "Values": ["available"]}])["Images"])
        iam = client.client("iam")
        iam.create_role(RoleName="given", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="given")
        iam.add_role_to_instance_profile(InstanceProfileName="given", RoleName="given")
        secret = client.client("secretsmanager").create_secret(Name="given", SecretString="x")["ARN"]
        return Existing(vpc=vpc, subnets=subnets, security_group=group, snapshots=[snapshot], images=[image["ImageId"]], instance_profile="given",
                        secrets=[secret], kms_key="arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555")

    def domain(self, e):
        return {
            **common(e), "cloud": lambda r: "aws", "region": lambda r: "us-east-1",
            "machine.type": lambda r: r.choice(self.machines), "machine.candidates": lambda r: r.sample(self.machines, r.randint(1, 3)),
            "zones": lambda r: [f"us-east-1{z}" for z in r.sample("abc", r.randint(1, 3))],
            "disk.type": lambda r: r.choice(["gp3", "gp2", "io1", "io2"]), "disk.iops": lambda r: r.choice([3000, 4000, 5000]),
            "disk.throughput": lambda r: r.choice([125, 200]), "network.vpc_id": lambda r: e.vpc,
            "network.subnet_ids": lambda r: r.sample(e.subnets, r.randint(1, len(e.subnets))), "network.security_group_id": lambda r: e.security_group,
            "instance_profile": lambda r: e.instance_profile,
            "model_cache.s3_uri": lambda r: f"s3://models-{word(r)}/{r.choice(['', 'a', 'a/b', QUOTED])}", "log_retention_days": lambda r: r.choice(self.retention),
            "wait_for": lambda r: "running", "tags": lambda r: {word(r): r.choice(["", word(r), "ä ö", "a=b/c"]) for _ in range(r.randint(0, 3))},
        }

    def fit(self, rng, config, existing):
        network, disk = config.get("network"), config.get("disk")
        if network is not None and "vpc_id" in network:
            config.pop("zones", None)
            if "security_group_id" in network:
                network.pop("ingress_cidrs", None)
        if disk is not None:
            kind = disk.get("type", "gp3")
            if kind != "gp3":
                disk.pop("throughput", None)
            if kind == "gp2":
                disk.pop("iops", None)
            if kind in ("io1", "io2"):
                disk.setdefault("iops", 3000)

    def invalid_here(self, base):
        yield "unknown machine", "machine.type", {**base, "machine": {"type": "g9.huge"}}
        yield "another cloud's machine", "machine.type", {**base, "machine": {"type": "g2-standard-4"}}
        yield "too small", "machine", {**base, "models": ["llama3.1:70b"], "machine": {"type": "g4dn.xlarge"}}
        yield "other region", "zones", {**base, "zones": ["eu-west-1a"]}
        yield "twice", "zones", {**base, "zones": ["us-east-1a", "us-east-1a"]}
        yield "reserved", "tags", {**base, "tags": {"llm:resource": "x"}}
        yield "reserved", "tags", {**base, "tags": {"aws:x": "x"}}
        yield "a zone", "region", {**base, "region": "us-east-1a"}
        yield "no such retention", "log_retention_days", {**base, "log_retention_days": 31}
        yield "no throughput", "disk.throughput", {**base, "disk": {"type": "io2", "iops": 3000, "throughput": 200}}
        yield "no operations", "disk.iops", {**base, "disk": {"type": "gp2", "iops": 3000}}
        yield "iops missing", "disk.iops", {**base, "disk": {"type": "io1"}}


class Gcp(Node, clouds.Gcp):
    # Where the zones a, b and c of us-central1 all have them; P4 holds little, H200 takes hyperdisk only and is in one zone.
    small = ["g2-standard-4", "g2-standard-8", "g2-standard-12", "n1-standard-4+nvidia-tesla-t4:1", "n1-standard-8+nvidia-tesla-t4:1",
             "n1-standard-8+nvidia-tesla-v100:1", "n1-standard-16+nvidia-tesla-t4:2", "a2-highgpu-1g", "a3-highgpu-8g"]
    hyper = "a3-ultragpu-8g"
    offline = Existing(networks=["given"], subnetworks=["given-a"], snapshots=["given"], images=["projects/p/global/images/given"], secrets=["given"],
                       accounts=["given@test-project.iam.gserviceaccount.com"], kms_key="projects/p/locations/l/keyRings/r/cryptoKeys/k")

    def prepare(self, sim, client):
        """A project with the objects that configurations may name."""
        sim.control("settings", {"operation_s": 0.02})
        sim.control("quotas", {m: 10000 for m in (
            "GPUS_ALL_REGIONS", "NVIDIA_T4_GPUS", "NVIDIA_L4_GPUS", "NVIDIA_V100_GPUS", "NVIDIA_A100_GPUS", "PREEMPTIBLE_NVIDIA_T4_GPUS",
            "PREEMPTIBLE_NVIDIA_L4_GPUS", "PREEMPTIBLE_NVIDIA_V100_GPUS", "PREEMPTIBLE_NVIDIA_A100_GPUS", "GPUS_PER_GPU_FAMILY:NVIDIA_H200",
            "PREEMPTIBLE_GPUS_PER_GPU_FAMILY:NVIDIA_H200", "GPUS_PER_GPU_FAMILY:NVIDIA_H100", "PREEMPTIBLE_NVIDIA_H100_GPUS", "CPUS", "NETWORKS")})
        sim.control("guest", {"*": {"llm/status": "serving"}})
        p, compute, root = self.project, client.compute, f"projects/{self.project}"
        wait = lambda call: client.done(call.execute())
        for network in ("given", "other"):
            wait(compute.networks().insert(project=p, body={"name": network, "autoCreateSubnetworks": False}))
            for i, letter in enumerate("ab"):
                wait(compute.subnetworks().insert(project=p, region=self.region, body={
                    "name": f"{network}-{letter}", "network": f"{root}/global/networks/{network}", "ipCidrRange": f"10.20{i}.0.0/20"}))
        wait(compute.disks().insert(project=p, zone="us-central1-a", body={"name": "given", "sizeGb": "20", "type": "zones/us-central1-a/diskTypes/pd-balanced"}))
        wait(compute.disks().createSnapshot(project=p, zone="us-central1-a", disk="given", body={"name": "given"}))
        wait(compute.images().insert(project=p, body={"name": "given", "family": "own", "sourceDisk": f"{root}/zones/us-central1-a/disks/given"}))
        client.client("iam").projects().serviceAccounts().create(name=root, body={"accountId": "given-account"}).execute()
        client.client("secretmanager").projects().secrets().create(parent=root, secretId="given", body={"replication": {"automatic": {}}}).execute()
        url = "https://www.googleapis.com/compute/v1/"
        names = lambda middle, name: [name, f"{root}/{middle}/{name}", f"{url}{root}/{middle}/{name}", f"projects/{self.number}/{middle}/{name}"]
        return Existing(
            networks=[(n, names("global/networks", n)) for n in ("given", "other")],
            subnetworks={n: [names(f"regions/{self.region}/subnetworks", f"{n}-{letter}") for letter in "ab"] for n in ("given", "other")},
            snapshots=names("global/snapshots", "given"), secrets=["given", f"{root}/secrets/given", f"projects/{self.number}/secrets/given"],
            images=[*names("global/images", "given")[1:], f"{root}/global/images/family/own", f"{url}{root}/global/images/family/own",
                    "projects/ml-images/global/images/family/common-gpu",
                    "projects/deeplearning-platform-release/global/images/common-cu128-ubuntu-2204-nvidia-570-v20261020"],
            accounts=[f"given-account@{p}.iam.gserviceaccount.com", f"{self.number}-compute@developer.gserviceaccount.com"],
            kms_key=f"{root}/locations/{self.region}/keyRings/ring/cryptoKeys/key")

    def policies(self, client):
        secrets = client.client("secretmanager").projects().secrets()
        return [secrets.getIamPolicy(resource=f"projects/{self.project}/secrets/given").execute()]

    def domain(self, e):
        subnetworks = e.subnetworks if isinstance(e.subnetworks, list) else [n for both in e.subnetworks.values() for names in both for n in names]
        networks = [n if isinstance(n, str) else n[0] for n in e.networks]
        return {
            **common(e), "cloud": lambda r: "gcp", "region": lambda r: r.choice([self.region, self.region, "europe-west4"]),
            "machine.type": lambda r: r.choice(self.small + [self.hyper]), "machine.candidates": lambda r: r.sample(self.small, r.randint(1, 4)),
            "zones": lambda r: [f"us-central1-{z}" for z in r.sample("abc", r.randint(1, 3))],
            "disk.type": lambda r: r.choice(["pd-balanced", "pd-ssd", "pd-standard", "hyperdisk-balanced"]),
            "disk.iops": lambda r: r.choice([3000, 4000, 5000]), "disk.throughput": lambda r: r.choice([140, 200, 300]),
            "network.vpc_id": lambda r: r.choice(networks), "network.subnet_ids": lambda r: [r.choice(subnetworks)],
            "service_account": lambda r: r.choice(e.accounts),
            "model_cache.gcs_uri": lambda r: f"gs://models-{word(r)}{r.choice(['', '/', '/a', '/a/b', '/a b', QUOTED])}",
            "log_retention_days": lambda r: r.choice([1, 7, 30, 400, 3650]), "wait_for": lambda r: r.choice(["running", "serving"]),
            "tags": lambda r: {r.choice([word(r), "größe", "a_b-1"]): r.choice(["", word(r), "ä-1", "1_x"]) for _ in range(r.randint(0, 3))},
        }

    def fit(self, rng, config, existing):
        network, disk, machine = config.get("network"), config.get("disk"), config.get("machine", {})
        # What exists is in one region; the other offers less.
        elsewhere = config.get("region", self.region) != self.region
        if elsewhere and (network and "vpc_id" in network or get(config, "disk.kms_key") or any(
                n[:2] in ("a2", "a3") for n in [machine.get("type", ""), *machine.get("candidates", [])])):
            config["region"], elsewhere = self.region, False
        if "zones" in config:
            config["zones"] = [f"{config.get('region', self.region)}-{z[-1]}" for z in config["zones"]]
        if network is not None and "vpc_id" in network and isinstance(existing.subnetworks, dict):
            given = network["vpc_id"].rsplit("/", 1)[-1]
            if network["subnet_ids"][0].rsplit("/", 1)[-1].rpartition("-")[0] != given:
                network["subnet_ids"] = [rng.choice(rng.choice(existing.subnetworks[given]))]
        if config.get("power") == "stopped":
            config.pop("wait_for", None)
        if get(config, "tailscale.auth_key_secret") and config.get("huggingface_token_secret"):
            config["huggingface_token_secret"] = config["tailscale"]["auth_key_secret"]
        named = [machine["type"]] if "type" in machine else machine.get("candidates", [])
        if disk is not None and "type" in disk:
            # A machine of the catalogue's choice is an N1 or G2, or an A2 where the models are large.
            both = ("pd-balanced", "pd-ssd")
            fits = {"n1": both + ("pd-standard",), "a2": both + ("pd-standard",), "g2": both, "a3": both + ("hyperdisk-balanced",)}
            if self.hyper in named:
                disk["type"] = "hyperdisk-balanced"
            elif any(disk["type"] not in fits[n[:2]] for n in named or ["g2"]):
                disk["type"] = rng.choice(both)
        provisioned = (disk or {}).get("type", "hyperdisk-balanced" if self.hyper in named else None) == "hyperdisk-balanced"
        if disk is not None and not provisioned:
            disk.pop("iops", None)
            disk.pop("throughput", None)
        if self.hyper in named:
            config.pop("zones", None)

    def invalid_here(self, base):
        yield "unknown machine", "machine.type", {**base, "machine": {"type": "g9-huge-4"}}
        yield "another cloud's machine", "machine.type", {**base, "machine": {"type": "g4dn.xlarge"}}
        yield "no GPUs attached", "machine.type", {**base, "machine": {"type": "n1-standard-8"}}
        yield "a candidate that is none", "machine.candidates", {**base, "machine": {"candidates": ["g2-standard-4", "n1-standard-8+nvidia-tesla-t4:3"]}}
        yield "too small", "machine", {**base, "models": ["llama3.1:70b"], "machine": {"type": "g2-standard-4"}}
        yield "other region", "zones", {**base, "zones": ["europe-west4-a"]}
        yield "longer region", "zones", {**base, "zones": ["us-central12-a"]}
        yield "twice", "zones", {**base, "zones": ["us-central1-a", "us-central1-a"]}
        yield "a zone", "region", {**base, "region": "us-central1-a"}
        yield "no region", "region", {**base, "region": "US Central"}
        yield "reserved", "tags", {**base, "tags": {"llm-resource": "x"}}
        yield "reserved", "tags", {**base, "tags": {"goog-x": "x"}}
        yield "upper case", "tags", {**base, "tags": {"Team": "x"}}
        yield "digit first", "tags", {**base, "tags": {"1team": "x"}}
        yield "empty key", "tags", {**base, "tags": {"": "x"}}
        yield "value of a tag", "tags", {**base, "tags": {"team": "a b"}}
        yield "long key", "tags", {**base, "tags": {"a" * 64: "x"}}
        yield "long value", "tags", {**base, "tags": {"a": "x" * 64}}
        yield "long in bytes", "tags", {**base, "tags": {"a": "日" * 43}}
        yield "long retention", "log_retention_days", {**base, "log_retention_days": 3651}
        yield "AWS disk", "disk.type", {**base, "disk": {"type": "gp3"}}
        yield "iops without hyperdisk", "disk.iops", {**base, "disk": {"type": "pd-ssd", "iops": 3000}}
        yield "iops of the default", "disk.iops", {**base, "disk": {"iops": 3000}}
        yield "throughput without hyperdisk", "disk.throughput", {**base, "disk": {"type": "pd-ssd", "throughput": 200}}
        yield "hyperdisk only", "disk.type", {**base, "machine": {"type": self.hyper}, "disk": {"type": "pd-ssd"}}
        yield "not of N1", "disk.type", {**base, "machine": {"type": "n1-standard-4+nvidia-tesla-t4:1"}, "disk": {"type": "hyperdisk-balanced"}}
        yield "not of G2", "disk.type", {**base, "machine": {"candidates": ["n1-standard-4+nvidia-tesla-t4:1", "g2-standard-4"]}, "disk": {"type": "pd-standard"}}
        yield "small disk", "disk.size_gib", {**base, "disk": {"size_gib": 9}}
        yield "few operations", "disk.iops", {**base, "machine": {"type": self.hyper}, "disk": {"iops": 2999}}
        yield "low throughput", "disk.throughput", {**base, "machine": {"type": "a3-highgpu-8g"}, "disk": {"type": "hyperdisk-balanced", "throughput": 139}}
        yield "no key", "disk.kms_key", {**base, "disk": {"kms_key": "arn:aws:kms:us-east-1:1:key/1"}}
        yield "key version", "disk.kms_key", {**base, "disk": {"kms_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"}}
        yield "no image", "image", {**base, "image": "ami-12345"}
        yield "no image", "image", {**base, "image": "projects/p/zones/z/images/x"}
        yield "no network", "network.vpc_id", {**base, "network": {"vpc_id": "projects/p/regions/r/networks/n", "subnet_ids": ["a"]}}
        yield "no subnetwork", "network.subnet_ids", {**base, "network": {"vpc_id": "n", "subnet_ids": ["projects/p/subnetworks/s"]}}
        yield "subnetwork of another region", "network.subnet_ids", {**base, "network": {
            "vpc_id": "n", "subnet_ids": ["projects/p/regions/europe-west4/subnetworks/s"]}}
        yield "two subnetworks", "network.subnet_ids", {**base, "network": {"vpc_id": "n", "subnet_ids": ["a", "b"]}}
        yield "no secret", "tailscale.auth_key_secret", {**base, "tailscale": {"auth_key_secret": "arn:aws:secretsmanager:us-east-1:1:secret/x"}}
        yield "secret version", "huggingface_token_secret", {**base, "huggingface_token_secret": "projects/p/secrets/s/versions/1"}
        yield "one secret by number and id", "huggingface_token_secret", {
            **base, "huggingface_token_secret": f"projects/{self.number}/secrets/s", "tailscale": {"auth_key_secret": "s"}}
        yield "no snapshot", "model_cache.snapshot_id", {**base, "model_cache": {"snapshot_id": "projects/p/zones/z/snapshots/s"}}
        yield "no account", "service_account", {**base, "service_account": "somebody@example.com"}
        yield "long names", "name", {**base, "name": "n" * 40, "region": "northamerica-northeast1"}


SUBJECTS = {c.name: c() for c in (Aws, Gcp)}
