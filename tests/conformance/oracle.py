"""What the cores demand of a provider's answers (DESIGN: OpenTofu's internal/plans/objchange), over plain values as msgpack has them: the
state that a core proposes, whether a plan is valid, whether a result keeps what was planned. For schemas with attributes, nested attributes (one
object, a list or a map of them) and single blocks, which is what there is here."""
import json

import msgpack

SINGLE, LIST, MAP = 1, 2, 4  # of both kinds of nesting
UNKNOWN = msgpack.ExtType(0, b"\x00")


def is_unknown(v):
    return isinstance(v, msgpack.ExtType)


def nested_of(attribute):
    """The attributes in an attribute, or None."""
    if not attribute.HasField("nested_type"):
        return None
    assert attribute.nested_type.nesting in (SINGLE, LIST, MAP)
    return attribute.nested_type.attributes


def members(value):
    """(key or index, member) of a list or map; of what is neither, nothing."""
    return value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()


def shape_of(block):
    """Of an object's type, what a comparison has to know: (kind, what is inside)."""
    nested = {b.type_name: shape_of(b.block) for b in block.block_types} if hasattr(block, "block_types") else {}
    return "object", {**{a.name: shape_of_attribute(a) for a in block.attributes}, **nested}


def shape_of_attribute(a):
    if nested_of(a) is None:
        return shape_of_type(json.loads(a.type))
    inner = shape_of(a.nested_type)
    return {SINGLE: inner, LIST: ("list", inner), MAP: ("map", inner)}[a.nested_type.nesting]


def shape_of_type(t):
    if isinstance(t, str):
        return "primitive", None
    return t[0], {k: shape_of_type(v) for k, v in t[1].items()} if t[0] == "object" else shape_of_type(t[1])


def wholly_known(v):
    if is_unknown(v):
        return False
    return all(map(wholly_known, v.values() if isinstance(v, dict) else v if isinstance(v, list) else ()))


# ---- what is proposed ----

def proposed(block, prior, config):
    if config is None:
        return None
    given = prior if prior is not None else {}
    new = proposed_attributes(block.attributes, given, config)
    for b in block.block_types:
        assert b.nesting == SINGLE
        inner = config[b.type_name]
        new[b.type_name] = inner if inner is None or is_unknown(inner) else proposed(b.block, given.get(b.type_name), inner)
    return new


def proposed_attributes(attributes, prior, config):
    new = {}
    for a in attributes:
        value, before = config[a.name], prior.get(a.name)
        inner = nested_of(a)
        if a.computed and value is None and not is_unknown(value):
            new[a.name] = before
        elif inner is not None and isinstance(value, (dict, list)):
            new[a.name] = proposed_nested(a.nested_type, before, value)
        else:
            new[a.name] = None if a.write_only else value
    return new


def proposed_nested(kind, prior, config):
    """Members correspond by key or index; one without a predecessor is taken as it is."""
    if kind.nesting == SINGLE:
        return proposed_attributes(kind.attributes, prior if isinstance(prior, dict) else {}, config)
    earlier = dict(members(prior))
    new = {k: proposed_attributes(kind.attributes, earlier[k] or {}, v) if k in earlier and isinstance(v, dict) else v for k, v in members(config)}
    return new if isinstance(config, dict) else list(new.values())


# ---- plans ----

def plan_problems(block, prior, config, planned, at=""):
    if (planned is None) != (config is None):
        return [f"{at or 'the resource'}: planned {'for absence' if planned is None else 'for existence'}, which the configuration does not want"]
    if planned is None:
        return []
    found = attribute_problems(block.attributes, prior or {}, config, planned, at)
    for b in block.block_types:
        name, inner = f"{at}{b.type_name}", planned[b.type_name]
        if inner == config[b.type_name]:
            continue
        if is_unknown(inner) or is_unknown(config[b.type_name]):
            found.append(f"{name}: a block is unknown")
        else:
            found += plan_problems(b.block, (prior or {}).get(b.type_name), config[b.type_name], inner, name + ".")
    return found


