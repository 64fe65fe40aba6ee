"""The figures of one llm_endpoint on SageMaker, on Vertex AI and in a cluster, printed as a table: apply, plan without a difference, destroy, on the
tests' simulators and a real Kubernetes API server; and apply and plan with each call delayed, against the longest chain of calls that they need. Asserts
no times.

The chain of an apply's changes is that of its components, as their records have it. What comes before the changes is on AWS who we are, the slowest
check of each plan, and a read; elsewhere the longest sequence of calls that did not overlap.

Usage: python tests/bench/endpoint.py [--provider BINARY] [--on aws|gcp|cluster] [--runs N] [--delay-ms N]
The core is tofu (or terraform) on PATH, else the one in .cache/bin.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.chain import Components, GoogleComponents, records_of  # noqa: E402
from tests.bench.kube_front import Front  # noqa: E402
from tests.bench.platform_cluster import STEPS, Measured, plan_chain, span  # noqa: E402
from tests.bench.run import ALONE, chain_before_changes, longest_chain, row, timed  # noqa: E402
from tests.kube.cluster import Cluster  # noqa: E402

TEXT = """
resource "llm_endpoint" "e" {{
  name    = "chat"
  cloud   = "{cloud}"
  model   = "llama3.1:8b"
  machine = {{ type = "{machine}" }}
  scaling = {{ max = 2, target_gpu_percent = 70 }}
  alarms  = {{ errors_5xx = 5, latency_ms = 20000 }}
}}
"""
IN_CLUSTER = """
resource "llm_endpoint" "e" {{
  name    = "chat"
  cloud   = "aws"
  target  = "cluster"
  model   = "qwen2.5:7b"
  machine = {{ type = "g6.xlarge" }}
  scaling = {{ min = 2 }}
  cluster = {{
    namespace  = "eval"
    kubernetes = {{ endpoint = {endpoint}, ca_certificate = {ca}, token_file = {token} }}
  }}
}}
"""
TITLES = {"aws": "SageMaker", "gcp": "Vertex AI", "cluster": "Kubernetes"}
MACHINES = {"aws": "ml.g5.2xlarge", "gcp": "g2-standard-12"}
# AWS has a host for each service, and the provider so many connections to each.
HOSTS = {"SAGEMAKER": "sagemaker", "IAM": "iam", "CLOUDWATCH": "monitoring", "CLOUDWATCH_LOGS": "logs", "APPLICATION_AUTO_SCALING": "autoscaling"}


class Bench:
    def __init__(self, cloud, directory, options, binary):
        from tests.acceptance.conftest import Simulator, aws_settings, gcp_settings
        self.cloud, self.directory, self.options, self.binary = cloud, directory, options, binary
        self.settings = {"aws": aws_settings, "gcp": gcp_settings}[cloud]
        self.sim = Simulator(directory, f"tests.sim.{cloud}")

    def stop(self):
        self.sim.stop()

    def core(self, name, **settings):
        from tests.acceptance.conftest import CORES, Core
        path = self.directory / name
        path.mkdir()
        return Core(CORES["tofu" if "tofu" in CORES else sorted(CORES)[0]], path, {**self.settings(self.sim.endpoint), **settings})

    def fresh(self, name, **settings):
        """A core with the endpoint's configuration, and an empty account."""
        self.sim.reset()
        if self.cloud == "aws":
            self.sim.control("quotas", {f"{MACHINES['aws']} for endpoint usage": 8})
        else:
            self.sim.control("settings", {"operation_s": 0.02})
        core = self.core(name, **settings)
        core.write(TEXT.format(cloud=self.cloud, machine=MACHINES[self.cloud]))
        return core

    def step(self, core, what):
        """(Measured, calls)."""
        self.sim.control("calls", method="DELETE")
        measured = Measured(core, self.binary, *STEPS[what])
        return measured, [c for c in self.sim.calls() if c.get("end")]

    def life(self):
        """{step: [(Measured, calls)]}, and how many objects there were."""
        core = self.fresh("life")
        found = {"apply": [self.step(core, "apply")], "plan": [self.step(core, "plan") for _ in range(self.options.runs)]}
        objects = len(records_of(core.directory / "terraform.tfstate"))
        return {**found, "destroy": [self.step(core, "destroy")]}, objects

    def delayed(self):
        """{step: (Measured, calls)} with each call delayed, and the records of what was made."""
        hosts = {f"AWS_ENDPOINT_URL_{name}": f"http://{host}.localhost:{self.sim.port}" for name, host in HOSTS.items()} if self.cloud == "aws" else {}
        core = self.fresh("delayed", **hosts)
        self.sim.rule("*", delay_ms=self.options.delay_ms, times=-1)
        found = {what: self.step(core, what) for what in ("apply", "plan")}
        records = records_of(core.directory / "terraform.tfstate")
        self.sim.clear_rules()
        self.step(core, "destroy")
        return found, records

    def alone(self):
        """Seconds of an apply and of a plan of the core without a provider."""
        core = self.core("alone")
        core.write(ALONE, head="")
        core.ok("init", "-input=false")
        return {"apply": timed(core.apply_ok), "plan": statistics.median(timed(core.no_difference) for _ in range(self.options.runs))}


