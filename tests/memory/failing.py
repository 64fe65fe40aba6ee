"""Each allocation of the provider's own code fails once, in a plan, an apply, a read and a destroy of llm_gpu_node: the answer is an error or the
work is done, the process lives, and what the failed call has handed back leads to the asked-for node when it runs again, and to an empty cloud after
its destroy.

Usage: python -m tests.memory.failing [--step plan|apply|read|destroy] [--every N] [--sample N --seed S]
Needs a provider that is linked with shared libraries (LLM_STATIC=OFF): those that end a process without memory, as gRPC does, are left alone.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import urllib.request

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.protocol import plugin as p  # noqa: E402

NODE = "llm_gpu_node"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
GIVEN = {"name": "demo", "cloud": "aws", "models": ["llama3.1:8b"], "zones": ["us-east-1a", "us-east-1b"],
         "tailscale": {"auth_key_wo": "tskey-x", "auth_key_wo_version": 1}}
STEPS = ("plan", "apply", "read", "destroy")


class Refused(Exception):
    """The provider answered with errors; `answer` is what it handed back beside them."""

    def __init__(self, name, answer, errors):
        super().__init__(f"{name}: {errors}")
        self.answer = answer


class Wrong(Exception):
    pass


class Provider:
    def __init__(self, port, library=None, count=None, fail=0):
        env = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        if library:
            env.update(LD_PRELOAD=str(library), LLM_ALLOC_COUNT=str(count), LLM_ALLOC_FAIL=str(fail))
        self.plugin = p.Plugin(env=env)
        self.config = p.filled(self.plugin.schema().resource_schemas[NODE].block, GIVEN)
        self.plugin.configure()

    def call(self, name, **request):
        answer = self.plugin.call(name, {"type_name": NODE, **request}, timeout=120)
        errors = [f"{d.summary}: {d.detail}" for d in answer.diagnostics if d.severity == 1]
        if errors:
            raise Refused(name, answer, errors)
        return answer

    def plan(self, prior=None, private=b""):
        proposed = {k: (prior[k] if prior and v is None else v) for k, v in self.config.items()}
        proposed["tailscale"] = {**self.config["tailscale"], "auth_key_wo": None}
        return self.call("PlanResourceChange", config=p.dynamic(self.config), proposed_new_state=p.dynamic(proposed), prior_state=p.dynamic(prior),
                         prior_private=private)

    def apply(self, planned, prior=None):
        return self.call("ApplyResourceChange", config=p.dynamic(self.config), prior_state=p.dynamic(prior), planned_state=planned.planned_state,
                         planned_private=planned.planned_private)

    def read(self, state, private):
        return self.call("ReadResource", current_state=state, private=private)

    def destroy(self, state, private):
        return self.call("ApplyResourceChange", config=p.dynamic(None), prior_state=state, planned_state=p.dynamic(None), planned_private=private)


def is_null(dynamic):
    return not dynamic.msgpack or p.value_of(dynamic) is None


class Ground:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="llm-memory-")
        self.count = pathlib.Path(self.directory.name) / "count"
        self.library = pathlib.Path(self.directory.name) / "failing.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.library, pathlib.Path(__file__).with_name("failing.c")], check=True)
        self.stub = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_cloud()
        self.directory.cleanup()

    def end_cloud(self):
        if self.stub:
            self.stub.kill()
            self.stub.wait()
            self.stub.stdout.close()

    def new_cloud(self):
        self.end_cloud()
        self.stub = subprocess.Popen([sys.executable, str(ROOT / "tests/bench/stub.py")], stdout=subprocess.PIPE, text=True)
        self.port = int(self.stub.stdout.readline())

    def objects(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stub/") as answer:
            return json.load(answer)["objects"]

    def check_empty(self):
        left = self.objects()
        if left:
            raise Wrong(f"{left} objects are left")

    def run(self, step, fail):
        """One life with the allocation number `fail` of the step failing; 0: none. Returns how many there were."""
        self.new_cloud()
        self.count.unlink(missing_ok=True)
        provider = Provider(self.port, self.library, self.count, fail)
        state, private, planned = p.dynamic(None), b"", None
        try:
            for name in STEPS:
                if name == step:
                    self.count.touch()
                try:
                    if name == "plan":
                        planned = provider.plan()
                    elif name == "apply":
                        made = provider.apply(planned)
                        state, private = made.new_state, made.private
                    elif name == "read":
                        read = provider.read(state, private)
                        state, private = read.new_state, read.private
                    else:
                        gone = provider.destroy(state, private)
                        state, private = gone.new_state, gone.private
                except Refused as refused:
                    if name != step:
                        raise Wrong(f"a later call failed: {refused}") from refused
                    if name in ("apply", "destroy"):
                        state, private = refused.answer.new_state, refused.answer.private
                    break
                except grpc.RpcError as error:
                    # What the server itself cannot take without memory is refused as a whole, before anything is done.
                    if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED or name != step:
                        raise Wrong(f"{name}: {error.code()}: {error.details()}\n{provider.plugin.log()[-2000:]}") from error
                    break
                if name == step:
                    break
            if not provider.plugin.alive():
                raise Wrong(f"the process ended: {provider.plugin.log()[-2000:]}")
        finally:
            provider.plugin.stop()
        self.converge(state, private, step == "destroy")
        return int(self.count.read_text() or 0)

    def converge(self, state, private, destroying):
        """From what was handed back to the node (a destroy: not that), and to nothing, in a provider that has memory."""
        provider = Provider(self.port)
        try:
            if destroying:
                if not is_null(state):
                    provider.destroy(state, private)
                return self.check_empty()
            prior = None if is_null(state) else p.value_of(state)
            if prior is not None:
                read = provider.read(state, private)
                if not is_null(read.new_state):
                    prior, private = p.value_of(read.new_state), read.private
            # The core taints what a failed create has left, and asks for a new one; what is whole is planned as it is.
            whole = prior is not None and prior.get("instance_id") and all(c["state"] == "ready" for c in (prior.get("components") or {}).values())
            planned = provider.plan(prior, private) if whole else provider.plan()
            made = provider.apply(planned, prior if whole else None)
            again = provider.read(made.new_state, made.private)
            now = p.value_of(again.new_state)
            planned = p.value_of(provider.plan(now, again.private).planned_state)
            difference = {k: (now[k], v) for k, v in planned.items() if v != now[k]}
            if difference:
                raise Wrong(f"a plan differs: {difference}")
            provider.destroy(again.new_state, again.private)
            self.check_empty()
        except Refused as refused:
            raise Wrong(f"does not converge: {refused}") from refused
        finally:
            provider.plugin.stop()


def numbers(total, every, sample, rng):
    all_of_them = list(range(1, total + 1, every))
    return all_of_them if not sample or sample >= len(all_of_them) else sorted(rng.sample(all_of_them, sample))


def run(ground, steps=STEPS, every=1, sample=0, seed="1", out=None):
    """[(step, number, what went wrong)]; prints a row for each step."""
    wrong = []
    for step in steps:
        total = ground.run(step, 0)
        tried = numbers(total, every, sample, random.Random(f"{seed}/{step}"))
        before = len(wrong)
        for number in tried:
            try:
                ground.run(step, number)
            except (Wrong, AssertionError, grpc.RpcError) as error:
                wrong.append((step, number, error))
        if out:
            print(f"| {step} | {total} | {len(tried)} | {len(wrong) - before} |", file=out, flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", choices=STEPS, action="append")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN"), required="LLM_PROVIDER_BIN" not in os.environ)
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    print("| step | allocations | made to fail | wrong |\n|---|---|---|---|", flush=True)
    with Ground() as ground:
        wrong = run(ground, options.step or STEPS, options.every, options.sample, options.seed, sys.stdout)
    for step, number, error in wrong:
        print(f"{step} {number}: {error}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
