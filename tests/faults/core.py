"""What a core does to carry out an apply or a destroy of one resource, over the plugin protocol: it validates, upgrades the state, refreshes,
plans, applies, and keeps what it is given. A real core's own starts would make most of the time; tests/faults/real.py has those.

A create that failed with a state is tainted; its next plan is that of a new resource, without private state, and its apply destroys first.
"""
import json

import grpc

from tests.conformance import oracle
from tests.protocol import plugin as p

TIMEOUT_S = 180


class Failed(Exception):
    """A call that ended with errors, or that the provider did not live to answer."""


class Core:
    def __init__(self, ground, state=None, private=b"", tainted=False, log=None):
        """log: a function that opens the file for the provider's log."""
        self.ground, self.log = ground, log
        self.state, self.private, self.tainted = state, private, tainted
        self.plugin = self.block = None
        self.before_apply = lambda: None  # called once, when the plan is there

    def successor(self):
        """Another core in the same directory: it has what was written."""
        return Core(self.ground, self.state, self.private, self.tainted)

    def start(self):
        self.plugin = p.Plugin(env={**self.ground.settings, **({"TF_LOG": "TRACE"} if self.log else {})}, stderr=self.log and self.log())
        schema = self.plugin.schema()
        self.block = schema.resource_schemas[self.ground.type].block
        self.plugin.call("ConfigureProvider", {"terraform_version": "1.12.6", "config": p.dynamic(p.null_block(schema.provider.block))})

    def stop(self):
        if self.plugin:
            self.plugin.stop()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def call(self, name, **request):
        try:
            answer = self.plugin.call(name, {"type_name": self.ground.type, **request}, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            raise Failed(f"{name}: no answer ({error.code().name}: {error.details()})") from error
        return answer, [f"{d.summary}: {d.detail}" for d in answer.diagnostics if d.severity == 1]

    def must(self, name, **request):
        answer, errors = self.call(name, **request)
        if errors:
            raise Failed(f"{name}: {' | '.join(errors)}")
        return answer

    # ---- the steps

    def refresh(self):
        if self.state is None:
            return
        upgraded = self.must("UpgradeResourceState", version=0, raw_state={"json": json.dumps(self.state).encode()})
        read = self.must("ReadResource", current_state=upgraded.upgraded_state, private=self.private)
        self.state, self.private = p.value_of(read.new_state), read.private
        if self.state is None:
            self.private, self.tainted = b"", False

    def proposed(self, config, prior):
        return oracle.proposed(self.block, prior, config)

    def plan(self, config):
        """(planned, whether it takes another resource)."""
        prior, private = (None, b"") if self.tainted else (self.state, self.private)
        request = {"config": p.dynamic(config), "prior_private": private}
        planned = self.must("PlanResourceChange", prior_state=p.dynamic(prior), proposed_new_state=p.dynamic(self.proposed(config, prior)), **request)
        if prior is None or not planned.requires_replace:
            return planned, self.tainted and self.state is not None
        # The core plans a replacement as a create, with nothing before it.
        return self.must("PlanResourceChange", prior_state=p.dynamic(None), proposed_new_state=p.dynamic(self.proposed(config, None)), **request), True

    def step(self, config, prior, planned_state, private):
        """An apply; what comes back is the state, also after a failure."""
        answer, errors = self.call("ApplyResourceChange", config=p.dynamic(config), prior_state=p.dynamic(prior), planned_state=planned_state,
                                   planned_private=private)
        self.state, self.private = p.value_of(answer.new_state) if answer.new_state.msgpack else None, answer.private
        if self.state is None:
            self.private = b""
        if errors:
            self.tainted = self.tainted if prior is not None else self.state is not None
            raise Failed(f"apply: {' | '.join(errors)}")
        self.tainted = False

    def apply(self, given):
        """Makes the resource as `given`, as `apply` does."""
        config = p.filled(self.block, given)
        self.must("ValidateResourceConfig", config=p.dynamic(config))
        self.refresh()
        planned, anew = self.plan(config)
        self.before_apply()
        if anew:
            self.step(None, self.state, p.dynamic(None), planned.planned_private)
            planned, _ = self.plan(config)
        self.step(config, self.state, planned.planned_state, planned.planned_private)

    def take_in(self, identity):
        answer = self.must("ImportResourceState", id=identity)
        [found] = answer.imported_resources
        self.state, self.private, self.tainted = p.value_of(found.state), found.private, False

    def destroy(self):
        self.refresh()
        if self.state is None:
            self.before_apply()
            return
        planned = self.must("PlanResourceChange", config=p.dynamic(None), prior_state=p.dynamic(self.state), proposed_new_state=p.dynamic(None),
                            prior_private=b"" if self.tainted else self.private)
        self.before_apply()
        self.step(None, self.state, p.dynamic(None), planned.planned_private)

    def difference(self, given):
        """The attributes in which a plan differs, after a refresh."""
        config = p.filled(self.block, given)
        self.refresh()
        if self.state is None:
            return ["everything"]
        planned, anew = self.plan(config)
        after = p.value_of(planned.planned_state)
        if anew:
            return ["(another resource)"]
        return [found for k in self.state if after[k] != self.state[k] for found in differences(k, self.state[k], after[k])]


def differences(name, was, will):
    """Where two values differ, in words."""
    if isinstance(was, dict) and isinstance(will, dict):
        return [d for k in sorted({*was, *will}) if was.get(k) != will.get(k) for d in differences(f"{name}.{k}", was.get(k), will.get(k))]
    return [f"{name}: {was} -> {will}"]
