"""Generated configurations over the plugin protocol itself, each answer held against what the cores demand (oracle.py): thousands of cases in the
time of a few runs of a core.

Usage: python -m tests.conformance.raw [--cloud aws|gcp] [--plans N] [--lives N] [--seed S]
  --plans   plans without a cloud, with unknown values: of a new node, of a change, of one that is replaced
  --lives   whole lives against the simulator: made, read, changed, read, destroyed
"""
import argparse
import copy
import json
import os
import pathlib
import random
import sys
import tempfile
import time

import msgpack

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.conformance import clouds  # noqa: E402
from tests.conformance import generate as g  # noqa: E402
from tests.conformance import oracle  # noqa: E402
from tests.protocol import plugin as p  # noqa: E402

NODE = "llm_gpu_node"
UNKNOWN = msgpack.ExtType(0, b"\x00")


class Problem(Exception):
    pass


def with_unknowns(rng, config):
    """The configuration with some values unknown, at any depth."""
    shown = copy.deepcopy(config)
    for path, _ in g.leaves():
        parent, value = path.rpartition(".")[0], clouds.get(shown, path)
        if path in g.NEVER_UNKNOWN or value in (None, {}) or parent and not isinstance(clouds.get(shown, parent), dict):
            continue
        if rng.random() < 0.1:
            clouds.put(shown, path, UNKNOWN)
    return shown


def in_order(attributes, value):
    """The same with its sets in msgpack's order, as a core sends them."""
    for a in attributes:
        inner = value.get(a.name)
        if a.HasField("nested_type") and isinstance(inner, dict):
            in_order(a.nested_type.attributes, inner)
        elif a.type.startswith(b'["set"') and isinstance(inner, list):
            inner.sort()
    return value


class Case:
    """One node's way through the protocol."""

    def __init__(self, plugin):
        self.plugin = plugin
        self.block = plugin.schema().resource_schemas[NODE].block

    def call(self, name, **request):
        answer = self.plugin.call(name, {"type_name": NODE, **request}, timeout=120)
        errors = [f"{d.summary}: {d.detail}" for d in answer.diagnostics if d.severity == 1]
        if errors:
            raise Problem(f"{name}: {errors}")
        return answer

    def filled(self, config):
        return in_order(self.block.attributes, p.filled(self.block, copy.deepcopy(config)))

    def validate(self, config):
        self.call("ValidateResourceConfig", config=p.dynamic(self.filled(config)))

    def plan(self, config, prior=None, private=b""):
        """A plan, as a core asks for it: once more as a new node when it says that the node has to be replaced."""
        full = self.filled(config)
        proposed = oracle.proposed(self.block, prior, full)
        answer = self.call("PlanResourceChange", config=p.dynamic(full), proposed_new_state=p.dynamic(proposed), prior_state=p.dynamic(prior),
                           prior_private=private)
        planned = p.value_of(answer.planned_state)
        problems = oracle.plan_problems(self.block, prior, full, planned)
        if problems:
            raise Problem(f"the plan is not valid: {problems}")
        replaced = prior is not None and len(answer.requires_replace) > 0
        return self.plan(config) if replaced and planned != prior else (answer, planned)

    def apply(self, config, planning, prior=None):
        answer, planned = planning
        result = self.call("ApplyResourceChange", config=p.dynamic(self.filled(config)), prior_state=p.dynamic(prior), planned_state=answer.planned_state,
                           planned_private=answer.planned_private)
        actual = p.value_of(result.new_state)
        problems = oracle.result_problems(planned, actual)
        if problems or not oracle.wholly_known(actual):
            raise Problem(f"the result does not keep the plan: {problems or 'it is not wholly known'}")
        return actual, result.private

    def read(self, state, private):
        stored = p.message("tfplugin6.RawState")(json=json.dumps(state).encode())
        upgraded = p.value_of(self.call("UpgradeResourceState", version=0, raw_state=stored).upgraded_state)
        if upgraded != state:
            raise Problem("a state is another one when it was stored")
        answer = self.call("ReadResource", current_state=p.dynamic(state), private=private)
        read = p.value_of(answer.new_state)
        if not oracle.wholly_known(read):
            raise Problem("a read is not wholly known")
        return read, answer.private

    def destroy(self, state, private):
        self.call("ApplyResourceChange", config=p.dynamic(None), prior_state=p.dynamic(state), planned_state=p.dynamic(None), planned_private=private)


