"""The fault matrix of a resource: each operation once per (call x fault), with the fault at exactly that call.

After each fault the operation runs again in a new provider, with the state that the first run gave back, or with the one before it when the
provider was killed. Then the simulator, asked by its own client, must have exactly what was asked for; a plan must show no difference; and
after a destroy nothing may be left.

Usage: python -m tests.faults.matrix [--resource R] [--cloud C] [--operation O] [--fault F] [--call NAME] [--every N] [--sample N --seed S] [--jobs N]
Prints a table; exits with 1 when anything is lost. "by import": the provider had given the resource over to a state, and was killed before that
was written; the second run says so, and with which id to import it, and the third converges.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import hashlib
import itertools
import os
import pathlib
import queue
import random
import re
import signal
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.faults.cases import BY_NAME, FAULTS, inside  # noqa: E402
from tests.faults.core import Core, Failed  # noqa: E402
from tests.faults.grounds import GROUNDS, OPERATIONS  # noqa: E402

REACH_S = 60


class Lost(Exception):
    """What is not as it was asked for."""

    def __init__(self, text, orphans=0, duplicates=0):
        super().__init__(text)
        self.orphans, self.duplicates = orphans, duplicates


def carry_out(core, before, after):
    core.apply(after) if after is not None else core.destroy()
    del before


class Case:
    """One fault at one call of one operation."""

    def __init__(self, ground, operation, fault, call, occurrence):
        self.ground, self.cloud, self.operation, self.fault = ground, ground.name, operation, fault
        self.call, self.occurrence, self.core, self.imported = call, occurrence, None, False
        self.choice = int.from_bytes(hashlib.sha256(f"{operation} {call} {occurrence}".encode()).digest()[:4], "big")

    def prepare(self):
        """Called when the plan is there: the rules count from here."""
        if self.fault.before:
            self.fault.before(self)
        rules = [{"operation": self.call, "skip": self.occurrence, "times": 1, **rule} for rule in self.fault.rules(self)]
        if rules:
            self.ground.rules(rules)
        if self.fault.meanwhile:
            self.watcher = threading.Thread(target=self.watch, daemon=True)
            self.watcher.start()

    def watch(self):
        until = time.monotonic() + REACH_S
        while not self.done and not self.ground.hits() and time.monotonic() < until:
            time.sleep(0.01)
        try:
            if not self.done and self.ground.hits():
                self.fault.meanwhile(self)
                self.reached = True
        except Exception as error:  # pylint: disable=broad-except
            self.broken = error
        finally:
            self.ground.clear_rules()

    def kill_later(self, seconds):
        """The provider, `seconds` after the held call goes on."""
        process = self.core.plugin.process
        threading.Timer(seconds, lambda: process.poll() is None and process.kill()).start()

    def first(self, core, before, after):
        """The run with the fault. Returns the core that goes on from it."""
        self.core, self.done, self.reached, self.watcher, self.broken = core, False, False, None, None
        if self.fault.short and after is not None:
            after = {**after, "timeouts": self.ground.short}
        core.before_apply = lambda: (setattr(core, "before_apply", lambda: None), self.prepare())
        self.error = None
        try:
            carry_out(core, before, after)
        except Failed as error:
            self.error = str(error)
        self.done = True
        if self.watcher:
            self.watcher.join()
        if self.broken:
            raise self.broken
        self.reached = self.reached or bool(self.fault.before) or self.ground.hits() > 0
        core.stop()
        self.ground.clear_rules()
        self.calm()
        return core.successor()

    def calm(self):
        """The cloud is as it should be again: what never ended ends, and what was begun is done."""
        sim = self.ground.sim
        until = time.monotonic() + 5
        sim.control("clock", {"offset_s": 0})
        if self.cloud == "aws":
            sim.control("settle", {})
            sim.control("visible", {})
            sim.control("failures", [])
        sim.control("finish", {})
        while time.monotonic() < until and any("end" not in c for c in self.ground.calls()[-40:]):
            time.sleep(0.01)

    def run(self, expected):
        """Raises Lost. Returns whether the call was reached."""
        ground, (before, after) = self.ground, self.ground.configurations(self.operation)
        if self.fault.short and self.operation in ("recreate", "destroy"):
            # What is destroyed has the time that its own state says.
            before = {**before, "timeouts": {"delete": ground.short["delete"]}}
        ground.reset()
        core = Core(ground, log=self.fault.log)
        core.start()
        try:
            if before is not None:
                core.apply(before)
            core = self.first(core, before, after)
            core.start()
            try:
                self.again(core, before, after)
            except Failed as error:
                raise Lost(f"the second run: {error}") from error
            self.check(core, after, expected)
        finally:
            core.stop()
        return self.reached

    def again(self, core, before, after):
        """The second run; and the way out that its error names, when all was made and no state written."""
        try:
            carry_out(core, before, after)
        except Failed as error:
            way_out = re.search(r"or import it: (\S+/\S+/\S+)\.", str(error))
            if not way_out or core.state is not None or not self.fault.kills:
                raise
            core.take_in(way_out[1])
            core.apply(after)
            self.imported = True

    def check(self, core, after, expected):
        found = self.ground.exists()
        if found != expected:
            more, less = found - expected, expected - found
            twice = sum(n for k, n in more.items() if expected[k])
            raise Lost(f"too many: {dict(more)}, too few: {dict(less)}", sum(more.values()) - twice, twice)
        try:
            if after is not None:
                difference = core.difference(after)
                if difference:
                    raise Lost(f"a plan differs in {difference}")
                core.destroy()
        except Failed as error:
            raise Lost(f"after the second run: {error}") from error
        left = self.ground.exists()
        if left:
            raise Lost(f"left after the destroy: {dict(left)}", sum(left.values()))
        if self.ground.wrong():
            raise Lost(f"violations: {self.ground.wrong()[:3]}")


def measure(ground):
    """By operation: its calls as (name, occurrence), and what exists after it."""
    calls, expected = {}, {}
    for operation in OPERATIONS:
        before, after = ground.configurations(operation)
        ground.reset()
        with Core(ground) as core:
            at = []
            if before is not None:
                core.apply(before)
            core.before_apply = lambda: at.append(len(ground.calls()))
            carry_out(core, before, after)
            counts, calls[operation] = collections.Counter(), []
            for name in [c["operation"] for c in ground.calls()[at[0]:]]:
                calls[operation].append((name, counts[name]))
                counts[name] += 1
            expected[operation] = ground.exists()
    return calls, expected


def in_turn(cases, kind):
    """One of each kind, then another of each, and so on."""
    groups = collections.OrderedDict()
    for case in cases:
        groups.setdefault(kind(case), []).append(case)
    return [case for turn in itertools.zip_longest(*groups.values()) for case in turn if case]


def drawn(cases, seed):
    """In an order that the seed says, in which each fault comes soon; each fault first at other operations, clouds and servers."""
    cases = list(cases)
    random.Random(seed).shuffle(cases)
    faults = collections.OrderedDict()
    for case in cases:
        faults.setdefault(case[2].name, []).append(case)
    spread = [in_turn(own, lambda c: (c[0], c[1], inside(c[3]))) for own in faults.values()]
    return in_turn([c for own in spread for c in own], lambda c: c[2].name)


class Row:
    def __init__(self):
        self.tried = self.converged = self.imported = self.orphans = self.duplicates = self.missed = 0


class Matrix:
    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="llm-faults-"))
        self.rows, self.lost, self.lock = collections.OrderedDict(), [], threading.Lock()
        self.pools, self.grounds, self.facts = {}, [], {}
        # These threads stay: servers end with the thread that has started them.
        self.starters, self.openers = concurrent.futures.ThreadPoolExecutor(), concurrent.futures.ThreadPoolExecutor()

    def open(self, *clouds):
        """The clouds' simulators, for each worker one of each, and what their operations do."""
        list(self.openers.map(self.open_one, clouds))

    def open_one(self, cloud):
        made = list(self.starters.map(lambda i: GROUNDS[self.options.resource][cloud](self.directory / f"{cloud}-{i}"), range(self.options.jobs)))
        with self.lock:
            self.grounds += made
        facts, pool = measure(made[-1]), queue.Queue()
        made[-1].reset()
        for ground in made:
            pool.put(ground)
        with self.lock:
            self.pools[cloud], self.facts[cloud] = pool, facts

    @contextlib.contextmanager
    def borrowed(self, cloud):
        """A simulator of the cloud that no other case uses meanwhile."""
        ground = self.pools[cloud].get()
        try:
            yield ground
        finally:
            self.pools[cloud].put(ground)

    def cases(self, cloud):
        o, (calls, _) = self.options, self.facts[cloud]
        found = []
        for operation in [o.operation] if o.operation else OPERATIONS:
            for fault in [BY_NAME[o.fault]] if o.fault else FAULTS:
                fitting = [c for c in calls[operation] if fault.applies(GROUNDS[o.resource][cloud].name, operation, c[0]) and o.call in (None, c[0])][:1 if fault.once else None]
                offset = int.from_bytes(hashlib.sha256(f"{o.seed}{operation}{fault.name}".encode()).digest()[:2], "big") % o.every
                found += [(cloud, operation, fault, *c) for c in fitting[min(offset, len(fitting) - 1) if fitting else 0::o.every]]
        return found

    def one(self, case):
        cloud, operation, fault, call, occurrence = case
        why, reached = None, True
        with self.borrowed(cloud) as ground:
            begun, this = time.monotonic(), Case(ground, operation, fault, call, occurrence)
            try:
                reached = this.run(self.facts[cloud][1][operation])
            except Lost as error:
                why = error
            except Exception as error:  # pylint: disable=broad-except
                why = Lost(f"the harness: {type(error).__name__}: {error}")
        with self.lock:
            row = self.rows.setdefault((cloud, operation, fault.name), Row())
            row.tried += 1
            row.missed += not reached
            row.converged += why is None
            row.imported += why is None and this.imported
            if why:
                row.orphans += why.orphans
                row.duplicates += why.duplicates
                line = f"LOST {cloud} {operation} | {fault.name} | {call} #{occurrence} | {why}\n     first run: {getattr(this, 'error', None)}"
                self.lost.append(line)
                print(line, file=sys.stderr, flush=True)
            if self.options.verbose:
                print(f"{time.monotonic() - begun:6.1f} s {cloud} {operation} | {fault.name} | {call} #{occurrence} {'' if reached else 'not reached'}",
                      file=sys.stderr, flush=True)

    def run(self):
        cases, always = [], 0
        clouds = [self.options.cloud] if self.options.cloud else list(GROUNDS[self.options.resource])
        self.open(*(c for c in clouds if c not in self.pools))
        for cloud in clouds:
            cases += self.cases(cloud)
        if self.options.sample:
            always = len({fault.name for _, _, fault, *_ in cases}) if self.options.at_least is None else self.options.at_least
            cases = drawn(cases, self.options.seed)[:self.options.sample]
        until = time.monotonic() + self.options.seconds if self.options.seconds else None
        workers = self.options.jobs * len(self.pools)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda c: self.one(c[1]) if c[0] < always or until is None or time.monotonic() < until else None, enumerate(cases)))

    def table(self):
        lines = ["| resource | where | operation | fault | tried | converged | by import | orphans | duplicates |", "|---|---|---|---|---|---|---|---|---|"]
        for (cloud, operation, fault), r in sorted(self.rows.items(), key=lambda kv: (kv[0][0], OPERATIONS.index(kv[0][1]))):
            note = f" ({r.missed} not reached)" if r.missed else ""
            lines.append(f"| llm_{self.options.resource} | {cloud} | {operation} | {fault} | {r.tried}{note} | {r.converged} | {r.imported} | {r.orphans} | {r.duplicates} |")
        rows = self.rows.values()
        lines.append(f"| llm_{self.options.resource} | | | all | {sum(r.tried for r in rows)} | {sum(r.converged for r in rows)} "
                     f"| {sum(r.imported for r in rows)} | {sum(r.orphans for r in rows)} | {sum(r.duplicates for r in rows)} |")
        return "\n".join(lines)

    def close(self):
        for ground in self.grounds:
            ground.stop()
        self.openers.shutdown()
        self.starters.shutdown()


def arguments(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resource", choices=sorted(GROUNDS), default="gpu_node")
    parser.add_argument("--cloud", choices=sorted({c for clouds in GROUNDS.values() for c in clouds}), help="or a cloud's clusters: eks, gke")
    parser.add_argument("--operation", choices=OPERATIONS)
    parser.add_argument("--fault", choices=sorted(BY_NAME))
    parser.add_argument("--call", help="only at calls of this name")
    parser.add_argument("--every", type=int, default=1, help="only each Nth call of an operation; which, the seed says")
    parser.add_argument("--sample", type=int, help="so many cases of all, drawn by the seed: of each fault some")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="no case is begun after so long, but the first of a sample")
    parser.add_argument("--at-least", type=int, help="how many cases of a sample are begun whatever the time; each fault once, when it is not said")
    parser.add_argument("--jobs", type=int, default=3, help="cases side by side, for each cloud")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    options = parser.parse_args(given)
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the simulators end too
    matrix = Matrix(arguments())
    try:
        matrix.run()
    finally:
        matrix.close()
    print(matrix.table())
    print("\n".join(matrix.lost))
    return 1 if matrix.lost else 0


if __name__ == "__main__":
    sys.exit(main())
