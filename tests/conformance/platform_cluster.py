"""Generated configurations of llm_platform_cluster: what there is on each cloud, what goes together, what exists beforehand."""
import copy

from tests.conformance import clouds
from tests.conformance.clouds import Existing, drop, get, put, word

NAMESPACES = ["platform", "quant", "finetune-1", "eval", "n" * 52]
POOLS = ["general", "gpu", "batch-2", "p" * 24]
WORKLOADS = ["quant-api", "gateway", "w1", "w" * 24]
GPU_IMAGES = {"aws": ["AL2023_x86_64_NVIDIA", "BOTTLEROCKET_x86_64_NVIDIA"], "gcp": ["COS_CONTAINERD", "UBUNTU_CONTAINERD"]}
IMAGES = {"aws": ["AL2023_x86_64_STANDARD", "BOTTLEROCKET_x86_64"], "gcp": ["COS_CONTAINERD", "UBUNTU_CONTAINERD"]}
TAINT, RULE = {"key": "k", "effect": "NO_EXECUTE"}, {"resources": ["pods"], "verbs": ["get"]}
ROLE = {"subjects": ["team"], "rules": [RULE]}
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}'
CPU, MEMORY = ["50m", "0.1", "250m", "1", "1500m", "2", "8"], ["64Mi", "128M", "0.25Gi", "1Gi", "1536Mi", "4G", "16Gi"]


def some(rng, items, least=0, most=3):
    """Some of them, in their order."""
    chosen = rng.sample(range(len(items)), rng.randint(least, min(most, len(items))))
    return [items[i] for i in sorted(chosen)]


def texts(rng, keys, values):
    return {k: rng.choice(values) for k in some(rng, keys)}


