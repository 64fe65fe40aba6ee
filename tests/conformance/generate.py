"""Configurations of llm_gpu_node made from its schema file: valid ones for the real cores, and invalid ones with the attribute
that is wrong. What the schema cannot say (models that the catalogue has, objects that exist, what a cloud lacks) comes from the
cloud (clouds.py); what it says across attributes (`rules`) and what the resource checks beyond that is mended by `mend`.
Everything follows from the seed."""
import copy
import json
import pathlib
import random

from tests.conformance.clouds import drop, get, put

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas/resources/gpu_node.json").read_text())


def leaves(attributes=None, prefix=""):
    """(dotted path, attribute) of everything that a user may set, objects before what is in them."""
    for name, a in (SCHEMA["attributes"] if attributes is None else attributes).items():
        settable = a.get("required") or a.get("optional") or "default" in a
        if not settable:
            continue
        yield prefix + name, a
        if "nesting" in a:
            yield from leaves(a["attributes"], f"{prefix}{name}.")


def from_schema(rng, a):
    """A value by type and validators alone; None when there is nothing to choose."""
    rules = {k: v for rule in a.get("validate", []) for k, v in rule.items()}
    if "one_of" in rules:
        return rng.choice(rules["one_of"])
    if a["type"] == "bool":
        return rng.random() < 0.5
    return None


def generate(rng, name, cloud, existing):
    """A valid configuration: nested dictionaries, only what is set."""
    values, config = cloud.domain(existing), {"name": name, "cloud": cloud.name}
    if rng.random() < 0.8:
        config["region"] = values["region"](rng)
    for path, a in leaves():
        parent = path.rpartition(".")[0]
        if path in config or path == "region" or path in cloud.foreign or (parent and get(config, parent) is None):
            continue
        inside_required = a.get("required") and parent
        if not inside_required and rng.random() > (0.7 if path == "models" else 0.3):
            continue
        value = {} if "nesting" in a else values[path](rng) if path in values else from_schema(rng, a)
        if value is not None:
            put(config, path, value)
    if rng.random() < 0.3:
        config["timeouts"] = {k: rng.choice(["20m", "1h30m", "900s"]) for k in SCHEMA["timeouts"] if rng.random() < 0.5}
    return mend(rng, config, cloud, existing)


def mend(rng, config, cloud, existing):
    """Takes back what cannot be together, and adds what has to be."""
    values = cloud.domain(existing)
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
    cloud.mend(rng, config, existing)
    return config


def change(rng, config, cloud, existing):
    """Another valid configuration of the same node: some attributes from a new one, disks never smaller."""
    other = generate(rng, config["name"], cloud, existing)
    mixed = {**copy.deepcopy(config)}
    for key in sorted(set(config) | set(other)):
        if rng.random() < 0.4:
            mixed.pop(key, None)
            if key in other:
                mixed[key] = other[key]
    # A region that is no longer set stays what it is.
    mixed.setdefault("region", config.get("region", cloud.region))
    if mixed["region"] == config.get("region", cloud.region) == cloud.region and rng.random() < 0.3:
        mixed.pop("region")
    # EC2 stops no spot instance, and one that is there stays one when `provisioning` changes.
    if cloud.name == "aws" and "spot" in (get(config, "machine.provisioning") or ""):
        mixed.pop("power", None)
    mixed = mend(rng, mixed, cloud, existing)
    # What a size of its own follows may have been made from the models, up to 100 GiB.
    old, new = get(config, "disk.size_gib"), get(mixed, "disk.size_gib")
    if old and (new or 0) < old or new and not old:
        put(mixed, "disk.size_gib", old or 200)
        mixed = mend(rng, mixed, cloud, existing)
    return mixed


# ---- HCL ----

def hcl(value, indent="  "):
    if value is None:
        return "null"
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


# A write-only value may not be output by another resource: it would be in the state.
NEVER_UNKNOWN = ["tailscale.auth_key_wo"]


def with_unknowns(rng, config, source):
    """(the configuration with some leaves as outputs of `source`, and some others null; what `source` has to hold)."""
    shown, held = copy.deepcopy(config), {}
    for path, a in leaves():
        parent = path.rpartition(".")[0]
        value, chance = get(config, path), rng.random()
        if path in NEVER_UNKNOWN or parent and not isinstance(get(shown, parent), dict):
            continue
        key = path.replace(".", "_")
        if value is None and not a.get("required"):
            if chance < 0.05:
                put(shown, path, None)
            elif chance < 0.08:
                held[key] = None
                put(shown, path, Reference(f"{source}.output.{key}"))
        elif value not in (None, {}) and chance < (0.03 if "nesting" in a else 0.12):
            if "auth_key_wo" in str(value):
                continue
            held[key] = value
            put(shown, path, Reference(f"{source}.output.{key}"))
    return shown, held


def provider(blocks):
    return f'provider "llm" {{\n{"".join(f"  {k} = {hcl(v)}{chr(10)}" for k, v in blocks.items())}}}\n'


def resource(label, config):
    body = "".join(f"  {k}{'' if k == 'timeouts' else ' ='} {hcl(v)}\n" for k, v in config.items())
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


def invalid(cloud):
    """(what, path of the culprit, configuration) of everything that has to be refused without a cloud."""
    base = {"name": "n", "cloud": cloud.name, "region": cloud.region, "models": ["llama3.1:8b"]}
    values, rng = cloud.domain(cloud.offline), random.Random(1)
    required_inside = {"custom_model": {"name": "m", "memory_gib": 4, "disk_gib": 4}, "tailscale": {"auth_key_secret": "s"},
                       "network": {}, "machine": {}, "disk": {}, "model_cache": {}}

    def around(path):
        """The smallest configuration in which the attribute can be."""
        config, parent = copy.deepcopy(base), path.partition(".")[0]
        if parent in required_inside and parent != path:
            config[parent] = copy.deepcopy(required_inside[parent])
        return config

    for path, a in leaves():
        for what, value in wrong_values(path, a):
            config = around(path)
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
    for path in cloud.foreign:
        config = around(path)
        put(config, path, FOREIGN[path])
        yield "another cloud's", path, config
    for operation in SCHEMA["timeouts"]:
        yield "no duration", f"timeouts.{operation}", {**base, "timeouts": {operation: "5 parsecs"}}
    yield "unknown model", "models", {**base, "models": ["no-such-model:1b"]}
    yield "twice", "models", {**base, "models": ["llama3.1:8b", "llama3.1:8b"]}
    yield "no key", "tailscale", {**base, "tailscale": {"hostname": "h"}}
    yield "egress", "egress", {**base, "egress": "existing"}
    yield "stopped spot", "power", {**base, "power": "stopped", "machine": {"provisioning": "spot"}}
    yield "stopped serving", "wait_for", {**base, "power": "stopped", "wait_for": "serving"}
    yield "two of vLLM", "models", {**base, "runtime": "vllm", "models": ["llama3.1:8b", "mistral:7b"]}
    yield "name too long", "name", {**base, "name": "n" * 41}
    yield from cloud.invalid(base)


# Values that are right on the cloud that has the attribute.
FOREIGN = {"service_account": "given@test-project.iam.gserviceaccount.com", "model_cache.gcs_uri": "gs://models/a", "model_cache.s3_uri": "s3://models/a",
           "instance_profile": "given", "network.security_group_id": "sg-1"}
