"""A small sample of the fault matrix with a real core: the core is killed, interrupted once and twice, and cancelled as a CI does it (SIGINT,
then SIGTERM, then SIGKILL), at calls of an apply that a seed draws. Then `apply` runs again; the simulator, asked by its own client, must have
what was asked for, a plan no difference, and after `destroy` nothing may be left.

Usage: python -m tests.faults.real [--cloud C] [--fault F] [--calls N] [--seed S] [--core tofu|terraform]
Prints a table; exits with 1 when anything is lost. "by import": as in the matrix, the core was killed after the provider had given the node over to
its state, and before it wrote that; the second run says with which id to import the node, and the third converges.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.acceptance.conftest import CORES, Core, node  # noqa: E402
from tests.faults.grounds import GROUNDS as OF_RESOURCES  # noqa: E402
from tests.faults.matrix import Lost  # noqa: E402

# (signal, seconds after the one before). The CI's times are a tenth of the real ones: 7.5 s and 2.5 s.
FAULTS = {"core killed": [(signal.SIGKILL, 0)], "SIGINT": [(signal.SIGINT, 0)], "SIGINT twice": [(signal.SIGINT, 0), (signal.SIGINT, 0.3)],
          "SIGINT, SIGTERM, SIGKILL": [(signal.SIGINT, 0), (signal.SIGTERM, 0.75), (signal.SIGKILL, 0.25)]}
GROUNDS = OF_RESOURCES["gpu_node"]
ZONES = {"aws": 'zones = ["us-east-1a", "us-east-1b"]', "gcp": 'zones = ["us-central1-a", "us-central1-b"]'}
LINGER_S = 30


class Session:
    """A core in a directory, against a simulator."""

    def __init__(self, ground, binary):
        self.ground, self.directory = ground, pathlib.Path(tempfile.mkdtemp(prefix="llm-core-"))
        self.core = Core(binary, self.directory, ground.settings)
        self.core.write(node(zones=ZONES[ground.name], cloud=ground.name))

    def start(self, command):
        # A process group of its own, as a terminal's or a CI's job has: children get SIGINT too, and providers ignore it.
        return subprocess.Popen([self.core.binary, command, "-no-color", "-input=false", "-auto-approve"], cwd=self.directory, env=self.core.env,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def providers_of(directory):
    """Processes of the provider that a core in this directory has started and left."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(directory) and "terraform-provider-llm" in os.readlink(entry / "exe"):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def interrupted(session, command, call, fault):
    """Runs a command with the fault at its call number `call` after the plan; its output."""
    sim = session.ground.sim
    sim.control("rules", [{"operation": call[0], "skip": call[1], "times": 1, "hold": "before"}])
    process = session.start(command)
    until = time.monotonic() + 60
    while not sum(r.get("hits", 0) for r in sim.control("rules")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    for number, (signum, pause) in enumerate(FAULTS[fault]):
        time.sleep(pause)
        if process.poll() is None:
            # As at a terminal, the whole group is interrupted; a CI's cancellation and a kill reach the core alone.
            (os.killpg if signum == signal.SIGINT else os.kill)(process.pid, signum)
        if number == 0 and signum == signal.SIGKILL:
            # On a busy machine a killed process takes its time to go: the held call goes on when it has, and those who wait for it may know.
            process.wait(30)
            time.sleep(0.2)
        elif number == 0:
            time.sleep(0.1)
            sim.clear_rules()
    sim.clear_rules()
    output, _ = process.communicate(timeout=120)
    return output


def measure(ground, binary):
    """The calls of an apply after its plan, of a destroy likewise, and what exists in between."""
    ground.reset()
    session, calls = Session(ground, binary), {}
    for command in ("apply", "destroy"):
        sim = ground.sim
        before = len(sim.calls())
        session.core.ok(command, "-no-color", "-input=false", "-auto-approve")
        names, counts = [], {}
        for name in [c["operation"] for c in sim.calls()[before:]]:
            names.append((name, counts.get(name, 0)))
            counts[name] = counts.get(name, 0) + 1
        calls[command] = names
        if command == "apply":
            expected = ground.exists()
    session.close()
    return calls, expected


def again(session, command, fault):
    """The second run, and the way out that its error names when the core did not live to write what it was given. Returns (the last run, whether
    by an import)."""
    result = getattr(session.core, command)()
    way_out = re.search(r"or import it: (\S+/\S+/\S+)\.", result.text)
    if not result.status or not way_out or signal.SIGKILL not in [s for s, _ in FAULTS[fault]]:
        return result, False
    session.core.ok("import", "-no-color", "-input=false", "llm_gpu_node.n", way_out[1])
    return getattr(session.core, command)(), True


def case(ground, binary, command, call, fault, expected):
    """Raises Lost. Returns whether it took an import."""
    ground.reset()
    session = Session(ground, binary)
    try:
        if command == "destroy":
            session.core.apply_ok()
        output = interrupted(session, command, call, fault)
        until = time.monotonic() + LINGER_S
        while providers_of(session.directory) and time.monotonic() < until:
            time.sleep(0.05)
        if providers_of(session.directory):
            raise Lost(f"the provider outlives its core: {providers_of(session.directory)}")
        # What a killed core leaves behind: its lock on the state.
        (session.directory / ".terraform.tfstate.lock.info").unlink(missing_ok=True)
        result, imported = again(session, command, fault)
        if result.status:
            raise Lost(f"the second run: {result.text[-700:]} after {output[-300:]}")
        if command == "apply":
            found = ground.exists()
            if found != expected:
                raise Lost(f"too many: {dict(found - expected)}, too few: {dict(expected - found)}")
            if session.core.plan("-detailed-exitcode").status:
                raise Lost("a plan differs")
            result = session.core.destroy()
            if result.status:
                raise Lost(f"the destroy: {result.text[-700:]}")
        if ground.exists() or ground.wrong():
            raise Lost(f"left: {dict(ground.exists())}; wrong: {ground.wrong()[:3]}")
        return imported
    finally:
        session.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud", choices=sorted(GROUNDS))
    parser.add_argument("--fault", choices=sorted(FAULTS))
    parser.add_argument("--calls", type=int, default=4, help="so many calls of each command, for each fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--core", choices=sorted(CORES), default=sorted(CORES)[-1])
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    draw, lost = random.Random(options.seed), 0
    print("| resource | cloud | core | operation | fault | tried | converged | by import |\n|---|---|---|---|---|---|---|---|")
    for cloud in [options.cloud] if options.cloud else GROUNDS:
        ground = GROUNDS[cloud](pathlib.Path(tempfile.mkdtemp(prefix="llm-faults-")) / cloud)
        try:
            calls, expected = measure(ground, CORES[options.core])
            for command in ("apply", "destroy"):
                for fault in [options.fault] if options.fault else FAULTS:
                    tried, imported, why = 0, 0, []
                    for call in draw.sample(calls[command], min(options.calls, len(calls[command]))):
                        tried += 1
                        try:
                            imported += case(ground, CORES[options.core], command, call, fault, expected)
                        except Lost as error:
                            why.append(f"{call[0]} #{call[1]}: {error}")
                    lost += len(why)
                    name = {"apply": "create"}.get(command, command)
                    print(f"| llm_gpu_node | {cloud} | {options.core} | {name} | {fault} | {tried} | {tried - len(why)} | {imported} |", *why,
                          sep="\n", flush=True)
        finally:
            ground.sim.stop()
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
