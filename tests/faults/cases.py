"""The faults: what each does at exactly one call of an operation.

A fault is a function of a case that returns the rules for the simulator, or for the proxy before a cluster (tests/sim/faults.py); a rule without an
operation is put at the case's call. What a rule cannot do, the fault's `meanwhile` does while the call is held. Calls of a cluster are called
"kubernetes.…" on every cloud.
"""
import dataclasses
import os
import typing

@dataclasses.dataclass
class Fault:
    name: str
    rules: typing.Callable
    meanwhile: typing.Callable = None  # f(case), while the call is held; the rule has "hold"
    applies: typing.Callable = lambda cloud, operation, call: True
    short: bool = False  # the first run has little time
    before: typing.Callable = None  # f(case), when the plan is there and before the rules
    kills: bool = False  # the provider does not live to give a state back
    log: typing.Callable = None  # opens the file for the provider's log
    once: bool = False  # once for an operation, whichever call


def inside(call):
    """Whether it is a call of a cluster's API server."""
    return call.startswith("kubernetes.")


def error(status, codes, **more):
    """An error as each cloud words it; codes: (GCP's, AWS's, Kubernetes')."""
    def rules(case):
        code = codes[2 if inside(case.call) else 0 if case.cloud == "gcp" else 1]
        return [{"error": {"status": status, "code": code, "message": "simulated", **more}}]
    return rules


def signal(number, when):
    def rules(case):
        return [{"signal": {"pid": case.core.plugin.process.pid, "signal": number, "when": when}, "drop": when}]
    return rules


def stop(case):
    case.core.plugin.call("StopProvider", service="tfplugin6.Provider")


def stop_and_kill(case):
    stop(case)
    case.kill_later(0.3)


def changes(_, __, call):
    """Not a read. GCP's POSTs that read end in what they do."""
    name = call.split(".")[-1]
    return not name.startswith(("Describe", "Get", "List", "get", "list", "aggregated", "wait", "batchGet"))


def outside(_, __, call):
    return not inside(call)


def makes(cloud, operation, call):
    return outside(cloud, operation, call) and changes(cloud, operation, call) and call.split(".")[-1].startswith(("Create", "Run", "Allocate", "insert", "create"))


def starts_an_operation(cloud, operation, call):
    return cloud == "gcp" and call.startswith(("compute.", "container.", "aiplatform.")) and changes(cloud, operation, call)


def settles(cloud, _, call):
    return cloud == "aws" and call in ("CreateNatGateway", "RunInstances", "CreateVolume", "TerminateInstances", "DeleteNatGateway",
                                       "CreateCluster", "CreateNodegroup", "CreateAddon", "UpdateNodegroupConfig", "DeleteCluster", "DeleteNodegroup",
                                       "CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint")


def may_fail_late(cloud, operation, call):
    """What is accepted, and ends in failure."""
    if cloud == "gcp":
        return call.startswith(("container.", "aiplatform.")) and changes(cloud, operation, call)
    return call in ("CreateCluster", "DeleteCluster", "UpdateClusterConfig", "CreateNodegroup", "DeleteNodegroup", "UpdateNodegroupConfig",
                    "UpdateNodegroupVersion", "CreateAddon", "DeleteAddon", "CreateEndpoint", "UpdateEndpoint")


def fail_late(case):
    if case.cloud == "aws":
        case.ground.sim.control("failures", [{"operation": case.call, "code": "InternalFailure", "message": "simulated", "times": 1}])


def places(_, __, call):
    return call in ("RunInstances", "compute.instances.insert")


def full_disk():
    return open("/dev/full", "wb", buffering=0)


def nobody_reads():
    """A pipe whose other end is closed, as that of a core that has gone."""
    ours, theirs = os.pipe()
    os.close(ours)
    return os.fdopen(theirs, "wb", buffering=0)


