"""Whole lives of generated configurations through a real core: made, planned without a difference, changed, planned again,
imported into a fresh state, destroyed; the simulator is empty afterwards. Several nodes share a root, so that the core's own
time is spent once; one that fails is tried alone and made smaller until nothing can be left out.

Usage: python -m tests.conformance.lifecycle [--resource endpoint|endpoint_in_cluster|gpu_node|platform_cluster] [--cloud aws|gcp] [--core tofu|terraform]
       [--seed N] [--count N] [--size N]
"""
import argparse
import copy
import json
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.acceptance.conftest import CORES, Core, Simulator  # noqa: E402
from tests.conformance import generate as g  # noqa: E402
from tests.conformance.clouds import drop, get  # noqa: E402
from tests.conformance.subjects import SUBJECTS  # noqa: E402


class Failure(Exception):
    def __init__(self, step, output):
        super().__init__(f"{step}:\n{output}")
        self.step, self.output = step, output
        self.errors = sorted(set(re.findall(r"Error: .*", output)))


class Ground:
    """A core and a simulator; every life starts from an account with the objects that configurations may name."""

    def __init__(self, sim, binary, subject):
        self.sim, self.binary, self.subject = sim, binary, subject

    def start(self):
        self.sim.reset()
        self.client = self.subject.client(self.sim.endpoint)
        self.existing = self.subject.prepare(self.sim, self.client)
        self.given = self.subject.left(self.sim, self.client)
        return self.existing

    def core(self):
        return Core(self.binary, pathlib.Path(tempfile.mkdtemp(prefix="llm-conformance-")), self.subject.settings(self.sim.endpoint))

    def live(self, pairs, seed):
        """The life of nodes [(configuration, changed configuration, seed of what is unknown)]; the provider block is by `seed`. Raises Failure."""
        core, fresh = self.core(), self.core()
        try:
            self.steps(core, fresh, pairs, random.Random(f"{seed}/provider"))
        finally:
            shutil.rmtree(core.directory)
            shutil.rmtree(fresh.directory)

    def steps(self, core, fresh, pairs, rng):
        def check(step, result, *allowed):
            if result.status not in (allowed or (0,)) or "inconsistent" in result.output or "Plugin did not respond" in result.output:
                raise Failure(step, result.output[-6000:])

        first, second = (g.provider(self.subject.provider(rng)) for _ in range(2))
        plain = second
        for i, (one, other, unknown) in enumerate(pairs):
            rng = random.Random(unknown)
            shown, held = g.with_unknowns(rng, one, self.subject, f"terraform_data.u{i}")
            first += g.resource(self.subject, f"n{i}", shown) + g.source(f"u{i}", held)
            shown, more = g.with_unknowns(rng, other, self.subject, f"terraform_data.u{i}")
            second += g.resource(self.subject, f"n{i}", shown) + g.source(f"u{i}", {**held, **more})
            # An import knows no timeouts.
            plain += g.resource(self.subject, f"n{i}", {k: v for k, v in other.items() if k != "timeouts"})
        core.write(first)
        check("validate", core.validate())
        check("apply", core.apply())
        check("plan after apply", core.plan("-detailed-exitcode"))
        core.write(second)
        check("apply of the change", core.apply())
        check("plan after the change", core.plan("-detailed-exitcode"))
        imports = "".join(f'import {{\n  to = {self.subject.type}.n{i}\n  id = "{self.subject.identity(other)}"\n}}\n'
                          for i, (_, other, _) in enumerate(pairs))
        fresh.write(plain + imports)
        imported = fresh.apply()
        check("import", imported)
        if f"Plan: {len(pairs)} to import, 0 to add, 0 to change, 0 to destroy." not in imported.output:
            raise Failure("import that changes something", "\n".join(l for l in imported.output.splitlines() if re.match(r"  # llm|\s+[~+-] |Plan:", l)))
        check("plan after import", fresh.plan("-detailed-exitcode"))
        check("destroy", core.destroy())
        left = self.subject.left(self.sim, self.client)
        if left != self.given:
            raise Failure("after destroy", f"left over: {[o for o in left if o not in self.given]}, lost: {[o for o in self.given if o not in left]}")
        violations = self.sim.violations()
        if violations:
            raise Failure("requests", "\n".join(map(str, violations)))