def common(e):
    """Values for attributes whose schema allows more than there is, the same on every cloud."""
    values = {
        "deletion_protection": lambda r: e.protected and r.random() < 0.5,
        "network.zones": lambda r: r.randint(2, 3), "network.cidr": lambda r: r.choice(["10.0.0.0/16", "10.7.0.0/18", "172.16.4.0/22", "192.168.0.0/20"]),
        "endpoint.public_cidrs": lambda r: some(r, ["0.0.0.0/0", "8.8.8.8/32", "1.1.1.0/24", "8.0.0.0/5"], 1),
        "node_pools": lambda r: some(r, POOLS, 1),
        "node_pools.*.min": lambda r: r.choice([0, 1, 2]), "node_pools.*.max": lambda r: r.choice([2, 4, 10]), "node_pools.*.desired": lambda r: r.choice([0, 1, 2, 3]),
        "node_pools.*.disk_gib": lambda r: r.choice([20, 50, 100]), "node_pools.*.max_unavailable": lambda r: r.choice([1, 2]),
        "node_pools.*.labels": lambda r: texts(r, ["tier", "llm.example.com/pool", "A_b.c", "1"], ["", "x", "A-b_c.9", "v" * 63]),
        "node_pools.*.taints": lambda r: r.randint(0, 2),
        "node_pools.*.taints.*.key": lambda r: r.choice(["dedicated", "example.com/team", "k"]), "node_pools.*.taints.*.value": lambda r: r.choice(["", "batch", "a.b"]),
        "registries.names": lambda r: some(r, ["gateway", "a", "vllm-2", "r" * 30], 1), "registries.keep_tagged": lambda r: r.choice([1, 15, 1000]),
        "registries.tag_prefixes": lambda r: some(r, ["v", "main", "release-"], 1), "registries.untagged_days": lambda r: r.choice([1, 7, 3650]),
        "registries.kms_key": lambda r: e.kms_key, "encryption.kms_key": lambda r: e.kms_key,
        "workloads": lambda r: some(r, WORKLOADS, 0, 2), "workloads.*.namespace": lambda r: r.choice(NAMESPACES[:3]),
        "workloads.*.service_account": lambda r: r.choice(["server", "quant-sa", "a.b", "s" * 63]),
        "workloads.*.invoke_endpoints": lambda r: some(r, ["quant-*", "*", "exact-1"]),
        "workloads.*.policies": lambda r: some(r, e.policies, 0, 2),
        "namespaces": lambda r: some(r, NAMESPACES), "namespaces.*.labels": lambda r: texts(r, ["team", "pod-security.kubernetes.io/enforce", "cost"], ["baseline"]),
        "namespaces.*.annotations": lambda r: texts(r, ["owner", "example.com/note"], ["", "größe: \"x\"", "a\nb"]),
        "namespaces.*.quota": lambda r: {**{k: r.choice(CPU) for k in some(r, ["requests.cpu", "limits.cpu"])},
                                         **{k: r.choice(MEMORY) for k in some(r, ["requests.memory", "limits.memory", "requests.storage"])},
                                         **{k: r.choice(["0", "5", "20", "2.0", "1k"]) for k in some(r, ["pods", "requests.nvidia.com/gpu", "count/jobs.batch", "services.nodeports"])},
                                         **{k: "1Gi" for k in some(r, ["requests.hugepages-2Mi", "gold.storageclass.storage.k8s.io/requests.storage"])}},
        "namespaces.*.config": lambda r: texts(r, ["LOG_LEVEL", "config.yaml", "a-b"], ["", "info", "a: 1\nb: \"ü\"\n", "${x} %{y}", "null"]),
        "namespaces.*.rbac.roles": lambda r: some(r, ["deployer", "log-reader", "a.b"], 0, 2),
        "namespaces.*.rbac.roles.*.rules": lambda r: r.randint(1, 2),
        "namespaces.*.rbac.roles.*.rules.*.api_groups": lambda r: r.choice([[""], ["apps"], ["apps", "batch"]]),
        "namespaces.*.rbac.roles.*.rules.*.resources": lambda r: some(r, ["pods", "pods/log", "deployments", "*"], 1),
        "namespaces.*.rbac.roles.*.rules.*.verbs": lambda r: some(r, ["get", "list", "watch", "*"], 1),
        "observability.retention_days": lambda r: r.choice([1, 7, 30, 365]), "observability.alarms.node_cpu_percent": lambda r: r.choice([1, 50, 85, 100]),
        "observability.alarms.actions": lambda r: some(r, e.actions),
        "access.admins": lambda r: some(r, e.people, 0, 2), "access.viewers": lambda r: some(r, e.people, 0, 2),
        "network.private_subnet_ids": lambda r: e.private_subnets, "network.vpc_id": lambda r: e.vpc,
    }
    for name in ("cpu", "memory"):
        for bound in ("default", "default_request", "max", "min"):
            values[f"namespaces.*.limit_range.{bound}_{name}"] = lambda r, of={"cpu": CPU, "memory": MEMORY}[name]: r.choice(of)
    for who in ("admins", "editors", "viewers", "roles.*.subjects"):
        values[f"namespaces.*.rbac.{who}"] = lambda r, least=int("." in who): some(r, ["team-ml", "user:ada@example.com", "system:masters", "oidc:größe"], least)
    return values