FAULTS = [
    Fault("killed before the call", signal(9, "before"), kills=True),
    Fault("killed before the answer", signal(9, "after"), kills=True),
    Fault("reset before", lambda c: [{"drop": "before", "reset": True}]),
    Fault("reset after", lambda c: [{"drop": "after", "reset": True}]),
    Fault("answer lost", lambda c: [{"drop": "after"}]),
    Fault("connection refused", lambda c: [{"drop": "before", "refuse_s": 0.3}]),
    Fault("no answer, no effect", lambda c: [{"hold": "before", "drop": "before"}], short=True),
    Fault("no answer, a late effect", lambda c: [{"hold": "before"}], short=True),
    Fault("no answer in time", lambda c: [{"hold": "after"}], short=True),
    Fault("500", error(500, ("backendError", "InternalError", "InternalError"))),
    Fault("503", error(503, ("backendError", "ServiceUnavailable", "ServiceUnavailable"))),
    Fault("429", error(429, ("rateLimitExceeded", "RequestLimitExceeded", "TooManyRequests"))),
    Fault("429 with Retry-After", error(429, ("rateLimitExceeded", "RequestLimitExceeded", "TooManyRequests"), retry_after=1)),
    Fault("credentials expired", error(401, ("authError", "ExpiredToken", "Unauthorized"))),
    Fault("body cut", lambda c: [{"spoil": "cut"}]),
    Fault("body empty", lambda c: [{"spoil": "empty"}]),
    Fault("body not UTF-8", lambda c: [{"spoil": "bytes"}]),
    Fault("body of a wrong type", lambda c: [{"spoil": "html"}]),
    Fault("body huge", lambda c: [{"spoil": "huge"}]),
    Fault("clock 20 min ahead", lambda c: [{"clock_s": 1200}], applies=outside),
    Fault("clock 20 min behind", lambda c: [{"clock_s": -1200}], applies=outside),
    Fault("not found for 3 reads", lambda c: [{"hide": 3}], applies=lambda *a: a[0] == "gcp" and makes(*a)),
    Fault("not found for 1 s", lambda c: [], applies=lambda *a: a[0] == "aws" and makes(*a),
          before=lambda c: c.ground.sim.control("visible", {c.call: 1.0})),
    Fault("operation never ends", lambda c: [{"operation_ms": -1}], applies=starts_an_operation, short=True),
    Fault("never ready", lambda c: [], applies=settles, short=True, before=lambda c: c.ground.sim.control("settle", {c.call: 3600})),
    Fault("ends in failure", lambda c: [{"operation_error": {"code": "INTERNAL", "message": "simulated"}}] if c.cloud == "gcp" else [],
          applies=may_fail_late, before=fail_late),
    Fault("no capacity", lambda c: [{"operation_error": {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "no capacity", "status": 503}}
                                    if c.cloud == "gcp" else {"error": {"code": "InsufficientInstanceCapacity", "message": "none", "status": 500}}],
          applies=places),
    Fault("no capacity at all", lambda c: [{"operation": c.call, "times": -1, **(
        {"operation_error": {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "no capacity", "status": 503}} if c.cloud == "gcp" else
        {"error": {"code": "InsufficientInstanceCapacity", "message": "none", "status": 500}})}], applies=places),
    Fault("quota", error(403, ("quotaExceeded", "VcpuLimitExceeded", "Forbidden")),
          applies=lambda *a: makes(*a) or inside(a[2]) and changes(*a)),
    Fault("an object removed", lambda c: [{"hold": "before"}], meanwhile=lambda c: c.ground.remove(c.choice)),
    Fault("log on a full disk", lambda c: [{"delay_ms": 1}], log=full_disk, once=True),
    Fault("nobody reads the log", lambda c: [{"delay_ms": 1}], log=nobody_reads, once=True),
    Fault("stopped", lambda c: [{"hold": "before"}], meanwhile=stop),
    Fault("stopped, then killed", lambda c: [{"hold": "before"}], meanwhile=stop_and_kill, kills=True),
]
BY_NAME = {f.name: f for f in FAULTS}
