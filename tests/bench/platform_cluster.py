"""The figures of llm_platform_cluster on AWS, printed as a table: a whole platform as one resource on the tests' simulator, with a real
API server as its cluster. Asserts no times.

Beside them stand the figures of the same platform written for hashicorp/aws 5.100 on the same simulator (PEER): they were taken on another
machine, and are not measured again here.

Usage: python tests/bench/platform_cluster.py [--provider BINARY] [--runs N] [--delay-ms N] [--aliases N]
The core is tofu (or terraform) on PATH, else the one in .cache/bin.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.chain import Components, records_of  # noqa: E402
from tests.bench.kube_front import Front  # noqa: E402
from tests.bench.load import Watch  # noqa: E402
from tests.bench.run import ALONE, READS, chain_before_changes, row, timed  # noqa: E402

# hashicorp/aws 5.100 with 53 resources: network, cluster, two node groups, OIDC provider, five registries with lifecycle policies, four roles of
# workloads. Its peak memory was not noted.
PEER = {"apply_s": 31, "apply_calls": 194, "plan_s": 5.6, "plan_cpu_s": 7.8, "plan_calls": 85}
REACH = {"apply": 20, "plan": 15, "cpu": 50, "memory": 20, "chain": 1.2, "aliases_mib": 400}

# What those 53 resources are. The provider adds what a cluster needs to work (addons, roles, log group, GPU device plugin), and in the
# cluster the namespaces of the workloads, their service accounts, and the configuration that an import reads.
SAME = """
resource "llm_platform_cluster" "p" {
  name                = "llmplatform-dev"
  cloud               = "aws"
  deletion_protection = false
  network             = { cidr = "10.0.0.0/16", zones = 3, nat = "single" }
  observability       = { dashboard = false }

  node_pools = {
    general = { machine_types = ["m6i.large", "m5.large"], min = 1, max = 3, desired = 2 }
    gpu     = { machine_types = ["g5.xlarge"], gpu = true, provisioning = "spot", min = 0, max = 2 }
  }
  registries = { names = ["gateway", "quant-api", "finetune-api", "eval-api", "grafana-plugin"] }
  namespaces = { for n in ["platform", "quant", "finetune", "eval"] : n => { default_deny = [] } }
  workloads = {
    gateway      = { namespace = "platform", metrics = true }
    quant-api    = { namespace = "quant", metrics = true, invoke_endpoints = ["quant-*"] }
    finetune-api = { namespace = "finetune", metrics = true, invoke_endpoints = ["finetune-*"] }
    eval-api     = { namespace = "eval", metrics = true, invoke_endpoints = ["eval-*"] }
  }
}
"""

# With what teams get besides: quotas, limits, configuration, rights, denied traffic, dashboard and alarms.
WHOLE = SAME.replace("{ default_deny = [] }", """{
    quota       = { "requests.cpu" = "8", "limits.memory" = "32Gi", pods = "15" }
    limit_range = { default_cpu = "500m", default_memory = "512Mi", max_cpu = "2", max_memory = "4Gi" }
    config      = { LOG_LEVEL = "INFO" }
    rbac        = { admins = ["leads"], editors = ["team"], viewers = ["all"] }
  }""").replace("{ dashboard = false }", '{ alarms = { actions = ["arn:aws:sns:us-east-1:123456789012:oncall"] } }')

# AWS has a host for each service, and the provider so many connections to each.
HOSTS = {"EC2": "ec2", "IAM": "iam", "EKS": "eks", "ECR": "ecr", "CLOUDWATCH": "monitoring", "CLOUDWATCH_LOGS": "logs"}


# Of each call of the aliases' nodes: the core ends a process when its resource is done, and they are to be there together.
ALIASES_DELAY_MS = 500


class Measured:
    """One run of the core: its seconds, those of the processors in what it has started and waited for (the provider), and the largest
    memory of a process of the provider."""

    def __init__(self, core, binary, *arguments):
        with tempfile.TemporaryFile() as output, Watch(binary) as watch:
            begun = time.perf_counter()
            process = subprocess.Popen([core.binary, *arguments], cwd=core.directory, env=core.env, stdout=output, stderr=subprocess.STDOUT)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.seconds = time.perf_counter() - begun
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            self.cpu = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
            status = process.wait()
            output.seek(0)
            assert status == 0, output.read().decode()[-4000:]
        self.peak = watch.most


class Together(Watch):
    """The largest memory of all the provider's processes together, in MiB, with what they share (the program, libraries) counted once, and
    counted for each (resident). And how many there were."""

    def __init__(self, binary):
        super().__init__(binary)
        self.shared_once = self.resident = self.processes = 0

    def look(self):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "exe") == self.binary:
                    lines = dict(line.split(":", 1) for line in (entry / "smaps_rollup").read_text().splitlines()[1:])
                    found.append([int(lines[k].split()[0]) / 1024 for k in ("Rss", "Pss")])
            except (OSError, KeyError):
                continue
        self.processes = max(self.processes, len(found))
        self.resident = max(self.resident, sum(f[0] for f in found))
        self.shared_once = max(self.shared_once, sum(f[1] for f in found))


FLAGS = ("-no-color", "-input=false")
STEPS = {"apply": ("apply", *FLAGS, "-auto-approve"), "plan": ("plan", *FLAGS, "-detailed-exitcode"), "destroy": ("destroy", *FLAGS, "-auto-approve")}


class Bench:
    def __init__(self, directory, simulator, kube, options, binary):
        self.directory, self.sim, self.kube, self.options, self.binary = directory, simulator, kube, options, binary

    def core(self, name, **settings):
        from tests.acceptance.conftest import CORES, Core, aws_settings
        path = self.directory / name
        path.mkdir()
        binary = CORES["tofu" if "tofu" in CORES else sorted(CORES)[0]]
        return Core(binary, path, {**aws_settings(self.sim.endpoint), **settings})

    def step(self, core, what):
        """(Measured, calls of AWS)."""
        self.sim.control("calls", method="DELETE")
        measured = Measured(core, self.binary, *STEPS[what])
        return measured, self.sim.calls()

    def fresh(self, name, text, **settings):
        self.sim.reset()
        self.kube.link(self.sim)
        core = self.core(name, **settings)
        core.write(text)
        return core

    def life(self, name, text):
        """{step: [(Measured, calls)]}, and the records of what was made."""
        core = self.fresh(name, text)
        found = {"apply": [self.step(core, "apply")], "plan": [self.step(core, "plan") for _ in range(self.options.runs)]}
        records = records_of(core.directory / "terraform.tfstate")
        with self.kube.controllers():
            found["destroy"] = [self.step(core, "destroy")]
        return found, records

    def delayed(self, text):
        """{step: (Measured, calls of AWS and of the cluster)} with each call delayed, and the records."""
        hosts = {f"AWS_ENDPOINT_URL_{name}": f"http://{host}.localhost:{self.sim.port}" for name, host in HOSTS.items()}
        found = {}
        with Front(self.kube) as front:
            usual = self.kube.endpoint, self.kube.ca_pem
            self.kube.endpoint, self.kube.ca_pem = front.endpoint, front.ca_pem
            core = self.fresh("delayed", text, **hosts)
            self.kube.endpoint, self.kube.ca_pem = usual
            self.sim.rule("*", delay_ms=self.options.delay_ms, times=-1)
            front.delay_s = self.options.delay_ms / 1000
            for what in ("apply", "plan"):
                front.calls = []
                measured, calls = self.step(core, what)
                found[what] = measured, calls + front.calls
            records = records_of(core.directory / "terraform.tfstate")
            self.sim.clear_rules()
            front.delay_s = 0
            with self.kube.controllers():
                self.step(core, "destroy")
        return found, records

    def alone(self):
        """Seconds of an apply and of a plan of the core without a provider."""
        core = self.core("alone")
        core.write(ALONE, head="")
        core.ok("init", "-input=false")
        return {"apply": timed(core.apply_ok), "plan": statistics.median(timed(core.no_difference) for _ in range(self.options.runs))}


def is_claim(call):
    """The claim goes with the last calls of an apply: when all is made, whatever the components are."""
    return call["operation"] == "UntagResource" and "llm:claim" in call["params"].get("tagKeys", [])


def whole_chain(calls, records):
    """(seconds, what) of the longest chain of an apply's calls."""
    calls = sorted((c for c in calls if c.get("end")), key=lambda c: c["start"])
    seconds, what, first = chain_before_changes(calls)
    last = next(i for i, c in enumerate(calls) if is_claim(c))
    chain = Components(records).longest(calls[first:last])
    return seconds + chain[0] + sum(c["end"] - c["start"] for c in calls[last:]), [*what, *chain[1], *[c["operation"] for c in calls[last:]]]


