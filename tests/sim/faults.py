"""Rules: what the cloud does to calls besides answering them.

A rule: {"operation": "RunInstances", "service": "ec2", "match": {"SubnetId": "subnet-1"}, "skip": 0, "times": 1, "for_s": 5} and what it
does. "operation": a name, a list of names, or "*" (default); a trailing * stands for the rest of a name. "match": parameters by dotted path,
each a value or a list of them, or {"re": pattern}; "AvailabilityZone" is also found through the subnet. "skip": leaves the first n calls
alone. "times": n calls; -1: for ever. "for_s": ends so many seconds after the rule was made.

What it does, one or several:
  "delay_ms": N                                     waits before the call is looked at
  "error": {"code", "message", "status"}            fails, in the shape of the service's protocol
  "rate": {"per_s": 5, "burst": 10}                 lets so many through; the others fail as throttled
  "drop": "before" | "after"                        ends the connection, before or after the call has its effect
  "raw": {"status", "type", "body", "repeat", "headers"}   answers bytes; with "endless": true for ever; "cut": true less than promised;
                                                    "chunk_ms": N a byte at a time
  "set": {"NatGateways.*.State": "pending"}         changes the answer; null takes the member away
  "rewrite": [from, to]                             replaces text in the answer
  "kill": true | "after"                            the simulator ends, before or after the call has its effect
"""
import re
import time

from tests.sim.model import MODEL_NAMES
from tests.sim.state import STATE

THROTTLED = {"ec2": "RequestLimitExceeded", "query": "Throttling", "rest-xml": "SlowDown", "json": "ThrottlingException",
             "rest-json": "ThrottlingException"}


class Dropped(Exception):
    """The connection ends without an answer."""


def taken(request, zone_of, state=STATE):
    """The rules that apply to this call, each used up by one."""
    found = []
    with state.lock:
        for rule in state.rules:
            if _expired(rule) or not _named(rule, request) or not _matches(rule, request, zone_of):
                continue
            if rule.get("skip", 0) > 0:
                rule["skip"] -= 1
                continue
            if "rate" in rule and _lets_through(rule):
                continue
            if rule.get("times", 1) > 0:
                rule["times"] = rule.get("times", 1) - 1
            rule["hits"] = rule.get("hits", 0) + 1
            found.append(rule)
    return found


def _expired(rule):
    until = rule.setdefault("until", time.time() + rule["for_s"] if "for_s" in rule else None)
    default = -1 if "for_s" in rule or "rate" in rule else 1
    return rule.setdefault("times", default) == 0 or (until is not None and time.time() > until)


def _named(rule, request):
    names = rule.get("operation", "*")
    names = names if isinstance(names, list) else [names]
    if rule.get("service", request.service) not in (request.service, MODEL_NAMES.get(request.service)):
        return False
    return any(request.operation == n or (n.endswith("*") and (request.operation or "").startswith(n[:-1])) for n in names)


def _matches(rule, request, zone_of):
    for path, wanted in rule.get("match", {}).items():
        value = member(request.params, path)
        if value is None and path == "AvailabilityZone":
            value = zone_of(request)
        if isinstance(wanted, dict):
            if value is None or not re.search(wanted["re"], str(value)):
                return False
        elif str(value) not in [str(w) for w in (wanted if isinstance(wanted, list) else [wanted])]:
            return False
    return True


def _lets_through(rule):
    """A bucket of tokens."""
    rate, now = rule["rate"], time.time()
    burst = rate.get("burst", rate["per_s"])
    full = min(burst, rule.get("full", burst) + (now - rule.get("at", now)) * rate["per_s"])
    rule["at"], rule["full"] = now, full - 1 if full >= 1 else full
    return full >= 1


def member(params, path):
    """A parameter by dotted path; list members by index."""
    for part in path.split("."):
        if isinstance(params, list):
            params = params[int(part)] if part.isdigit() and int(part) < len(params) else None
        elif isinstance(params, dict):
            params = params.get(part)
        else:
            return None
    return params


def assign(output, path, value):
    """Sets members of an answer by dotted path; * is every member of a list."""
    part, _, rest = path.partition(".")
    if isinstance(output, list):
        for index, inner in enumerate(output):
            if part in ("*", str(index)):
                assign(inner, rest, value)
    elif rest:
        if part in output:
            assign(output[part], rest, value)
    elif value is None:
        output.pop(part, None)
    else:
        output[part] = value