class Platform(clouds.InCluster):
    """What holds for a platform on any cloud."""
    resource = "platform_cluster"
    likely = {"node_pools": 0.6, "namespaces": 0.7, "workloads": 0.5, "network": 0.5, "registries": 0.4, "observability": 0.4, "network.vpc_id": 0.15}
    needs = {"namespaces.*.rbac.roles.*.rules.*": RULE}

    together, sample = 1, 2  # the clusters of a simulator have one API server
    newer = {"1.32": "1.33", "1.33": "1.34"}

    @property
    def base(self):
        return {"name": "n", "cloud": self.name, "region": self.region}

    def member(self, a, path, text):
        inner = {n: "x" for n in ("namespace", "key", "effect", "subjects") if n in a.get("attributes", {})} if "nesting" in a else text
        return {**inner, "subjects": ["x"], "rules": [RULE]} if "nesting" in a and "subjects" in inner else inner

    def mend(self, rng, config, existing):
        if config.get("node_pools") == {}:
            config.pop("node_pools")
        for pool in (config.get("node_pools") or {}).values():
            self.mend_pool(rng, pool)
        self.mend_network(rng, config, existing)
        self.mend_workloads(config)
        for namespace in (config.get("namespaces") or {}).values():
            self.mend_limits(namespace.get("limit_range") or {})
            for role in ((namespace.get("rbac") or {}).get("roles") or {}).values():
                role.setdefault("rules", [RULE])
        if get(config, "endpoint.public") is False:
            drop(config, "endpoint.public_cidrs")
            drop(config, "endpoint.private")
        people = config.get("access") or {}
        if "viewers" in people:
            people["viewers"] = [p for p in people["viewers"] if p not in people.get("admins", [])]
        if not existing.protected:
            config["deletion_protection"] = False
        self.fit(rng, config, existing)
        return config

    def mend_pool(self, rng, pool):
        pool["max"] = max(pool.get("max", 3), pool.get("min", 1), pool.get("desired", 0), 1)
        if "desired" in pool:
            pool["desired"] = max(pool["desired"], pool.get("min", 1))
            pool["max"] = max(pool["max"], pool["desired"])
        gpu = pool.get("gpu", False)
        if "machine_types" in pool:
            pool["machine_types"] = self.machines(rng, gpu, pool)
        if "image_type" in pool:
            pool["image_type"] = rng.choice((GPU_IMAGES if gpu else IMAGES)[self.name])
        if gpu and pool.get("disk_gib", 200) < 50:
            pool["disk_gib"] = 50
        taints = {}
        for taint in pool.get("taints") or []:
            taints.setdefault((taint["key"], taint["effect"]), taint)
        if "taints" in pool:
            pool["taints"] = list(taints.values())

    def mend_network(self, rng, config, existing):
        network = config.get("network")
        if network is None:
            return
        if "zone_names" in network:
            network.pop("zones", None)
        if any(k in network for k in ("vpc_id", "private_subnet_ids")):
            network.update(self.given_network(rng, existing))
            for name in ("cidr", "zones", "zone_names", "nat"):
                network.pop(name, None)
        else:
            for name in ("public_subnet_ids", "pods_range_name", "services_range_name"):
                network.pop(name, None)

    def mend_workloads(self, config):
        accounts = {}
        for name, workload in list((config.get("workloads") or {}).items()):
            config.setdefault("namespaces", {}).setdefault(workload["namespace"], {})
            key = (workload["namespace"], workload.get("service_account", f"{workload['namespace']}-sa"))
            if accounts.setdefault(key, name) != name:
                config["workloads"].pop(name)

    @staticmethod
    def mend_limits(limits):
        """The least is at most what is asked for, and that at most the limit."""
        for amounts, kind in ((CPU, "cpu"), (MEMORY, "memory")):
            names = [f"{bound}_{kind}" for bound in ("min", "default_request", "default", "max")]
            given = [n for n in names if n in limits]
            for name, value in zip(given, sorted((limits[n] for n in given), key=amounts.index)):
                limits[name] = value

    def keep(self, rng, config, other, existing):
        """What cannot change stays."""
        for place in ("registries.kms_key", "encryption.kms_key"):
            before = get(config, place)
            if before and (place.startswith("encryption") or get(other, "registries")):
                put(other, place, before)
            elif place.startswith("registries") and get(config, "registries"):
                drop(other, place)
        # Versions go up by one at most; a cluster with no version of its own has the newest.
        before, after = config.get("kubernetes_version"), other.get("kubernetes_version")
        if before is None or after is None or after not in (before, self.newer.get(before)):
            other.pop("kubernetes_version", None)
        if config.get("release_channel"):
            other["release_channel"] = config["release_channel"]
        else:
            other.pop("release_channel", None)
        return self.mend(rng, other, existing)

    def invalid(self, base):
        pool = lambda **p: {**base, "node_pools": {"p": p}}
        space = lambda **s: {**base, "namespaces": {"a": s}}
        work = lambda **w: {**base, "namespaces": {"a": {}}, "workloads": {"w": {"namespace": "a", **w}}}
        plain, gpu = self.machines(None, False, {})[0], self.machines(None, True, {})[0]
        yield "name too long", "name", {**base, "name": "n" * 31}
        yield "hyphen at its end", "name", {**base, "name": "n-"}
        yield "no GPU", "node_pools.*.machine_types", pool(gpu=True, machine_types=[plain])
        yield "GPUs unused", "node_pools.*.machine_types", pool(machine_types=[gpu])
        yield "least above most", "node_pools.*.min", pool(min=4)
        yield "too few to begin with", "node_pools.*.desired", pool(min=2, desired=1)
        yield "too many to begin with", "node_pools.*.desired", pool(max=3, desired=4)
        yield "one taint twice", "node_pools.*.taints", pool(taints=[TAINT, {**TAINT, "value": "v"}])
        yield "key of a label", "node_pools.*.labels", pool(labels={"a b": "x"})
        yield "long key of a label", "node_pools.*.labels", pool(labels={"a" * 64: "x"})
        yield "Kubernetes' own label", "node_pools.*.labels", pool(labels={"kubernetes.io/hostname": "x"})
        yield "name of a pool", "node_pools.*", {**base, "node_pools": {"A": {}}}
        yield "long name of a pool", "node_pools.*", {**base, "node_pools": {"p" * 25: {}}}
        yield "empty name of a pool", "node_pools.*", {**base, "node_pools": {"": {}}}
        yield "name of a namespace", "namespaces.*", {**base, "namespaces": {"a_b": {}}}
        yield "long name of a namespace", "namespaces.*", {**base, "namespaces": {"n" * 53: {}}}
        for name in ("default", "kube-system", "kube-public", "kube-x"):
            yield f"reserved {name}", "namespaces.*", {**base, "namespaces": {name: {}}}
        yield "key of a quota", "namespaces.*.quota", space(quota={"requests cpu": "1"})
        for key in ("requests.cpus", "secret", "storage", "requests.pods", "limits.hugepages-2Mi", "ingresses", "nvidia.com/gpu", "limits.nvidia.com/gpu"):
            yield f"quota of {key}", "namespaces.*.quota", space(quota={key: "1"})
        for key in ("pods", "services.nodeports", "count/jobs.batch", "requests.nvidia.com/gpu", "x.storageclass.storage.k8s.io/persistentvolumeclaims"):
            yield f"part of {key}", "namespaces.*.quota", space(quota={key: "1500m"})
        yield "amount", "namespaces.*.quota", space(quota={"pods": "1 GB"})
        yield "empty amount", "namespaces.*.quota", space(quota={"pods": ""})
        yield "key of a label", "namespaces.*.labels", space(labels={"-a": "x"})
        yield "the namespace's name as a label", "namespaces.*.labels", space(labels={"kubernetes.io/metadata.name": "b"})
        yield "reserved label", "namespaces.*.labels", space(labels={"app.kubernetes.io/managed-by": "x"})
        yield "key of an annotation", "namespaces.*.annotations", space(annotations={"a/b/c": "x"})
        yield "key of a config map", "namespaces.*.config", space(config={"a/b": "x"})
        yield "long key of a config map", "namespaces.*.config", space(config={"a" * 254: "x"})
        yield "dots as a key of a config map", "namespaces.*.config", space(config={"..": "x"})
        yield "least above most", "namespaces.*.limit_range.min_cpu", space(limit_range={"min_cpu": "2", "max_cpu": "1500m"})
        yield "asks for more than its limit", "namespaces.*.limit_range.default_request_memory", space(
            limit_range={"default_request_memory": "2Gi", "default_memory": "2000M"})
        yield "a user without a name", "namespaces.*.rbac.admins", space(rbac={"admins": ["user:"]})
        yield "a user without a name", "namespaces.*.rbac.roles.*.subjects", space(rbac={"roles": {"r": {**ROLE, "subjects": ["user:"]}}})
        yield "name of a role", "namespaces.*.rbac.roles.*", space(rbac={"roles": {"a/b": ROLE}})
        yield "empty name of a role", "namespaces.*.rbac.roles.*", space(rbac={"roles": {"": ROLE}})
        yield "a role named as our bindings", "namespaces.*.rbac.roles.*", space(rbac={"admins": ["x"], "roles": {"admins": ROLE}})
        yield "a role without rules", "namespaces.*.rbac.roles.*.rules", space(rbac={"roles": {"r": {"subjects": ["team"]}}})
        yield "empty verb", "namespaces.*.rbac.roles.*.rules.*.verbs", space(rbac={"roles": {"r": {**ROLE, "rules": [{**RULE, "verbs": [""]}]}}})
        yield "no such namespace", "workloads.*.namespace", {**base, "workloads": {"w": {"namespace": "a"}}}
        yield "a namespace of others", "workloads.*.namespace", {**base, "namespaces": {"a": {}}, "workloads": {"w": {"namespace": "kube-system"}}}
        yield "name of a workload", "workloads.*", {**base, "namespaces": {"a": {}}, "workloads": {"W": {"namespace": "a"}}}
        both = {"w": {"namespace": "a"}, "x": {"namespace": "a", "service_account": "a-sa"}}
        yield "two workloads, one account", "workloads.*.service_account", {**base, "namespaces": {"a": {}}, "workloads": both}
        yield "the namespace's own account", "workloads.*.service_account", work(service_account="default")
        yield "admin and viewer", "access.viewers", {**base, "access": {"admins": self.offline.people[:1], "viewers": self.offline.people[:1]}}
        yield "neither public nor private", "endpoint.private", {**base, "endpoint": {"public": False, "private": False}}
        yield "ranges without a public address", "endpoint.public_cidrs", {**base, "endpoint": {"public": False, "public_cidrs": ["203.0.113.7/32"]}}
        yield "a zone twice", "network.zone_names", {**base, "network": {"zone_names": [f"{self.region}{self.zone}"] * 2}}
        yield "a zone of another region", "network.zone_names", {**base, "network": {"zone_names": [f"eu-west-9{self.zone}", f"{self.region}{self.zone}"]}}
        yield "services in the network", "network.services_cidr", {**base, "network": {"cidr": "10.0.0.0/16", "services_cidr": "10.0.16.0/20"}}
        yield "services in the network's default", "network.services_cidr", {**base, "network": {"services_cidr": "10.0.16.0/20"}}
        yield from self.invalid_here(copy.deepcopy(base))


