"""Configurations made from a resource's schema file: valid ones for the real cores, and invalid ones with the attribute that is wrong. What the
schema cannot say (models that the catalogue has, objects that exist, what a cloud lacks, what goes together) comes from the subject, a resource on
a cloud (clouds.py). Everything follows from the seed.

A path in the schema has `*` for the keys of maps and the indexes of lists; a place is where a value is in a configuration."""
import copy
import json
import random

from tests.conformance.clouds import LIKELY, drop, get, put

ELEMENT = {"required": True}


def settable(attributes):
    return ((name, a) for name, a in attributes.items() if a.get("required") or a.get("optional") or "default" in a)


def leaves(attributes, prefix=""):
    """(path, attribute) of everything that a user may set, objects before what is in them."""
    for name, a in settable(attributes):
        yield prefix + name, a
        if "nesting" in a:
            yield from leaves(a["attributes"], f"{prefix}{name}." + ("" if a["nesting"] == "single" else "*."))


def element_of(a):
    """What the members of a collection are, as an attribute; None: it is no collection whose members are known by key or index."""
    if a.get("nesting") in ("map", "list"):
        return {**ELEMENT, "nesting": "single", "attributes": a["attributes"]}
    kind = a.get("type")
    return {**ELEMENT, "type": kind[1]} if isinstance(kind, list) and kind[0] in ("map", "list") else None


def places(attributes, config, at=(), prefix=""):
    """(place, path, attribute) of everything that may be set in a configuration, set or not, objects before what is in them."""
    for name, a in settable(attributes):
        yield from places_in(a, config.get(name), (*at, name), prefix + name)


def places_in(a, value, at, path):
    yield at, path, a
    inner = element_of(a)
    if inner and isinstance(value, (dict, list)):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places_in(inner, member, (*at, key), f"{path}.*")
    elif a.get("nesting") == "single" and isinstance(value, dict):
        yield from places(a["attributes"], value, at, path + ".")


def from_schema(rng, a):
    """A value by type and validators alone; None when there is nothing to choose."""
    rules = {k: v for rule in a.get("validate", []) for k, v in rule.items()}
    if "one_of" in rules:
        some = rules["one_of"]
        return rng.choice(some) if a["type"] == "string" else sorted(rng.sample(some, rng.randint(0, len(some))))
    if a["type"] == "bool":
        return rng.random() < 0.5
    return None


def generate(rng, name, subject, existing):
    """A valid configuration: nested dictionaries, only what is set."""
    values, config = subject.domain(existing), {"name": name, "cloud": subject.name}
    if rng.random() < 0.8:
        config["region"] = values["region"](rng)
    fill(rng, config, subject, subject.attributes, values)
    if rng.random() < 0.3:
        config["timeouts"] = {k: rng.choice(["20m", "1h30m", "900s"]) for k in subject.schema["timeouts"] if rng.random() < 0.5}
    return subject.mend(rng, config, existing)


def fill(rng, into, subject, attributes, values, prefix=""):
    """Some of the attributes of an object, all that it needs to have."""
    for name, a in settable(attributes):
        path = prefix + name
        if not prefix and (name in into or name == "region") or path in subject.foreign:
            continue
        if not (a.get("required") and prefix) and rng.random() > subject.likely.get(path, LIKELY):
            continue
        value = made(rng, subject, a, values, path)
        if value is not None:
            into[name] = value
    return into


def made(rng, subject, a, values, path):
    kind = a.get("nesting")
    if kind == "single":
        return fill(rng, {}, subject, a["attributes"], values, path + ".")
    if kind == "map":
        return {key: fill(rng, {}, subject, a["attributes"], values, path + ".*.") for key in values[path](rng)}
    if kind == "list":
        return [fill(rng, {}, subject, a["attributes"], values, path + ".*.") for _ in range(values[path](rng))]
    return values[path](rng) if path in values else from_schema(rng, a)


def change(rng, config, subject, existing):
    """Another valid configuration of the same resource: some attributes from a new one."""
    other = generate(rng, config["name"], subject, existing)
    mixed = mixture(rng, config, other, 1)
    # A region that is no longer set stays what it is.
    mixed.setdefault("region", config.get("region", subject.region))
    if mixed["region"] == config.get("region", subject.region) == subject.region and rng.random() < 0.3:
        mixed.pop("region")
    return subject.keep(rng, config, subject.mend(rng, mixed, existing), existing)


def mixture(rng, one, other, depth):
    """Some members of the one, some of the other, and some objects that are mixed themselves."""
    mixed = copy.deepcopy(one)
    for key in sorted(set(one) | set(other)):
        chance = rng.random()
        if chance < 0.4:
            mixed.pop(key, None)
            if key in other:
                mixed[key] = other[key]
        elif chance < 0.7 and depth < 4 and isinstance(one.get(key), dict) and isinstance(other.get(key), dict):
            mixed[key] = mixture(rng, one[key], other[key], depth + 1)
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
        return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
    return json.dumps(value)


class Reference:
    def __init__(self, text):
        self.text = text


