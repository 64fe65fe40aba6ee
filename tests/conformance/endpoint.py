"""Generated configurations of llm_endpoint: what there is on each target, what goes together, what exists beforehand."""
import contextlib
import copy
import json
import types

from googleapiclient.http import MediaInMemoryUpload

from tests.conformance import clouds
from tests.conformance.clouds import Existing, drop, get, put, word
from tests.kube.cluster import Gone
from tests.sim import test_gcp_platform, test_sim_eks

VARIANTS = ["main", "a", "fp8", "v" * 13]
ADAPTERS = ["sql", "legal.v2", "code_1", "A-b"]
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
# All in which a configuration may differ that a call would notice.
KINDS = ("adapters", "scaling.scale_to_zero")


def some(rng, items, least=0, most=3):
    """Some of them, in their order."""
    chosen = rng.sample(range(len(items)), rng.randint(least, min(most, len(items))))
    return [items[i] for i in sorted(chosen)]


class Endpoint:
    """What holds for an endpoint on any target."""
    resource, never_unknown = "endpoint", ("huggingface_token_wo", "cluster.kubernetes.token_wo")
    together, sample = 3, 3
    likely = {"model": 1, "target": 0.3, "cluster": 0, "variants": 0.4, "scaling": 0.5, "model_size": 0.15, "adapters": 0.2}

    def common(self, e):
        scale = {"min": lambda r: r.choice([1, 2]), "max": lambda r: r.choice([2, 3, 4]), "target_invocations": lambda r: r.choice([1, 60, 1000]),
                 "target_gpu_percent": lambda r: r.choice([1, 70, 100])}
        environment = lambda r: {k: r.choice(["", "1", "ä \"x\"", "a,b=c"]) for k in some(r, ["LOG_LEVEL", "A_1", "_x"])}
        return {
            "target": lambda r: "managed", "model": lambda r: r.choice(e.models), "variants.*.model": lambda r: r.choice(e.models),
            "model_revision": lambda r: r.choice(["main", "refs/pr/1", "0a1b2c"]), "variants.*.model_revision": lambda r: r.choice(["main", "v1.0"]),
            "model_size.memory_gib": lambda r: r.choice([1, 10, 15.5]), "model_size.disk_gib": lambda r: r.choice([1, 30]),
            "context_tokens": lambda r: r.choice([512, 4096, 8192]), "environment": environment, "variants.*.environment": environment,
            "startup_timeout_s": lambda r: r.choice([60, 1800, 3600]), "huggingface_token_wo": lambda r: f"hf_{word(r)}",
            "huggingface_token_wo_version": lambda r: r.randint(0, 9), "variants": lambda r: some(r, VARIANTS, 1, 3),
            "variants.*.weight": lambda r: 0, "variants.*.instances": lambda r: r.choice([1, 2]),
            **{f"scaling.{k}": v for k, v in scale.items()}, **{f"scaling.variants.*.{k}": v for k, v in scale.items()},
            "scaling.variants": lambda r: some(r, VARIANTS[:1], 0), "scaling.scale_in_cooldown_s": lambda r: r.choice([0, 300]),
            "scaling.scale_out_cooldown_s": lambda r: r.choice([0, 60]), "data_capture.percent": lambda r: r.choice([1, 100]),
            "rollout.step_percent": lambda r: r.choice([10, 50]), "rollout.wait_s": lambda r: r.choice([0, 300]), "rollout.keep_old_s": lambda r: r.choice([0, 60]),
            "alarms.errors_5xx": lambda r: r.choice([1, 100]), "alarms.latency_ms": lambda r: r.choice([1, 20000]),
        }

    def mend(self, rng, config, existing):
        config.setdefault("model", existing.models[0])
        self.mend_models(rng, config, existing)
        self.mend_variants(rng, config)
        self.mend_scaling(config)
        if get(config, "rollout.step_percent") and get(config, "rollout.strategy") in (None, "all_at_once"):
            drop(config, "rollout.step_percent")
        if "huggingface_token_secret" in config or ("huggingface_token_wo" in config) != ("huggingface_token_wo_version" in config):
            config.pop("huggingface_token_wo", None)
            config.pop("huggingface_token_wo_version", None)
        self.fit(rng, config, existing)
        return config

    def mend_models(self, rng, config, existing):
        """What the catalogue has is not quantized; what is, is named so."""
        for part in (config, *(config.get("variants") or {}).values()):
            model, quantization = part.get("model", config["model"]), part.get("quantization", config.get("quantization", "none"))
            if part is not config and "model" not in part and "quantization" not in part:
                continue
            if quantization in ("awq", "gptq") and not model.endswith(f"-{quantization.upper()}"):
                part["quantization"] = "fp8" if ":" in model or model in existing.known else quantization
        container = config.get("container")
        if container is not None:
            if "image" in container or get(config, "container.stack") != "vllm":
                container.pop("version", None)

    @staticmethod
    def mend_variants(rng, config):
        variants = config.get("variants")
        if variants == {}:
            config.pop("variants")
        left = 100
        for name in list(variants or {}):
            last = name == list(variants)[-1]
            variants[name]["weight"] = left if last else rng.randint(0, left)
            left -= variants[name]["weight"]

    @staticmethod
    def mend_scaling(config):
        scaling, variants = config.get("scaling"), config.get("variants") or {"main": {}}
        if scaling is None:
            return
        scaling["variants"] = {k: v for k, v in (scaling.get("variants") or {}).items() if k in variants}
        if not scaling["variants"]:
            scaling.pop("variants")
        if scaling.get("scale_to_zero"):
            for part in (scaling, *(scaling.get("variants") or {}).values()):
                part.pop("min", None)
            scaling.setdefault("target_invocations", 60)
        for name, variant in variants.items():
            own = (scaling.get("variants") or {}).get(name, {})
            of = lambda k, otherwise, own=own: own.get(k, scaling.get(k, otherwise))  # noqa: E731
            least = 0 if scaling.get("scale_to_zero") else of("min", 1)
            if of("max", max(least, 1)) < least:
                (own if "max" in own else scaling)["max"] = max(of("min", 1), scaling.get("min", 1), 2)
            if of("max", max(least, 1)) > least and not (of("target_invocations", 0) or of("target_gpu_percent", 0)):
                scaling["target_invocations"] = 60
            if "instances" in variant:
                variant["instances"] = min(max(variant["instances"], least, 1), of("max", max(least, 1))) if of("max", 1) > least else variant["instances"]

    def invalid(self, base):
        yield "weights", "variants", {**base, "variants": {"a": {"weight": 50}, "b": {"weight": 49}}}
        yield "part of a percent", "variants.*.weight", {**base, "variants": {"a": {"weight": 50.5}, "b": {"weight": 49.5}}}
        yield "name of a variant", "variants.*", {**base, "variants": {"A": {"weight": 100}}}
        yield "long name of a variant", "variants.*", {**base, "variants": {"a" * 14: {"weight": 100}}}
        yield "unknown variant", "scaling.variants.*", {**base, "scaling": {"variants": {"b": {"min": 1}}}}
        yield "more at least", "scaling", {**base, "scaling": {"min": 3, "max": 2, "target_invocations": 5}}
        yield "nothing runs", "scaling", {**base, "scaling": {"min": 0}}
        yield "no reason to scale", "scaling", {**base, "scaling": {"max": 3}}
        yield "unknown model", "model", {**base, "model": "no-such-model:1b"}
        yield "no model", "model", {**base, "model": "a/b/c"}
        yield "no bucket", "model", {**base, "model": "s3://"}
        yield "quotes in a URI", "model", {**base, "model": 's3://b/"x'}
        yield "not quantized", "quantization", {**base, "model": "llama3.1:8b", "quantization": "awq"}
        yield "a token", "environment", {**base, "environment": {"HF_TOKEN": "x"}}
        yield "no variable", "environment", {**base, "environment": {"1a": "x"}}
        yield "name of an adapter", "adapters", {**base, "adapters": {"a b": "s3://b/a.tar.gz"}}
        yield "a cluster", "cluster", {**base, "cluster": {"name": "dev"}}
        yield "steps at once", "rollout.step_percent", {**base, "rollout": {"step_percent": 20}}
        yield "no such version", "container.version", {**base, "container": {"version": "0.0.1"}}
        yield "version of an own image", "container.version", {**base, "container": {"version": "0.28.0", "image": "r.example/x:1"}}
        yield "two images", "container.image", {**base, "model": "oci://r.example/m:1", "container": {"image": "r.example/x:1"}}
        yield "more GPUs than there are", "machine.gpus", {**base, "machine": {**base["machine"], "gpus": 16}}
        yield from self.invalid_here(copy.deepcopy(base))


