"""Configurations of llm_gpu_node made from its schema file: valid ones for the real cores, and invalid ones with the attribute
that is wrong. What the schema cannot say (models that the catalogue has, objects that exist) comes from DOMAIN; what it says
across attributes (`rules`) and what the resource checks beyond that is mended by `mend`. Everything follows from the seed."""
import copy
import json
import pathlib
import random
import string

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas/resources/gpu_node.json").read_text())
MODELS = ["llama3.2:1b", "llama3.2:3b", "llama3.1:8b", "mistral:7b", "qwen2.5:7b", "gemma2:2b", "phi3:3.8b", "qwen2.5:0.5b"]
MACHINES = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge", "g5.2xlarge", "g6.2xlarge"]
RETENTION = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


class Existing:
    """Objects that the account has already, for attributes that name one."""

    def __init__(self, **ids):
        self.__dict__.update(ids)


def word(rng, letters=string.ascii_lowercase, most=12):
    return "".join(rng.choice(letters) for _ in range(rng.randint(1, most)))


def domain(existing):
    """Values for attributes whose schema allows more than there is."""
    return {
        "models": lambda r: r.sample(MODELS, r.randint(1, 2)),
        "custom_model.name": lambda r: r.choice(["my-model:7b", "org/Model-7B", word(r)]),
        "custom_model.memory_gib": lambda r: r.choice([1, 4, 5.5, 12]), "custom_model.disk_gib": lambda r: r.choice([1, 10, 60.5]),
        "context_tokens": lambda r: r.choice([512, 2048, 4096, 8192]),
        "machine.type": lambda r: r.choice(MACHINES), "machine.candidates": lambda r: r.sample(MACHINES, r.randint(1, 3)),
        "zones": lambda r: [f"us-east-1{z}" for z in r.sample("abc", r.randint(1, 3))],
        "disk.size_gib": lambda r: r.choice([60, 100, 200]), "disk.iops": lambda r: r.choice([3000, 4000, 5000]),
        "disk.throughput": lambda r: r.choice([125, 200]), "disk.kms_key": lambda r: existing.kms_key,
        "network.cidr": lambda r: r.choice(["10.0.0.0/16", "10.1.0.0/20", "192.168.0.0/24", "172.16.4.0/25"]),
        "network.vpc_id": lambda r: existing.vpc, "network.subnet_ids": lambda r: r.sample(existing.subnets, r.randint(1, len(existing.subnets))),
        "network.security_group_id": lambda r: existing.security_group,
        "network.ingress_cidrs": lambda r: r.sample(["10.0.0.0/8", "192.168.1.0/24", "10.9.8.7/32"], r.randint(0, 3)),
        "tailscale.auth_key_wo": lambda r: f"tskey-auth-{word(r)}", "tailscale.auth_key_wo_version": lambda r: r.randint(0, 9),
        "tailscale.auth_key_secret": lambda r: existing.secret, "tailscale.hostname": lambda r: word(r),
        "tailscale.tags": lambda r: [f"tag:{word(r)}" for _ in range(r.randint(0, 2))],
        "image": lambda r: existing.image, "instance_profile": lambda r: existing.instance_profile,
        "huggingface_token_secret": lambda r: existing.secret, "model_cache.s3_uri": lambda r: f"s3://models-{word(r)}/{r.choice(['', 'a', 'a/b'])}",
        "model_cache.snapshot_id": lambda r: existing.snapshot, "log_retention_days": lambda r: r.choice(RETENTION),
        "power": lambda r: r.choice(["running", "running", "stopped"]), "wait_for": lambda r: "running",
        "tags": lambda r: {word(r): r.choice(["", word(r), "ä ö", "a=b/c"]) for _ in range(r.randint(0, 3))},
        "region": lambda r: "us-east-1", "cloud": lambda r: "aws",
    }


def leaves(attributes=None, prefix=""):
    """(dotted path, attribute) of everything that a user may set, objects before what is in them."""
    for name, a in (SCHEMA["attributes"] if attributes is None else attributes).items():
        settable = a.get("required") or a.get("optional") or "default" in a
        if not settable:
            continue
        yield prefix + name, a
        if "nesting" in a:
            yield from leaves(a["attributes"], f"{prefix}{name}.")


def get(config, path):
    for part in path.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def put(config, path, value):
    *parents, last = path.split(".")
    for part in parents:
        config = config.setdefault(part, {})
    config[last] = value


def drop(config, path):
    *parents, last = path.split(".")
    for part in parents:
        config = config.get(part)
        if not isinstance(config, dict):
            return
    config.pop(last, None)


def from_schema(rng, a):
    """A value by type and validators alone; None when there is nothing to choose."""
    rules = {k: v for rule in a.get("validate", []) for k, v in rule.items()}
    if "one_of" in rules:
        return rng.choice(rules["one_of"])
    if a["type"] == "bool":
        return rng.random() < 0.5
    return None