def with_unknowns(rng, config, subject, source):
    """(the configuration with some values as outputs of `source`, and some others null; what `source` has to hold)."""
    shown, held = copy.deepcopy(config), {}
    for place, path, a in places(subject.attributes, config):
        value, chance = get(config, place), rng.random()
        # What is in an output is unknown with it.
        if path in subject.never_unknown or not isinstance(get(shown, place[:-1]), (dict, list)):
            continue
        key = "/".join(map(str, place))
        if value is None and not a.get("required"):
            if chance < 0.05:
                put(shown, place, None)
            elif chance < 0.08:
                held[key] = None
                put(shown, place, Reference(f"{source}.output[{json.dumps(key)}]"))
        elif value not in (None, {}) and chance < (0.03 if "nesting" in a else 0.12):
            if any(n.rpartition(".")[2] in str(value) for n in subject.never_unknown):
                continue
            held[key] = value
            put(shown, place, Reference(f"{source}.output[{json.dumps(key)}]"))
    return shown, held


def provider(blocks):
    return f'provider "llm" {{\n{"".join(f"  {k} = {hcl(v)}{chr(10)}" for k, v in blocks.items())}}}\n'


def resource(subject, label, config):
    body = "".join(f"  {k}{'' if k == 'timeouts' else ' ='} {hcl(v)}\n" for k, v in config.items())
    return f'resource "{subject.type}" "{label}" {{\n{body}}}\n'


def source(label, held):
    return f'resource "terraform_data" "{label}" {{\n  input = {hcl(held)}\n}}\n'


# ---- invalid ones ----

def wrong_values(a, valid):
    """Values that break one rule of the attribute, each with what it is. `valid` makes right ones."""
    kind = a["type"][0] if isinstance(a.get("type"), list) else a.get("nesting", "string")
    for rule in a.get("validate", []):
        single = {"map": lambda v: {"k": v}}.get(kind, lambda v: [v]) if rule.get("each") else lambda v: v
        if "one_of" in rule:
            yield "not one of", single("nothing-of-that")
        if "pattern" in rule:
            yield "pattern", single("\u00e4 b!")
        if "range" in rule:
            low, high = rule["range"]
            if low is not None:
                yield "below the range", single(low - 1)
            if high is not None:
                yield "above the range", single(high + 1)
        if "length" in rule:
            least, most = rule["length"]
            text = rule.get("each") or kind == "string"
            if least:
                yield "too short", single("a" * (least - 1)) if text else {} if kind == "map" else []
            if most is not None and most < 5000:
                yield "too long", single("a" * (most + 1)) if text else many(kind, most + 1, valid)
        if "cidr" in rule:
            yield "no range", single("10.0.0/8")
            yield "host bits", single("10.0.0.1/16")
            if rule["cidr"][0]:
                yield "range too large", single(f"10.0.0.0/{rule['cidr'][0] - 1}")
        if "duration" in rule:
            yield "no duration", single("5 parsecs")


def many(kind, count, valid):
    """A collection of so many members."""
    if kind == "map":
        return {f"k{i}": valid("v") for i in range(count)}
    return [valid(f"x{i}") for i in range(count)]


def around(subject, values, path):
    """(the smallest configuration in which an attribute can be, its place)."""
    config, place, attributes, at, rng = copy.deepcopy(subject.base), (), subject.attributes, "", random.Random(1)

    def needed(attributes, prefix):
        return {n: made(rng, subject, a, values, prefix + n) for n, a in settable(attributes) if a.get("required")}
    for name in path.split(".")[:-1]:
        if name == "*":
            continue
        a, at = attributes[name], at + name
        place, attributes = (*place, name), a["attributes"]
        if a["nesting"] != "single":
            place, at = (*place, 0 if a["nesting"] == "list" else subject.key(values, at)), at + ".*"
        at += "."
        inside = {**needed(attributes, at), **subject.needs.get(at[:-1], {})}
        if isinstance(place[-1], int):
            put(config, place[:-1], [inside])
        elif get(config, place) is None:
            put(config, place, inside)
    return config, (*place, path.rpartition(".")[2])


def invalid(subject):
    """(what, path of the culprit, configuration) of everything that has to be refused without a cloud."""
    base, values, rng = subject.base, subject.domain(subject.offline), random.Random(1)
    for path, a in leaves(subject.attributes):
        config, place = around(subject, values, path)
        for what, value in wrong_values(a, lambda v, a=a, path=path: subject.member(a, path, v)):
            yield what, path, with_value(config, place, value)
        if a.get("nesting") in ("map", "list"):
            yield "a member that is null", f"{path}.*", with_value(config, place, {"k": None} if a["nesting"] == "map" else [None])
        if a.get("required") and "." in path:
            yield "not there", path, with_value(config, place, None)
    for rule in subject.schema["rules"]:
        kind = next(k for k in ("conflicts", "exactly_one", "at_least_one", "required_together") if k in rule)
        paths, config = rule[kind], copy.deepcopy(base)
        for p in paths:
            if kind in ("conflicts", "exactly_one"):
                put(config, p, values[p](rng) if p in values else "x")
            else:
                drop(config, p)
        if kind == "required_together":
            put(config, paths[0], values[paths[0]](rng) if paths[0] in values else "x")
        yield kind, paths, config
    together = [rule["required_together"] for rule in subject.schema["rules"] if "required_together" in rule]
    for path, value in subject.foreign.items():
        config, place = around(subject, values, path)
        for other in {p for paths in together if path in paths for p in paths}:
            put(config, other, subject.foreign.get(other, "x"))
        yield "another cloud's", path, with_value(config, place, value)
    for operation in subject.schema["timeouts"]:
        yield "no duration", f"timeouts.{operation}", {**base, "timeouts": {operation: "5 parsecs"}}
    yield from subject.invalid(base)


def with_value(config, place, value):
    config = copy.deepcopy(config)
    put(config, place, value)
    return config