class Aws(Platform, clouds.Aws):
    foreign = {"release_channel": "REGULAR", "network.pods_cidr": "10.128.0.0/14", "network.control_plane_cidr": "172.16.0.0/28",
               "network.pods_range_name": "pods", "network.services_range_name": "services"}
    zone = "a"
    offline = Existing(protected=True, vpc="vpc-1", private_subnets=["subnet-1", "subnet-2"], public_subnets=["subnet-3"],
                       kms_key="arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
                       policies=["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "arn:aws:iam::123456789012:policy/own"],
                       actions=["arn:aws:sns:us-east-1:123456789012:alarms"],
                       people=["arn:aws:iam::123456789012:role/ops", "arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:role/team/readers"])

    def existing(self, sim, client):
        ec2, iam = client.client("ec2"), client.client("iam")
        vpc = ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.200.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
                   for i, z in enumerate("abcab")]
        iam.create_policy(PolicyName="own", PolicyDocument=POLICY)
        for name, path in (("ops", "/"), ("readers", "/team/")):
            iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument="{}")
        iam.create_user(UserName="ada")
        return Existing(**{**vars(self.offline), "protected": False, "vpc": vpc, "private_subnets": subnets[:3], "public_subnets": subnets[3:]})

    def machines(self, rng, gpu, pool):
        kinds = ["g5.xlarge", "g6.2xlarge", "g4dn.xlarge"] if gpu else ["m6i.large", "c6i.xlarge", "r6i.large"]
        return some(rng, kinds, 1) if rng else kinds

    def given_network(self, rng, e):
        public = {"public_subnet_ids": e.public_subnets} if rng.random() < 0.5 else {}
        return {"vpc_id": e.vpc, "private_subnet_ids": e.private_subnets, **public}

    def domain(self, e):
        return {
            **common(e), "cloud": lambda r: "aws", "region": lambda r: self.region, "kubernetes_version": lambda r: r.choice(["1.32", "1.33", "1.34"]),
            "node_pools.*.machine_types": lambda r: ["m6i.large"], "node_pools.*.image_type": lambda r: "AL2023_x86_64_STANDARD",
            "network.zone_names": lambda r: some(r, [f"us-east-1{z}" for z in "abc"], 2), "network.public_subnet_ids": lambda r: e.public_subnets,
            "network.services_cidr": lambda r: r.choice(["172.20.0.0/16", "10.100.0.0/20"]),
            "leftovers.volumes": lambda r: some(r, ["quant/models", "eval/a.b-1"]),
            "access.groups": lambda r: {g: some(r, e.people, 0, 2) for g in some(r, ["team-ml", "oidc:größe", "quant leads"])},
            "tags": lambda r: {word(r): r.choice(["", word(r), "ä ö", "a=b/c"]) for _ in range(r.randint(0, 3))},
        }

    def fit(self, rng, config, existing):
        pools = config.get("node_pools") or {}
        for pool in pools.values():
            if "labels" in pool:
                pool["labels"] = {k: v or "x" for k, v in pool["labels"].items()}
        # The cluster's own pods need a node.
        for pool in list(pools.values())[:1]:
            for name in ("gpu", "taints", "machine_types", "image_type", "min", "desired"):
                pool.pop(name, None)

    def invalid_here(self, base):
        long = f"{'a' * 30}.example.com/{'b' * 30}"
        yield "label without a value", "node_pools.*.labels", {**base, "node_pools": {"p": {"labels": {"k": ""}}}}
        yield "long key of a label", "node_pools.*.labels", {**base, "node_pools": {"p": {"labels": {long: "x"}}}}
        yield "long key of a taint", "node_pools.*.taints.*", {**base, "node_pools": {"p": {"taints": [{**TAINT, "key": long}]}}}
        yield "one zone", "network.zones", {**base, "network": {"zones": 1}}
        yield "one zone", "network.zone_names", {**base, "network": {"zone_names": ["us-east-1a"]}}
        yield "one subnet", "network.private_subnet_ids", {**base, "network": {"vpc_id": "vpc-1", "private_subnet_ids": ["subnet-1"]}}
        yield "no VPC", "network.vpc_id", {**base, "network": {"vpc_id": "given", "private_subnet_ids": ["subnet-1", "subnet-2"]}}
        yield "a zone", "region", {**base, "region": "us-east-1a"}
        yield "another cloud's machine", "node_pools.*.machine_types", {**base, "node_pools": {"p": {"machine_types": ["e2-standard-2"]}}}
        yield "unknown image", "node_pools.*.image_type", {**base, "node_pools": {"p": {"image_type": "COS_CONTAINERD"}}}
        yield "no node", "node_pools", {**base, "node_pools": {"p": {"min": 0}}}
        yield "no node without a taint", "node_pools", {**base, "node_pools": {"p": {"taints": [TAINT]}, "q": {"gpu": True}}}
        for private in ("10.0.0.0/8", "172.16.9.0/24", "192.168.1.1/32", "100.64.0.0/10", "169.254.169.254/32", "127.0.0.1/32", "198.19.0.0/16", "203.0.113.7/32",
                        "198.51.100.0/24", "192.0.2.0/25", "0.0.0.0/8"):
            yield f"reserved range {private}", "endpoint.public_cidrs", {**base, "endpoint": {"public_cidrs": ["8.8.8.8/32", private]}}
        for image in ("AL2023_x86_64_STANDARD", "AL2023_x86_64_NEURON", "BOTTLEROCKET_x86_64_FIPS", "AL2_x86_64"):
            yield f"no drivers in {image}", "node_pools.*.image_type", {**base, "node_pools": {"p": {}, "q": {"image_type": image, "gpu": True}}}
        for image, machines in (("AL2023_ARM_64_STANDARD", ["m6i.large"]), ("BOTTLEROCKET_ARM_64", None), ("AL2023_x86_64_STANDARD", ["m6g.large"]),
                                ("BOTTLEROCKET_x86_64_NVIDIA", ["g5g.xlarge"])):
            pool = {"image_type": image, "machine_types": machines, "gpu": "NVIDIA" in image}
            yield f"{image} on {machines}", "node_pools.*.image_type", {**base, "node_pools": {"p": {}, "q": pool}}
        yield "no such retention", "observability.retention_days", {**base, "observability": {"retention_days": 31}}
        yield "reserved", "tags", {**base, "tags": {"llm:resource": "x"}}
        yield "reserved", "tags", {**base, "tags": {"aws:x": "x"}}
        yield "no ARN", "access.admins", {**base, "access": {"admins": ["ada@example.com"]}}
        yield "no ARN", "access.groups.*", {**base, "access": {"groups": {"team": ["ada@example.com"]}}}
        yield "empty ARN", "access.groups.*", {**base, "access": {"groups": {"team": [""]}}}
        for group in ("system:masters", "eks:x", "aws:x", "amazon:x", "iam:x", ""):
            yield f"group {group}", "access.groups.*", {**base, "access": {"groups": {group: self.offline.people}}}
        yield "no policy", "workloads.*.policies", {**base, "namespaces": {"a": {}}, "workloads": {"w": {"namespace": "a", "policies": ["roles/viewer"]}}}
        yield "no topic", "observability.alarms.actions", {**base, "observability": {"alarms": {"actions": ["ada@example.com"]}}}
        yield "no key", "encryption.kms_key", {**base, "encryption": {"kms_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}}
        yield "no key", "registries.kms_key", {**base, "registries": {"names": ["a"], "kms_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}}


class Gcp(Platform, clouds.Gcp):
    foreign = {"network.public_subnet_ids": ["subnet-1"], "access.groups": {"team": ["arn:aws:iam::123456789012:role/ops"]}}
    zone = "-a"
    offline = Existing(protected=True, vpc="given", private_subnets=["given-a"], pods_range="pods", services_range="services",
                       kms_key="projects/test-project/locations/us-central1/keyRings/ring/cryptoKeys/key", policies=["roles/storage.objectViewer", "roles/viewer"],
                       actions=["projects/test-project/notificationChannels/1"],
                       people=["ada@example.com", "ops@test-project.iam.gserviceaccount.com", "bob@example.com"])

    def existing(self, sim, client):
        sim.control("settings", {"operation_s": 0.02})
        compute, root = client.compute, f"projects/{self.project}"
        client.done(compute.networks().insert(project=self.project, body={"name": "given", "autoCreateSubnetworks": False}).execute())
        ranges = [{"rangeName": n, "ipCidrRange": r} for n, r in (("pods", "10.64.0.0/16"), ("services", "10.65.0.0/20"))]
        client.done(compute.subnetworks().insert(project=self.project, region=self.region, body={
            "name": "given-a", "network": f"{root}/global/networks/given", "ipCidrRange": "10.200.0.0/20", "secondaryIpRanges": ranges}).execute())
        channel = client.client("monitoring", "v3").projects().notificationChannels().create(
            name=root, body={"type": "email", "labels": {"email_address": "ops@example.com"}}).execute()["name"]
        return Existing(**{**vars(self.offline), "protected": False, "actions": [channel]})

    def machines(self, rng, gpu, pool):
        kinds = ["g2-standard-4", "n1-standard-8+nvidia-tesla-t4:1"] if gpu else ["e2-standard-2", "n2-standard-4"]
        return [rng.choice(kinds)] if rng else kinds

    def given_network(self, rng, e):
        return {"vpc_id": e.vpc, "private_subnet_ids": e.private_subnets, "pods_range_name": e.pods_range, "services_range_name": e.services_range}

    def domain(self, e):
        return {
            **common(e), "cloud": lambda r: "gcp", "region": lambda r: self.region, "kubernetes_version": lambda r: r.choice(["1.33", "1.34"]),
            "leftovers.volumes": lambda r: some(r, ["quant/models", "eval/a.b-1"]),
            "node_pools.*.machine_types": lambda r: ["e2-standard-2"], "node_pools.*.image_type": lambda r: "COS_CONTAINERD",
            "network.zone_names": lambda r: some(r, [f"us-central1-{z}" for z in "abc"], 1),
            "network.pods_cidr": lambda r: r.choice(["10.128.0.0/14", "10.64.0.0/16"]), "network.services_cidr": lambda r: r.choice(["10.112.0.0/20", "10.113.0.0/22"]),
            "network.control_plane_cidr": lambda r: "172.31.255.0/28", "network.pods_range_name": lambda r: e.pods_range,
            "network.services_range_name": lambda r: e.services_range,
            "tags": lambda r: {r.choice([word(r), "a_b-1"]): r.choice(["", word(r), "1_x"]) for _ in range(r.randint(0, 3))},
            "observability.cluster_logs": lambda r: some(r, ["api", "controllerManager", "scheduler"]),
        }

    def fit(self, rng, config, existing):
        network = config.get("network") or {}
        if get(config, "endpoint.private") is False:
            drop(config, "endpoint.private")
        if "vpc_id" in network:
            for name in ("pods_cidr", "services_cidr"):
                network.pop(name, None)

    def invalid_here(self, base):
        yield "overlapping ranges", "network.pods_cidr", {**base, "network": {"cidr": "10.128.0.0/16", "pods_cidr": "10.128.0.0/14"}}
        yield "overlapping the default", "network.pods_cidr", {**base, "network": {"pods_cidr": "10.0.0.0/14"}}
        yield "overlapping ranges", "network.control_plane_cidr", {**base, "network": {"cidr": "10.0.0.0/16", "control_plane_cidr": "10.0.0.16/28"}}
        yield "two subnetworks", "network.private_subnet_ids", {**base, "network": {
            "vpc_id": "n", "private_subnet_ids": ["a", "b"], "pods_range_name": "p", "services_range_name": "s"}}
        yield "two machine types", "node_pools.*.machine_types", {**base, "node_pools": {"p": {"machine_types": ["e2-standard-2", "e2-standard-4"]}}}
        yield "another cloud's machine", "node_pools.*.machine_types", {**base, "node_pools": {"p": {"machine_types": ["m6i.large"]}}}
        yield "unknown image", "node_pools.*.image_type", {**base, "node_pools": {"p": {"image_type": "AL2023_x86_64_STANDARD"}}}
        yield "a zone", "region", {**base, "region": "us-central1-a"}
        yield "no authenticator", "observability.cluster_logs", {**base, "observability": {"cluster_logs": ["authenticator"]}}
        yield "long retention", "observability.retention_days", {**base, "observability": {"retention_days": 3651}}
        yield "reserved", "tags", {**base, "tags": {"llm-resource": "x"}}
        yield "upper case", "tags", {**base, "tags": {"Team": "x"}}
        yield "letters that Cloud Monitoring lacks", "tags", {**base, "tags": {"größe": "x"}}
        yield "letters that Cloud Monitoring lacks", "tags", {**base, "tags": {"team": "größe"}}
        yield "no address", "access.admins", {**base, "access": {"admins": ["arn:aws:iam::123456789012:role/ops"]}}
        yield "no role", "workloads.*.policies", {**base, "namespaces": {"a": {}}, "workloads": {"w": {
            "namespace": "a", "policies": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}}}
        yield "no channel", "observability.alarms.actions", {**base, "observability": {"alarms": {"actions": ["arn:aws:sns:us-east-1:1:a"]}}}
        yield "no key", "encryption.kms_key", {**base, "encryption": {"kms_key": "arn:aws:kms:us-east-1:1:key/1"}}
        yield "no key", "registries.kms_key", {**base, "registries": {"names": ["a"], "kms_key": "arn:aws:kms:us-east-1:1:key/1"}}
        yield "private nodes reach it", "endpoint.private", {**base, "endpoint": {"private": False}}


SUBJECTS = {c.name: c() for c in (Aws, Gcp)}