def texts(value):
    """The texts in a value, always in the same order."""
    if isinstance(value, str):
        return [value]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [t for v in members for t in texts(v)]


def fails(ground, pair, seed):
    """The step that fails with this pair alone, and what the core said; None when all is well."""
    text = json.dumps(pair)
    for before, after in zip(texts(vars(ground.existing)), texts(vars(ground.start()))):
        text = text.replace(before, after)
    try:
        ground.live([json.loads(text)], seed)
    except Failure as failure:
        return failure
    return None


def shrink(ground, pair, seed):
    """The smallest pair found that still fails in the same step, by leaving out one attribute after another. The account
    is made anew each time, and its objects have new ids."""
    made_for, failure = ground.existing, fails(ground, pair, seed)
    if failure is None:
        return pair, None
    again = True
    while again:
        again = False
        for which in (0, 1):
            for place, _, _ in list(g.places(ground.subject.attributes, pair[which])):
                if place in (("name",), ("cloud",)) or get(pair[which], place) is None:
                    continue
                smaller = copy.deepcopy(list(pair))
                drop(smaller[which], place)
                ground.existing = made_for
                found = fails(ground, tuple(smaller), seed)
                if found and found.step == failure.step and found.errors == failure.errors:
                    pair, failure, again = tuple(smaller), found, True
    return pair, failure


def run(ground, seed, count, size):
    """Failures [(seed, smallest pair, failure)] of `count` configurations, `size` in a root."""
    found = []
    for begin in range(0, count, size):
        print(f"{seed}/{begin}", file=sys.stderr, flush=True)
        existing, pairs = ground.start(), []
        for i in range(begin, min(begin + size, count)):
            rng = random.Random(f"{seed}/{i}")
            one = g.generate(rng, f"n{i}", ground.subject, existing)
            pairs.append((one, g.change(rng, one, ground.subject, existing), f"{seed}/{i}/unknown"))
        try:
            ground.live(pairs, f"{seed}/{begin}")
        except Failure as failure:
            print(f"{seed}/{begin}: {failure}", file=sys.stderr, flush=True)
            culprits = sorted({int(m) for m in re.findall(ground.subject.type + r"\.n(\d+)", "\n".join(
                l for l in failure.output.splitlines() if "with llm" in l or "will be" in l or "must be" in l))})
            for k in [c for c in culprits if c < len(pairs)] or range(len(pairs)):
                pair, alone = shrink(ground, pairs[k], f"{seed}/{begin}")
                if alone:
                    found.append((f"{seed}/{begin + k}", pair, alone))
                    break
            else:
                found.append((f"{seed}/{begin}", pairs, failure))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resource", choices=sorted(SUBJECTS), default="gpu_node")
    parser.add_argument("--cloud", choices=("aws", "gcp"), default="aws")
    parser.add_argument("--core", choices=sorted(CORES), default="tofu" if "tofu" in CORES else "terraform")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", type=int, help="how many live in one root")
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    subject = SUBJECTS[options.resource][options.cloud]
    simulator = Simulator(pathlib.Path(tempfile.mkdtemp(prefix="llm-conformance-")), subject.simulator)
    begun = time.time()
    try:
        with subject.outside():
            found = run(Ground(simulator, CORES[options.core], subject), options.seed, options.count, options.size or subject.together)
    finally:
        simulator.stop()
    for seed, pair, failure in found:
        print(f"== {seed}\n{pair}\n{failure}\n")
    print(f"{options.count} configurations of {subject.type} on {options.cloud} with {options.core} in {time.time() - begun:.0f} s, {len(found)} failures")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