def attribute_problems(attributes, prior, config, planned, at):
    found = []
    for a in attributes:
        name, p, c, before = f"{at}{a.name}", planned[a.name], config[a.name], prior.get(a.name)
        if p == c or is_unknown(p) and is_unknown(c) or p == before and before is not None and c is not None:
            continue
        if a.computed and not a.optional or c is None and a.computed or a.write_only and p is None:
            continue
        if c is None:
            found.append(f"{name}: planned {p!r} for an attribute that is not computed")
        elif nested_of(a) is None:
            found.append(f"{name}: planned {p!r}, configured {c!r}, before {before!r}")
        elif p is None:
            found.append(f"{name}: planned for absence")
        elif is_unknown(p):
            found.append(f"{name}: planned unknown for a configured value")
        elif not is_unknown(c):
            found += nested_problems(a.nested_type, before, c, p, name)
    return found


def nested_problems(kind, prior, config, planned, at):
    if kind.nesting == SINGLE:
        return attribute_problems(kind.attributes, prior if isinstance(prior, dict) else {}, config, planned, at + ".")
    if len(planned) != len(config):
        return [f"{at}: count in plan ({len(planned)}) disagrees with count in config ({len(config)})"]
    wanted, earlier, found = dict(members(config)), dict(members(prior)), []
    for key, p in members(planned):
        if key not in wanted:
            found.append(f"{at}: key {key!r} from plan is not present in config")
        elif p is None or wanted[key] is None:
            found.append(f"{at}.{key}: null, which makes the core panic")
        else:
            all_of = lambda v: v if isinstance(v, dict) else {a.name: UNKNOWN for a in kind.attributes}
            found += attribute_problems(kind.attributes, earlier.get(key) or {}, all_of(wanted[key]), all_of(p), f"{at}.{key}.")
    return found


# ---- results ----

def result_problems(planned, actual, shape, at=""):
    """Every known part of the plan is in the result, which has nothing more. `shape`: shape_of() the schema."""
    where, (kind, inner) = at or "the resource", shape
    if is_unknown(planned):
        return [f"{where}: null, which the plan has promised not to be"] if actual is None and promises_a_value(planned) else []
    if actual is None or planned is None:
        return [] if actual is None and planned is None else [f"{where}: was {planned!r}, but now {actual!r}"]
    if is_unknown(actual):
        return [f"{where}: was known, but now unknown"]
    if kind == "set":
        return set_problems(planned, actual, where)
    if isinstance(planned, dict):
        keys = [f"{where}: {'has vanished' if k in planned else 'has appeared'}: {k}" for k in sorted(set(planned) ^ set(actual))]
        return keys + [p for k in planned if k in actual
                       for p in result_problems(planned[k], actual[k], inner[k] if kind == "object" else inner, f"{at}.{k}" if at else k)]
    if isinstance(planned, list):
        if len(planned) != len(actual):
            return [f"{where}: {len(planned)} elements planned, {len(actual)} made"]
        return [p for i, (x, y) in enumerate(zip(planned, actual)) for p in result_problems(x, y, inner, f"{at}[{i}]")]
    return [] if planned == actual else [f"{where}: was {planned!r}, but now {actual!r}"]


def set_problems(planned, actual, where):
    """Of a set of texts: members that are known stay; unknown ones may turn out to be equal, but do not become more."""
    gone = [v for v in planned if not is_unknown(v) and v not in actual]
    new = [v for v in actual if v not in planned]
    more = len(new) > sum(map(is_unknown, planned))
    return [f"{where}: planned {v!r} is not there" for v in gone] + ([f"{where}: {new!r} were not planned"] if more else [])


def promises_a_value(unknown):
    """A refined unknown whose refinements say that it is not null (cty's msgpack: extension 12, key 1)."""
    return unknown.code == 12 and msgpack.unpackb(unknown.data, strict_map_key=False).get(1) is False
