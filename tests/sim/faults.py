"""Rules: what the cloud does to calls besides answering them.

A rule: {"operation": "RunInstances", "service": "ec2", "match": {"SubnetId": "subnet-1"}, "skip": 0, "times": 1, "for_s": 5} and what it
does. "operation": a name, a list of names, or "*" (default); a trailing * stands for the rest of a name. "match": parameters by dotted path,
each a value or a list of them, or {"re": pattern}; "AvailabilityZone" is also found through the subnet. "skip": leaves the first n calls
alone. "times": n calls; -1: for ever. "for_s": ends so many seconds after the rule was made.

What it does, one or several:
  "delay_ms": N                                     waits before the call is looked at
  "error": {"code", "message", "status"}            fails, in the shape of the service's protocol
  "rate": {"per_s": 5, "burst": 10}                 lets so many through; the others fail as throttled
  "drop": "before" | "after"                        ends the connection, before or after the call has its effect; with "reset": true by a
                                                    reset; with "refuse_s": N no new one is accepted for so long
  "hold": "before" | "after"                        waits there until the rule is taken away (at most a minute)
  "signal": {"pid": N, "signal": 9, "when": "before" | "after"}   sends a signal to a process of this machine: a client, at exactly this call
  "hide": N                                         what the call made is not found by the next N reads (GCP; AWS: control "visible")
  "clock_s": N                                      from this call on the cloud's clock is so far ahead
  "spoil": "cut" | "empty" | "bytes" | "html" | "huge"   has its effect, but of the answer comes half, nothing, one with bytes that are no
                                                    text, a page in its place with the status of success, or one of 64 MiB
  "raw": {"status", "type", "body", "repeat", "headers"}   answers bytes; with "endless": true for ever; "cut": true less than promised;
                                                    "chunk_ms": N a byte at a time
  "set": {"NatGateways.*.State": "pending"}         changes the answer; null takes the member away
  "rewrite": [from, to]                             replaces text in the answer
  "kill": true | "after"                            the simulator ends, before or after the call has its effect
"""
import os
import re
import socket
import struct
import threading
import time

from tests.sim.model import MODEL_NAMES
from tests.sim.state import STATE

THROTTLED = {"ec2": "RequestLimitExceeded", "query": "Throttling", "rest-xml": "SlowDown", "json": "ThrottlingException",
             "rest-json": "ThrottlingException"}


PAGE = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Sign in to the network.</body></html>\n"
HUGE, HOLD_S = 64 << 20, 60


class Dropped(Exception):
    """The connection ends without an answer."""

    def __init__(self, rule):
        super().__init__()
        self.reset, self.refuse_s = rule.get("reset", False), rule.get("refuse_s", 0)


def begin(rules, state=STATE):
    """What happens before a call is looked at."""
    for rule in rules:
        time.sleep(rule.get("delay_ms", 0) / 1000)
    _common(rules, "before", state)
    for rule in rules:
        if rule.get("kill") is True:
            os._exit(9)


def end(rules, state=STATE):
    """What happens when a call has had its effect, and is not answered yet."""
    _common(rules, "after", state)
    for rule in rules:
        if rule.get("kill") == "after":
            os._exit(9)


def _common(rules, when, state):
    for rule in rules:
        until = time.monotonic() + HOLD_S
        while rule.get("hold") == when and any(r is rule for r in state.rules) and time.monotonic() < until:
            time.sleep(0.005)
        if "clock_s" in rule and when == "before":
            state.clock_offset_s = rule["clock_s"]
        signal = rule.get("signal")
        if signal and signal.get("when", "before") == when:
            try:
                os.kill(signal["pid"], signal.get("signal", 9))
            except ProcessLookupError:
                pass
    for rule in rules:
        if rule.get("drop") == when:
            raise Dropped(rule)


def spoiled(rules, result):
    """The answer, or what a rule makes of it: (status, headers, body) or bytes to send as they are."""
    kind = next((rule["spoil"] for rule in rules if "spoil" in rule), None)
    if kind is None:
        return result
    status, headers, body = result
    content = next((v for k, v in headers.items() if k.lower() == "content-type"), "text/plain")
    middle = len(body) // 2
    raw = {"status": status, "type": content}
    return {"cut": {**raw, "body": body[:middle], "cut": True}, "empty": {**raw, "body": b""}, "html": {**raw, "type": "text/html", "body": PAGE},
            "bytes": {**raw, "body": body[:middle] + b"\xff\xfe\x80" + body[middle:]},
            "huge": {**raw, "body": b" ", "repeat": HUGE}}[kind]


def raw_body(raw):
    body = raw.get("body", "")
    return (body if isinstance(body, bytes) else body.encode()) * raw.get("repeat", 1)


def hang_up(connection, dropped, listener):
    """Ends a connection: in order, or by a reset; and refuses others for a while."""
    if dropped.refuse_s:
        refuse(listener, dropped.refuse_s)
    if dropped.reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    else:
        connection.shutdown(socket.SHUT_RDWR)


def refuse(listener, seconds):
    """Nobody listens at the server's port for so long."""
    address = listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)

    def listen_again():
        with socket.create_server(address, backlog=128) as another:
            os.dup2(another.fileno(), listener.fileno())
    threading.Timer(seconds, listen_again).start()


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