def plan_case(case, rng, cloud, number):
    """Plans of a new node, with and without unknown values. The known one holds for all that is known of the other."""
    config = g.generate(rng, f"n{number}", cloud, cloud.offline)
    case.validate(config)
    _, whole = case.plan(config)
    shown = with_unknowns(rng, config)
    case.validate(shown)
    _, partly = case.plan(shown)
    problems = [x for x in oracle.result_problems(partly, whole) if "has appeared" not in x and "has vanished" not in x]
    # Of the components some may be unknown as a whole; what is planned as unknown may turn out to be known.
    problems = [x for x in problems if not x.startswith("components") and "but now unknown" not in x]
    if problems:
        raise Problem(f"a plan with unknown values promises what does not hold: {problems}; {shown}")


def live(case, rng, cloud, existing, number):
    config = g.generate(rng, f"n{number}", cloud, existing)
    other = g.change(rng, config, cloud, existing)
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
    """Whether the change replaces the node."""
    full = case.filled(config)
    answer = case.call("PlanResourceChange", config=p.dynamic(full), proposed_new_state=p.dynamic(oracle.proposed(case.block, state, full)),
                       prior_state=p.dynamic(state), prior_private=private)
    return len(answer.requires_replace) > 0


def environment(cloud, endpoint):
    return {k: v for k, v in cloud.settings(endpoint).items()}


def run_plans(cloud, count, seed):
    """[(case, problem)] of plans without credentials."""
    found, env = [], {"AWS_REGION": "us-east-1", "GOOGLE_REGION": "us-central1", "HOME": "/nonexistent"}
    with p.Plugin(env=env) as plugin:
        plugin.configure()
        case = Case(plugin)
        for number in range(count):
            try:
                plan_case(case, random.Random(f"{seed}/{number}"), cloud, number)
            except Problem as problem:
                found.append((f"{seed}/{number}", problem))
    return found


def run_lives(cloud, count, seed):
    from tests.acceptance.conftest import Simulator
    found = []
    with tempfile.TemporaryDirectory(prefix="llm-raw-") as directory:
        sim = Simulator(pathlib.Path(directory), cloud.simulator)
        try:
            for number in range(count):
                sim.reset()
                client = cloud.client(sim.endpoint)
                existing = cloud.prepare(sim, client)
                before = cloud.left(sim, client)
                with p.Plugin(env=environment(cloud, sim.endpoint)) as plugin:
                    plugin.configure()
                    try:
                        live(Case(plugin), random.Random(f"{seed}/{number}"), cloud, existing, number)
                        if cloud.left(sim, client) != before:
                            raise Problem(f"left over: {[o for o in cloud.left(sim, client) if o not in before]}")
                    except Problem as problem:
                        found.append((f"{seed}/{number}", problem))
        finally:
            sim.stop()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud", choices=("aws", "gcp"), action="append")
    parser.add_argument("--plans", type=int, default=1000)
    parser.add_argument("--lives", type=int, default=0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    failures = 0
    for name in options.cloud or ("aws", "gcp"):
        cloud = {"aws": clouds.Aws, "gcp": clouds.Gcp}[name]()
        for what, run, count in (("plans", run_plans, options.plans), ("lives", run_lives, options.lives)):
            if not count:
                continue
            begun = time.time()
            found = run(cloud, count, options.seed)
            for seed, problem in found[:20]:
                print(f"{name} {what} {seed}: {problem}")
            print(f"{name}: {count} {what} in {time.time() - begun:.0f} s, {len(found)} with problems", flush=True)
            failures += len(found)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
