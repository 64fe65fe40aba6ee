"""The provider is killed (SIGKILL) at each call of a create and of a destroy of llm_gpu_node: before the cloud has processed it,
and after that but before its answer. No state is written. Then the operation runs again in a new process, and the simulator,
asked by boto3, must have exactly what was asked for: nothing lost, nothing twice, and after the destroy nothing at all.

Usage: python -m tests.faults.killed [--operation create|destroy] [--every N] [--provider BINARY]
Speaks the plugin protocol itself: a core's own starts would make most of the time. Prints a table; exits with 1 when anything is lost.
"""
import argparse
import collections
import os
import pathlib
import sys
import tempfile
import threading
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.protocol import plugin as p  # noqa: E402
from tests.sim.cloud import Cloud  # noqa: E402

NODE = "llm_gpu_node"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
GIVEN = {"name": "demo", "cloud": "aws", "models": ["llama3.1:8b"], "zones": ["us-east-1a", "us-east-1b"],
         "tailscale": {"auth_key_wo": "tskey-x", "auth_key_wo_version": 1}}
HOLD_MS = 300  # how long later calls are held, so that the kill comes first


class Lost(Exception):
    pass


class Process:
    """A configured provider, and the three calls of a core that matter here."""

    def __init__(self, endpoint):
        self.plugin = p.Plugin(env={**KEYS, "AWS_ENDPOINT_URL": endpoint})
        self.config = p.filled(self.plugin.schema().resource_schemas[NODE].block, GIVEN)
        self.plugin.configure()

    def call(self, name, **request):
        answer = self.plugin.call(name, {"type_name": NODE, **request}, timeout=120)
        errors = [f"{d.summary}: {d.detail}" for d in answer.diagnostics if d.severity == 1]
        if errors:
            raise Lost(f"{name}: {errors}")
        return answer

    def plan(self, prior=None, private=b""):
        proposed = {k: (prior[k] if prior and v is None else v) for k, v in self.config.items()}
        proposed["tailscale"] = {**self.config["tailscale"], "auth_key_wo": None}
        return self.call("PlanResourceChange", config=p.dynamic(self.config), proposed_new_state=p.dynamic(proposed), prior_state=p.dynamic(prior),
                         prior_private=private)

    def apply(self, planned):
        return self.call("ApplyResourceChange", config=p.dynamic(self.config), prior_state=p.dynamic(None), planned_state=planned.planned_state,
                         planned_private=planned.planned_private)

    def destroy(self, state, private):
        self.call("ApplyResourceChange", config=p.dynamic(None), prior_state=state, planned_state=p.dynamic(None), planned_private=private)

    def no_difference(self, made):
        read = self.call("ReadResource", current_state=made.new_state, private=made.private)
        state = p.value_of(read.new_state)
        planned = p.value_of(self.plan(state, read.private).planned_state)
        differences = [k for k in state if planned[k] != state[k]]
        if differences:
            raise Lost(f"a plan differs in {differences}")

    def end(self):
        self.plugin.stop()


class Matrix:
    def __init__(self, sim):
        self.sim = sim
        self.sim.reset()
        process = Process(sim.endpoint)
        planned = process.plan()
        at = [len(sim.calls())]
        made = process.apply(planned)
        at.append(len(sim.calls()))
        self.expected = self.kinds()
        process.destroy(made.new_state, made.private)
        at.append(len(sim.calls()))
        process.end()
        self.calls = {"create": at[1] - at[0], "destroy": at[2] - at[1]}

    def kinds(self):
        return collections.Counter(o[0] for o in Cloud(self.sim.endpoint).owned())

    def kill_at(self, process, call, after, work):
        """Runs `work` in a thread, and kills the provider at its call number `call`."""
        before = len(self.sim.calls())
        rules = [{"operation": "*", "skip": call + after, "times": -1, "delay_ms": HOLD_MS, "drop": "before"}]
        if after:
            rules.insert(0, {"operation": "*", "skip": call, "times": 1, "drop": "after"})
        self.sim.control("rules", rules)

        def run():
            try:
                work()
            except (grpc.RpcError, Lost):
                pass
        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 20
        while len(self.sim.calls()) < before + call + 1 and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        process.plugin.process.kill()
        thread.join()
        time.sleep(HOLD_MS / 1000 + 0.05)
        self.sim.clear_rules()
        process.end()

    def case(self, operation, call, after):
        self.sim.reset()
        process, made = Process(self.sim.endpoint), None
        planned = process.plan()
        if operation == "create":
            self.kill_at(process, call, after, lambda: process.apply(planned))
        else:
            made = process.apply(planned)
            self.kill_at(process, call, after, lambda: process.destroy(made.new_state, made.private))
        again = Process(self.sim.endpoint)
        try:
            if operation == "create":
                made = again.apply(again.plan())
                if self.kinds() != self.expected:
                    raise Lost(f"too many: {self.kinds() - self.expected}, too few: {self.expected - self.kinds()}")
                again.no_difference(made)
            again.destroy(made.new_state, made.private)
            left = Cloud(self.sim.endpoint).owned()
            if left or self.sim.violations():
                raise Lost(f"left: {left}; violations: {self.sim.violations()}")
        finally:
            again.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operation", choices=("create", "destroy"))
    parser.add_argument("--every", type=int, default=1, help="only each Nth call")
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    from tests.acceptance.conftest import Simulator
    sim = Simulator(pathlib.Path(tempfile.mkdtemp(prefix="llm-faults-")))
    failures = 0
    try:
        matrix = Matrix(sim)
        print("| resource | operation | killed | tried | converged |\n|---|---|---|---|---|")
        for operation in [options.operation] if options.operation else ["create", "destroy"]:
            for after in (0, 1):
                tried, lost = 0, []
                for call in range(0, matrix.calls[operation], options.every):
                    tried += 1
                    try:
                        matrix.case(operation, call, after)
                    except (Lost, grpc.RpcError) as why:
                        lost.append((call, why))
                print(f"| {NODE} | {operation} | {'after the call, before its answer' if after else 'before the call'} | {tried} | {tried - len(lost)} |", flush=True)
                for call, why in lost:
                    print(f"call {call}: {why}")
                failures += len(lost)
    finally:
        sim.stop()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