def plan_chain(calls):
    """The same for a plan without a difference: who we are, then all reads at once."""
    who = next(c for c in calls if c["operation"] == "GetCallerIdentity")
    reads = statistics.median(c["end"] - c["start"] for c in calls if c is not who)
    return who["end"] - who["start"] + reads, [who["operation"], "a read"]


def span(calls):
    return max(c["end"] for c in calls) - min(c["start"] for c in calls)


def more(ours, theirs):
    return f"{theirs / ours:.1f} x"


def show_life(bench, name, text, peer):
    found, records = bench.life(name, text)
    here = sum(r["kind"].startswith("kubernetes_") for r in records)
    apply, applied = found["apply"][0]
    plans = [m for m, _ in found["plan"]]
    planned, cpu, wall = found["plan"][-1][1], statistics.median(p.cpu for p in plans), statistics.median(p.seconds for p in plans)
    peak, plan_peak = apply.peak, max(p.peak for p in plans)
    what = f"{name}: {len(records) - here} objects of AWS, {here} in the cluster"
    row(f"**{what}**", "", "", "")
    row("apply", f"{apply.seconds:.2f} s", f"{PEER['apply_s']} s / {REACH['apply']}" if peer else "", more(apply.seconds, PEER["apply_s"]) if peer else "")
    row("calls of AWS in it", len(applied), f"{PEER['apply_calls']}" if peer else "", "")
    row(f"plan with no difference (median of {len(plans)})", f"{wall * 1000:.0f} ms", f"{PEER['plan_s']} s / {REACH['plan']}" if peer else "",
        more(wall, PEER["plan_s"]) if peer else "")
    row("processor time of the provider in it", f"{cpu * 1000:.0f} ms", f"{PEER['plan_cpu_s']} s / {REACH['cpu']}" if peer else "",
        more(cpu, PEER["plan_cpu_s"]) if peer else "")
    row("calls of AWS in it", len(planned), f"{PEER['plan_calls']}" if peer else "", "")
    row("peak memory of the provider: apply, plan", f"{peak:.1f} MiB, {plan_peak:.1f} MiB", f"the peer's / {REACH['memory']}" if peer else "",
        f"where the peer takes {peak * REACH['memory']:.0f} MiB" if peer else "")
    destroyed = found["destroy"][0]
    row("processor time of the provider in the apply", f"{apply.cpu * 1000:.0f} ms", "", "")
    row("destroy", f"{destroyed[0].seconds:.2f} s, {len(destroyed[1])} calls", "", "")