class Aws(Endpoint, clouds.Aws):
    machines = ["ml.g5.2xlarge", "ml.g5.12xlarge", "ml.g6.4xlarge", "ml.g6e.2xlarge"]
    retention = [1, 7, 30, 365, 3653]
    foreign = {"container.args": ["--x"], "container.port": 8000, "container.health_route": "/health", "container.predict_route": "/predict",
               "container.shared_memory_mib": 1024, "machine.cpu": "4", "machine.memory_gib": 16, "network.dedicated": True,
               "network.vpc_network": "projects/1/global/networks/n", "network.private_service_connect": True, "network.allowed_projects": ["p"],
               "network.expose": "internal", "network.source_ranges": ["10.0.0.0/8"]}
    models = ["llama3.1:8b", "mistral:7b", "meta-llama/Llama-3.1-8B-Instruct", "o/m-AWQ", "o/m-GPTQ", "s3://weights/model", "s3://weights/model/", "s3://weights/m.tar.gz"]
    known = ["meta-llama/Llama-3.1-8B-Instruct"]
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"
    offline = Existing(models=models, known=known, role="arn:aws:iam::123456789012:role/given", subnets=["subnet-1"], groups=["sg-1"], secret="given",
                       key="arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555", actions=["arn:aws:sns:us-east-1:123456789012:alarms"])

    @property
    def base(self):
        return {"name": "n", "cloud": "aws", "region": "us-east-1", "model": "llama3.1:8b", "machine": {"type": "ml.g5.2xlarge"}}

    def prepare(self, sim, client):
        """An account with the objects that configurations may name."""
        sim.control("quotas", {f"{m} for endpoint usage": 1000 for m in (*self.machines, "ml.g5.xlarge", "ml.g6.xlarge", "ml.g5.4xlarge")})
        ec2, s3, ecr = client.client("ec2"), client.client("s3"), client.client("ecr")
        vpc = ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
        subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.200.{i}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"] for i, z in enumerate("ab")]
        groups = [ec2.create_security_group(VpcId=vpc, GroupName=f"given-{i}", Description="given")["GroupId"] for i in range(2)]
        s3.create_bucket(Bucket="weights")
        for key in ("model/config.json", "m.tar.gz", *(f"lora/{i}.tar.gz" for i in range(3))):
            s3.put_object(Bucket="weights", Key=key, Body=b"x")
        ecr.create_repository(repositoryName="own")
        ecr.put_image(repositoryName="own", imageTag="1", imageManifest=json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}))
        role = client.client("iam").create_role(RoleName="given", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        secret = client.client("secretsmanager").create_secret(Name="given", SecretString="x")["ARN"]
        return Existing(**{**vars(self.offline), "role": role, "subnets": subnets, "groups": groups, "secret": secret})

    def domain(self, e):
        return {
            **self.common(e), "cloud": lambda r: "aws", "region": lambda r: "us-east-1", "machine.type": lambda r: r.choice(self.machines),
            "variants.*.machine_type": lambda r: r.choice(self.machines), "machine.gpus": lambda r: r.choice([0, 1]), "machine.disk_gib": lambda r: None,
            "machine.inference_ami": lambda r: "al2-ami-sagemaker-inference-gpu-3-1", "machine.provisioning": lambda r: "on_demand",
            "container.version": lambda r: "0.28.0", "container.image": lambda r: self.image, "variants.*.image": lambda r: self.image,
            "adapters": lambda r: {n: f"s3://weights/lora/{r.randint(0, 2)}.tar.gz" for n in some(r, ADAPTERS, 1)},
            "huggingface_token_secret": lambda r: r.choice(["given", e.secret]), "data_capture.uri": lambda r: r.choice(["s3://captured/a", "s3://captured"]),
            "data_capture.content": lambda r: some(r, ["input", "output"], 1), "data_capture.kms_key": lambda r: e.key, "kms_key": lambda r: e.key,
            "network.subnet_ids": lambda r: some(r, e.subnets, 1), "network.security_group_ids": lambda r: some(r, e.groups, 1), "role": lambda r: e.role,
            "rollout.alarms": lambda r: [], "alarms.actions": lambda r: some(r, e.actions), "log_retention_days": lambda r: r.choice(self.retention),
            "tags": lambda r: {word(r): r.choice(["", word(r), "ä ö", "a=b/c"]) for _ in range(r.randint(0, 3))},
        }

    def fit(self, rng, config, existing):
        variants = config.get("variants") or {}
        network = config.get("network")
        if network is not None and ("subnet_ids" in network) != ("security_group_ids" in network):
            network.pop("subnet_ids", None)
            network.pop("security_group_ids", None)
        # What the catalogue does not have needs a machine.
        put(config, "machine.type", get(config, "machine.type") or "ml.g5.12xlarge")
        hub = lambda m: not m.startswith("s3://")  # noqa: E731
        if any(hub(v.get("model", config["model"])) for v in (config, *variants.values())) and get(config, "network.isolated"):
            drop(config, "network.isolated")
        image = get(config, "container.image")
        token = any(k in config for k in ("huggingface_token_wo", "huggingface_token_secret"))
        if token and not image:
            put(config, "container.image", self.image)
        if config.get("adapters") or get(config, "scaling.scale_to_zero"):
            config.pop("variants", None)
            variants = {}
            drop(config, "scaling.variants")
        named = get(config, "container.image") or any("image" in v for v in variants.values())
        if config.get("adapters") or named:
            put(config, "container.stack", get(config, "container.stack") if get(config, "container.stack") in ("vllm", "djl_lmi") else "vllm")
        if get(config, "container.stack") != "vllm" or get(config, "container.image"):
            drop(config, "container.version")
        self.mend_scaling(config)
        scaling = config.get("scaling") or {}
        for name, variant in (variants or {"main": {}}).items():
            own = (scaling.get("variants") or {}).get(name, {})
            begins = variant.get("instances", own.get("min", scaling.get("min", 1)))
            if begins < 2 and get(config, "rollout.strategy") in ("canary", "linear"):
                config["rollout"].pop("strategy")
                config["rollout"].pop("step_percent", None)
        if get(config, "rollout.step_percent") and get(config, "rollout.strategy") in (None, "all_at_once"):
            drop(config, "rollout.step_percent")

    def keep(self, rng, config, other, existing):
        """What a model is to SageMaker stays."""
        other = self.mend(rng, other, existing)
        if bool(config.get("adapters")) != bool(other.get("adapters")) or bool(get(config, "scaling.scale_to_zero")) != bool(get(other, "scaling.scale_to_zero")):
            return copy.deepcopy(config)
        return other

    def invalid_here(self, base):
        yield "not SageMaker's", "machine.type", {**base, "machine": {"type": "g5.xlarge"}}
        yield "too small", "machine.type", {**base, "model": "llama3.3:70b", "machine": {"type": "ml.g5.xlarge"}}
        yield "spot", "machine.provisioning", {**base, "machine": {"type": "ml.g5.2xlarge", "provisioning": "spot"}}
        yield "disks of its own", "machine.disk_gib", {**base, "machine": {"type": "ml.g5.2xlarge", "disk_gib": 100}}
        yield "a large volume", "machine.disk_gib", {**base, "machine": {"type": "ml.p3.2xlarge", "disk_gib": 513}, "model": "o/m"}
        yield "files in GCS", "model", {**base, "model": "gs://b/m"}
        yield "no archive", "adapters", {**base, "adapters": {"a": "s3://b/a/"}}
        yield "the model's own name", "adapters", {**base, "adapters": {"base": "s3://b/a.tar.gz"}}
        yield "one component", "adapters", {**base, "adapters": {"a.b": "s3://b/a.tar.gz", "a_b": "s3://b/a.tar.gz"}}
        yield "adapters of two variants", "variants", {**base, "adapters": {"a": "s3://b/a.tar.gz"}, "variants": {"a": {"weight": 50}, "b": {"weight": 50}}}
        yield "adapters of TGI", "adapters", {**base, "adapters": {"a": "s3://b/a.tar.gz"}, "container": {"stack": "tgi"}}
        yield "no target", "scaling", {**base, "scaling": {"scale_to_zero": True, "max": 1}}
        yield "a token for AWS' image", "huggingface_token_secret", {**base, "huggingface_token_secret": "given"}
        yield "isolated", "network.isolated", {**base, "network": {"isolated": True}}
        yield "one instance", "rollout.strategy", {**base, "rollout": {"strategy": "canary"}}
        yield "a small step", "rollout.step_percent", {**base, "scaling": {"min": 2, "max": 2}, "rollout": {"strategy": "linear", "step_percent": 5}}
        yield "no role", "role", {**base, "role": "given"}
        yield "a table", "data_capture.uri", {**base, "data_capture": {"uri": "bq://p.d.t"}}
        yield "no subnet", "network.subnet_ids", {**base, "network": {"subnet_ids": ["x"], "security_group_ids": ["sg-1"]}}
        yield "no group", "network.security_group_ids", {**base, "network": {"subnet_ids": ["subnet-1"], "security_group_ids": ["x"]}}
        yield "reserved", "tags", {**base, "tags": {"llm:resource": "x"}}
        yield "a zone", "region", {**base, "region": "us-east-1a"}
        yield "no such retention", "log_retention_days", {**base, "log_retention_days": 31}


class Gcp(Endpoint, clouds.Gcp):
    machines = ["g2-standard-12", "g2-standard-24", "g2-standard-48", "a2-ultragpu-1g"]
    foreign = {"network.subnet_ids": ["subnet-1"], "network.security_group_ids": ["sg-1"], "network.isolated": True, "network.expose": "internal",
               "network.source_ranges": ["10.0.0.0/8"], "data_capture.content": ["input"], "data_capture.kms_key": "arn:aws:kms:us-east-1:1:key/1",
               "machine.cpu": "4", "machine.memory_gib": 16, "machine.disk_gib": 100, "machine.inference_ami": "al2-ami-sagemaker-inference-gpu-3-1",
               "scaling.scale_in_cooldown_s": 300, "scaling.scale_out_cooldown_s": 60, "rollout.step_percent": 20, "rollout.wait_s": 60,
               "rollout.keep_old_s": 60, "rollout.alarms": ["given"], "log_retention_days": 30}
    models = ["llama3.1:8b", "mistral:7b", "meta-llama/Llama-3.1-8B-Instruct", "o/m-AWQ", "o/m-GPTQ", "gs://weights/model", "gs://weights/model/"]
    known = ["meta-llama/Llama-3.1-8B-Instruct"]
    image = "us-central1-docker.pkg.dev/test-project/servers/team/vllm:1"
    offline = Existing(models=models, known=known, role="given-account@test-project.iam.gserviceaccount.com", secrets=["given", "projects/test-project/secrets/given"],
                       key="projects/test-project/locations/us-central1/keyRings/ring/cryptoKeys/key", actions=["projects/test-project/notificationChannels/1"],
                       network="projects/123456789012/global/networks/given")

    @property
    def base(self):
        return {"name": "n", "cloud": "gcp", "region": self.region, "model": "llama3.1:8b", "machine": {"type": "g2-standard-12"}}

    def prepare(self, sim, client):
        """A project with the objects that configurations may name."""
        root, storage, compute = f"projects/{self.project}", client.client("storage"), client.compute
        sim.control("settings", {"operation_s": 0.02})
        sim.control("quotas", {f"custom_model_serving_{p}nvidia_{gpu}_gpus": 1000 for p in ("", "preemptible_") for gpu in ("l4", "a100_80gb")})
        sim.control("images", [self.image])
        storage.buckets().insert(project=self.project, body={"name": "weights"}).execute()
        for name in ("model/config.json", *(f"lora/{i}/adapter_config.json" for i in range(3))):
            storage.objects().insert(bucket="weights", name=name, media_body=MediaInMemoryUpload(b"x")).execute()
        client.done(compute.networks().insert(project=self.project, body={"name": "given", "autoCreateSubnetworks": False}).execute())
        client.client("iam").projects().serviceAccounts().create(name=root, body={"accountId": "given-account", "serviceAccount": {}}).execute()
        client.client("secretmanager").projects().secrets().create(parent=root, secretId="given", body={"replication": {"automatic": {}}}).execute()
        channel = client.client("monitoring", "v3").projects().notificationChannels().create(
            name=root, body={"type": "email", "labels": {"email_address": "ops@example.com"}}).execute()["name"]
        return Existing(**{**vars(self.offline), "actions": [channel]})

    def policies(self, client):
        return [client.client("secretmanager").projects().secrets().getIamPolicy(resource=f"projects/{self.project}/secrets/given").execute()]

    def domain(self, e):
        return {
            **self.common(e), "cloud": lambda r: "gcp", "region": lambda r: self.region, "machine.type": lambda r: r.choice(self.machines),
            "variants.*.machine_type": lambda r: r.choice(self.machines), "machine.gpus": lambda r: 1,
            "container.stack": lambda r: "vllm", "container.version": lambda r: "20251205_0916_RC01", "container.image": lambda r: self.image,
            "container.args": lambda r: r.choice([["--max-num-seqs=64"], ["--seed", "7"]]), "container.port": lambda r: r.choice([8000, 8081]),
            "container.health_route": lambda r: "/ready", "container.predict_route": lambda r: "/v1/completions",
            "container.shared_memory_mib": lambda r: r.choice([64, 4096]), "variants.*.image": lambda r: self.image,
            "adapters": lambda r: {n: f"gs://weights/lora/{r.randint(0, 2)}{r.choice(['', '/'])}" for n in some(r, ADAPTERS, 1)},
            "huggingface_token_secret": lambda r: r.choice(e.secrets), "kms_key": lambda r: e.key, "role": lambda r: e.role,
            "data_capture.uri": lambda r: r.choice(["bq://test-project.logs.calls", "bq://test-project.logs"]), "scaling.scale_to_zero": lambda r: False,
            "network.vpc_network": lambda r: e.network, "network.allowed_projects": lambda r: [self.project], "rollout.strategy": lambda r: "all_at_once",
            "alarms.actions": lambda r: some(r, e.actions),
            "tags": lambda r: {r.choice([word(r), "a_b-1"]): r.choice(["", word(r), "1_x"]) for _ in range(r.randint(0, 3))},
        }

    def fit(self, rng, config, existing):
        network = config.get("network") or {}
        if "vpc_network" in network:
            network.pop("private_service_connect", None)
            config.pop("variants", None)
            drop(config, "scaling.variants")
        if not network.get("private_service_connect"):
            network.pop("allowed_projects", None)
        if "vpc_network" in network or network.get("private_service_connect"):
            network.pop("dedicated", None)
        variants = config.get("variants") or {}
        put(config, "machine.type", get(config, "machine.type") or "g2-standard-24")
        if config.get("adapters"):
            for part in (config.get("container") or {}, *variants.values()):
                part.pop("image", None)
        named = get(config, "container.image") or any("image" in v for v in variants.values())
        if named:
            put(config, "container.stack", "vllm")
        if get(config, "container.image"):
            drop(config, "container.version")
        self.mend_scaling(config)
        for variant in variants.values() if config.get("scaling") else ():
            variant.pop("instances", None)

    def invalid_here(self, base):
        yield "no machine", "machine.type", {**base, "machine": {"type": "large"}}
        yield "unknown GPUs", "machine.type", {**base, "machine": {"type": "g2-standard-13"}}
        yield "too small", "machine.type", {**base, "model": "llama3.3:70b", "machine": {"type": "g2-standard-12"}}
        yield "files in S3", "model", {**base, "model": "s3://b/m"}
        yield "an adapter of the hub", "adapters", {**base, "adapters": {"a": "org/name"}}
        yield "an adapter in S3", "adapters", {**base, "adapters": {"a": "s3://b/a.tar.gz"}}
        yield "adapters in an image of one's own", "adapters", {**base, "adapters": {"a": "gs://b/a"}, "container": {"image": self.image, "stack": "vllm"}}
        yield "an image from elsewhere", "container.image", {**base, "container": {"image": "docker.io/vllm/vllm-openai:v1", "stack": "vllm"}}
        yield "AWS' server", "container.stack", {**base, "container": {"image": self.image, "stack": "djl_lmi"}}
        yield "no image of it", "container.stack", {**base, "container": {"stack": "tgi"}}
        yield "nothing at all", "scaling.scale_to_zero", {**base, "scaling": {"scale_to_zero": True, "target_invocations": 5}}
        yield "a canary", "rollout.strategy", {**base, "rollout": {"strategy": "canary"}}
        yield "two hosts", "network.dedicated", {**base, "network": {"dedicated": True, "private_service_connect": True}}
        yield "nobody connects", "network.allowed_projects", {**base, "network": {"allowed_projects": ["p"]}}
        yield "two in a peered network", "variants", {**base, "network": {"vpc_network": self.offline.network}, "variants": {"a": {"weight": 50}, "b": {"weight": 50}}}
        yield "begins elsewhere", "variants.*.instances", {**base, "scaling": {"max": 3, "target_invocations": 5}, "variants": {"a": {"weight": 100, "instances": 2}}}
        yield "a key of another region", "kms_key", {**base, "kms_key": self.offline.key.replace(self.region, "europe-west4")}
        yield "no key", "kms_key", {**base, "kms_key": "arn:aws:kms:us-east-1:1:key/1"}
        yield "no account", "role", {**base, "role": "given"}
        yield "no secret", "huggingface_token_secret", {**base, "huggingface_token_secret": "a/b"}
        yield "a bucket", "data_capture.uri", {**base, "data_capture": {"uri": "gs://b/k"}}
        yield "no channel", "alarms.actions", {**base, "alarms": {"errors_5xx": 1, "actions": ["arn:aws:sns:us-east-1:1:a"]}}
        yield "a zone", "region", {**base, "region": "us-central1-a"}
        yield "reserved", "tags", {**base, "tags": {"llm-resource": "x"}}
        yield "upper case", "tags", {**base, "tags": {"Team": "x"}}


class Cluster(clouds.InCluster, Endpoint):
    """What holds in a cluster of any cloud. Nothing scales there: it needs an adapter of metrics."""
    together, sample = 1, 1  # the clusters of a simulator have one API server
    likely = {**Endpoint.likely, "target": 1, "cluster": 1, "cluster.name": 1, "cluster.namespace": 1, "cluster.kubernetes": 0, "cluster.metrics": 0}
    foreign = {"data_capture": {"uri": "s3://b/p", "percent": 5}, "kms_key": "arn:aws:kms:us-east-1:1:key/1", "alarms": {"errors_5xx": 5}, "rollout.keep_old_s": 60,
               "rollout.alarms": ["given"], "container.predict_route": "/predict", "network.subnet_ids": ["subnet-1"], "network.security_group_ids": ["sg-1"],
               "network.isolated": True, "network.dedicated": True, "network.vpc_network": "projects/1/global/networks/n",
               "network.private_service_connect": True, "network.allowed_projects": ["p"]}
    known, image = ["meta-llama/Llama-3.1-8B-Instruct"], "registry.example.com/own/vllm:1"
    machines = models = bucket = None

    @property
    def offline(self):
        return Existing(models=self.models, known=self.known)

    @property
    def base(self):
        return {"name": "n", "cloud": self.name, "region": self.region, "target": "cluster", "model": "llama3.1:8b", "machine": {"type": self.machines[0]},
                "cluster": {"name": "c", "namespace": "eval"}}

    def identity(self, config):
        return f"{self.name}/{self.region}/c/eval/{config['name']}"

    def existing(self, sim, client):
        """A cluster, and what is in it."""
        self.make_cluster(sim, client)
        for kind, body in (("/api/v1/namespaces", {"metadata": {"name": "eval"}}), ("/api/v1/namespaces/eval/serviceaccounts", {"metadata": {"name": "reader"}}),
                           ("/api/v1/namespaces/eval/secrets", {"metadata": {"name": "hub"}, "stringData": {"token": "hf_x"}}),
                           ("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "serving"}, "value": 1000}),
                           ("/apis/storage.k8s.io/v1/storageclasses", {"metadata": {"name": "shared"}, "provisioner": "example.com/shared", "allowVolumeExpansion": True})):
            with contextlib.suppress(Gone):  # those of the whole cluster stay
                self.kube.request("POST", kind, body)
        return self.offline

    def domain(self, e):
        return {
            **self.common(e), "target": lambda r: "cluster", "cloud": lambda r: self.name, "region": lambda r: self.region,
            "machine.type": lambda r: r.choice(self.machines), "variants.*.machine_type": lambda r: r.choice(self.machines), "machine.gpus": lambda r: 1,
            "machine.cpu": lambda r: r.choice(["500m", "0.5", "1", "2"]), "machine.memory_gib": lambda r: r.choice([4, 8]), "machine.disk_gib": lambda r: r.choice([50, 1024]),
            "container.stack": lambda r: "vllm", "container.version": lambda r: r.choice(["0.27.1", "0.25.0"]), "container.image": lambda r: self.image,
            "container.args": lambda r: r.choice([["--max-num-seqs", "64"], ["--seed", "7"]]), "container.port": lambda r: r.choice([8000, 9000]),
            "container.health_route": lambda r: "/ready", "container.shared_memory_mib": lambda r: r.choice([64, 1024]), "variants.*.image": lambda r: self.image,
            "adapters": lambda r: {n: r.choice(["org/lora", f"{self.bucket}lora/0/"]) for n in some(r, ADAPTERS, 1)},
            "huggingface_token_secret": lambda r: "hub", "role": lambda r: "reader", "data_capture.uri": lambda r: "s3://b/p",
            "rollout.strategy": lambda r: r.choice(["all_at_once", "linear"]), "scaling.scale_to_zero": lambda r: False,
            "network.source_ranges": lambda r: some(r, ["10.0.0.0/8", "8.8.8.8/32"], 1), "cluster.name": lambda r: "c", "cluster.namespace": lambda r: "eval",
            "cluster.storage_class": lambda r: "shared", "cluster.node_selector": lambda r: {k: r.choice(["", "a.b"]) for k in some(r, ["pool", "example.com/x"])},
            "cluster.tolerations": lambda r: r.randint(0, 2), "cluster.tolerations.*.key": lambda r: r.choice(["team", "example.com/x"]),
            "cluster.tolerations.*.value": lambda r: r.choice(["", "a"]), "cluster.priority_class": lambda r: "serving",
            "cluster.image_pull_secrets": lambda r: ["hub"], "cluster.kubernetes.endpoint": lambda r: "https://k.example.com",
            "tags": lambda r: {r.choice([word(r), "a_b-1"]): r.choice(["", word(r), "1_x"]) for _ in range(r.randint(0, 3))},
        }

    def fit(self, rng, config, existing):
        config["target"] = "cluster"
        config["cluster"] = {**(config.get("cluster") or {}), "name": "c", "namespace": "eval"}
        put(config, "machine.type", get(config, "machine.type") or self.machines[0])
        variants = config.get("variants") or {}
        if config.get("scaling"):
            config["scaling"] = {k: v for k, v in config["scaling"].items() if k == "min" and len(variants) < 2}
        least = get(config, "scaling.min") or 1
        for i, variant in enumerate(variants.values()):
            variant["instances"] = 1 if len(variants) > 1 else least
            variant["weight"] = 100 // len(variants) + (1 if i < 100 % len(variants) else 0)
        if get(config, "container.image") or any("image" in v for v in variants.values()):
            put(config, "container.stack", "vllm")
        if get(config, "container.image"):
            drop(config, "container.version")
        if get(config, "network.expose") in (None, "cluster"):
            drop(config, "network.source_ranges")
        if get(config, "cluster.shared_storage"):
            put(config, "cluster.storage_class", "shared")

    def keep(self, rng, config, other, existing):
        """Volumes do not shrink."""
        other = self.mend(rng, other, existing)
        for place in ("machine.disk_gib", "model_size", "cluster.storage_class", "cluster.shared_storage", "model"):
            value = get(config, place)
            drop(other, place) if value is None else put(other, place, copy.deepcopy(value))
        return self.mend(rng, other, existing)

    def invalid(self, base):
        for one in super().invalid(base):
            # What these say is not of a cluster, or is said otherwise there.
            if one[0] not in ("a cluster", "more at least", "nothing runs", "unknown variant"):
                yield one

    def invalid_here(self, base):
        yield "which cluster", "cluster", {**base, "cluster": {"namespace": "eval"}}
        yield "nobody measures", "scaling.target_invocations", {**base, "scaling": {"max": 3, "target_invocations": 5}}
        yield "shares of pods", "variants.*.weight", {**base, "variants": {"a": {"weight": 90}, "b": {"weight": 10}}}
        yield "an archive", "model", {**base, "model": f"{self.bucket}m.tar.gz"}
        yield "no adapter", "adapters", {**base, "adapters": {"a": "sql"}}
        yield "an account of the cloud", "role", {**base, "role": "arn:aws:iam::123456789012:role/x"}
        yield "a secret of the cloud", "huggingface_token_secret", {**base, "huggingface_token_secret": "projects/p/secrets/x"}
        yield "no load balancer", "network.source_ranges", {**base, "network": {"source_ranges": ["10.0.0.0/8"]}}
        yield "a disk for all", "cluster.shared_storage", {**base, "cluster": {**base["cluster"], "shared_storage": True}}
        yield "a canary", "rollout.strategy", {**base, "rollout": {"strategy": "canary"}}
        yield "parts of thousandths", "machine.cpu", {**base, "machine": {**base["machine"], "cpu": "0.0005"}}
        yield "too small", "machine.type", {**base, "model": "llama3.3:70b"}
        yield "no label", "tags", {**base, "tags": {"a b": "x"}}
        yield "reserved", "tags", {**base, "tags": {"llm-resource": "x"}}


class Eks(Cluster, clouds.Aws):
    machines, bucket = ["g6.xlarge", "g5.2xlarge"], "s3://weights/"
    models = ["llama3.1:8b", "mistral:7b", "meta-llama/Llama-3.1-8B-Instruct", "o/m-AWQ", "s3://weights/model/"]

    def make_cluster(self, sim, client):
        test_sim_eks.Platform(client)
        s3 = client.client("s3")
        s3.create_bucket(Bucket="weights")
        for key in ("model/config.json", "lora/0/adapter_config.json"):
            s3.put_object(Bucket="weights", Key=key, Body=b"x")

    def invalid_here(self, base):
        yield "SageMaker's name of it", "machine.type", {**base, "machine": {"type": "ml.g5.2xlarge"}}
        yield from super().invalid_here(base)


class Gke(Cluster, clouds.Gcp):
    machines, bucket = ["g2-standard-4", "g2-standard-8"], "gs://weights/"
    models = ["llama3.1:8b", "mistral:7b", "meta-llama/Llama-3.1-8B-Instruct", "o/m-AWQ", "gs://weights/model/"]

    def make_cluster(self, sim, client):
        sim.control("settings", {"operation_s": 0.02})
        platform = test_gcp_platform.Platform(types.SimpleNamespace(cloud=lambda: client))
        platform.done(platform.clusters.create(parent=test_gcp_platform.PARENT, body=platform.body()))
        storage = client.client("storage")
        storage.buckets().insert(project=self.project, body={"name": "weights"}).execute()
        for name in ("model/config.json", "lora/0/adapter_config.json"):
            storage.objects().insert(bucket="weights", name=name, media_body=MediaInMemoryUpload(b"x")).execute()


SUBJECTS = {c.name: c() for c in (Aws, Gcp)}
IN_CLUSTERS = {c.name: c() for c in (Eks, Gke)}