def generate(rng, name, existing):
    """A valid configuration: nested dictionaries, only what is set."""
    values, config = domain(existing), {"name": name, "cloud": "aws", "region": "us-east-1"}
    for path, a in leaves():
        parent = path.rpartition(".")[0]
        if path in config or (parent and get(config, parent) is None):
            continue
        inside_required = a.get("required") and parent
        if not inside_required and rng.random() > (0.7 if path == "models" else 0.3):
            continue
        value = {} if "nesting" in a else values[path](rng) if path in values else from_schema(rng, a)
        if value is not None:
            put(config, path, value)
    return mend(rng, config, existing)


def mend(rng, config, existing):
    """Takes back what cannot be together, and adds what has to be."""
    values = domain(existing)
    if "models" not in config and "custom_model" not in config:
        config["models"] = values["models"](rng)
    if config.get("runtime") == "vllm":
        config.pop("custom_model" if "models" in config else "", None)
        config["models"] = config.get("models", [])[:1] or config.pop("models", [])
        if not config["models"]:
            config.pop("models")
    for one, other in (("machine.type", "machine.candidates"), ("tailscale.auth_key_wo", "tailscale.auth_key_secret"),
                       ("model_cache.s3_uri", "model_cache.snapshot_id")):
        if get(config, one) is not None and get(config, other) is not None:
            drop(config, rng.choice([one, other]))
    network = config.get("network")
    if network is not None:
        if "vpc_id" in network or "subnet_ids" in network or "security_group_id" in network:
            network.update(vpc_id=existing.vpc, subnet_ids=network.get("subnet_ids") or values["network.subnet_ids"](rng))
            network.pop("cidr", None)
            config.pop("zones", None)
            if "security_group_id" in network:
                network.pop("ingress_cidrs", None)
        elif config.get("egress") == "existing":
            config.pop("egress")
    elif config.get("egress") == "existing":
        config.pop("egress")
    tailscale = config.get("tailscale")
    if tailscale is not None:
        if "auth_key_secret" in tailscale:
            tailscale.pop("auth_key_wo_version", None)
        else:
            tailscale.setdefault("auth_key_wo", "tskey-auth-x")
            tailscale.setdefault("auth_key_wo_version", 1)
    disk = config.get("disk")
    if disk is not None:
        kind = disk.get("type", "gp3")
        if kind != "gp3":
            disk.pop("throughput", None)
        if kind == "gp2":
            disk.pop("iops", None)
        if kind in ("io1", "io2"):
            disk.setdefault("iops", 3000)
    # The named machines are small: what needs more than a few small models takes one of the catalogue's choice.
    if "custom_model" in config or config.get("runtime") == "vllm":
        for key in ("type", "candidates"):
            drop(config, f"machine.{key}")
    if config.get("power") == "stopped":
        provisioning = get(config, "machine.provisioning")
        if provisioning in ("spot", "spot_preferred"):
            config["machine"]["provisioning"] = "on_demand"
    return config


def change(rng, config, existing):
    """Another valid configuration of the same node: some attributes from a new one, disks never smaller."""
    other = generate(rng, config["name"], existing)
    mixed = {**copy.deepcopy(config)}
    for key in sorted(set(config) | set(other)):
        if rng.random() < 0.4:
            mixed.pop(key, None)
            if key in other:
                mixed[key] = other[key]
    mixed = mend(rng, mixed, existing)
    old = get(config, "disk.size_gib")
    if old and (get(mixed, "disk.size_gib") or 0) < old:
        put(mixed, "disk.size_gib", old)
        mixed = mend(rng, mixed, existing)
    return mixed


# ---- HCL ----