class InCluster(Bench):
    """A cluster that the provider is told of: all calls are the cluster's."""

    def __init__(self, directory, options, binary):
        super().__init__("aws", directory, options, binary)
        self.cloud, self.used = "cluster", contextlib.ExitStack()
        self.kube = self.used.enter_context(Cluster())
        self.front = self.used.enter_context(Front(self.kube))
        self.used.enter_context(self.kube.controllers())
        self.kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": "eval"}})
        self.token = directory / "token"
        self.token.write_text(self.kube.admin)

    def stop(self):
        self.used.close()
        super().stop()

    def fresh(self, name, **settings):
        core = self.core(name, **settings)
        core.write(IN_CLUSTER.format(endpoint=json.dumps(self.front.endpoint), ca=json.dumps(self.front.ca_pem), token=json.dumps(str(self.token))))
        return core

    def step(self, core, what):
        self.front.calls = []
        measured, clouds = super().step(core, what)
        return measured, clouds + [c for c in self.front.calls if c.get("end")]

    def delayed(self):
        core = self.fresh("delayed")
        self.front.delay_s = self.options.delay_ms / 1000
        found = {what: self.step(core, what) for what in ("apply", "plan")}
        records = records_of(core.directory / "terraform.tfstate")
        self.front.delay_s = 0
        self.step(core, "destroy")
        return found, records


def is_claim(call):
    """The claim goes with the last calls of an apply: when all is made, whatever the components are."""
    return call["operation"] == "DeleteTags" and "llm:claim" in call["params"].get("TagKeys", []) or call["params"].get("updateMask") == "labels"


def changes_chain(calls, components):
    """(seconds, operations) of an apply's calls from the first change on."""
    last = next(i for i, c in enumerate(calls) if is_claim(c))
    seconds, what = components.longest(calls[:last])
    return seconds + sum(c["end"] - c["start"] for c in calls[last:]), [*what, *[c["operation"] for c in calls[last:]]]


def apply_chain(cloud, calls, records):
    """(seconds, operations) of the longest chain of an apply's calls."""
    calls = sorted(calls, key=lambda c: c["start"])
    if cloud == "aws":
        seconds, what, first = chain_before_changes(calls)
        components = Components(records)
    elif cloud == "cluster":
        first = next(i for i, c in enumerate(calls) if c["operation"].startswith(("POST", "PATCH")) and not c["dry_run"])
        seconds, count = longest_chain(calls[:first])
        chain = Components(records).longest(calls[first:])
        return seconds + chain[0], [f"{count} calls before the first change", *chain[1]]
    else:
        first = next(i for i, c in enumerate(calls) if c["http"].startswith(("POST", "PATCH")))
        seconds, count = longest_chain(calls[:first])
        what, components = [f"{count} calls before the first change"], GoogleComponents(records)
    chain = changes_chain(calls[first:], components)
    return seconds + chain[0], [*what, *chain[1]]