def show_delayed(bench):
    found, records = bench.delayed(SAME)
    alone = bench.alone()
    row(f"**{bench.options.delay_ms} ms added to each call, also to the cluster's; a host for each service**", "", "", "")
    paths = {}
    for what, chain in (("apply", lambda c: whole_chain(c, records)), ("plan", plan_chain)):
        measured, calls = found[what]
        seconds, paths[what] = chain(calls)
        reach = f"{REACH['chain']} x {seconds:.2f} s (longest chain, {len(paths[what])} calls)"
        row(f"{what} ({len(calls)} calls)", f"{measured.seconds:.2f} s", reach, f"{measured.seconds / (REACH['chain'] * seconds):.2f}")
        row("of that, from the first call to the last", f"{span(calls):.2f} s", reach, f"{span(calls) / (REACH['chain'] * seconds):.2f}")
        row(f"the core's own {what}, of terraform_data alone", f"{alone[what]:.2f} s", "", "")
    return paths


# ---- many provider aliases


def aliased(count):
    providers = "".join(f'provider "llm" {{\n  alias = "p{i}"\n  aws   = {{ region = "us-east-1" }}\n}}\n' for i in range(count))
    nodes = "".join(f'resource "llm_gpu_node" "n{i}" {{\n  provider = llm.p{i}\n  name     = "n{i}"\n  cloud    = "aws"\n  models   = ["llama3.1:8b"]\n'
                    '  zones    = ["us-east-1a", "us-east-1b"]\n}\n' for i in range(count))
    return providers + nodes


def show_aliases(directory, count, binary):
    """A node with each alias, all at once, on a fast stand-in of the cloud."""
    from tests.acceptance.conftest import CORES, Core, aws_settings
    stub = subprocess.Popen([sys.executable, str(ROOT / "tests/bench/stub.py"), "--delay-ms", str(ALIASES_DELAY_MS)], stdout=subprocess.PIPE, text=True)
    try:
        path = directory / "aliases"
        path.mkdir()
        core = Core(CORES["tofu" if "tofu" in CORES else sorted(CORES)[0]], path, aws_settings(f"http://127.0.0.1:{int(stub.stdout.readline())}"))
        core.write(aliased(count))
        row(f"**{count} provider aliases, a node with each**", "", "", "")
        for what in STEPS:
            with Together(binary) as seen:
                core.ok(*STEPS[what], f"-parallelism={2 * count}")
            for how, mib in (("what they share counted once (PSS)", seen.shared_once), ("counted for each (RSS)", seen.resident)):
                row(f"{what}: memory of {seen.processes} processes together, {how}", f"{mib:.0f} MiB", f"{REACH['aliases_mib']} MiB",
                    f"{mib / REACH['aliases_mib']:.2f}")
    finally:
        stub.kill()
        stub.wait()
        stub.stdout.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    parser.add_argument("--runs", type=int, default=5, help="plans that the medians are of")
    parser.add_argument("--delay-ms", type=float, default=100, help="of each call, where calls are delayed")
    parser.add_argument("--aliases", type=int, default=20)
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = binary = str(pathlib.Path(options.provider).resolve())
    from tests.acceptance.conftest import Simulator
    from tests.kube.linked import Linked

    directory = pathlib.Path(tempfile.mkdtemp(prefix="llm-bench-"))
    simulator = Simulator(directory)
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors. The peer's figures are of another machine.\n")
    print("| what | measured | reach | ratio |\n|---|---|---|---|")
    try:
        with Linked("aws") as kube:
            bench = Bench(directory, simulator, kube, options, binary)
            show_life(bench, "What the peer has", SAME, True)
            show_life(bench, "With what teams get besides", WHOLE, False)
            paths = show_delayed(bench)
        show_aliases(directory, options.aliases, binary)
        for what, path in paths.items():
            print(f"\nThe longest chain of the {what}: {' -> '.join(path)}.")
        print(f"\nLoad after: {os.getloadavg()[0]:.1f}.")
        if simulator.violations():
            print("Requests that break the cloud's models:", simulator.violations())
            return 1
    finally:
        simulator.stop()
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