def hcl(value, indent="  "):
    if isinstance(value, Reference):
        return value.text
    if isinstance(value, dict):
        inner = "".join(f"{indent}  {json.dumps(k, ensure_ascii=False) if not k.isidentifier() else k} = {hcl(v, indent + '  ')}\n" for k, v in value.items())
        return "{\n" + inner + indent + "}"
    if isinstance(value, list):
        return "[" + ", ".join(hcl(v, indent) for v in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("${", "$${")
    return json.dumps(value)


class Reference:
    def __init__(self, text):
        self.text = text


# An unknown value decides what the resource consists of; those below may be unknown in a plan.
MAY_BE_UNKNOWN = ["models", "context_tokens", "machine.type", "zones", "disk.size_gib", "network.ingress_cidrs", "tailscale.hostname", "tailscale.auth_key_secret",
                  "image", "log_retention_days", "power", "runtime", "egress", "custom_model.name", "tags", "region", "model_cache.s3_uri", "network.cidr"]


def with_unknowns(rng, config, source):
    """(the configuration with some leaves as outputs of `source`, what that has to hold)."""
    shown, held = copy.deepcopy(config), {}
    for path in MAY_BE_UNKNOWN:
        value = get(config, path)
        if value is None or isinstance(value, dict) and not value or rng.random() > 0.15:
            continue
        key = path.replace(".", "_")
        held[key] = value
        put(shown, path, Reference(f"{source}.output.{key}"))
    return shown, held


def resource(label, config):
    body = "".join(f"  {k} = {hcl(v)}\n" for k, v in config.items())
    return f'resource "llm_gpu_node" "{label}" {{\n{body}}}\n'


def source(label, held):
    return f'resource "terraform_data" "{label}" {{\n  input = {hcl(held)}\n}}\n'


# ---- invalid ones ----

def wrong_values(path, a):
    """Values that break one rule of the attribute, each with what it is."""
    for rule in a.get("validate", []):
        each = (lambda v: [v]) if rule.get("each") else (lambda v: v)
        if "one_of" in rule:
            yield "not one of", each("nothing-of-that")
        if "pattern" in rule:
            yield "pattern", each("\u00e4 b!")
        if "range" in rule:
            low, high = rule["range"]
            if low is not None:
                yield "below the range", each(low - 1)
            if high is not None:
                yield "above the range", each(high + 1)
        if "length" in rule and rule["length"][1] is not None and rule["length"][1] < 5000:
            most = rule["length"][1]
            kind = a["type"][0] if isinstance(a["type"], list) and not rule.get("each") else "string"
            yield "too long", each("a" * (most + 1) if kind == "string" else {f"k{i}": "v" for i in range(most + 1)} if kind == "map" else
                                   [f"{'llama3.1:8b' if path == 'models' else 'x'}{i}" for i in range(most + 1)])
        if "cidr" in rule:
            yield "no range", each("10.0.0/8")
            yield "host bits", each("10.0.0.1/16")
        if "duration" in rule:
            yield "no duration", each("5 parsecs")


def invalid(existing):
    """(what, path of the culprit, configuration) of everything that has to be refused without a cloud."""
    base = {"name": "n", "cloud": "aws", "region": "us-east-1", "models": ["llama3.1:8b"]}
    values, rng = domain(existing), random.Random(1)
    required_inside = {"custom_model": {"name": "m", "memory_gib": 4, "disk_gib": 4}, "tailscale": {"auth_key_secret": "s"},
                       "network": {}, "machine": {}, "disk": {}, "model_cache": {}}
    for path, a in leaves():
        for what, value in wrong_values(path, a):
            config = copy.deepcopy(base)
            parent = path.partition(".")[0]
            if parent in required_inside and parent != path:
                config[parent] = copy.deepcopy(required_inside[parent])
            put(config, path, value)
            yield what, path, config
    for rule in SCHEMA["rules"]:
        kind = next(k for k in ("conflicts", "exactly_one", "at_least_one", "required_together") if k in rule)
        paths, config = rule[kind], copy.deepcopy(base)
        for p in paths:
            parent = p.partition(".")[0]
            if kind in ("conflicts", "exactly_one"):
                if parent in required_inside and parent not in config:
                    config[parent] = {}
                put(config, p, values[p](rng) if p in values else "x")
            else:
                drop(config, p)
        if kind == "required_together":
            put(config, paths[0], values[paths[0]](rng))
        yield kind, paths, config
    yield "unknown model", "models", {**base, "models": ["no-such-model:1b"]}
    yield "twice", "models", {**base, "models": ["llama3.1:8b", "llama3.1:8b"]}
    yield "unknown machine", "machine", {**base, "machine": {"type": "g9.huge"}}
    yield "too small", "machine", {**base, "models": ["llama3.1:70b"], "machine": {"type": "g4dn.xlarge"}}
    yield "other region", "zones", {**base, "zones": ["eu-west-1a"]}
    yield "twice", "zones", {**base, "zones": ["us-east-1a", "us-east-1a"]}
    yield "reserved", "tags", {**base, "tags": {"llm:resource": "x"}}
    yield "reserved", "tags", {**base, "tags": {"aws:x": "x"}}
    yield "a zone", "region", {**base, "region": "us-east-1a"}
    yield "no such retention", "log_retention_days", {**base, "log_retention_days": 31}
    yield "no throughput", "disk", {**base, "disk": {"type": "io2", "iops": 3000, "throughput": 200}}
    yield "no operations", "disk", {**base, "disk": {"type": "gp2", "iops": 3000}}
    yield "iops missing", "disk", {**base, "disk": {"type": "io1"}}
    yield "no key", "tailscale", {**base, "tailscale": {"hostname": "h"}}
    yield "egress", "egress", {**base, "egress": "existing"}
    yield "stopped spot", "power", {**base, "power": "stopped", "machine": {"provisioning": "spot"}}
    yield "stopped serving", "wait_for", {**base, "power": "stopped", "wait_for": "serving"}
    yield "two of vLLM", "models", {**base, "runtime": "vllm", "models": ["llama3.1:8b", "mistral:7b"]}
    yield "name too long", "name", {**base, "name": "n" * 41}
