"""Generated configurations over the plugin protocol itself, each answer held against what the cores demand (oracle.py): thousands of cases in the
time of a few runs of a core.

Usage: python -m tests.conformance.raw [--resource endpoint|endpoint_in_cluster|gpu_node|platform_cluster] [--cloud aws|gcp]
       [--plans N] [--asked N] [--lives N] [--seed S]
  --plans   plans without a cloud, with and without unknown values
  --asked   the same, with the simulator to ask
  --lives   whole lives against the simulator: made, read, changed, read, destroyed
"""
import argparse
import contextlib
import copy
import json
import os
import pathlib
import random
import sys
import tempfile
import time

import grpc
import msgpack

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.conformance import generate as g  # noqa: E402
from tests.conformance import oracle  # noqa: E402
from tests.conformance.clouds import get, put  # noqa: E402
from tests.conformance.subjects import SUBJECTS  # noqa: E402
from tests.protocol import plugin as p  # noqa: E402

UNKNOWN, ANSWER_S = msgpack.ExtType(0, b"\x00"), 300


class Problem(Exception):
    pass


def with_unknowns(rng, config, subject):
    """The configuration with some values unknown, at any depth; also of what is not set, and turns out to be null."""
    shown = copy.deepcopy(config)
    for place, path, a in g.places(subject.attributes, config):
        value = get(config, place)
        if path in subject.never_unknown or value == {} or value is None and a.get("required") or not isinstance(get(shown, place[:-1]), (dict, list)):
            continue
        if rng.random() < (0.01 if value is None else 0.04 if "nesting" in a else 0.1):
            put(shown, place, UNKNOWN)
        elif isinstance(value, list) and value and "nesting" not in a and rng.random() < 0.05:
            put(shown, place, [*value[:-1], UNKNOWN])
    return shown


def in_order(value, shape):
    """The same with its sets in one order."""
    kind, inner = shape
    if kind == "object" and isinstance(value, dict):
        return {k: in_order(v, inner[k]) for k, v in value.items()}
    if kind in ("map", "list") and isinstance(value, (dict, list)):
        return {k: in_order(v, inner) for k, v in value.items()} if isinstance(value, dict) else [in_order(v, inner) for v in value]
    return sorted(value, key=lambda v: (oracle.is_unknown(v), v)) if kind == "set" and isinstance(value, list) else value


class Case:
    """One resource's way through the protocol."""

    def __init__(self, plugin, subject):
        self.plugin, self.subject = plugin, subject
        self.block = plugin.schema().resource_schemas[subject.type].block
        self.shape = oracle.shape_of(self.block)

    def call(self, name, **request):
        try:
            answer = self.plugin.call(name, {"type_name": self.subject.type, **request}, timeout=ANSWER_S)
        except grpc.RpcError as error:
            raise Problem(f"{name}: no answer ({error.code().name}: {error.details()})") from error
        errors = [f"{d.summary}: {d.detail}" for d in answer.diagnostics if d.severity == 1]
        if errors:
            raise Problem(f"{name}: {errors}")
        return answer

    def filled(self, config):
        return in_order(p.filled(self.block, copy.deepcopy(config)), self.shape)

    def value_of(self, m):
        return in_order(p.value_of(m), self.shape)

    def validate(self, config):
        self.call("ValidateResourceConfig", config=p.dynamic(self.filled(config)))

    def plan(self, config, prior=None, private=b""):
        """A plan, as a core asks for it: once more as a new resource when it says that it has to be replaced."""
        full = self.filled(config)
        proposed = oracle.proposed(self.block, prior, full)
        answer = self.call("PlanResourceChange", config=p.dynamic(full), proposed_new_state=p.dynamic(proposed), prior_state=p.dynamic(prior),
                           prior_private=private)
        planned = self.value_of(answer.planned_state)
        problems = oracle.plan_problems(self.block, prior, full, planned)
        if problems:
            raise Problem(f"the plan is not valid: {problems}")
        replaced = prior is not None and len(answer.requires_replace) > 0
        return self.plan(config) if replaced and planned != prior else (answer, planned)

    def apply(self, config, planning, prior=None):
        answer, planned = planning
        result = self.call("ApplyResourceChange", config=p.dynamic(self.filled(config)), prior_state=p.dynamic(prior), planned_state=answer.planned_state,
                           planned_private=answer.planned_private)
        actual = self.value_of(result.new_state)
        problems = oracle.result_problems(planned, actual, self.shape)
        if problems or not oracle.wholly_known(actual):
            raise Problem(f"the result does not keep the plan: {problems or 'it is not wholly known'}")
        return actual, result.private

    def read(self, state, private):
        stored = p.message("tfplugin6.RawState")(json=json.dumps(state).encode())
        upgraded = self.value_of(self.call("UpgradeResourceState", version=0, raw_state=stored).upgraded_state)
        if upgraded != state:
            raise Problem("a state is another one when it was stored")
        answer = self.call("ReadResource", current_state=p.dynamic(state), private=private)
        read = self.value_of(answer.new_state)
        if not oracle.wholly_known(read):
            raise Problem("a read is not wholly known")
        return read, answer.private

    def destroy(self, state, private):
        self.call("ApplyResourceChange", config=p.dynamic(None), prior_state=p.dynamic(state), planned_state=p.dynamic(None), planned_private=private)


