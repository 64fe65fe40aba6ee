"""What the cores demand of a provider's answers (DESIGN: OpenTofu's internal/plans/objchange), over plain values as msgpack has them: the
state that a core proposes, whether a plan is valid, whether a result keeps what was planned. For schemas with attributes, nested attributes of one
object and single blocks, which is what there is here."""
import msgpack

SINGLE = 1  # of both kinds of nesting


def is_unknown(v):
    return isinstance(v, msgpack.ExtType)


def nested_of(attribute):
    """The attributes in an attribute, or None."""
    if not attribute.HasField("nested_type"):
        return None
    assert attribute.nested_type.nesting == SINGLE
    return attribute.nested_type.attributes


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
        elif inner is not None and isinstance(value, dict):
            new[a.name] = proposed_attributes(inner, before if isinstance(before, dict) else {}, value)
        else:
            new[a.name] = None if a.write_only else value
    return new


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
            found += attribute_problems(nested_of(a), before if isinstance(before, dict) else {}, c, p, name + ".")
    return found


# ---- results ----

def result_problems(planned, actual, at=""):
    """Every known part of the plan is in the result, which has nothing more."""
    where = at or "the resource"
    if is_unknown(planned):
        return [f"{where}: null, which the plan has promised not to be"] if actual is None and promises_a_value(planned) else []
    if actual is None or planned is None:
        return [] if actual is None and planned is None else [f"{where}: was {planned!r}, but now {actual!r}"]
    if is_unknown(actual):
        return [f"{where}: was known, but now unknown"]
    if isinstance(planned, dict):
        keys = [f"{where}: {'has vanished' if k in planned else 'has appeared'}: {k}" for k in sorted(set(planned) ^ set(actual))]
        return keys + [p for k in planned if k in actual for p in result_problems(planned[k], actual[k], f"{at}.{k}" if at else k)]
    if isinstance(planned, list):
        if len(planned) != len(actual) and wholly_known(planned):
            return [f"{where}: {len(planned)} elements planned, {len(actual)} made"]
        return [p for i, (x, y) in enumerate(zip(planned, actual)) for p in result_problems(x, y, f"{at}[{i}]")] if wholly_known(planned) else []
    return [] if planned == actual else [f"{where}: was {planned!r}, but now {actual!r}"]


def promises_a_value(unknown):
    """A refined unknown whose refinements say that it is not null (cty's msgpack: extension 12, key 1)."""
    return unknown.code == 12 and msgpack.unpackb(unknown.data, strict_map_key=False).get(1) is False