def no_difference_chain(cloud, calls):
    if cloud == "aws":
        return plan_chain(calls)
    seconds, count = longest_chain(calls)
    return seconds, [f"{count} calls that do not overlap"]


def show_life(bench):
    found, objects = bench.life()
    [(apply, applied)], [(destroy, destroyed)] = found["apply"], found["destroy"]
    plans = [m for m, _ in found["plan"]]
    row(f"**{TITLES[bench.cloud]}: {objects} objects**", "", "", "")
    row("apply", f"{apply.seconds:.2f} s", "", "")
    row("calls in it", len(applied), "", "")
    row("processor time of the provider in it", f"{apply.cpu * 1000:.0f} ms", "", "")
    row(f"plan with no difference (median of {len(plans)})", f"{statistics.median(p.seconds for p in plans) * 1000:.0f} ms", "", "")
    row("calls in it", len(found["plan"][-1][1]), "", "")
    row("processor time of the provider in it", f"{statistics.median(p.cpu for p in plans) * 1000:.0f} ms", "", "")
    row("peak memory of the provider: apply, plan", f"{apply.peak:.1f} MiB, {max(p.peak for p in plans):.1f} MiB", "", "")
    row("destroy", f"{destroy.seconds:.2f} s, {len(destroyed)} calls", "", "")


def show_delayed(bench):
    """The operations of each step's chain."""
    found, records = bench.delayed()
    alone, paths = bench.alone(), {}
    row(f"**{TITLES[bench.cloud]}: {bench.options.delay_ms:.0f} ms added to each call**", "", "", "")
    for what, chain in (("apply", lambda c: apply_chain(bench.cloud, c, records)), ("plan", lambda c: no_difference_chain(bench.cloud, c))):
        measured, calls = found[what]
        seconds, paths[what] = chain(calls)
        reach = f"{seconds:.2f} s (longest chain)"
        row(f"{what} ({len(calls)} calls)", f"{measured.seconds:.2f} s", reach, f"{measured.seconds / seconds:.2f}")
        row("of that, from the first call to the last", f"{span(calls):.2f} s", reach, f"{span(calls) / seconds:.2f}")
        row(f"the core's own {what}, of terraform_data alone", f"{alone[what]:.2f} s", "", "")
    return paths


def show(cloud, options, binary):
    """(the chains, what the simulator found wrong)."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="llm-bench-"))
    bench = InCluster(directory, options, binary) if cloud == "cluster" else Bench(cloud, directory, options, binary)
    try:
        show_life(bench)
        return show_delayed(bench), bench.sim.violations()
    finally:
        bench.stop()
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    parser.add_argument("--on", choices=sorted(TITLES), help="one of the three; else all")
    parser.add_argument("--runs", type=int, default=5, help="plans that the medians are of")
    parser.add_argument("--delay-ms", type=float, default=100, help="of each call, where calls are delayed")
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = binary = str(pathlib.Path(options.provider).resolve())
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.\n")
    print("| what | measured | reach | ratio |\n|---|---|---|---|")
    chains, wrong = {}, []
    for cloud in [options.on] if options.on else TITLES:
        chains[cloud], violations = show(cloud, options, binary)
        wrong += violations
    for cloud, paths in chains.items():
        for what, path in paths.items():
            print(f"\n{TITLES[cloud]}: the longest chain of the {what}: {' -> '.join(path)}.")
    print(f"\nLoad after: {os.getloadavg()[0]:.1f}.")
    if wrong:
        print("Requests that break the cloud's models:", wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