def plan_case(case, rng, existing, number):
    """Plans of a new resource, with and without unknown values. The known one holds for all that is known of the other."""
    config = g.generate(rng, f"n{number}", case.subject, existing)
    case.validate(config)
    _, whole = case.plan(config)
    shown = with_unknowns(rng, config, case.subject)
    case.validate(shown)
    _, partly = case.plan(shown)
    # What the one knows may still be unknown to the other, which says so in its own way.
    problems = [x for x in oracle.result_problems(partly, whole, case.shape) if "but now unknown" not in x]
    if problems:
        raise Problem(f"a plan with unknown values promises what does not hold: {problems}; {shown}")


def live(case, rng, existing, number):
    config = g.generate(rng, f"n{number}", case.subject, existing)
    other = g.change(rng, config, case.subject, existing)
    state, private = case.apply(config, case.plan(config))
    for now in (config, other):
        if now is other:
            planning = case.plan(other, state, private)
            if is_new(case, other, state, private):
                case.destroy(state, private)
                state, private = case.apply(other, case.plan(other))
            elif planning[1] != state:
                state, private = case.apply(other, planning, state)
        state, private = case.read(state, private)
        _, planned = case.plan(now, state, private)
        if planned != state:
            raise Problem(f"a difference stays: { {k: (state[k], v) for k, v in planned.items() if v != state[k]} }")
    case.destroy(state, private)


def is_new(case, config, state, private):
    """Whether the change replaces the resource."""
    full = case.filled(config)
    answer = case.call("PlanResourceChange", config=p.dynamic(full), proposed_new_state=p.dynamic(oracle.proposed(case.block, state, full)),
                       prior_state=p.dynamic(state), prior_private=private)
    return len(answer.requires_replace) > 0


def run_plans(subject, count, seed):
    """[(case, problem)] of plans without credentials."""
    found, env = [], {"AWS_REGION": "us-east-1", "GOOGLE_REGION": "us-central1", "HOME": "/nonexistent"}
    with p.Plugin(env=env) as plugin:
        plugin.configure()
        each(found, count, seed, lambda rng, number: plan_case(Case(plugin, subject), rng, subject.offline, number))
    return found


def each(found, count, seed, one):
    """Does `one` with a generator of its own for each number, and gathers what goes wrong."""
    for number in range(count):
        try:
            one(random.Random(f"{seed}/{number}"), number)
        except Problem as problem:
            found.append((f"{seed}/{number}", problem))


@contextlib.contextmanager
def simulator(subject):
    from tests.acceptance.conftest import Simulator
    with tempfile.TemporaryDirectory(prefix="llm-raw-") as directory, subject.outside():
        sim = Simulator(pathlib.Path(directory), subject.simulator)
        try:
            yield sim
        finally:
            sim.stop()


def run_asked(subject, count, seed):
    found = []
    with simulator(subject) as sim:
        sim.reset()
        existing = subject.prepare(sim, subject.client(sim.endpoint))
        with p.Plugin(env=subject.settings(sim.endpoint)) as plugin:
            plugin.configure()
            each(found, count, seed, lambda rng, number: plan_case(Case(plugin, subject), rng, existing, number))
    return found


def run_lives(subject, count, seed):
    found = []

    def one(rng, number):
        sim.reset()
        client = subject.client(sim.endpoint)
        existing = subject.prepare(sim, client)
        before = subject.left(sim, client)
        with p.Plugin(env=subject.settings(sim.endpoint)) as plugin:
            plugin.configure()
            live(Case(plugin, subject), rng, existing, number)
        if subject.left(sim, client) != before:
            raise Problem(f"left over: {[o for o in subject.left(sim, client) if o not in before]}")
    with simulator(subject) as sim:
        each(found, count, seed, one)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resource", choices=sorted(SUBJECTS), default="gpu_node")
    parser.add_argument("--cloud", choices=("aws", "gcp"), action="append")
    parser.add_argument("--plans", type=int, default=1000)
    parser.add_argument("--asked", type=int, default=0)
    parser.add_argument("--lives", type=int, default=0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    failures = 0
    for name in options.cloud or sorted(SUBJECTS[options.resource]):
        subject = SUBJECTS[options.resource][name]
        for what, run, count in (("plans", run_plans, options.plans), ("asked plans", run_asked, options.asked), ("lives", run_lives, options.lives)):
            if not count:
                continue
            begun = time.time()
            found = run(subject, count, options.seed)
            for seed, problem in found[:20]:
                print(f"{name} {what} {seed}: {problem}")
            print(f"{subject.type} on {name}: {count} {what} in {time.time() - begun:.0f} s, {len(found)} with problems", flush=True)
            failures += len(found)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
