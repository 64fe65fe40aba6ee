"""The provider's figures, measured side by side in one run, printed as a table. Asserts no times.

Usage: python tests/bench/run.py [--cloud aws|gcp] [--provider BINARY] [--runs N]
The core is tofu (or terraform) on PATH, else the one in .cache/bin. The cloud is the tests' simulator.
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

DELAY_MS = 50
FUNCTION = 'output "o" {\n  value = provider::llm::vram_gib("llama3.1:8b", 8192)\n}\n'
ALONE = 'terraform {}\nresource "terraform_data" "n" {\n  input = "demo"\n}\n'


def median_ms(seconds):
    return statistics.median(seconds) * 1000


def timed(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def start_times(plugin, runs):
    """Seconds from fork to the handshake line, with the client's certificate made beforehand."""
    _, cert = plugin.make_certificate()
    env = plugin.bare_env(**plugin.COOKIE, PLUGIN_PROTOCOL_VERSIONS="6", PLUGIN_CLIENT_CERT=cert.decode())
    found = []
    for _ in range(runs):
        begun = time.perf_counter()
        process = subprocess.Popen([plugin.binary()], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout.readline().startswith(b"1|6|unix|")
        found.append(time.perf_counter() - begun)
        process.terminate()
        process.wait()
        process.stdout.close()
    return found


def bare_process(runs):
    """The same for a process that only prints a line: what of the above is fork, exec and pipe."""
    def one():
        subprocess.run(["/bin/echo", "1|6|unix|"], stdout=subprocess.PIPE, check=True)
    return [timed(one) for _ in range(runs)]


def stripped_size(binary):
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory) / "provider"
        subprocess.run(["strip", "-o", copy, binary], check=True)
        return copy.stat().st_size


def shared_libraries(binary):
    text = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def longest_chain(calls):
    """(seconds, number) of the longest sequence of calls that do not overlap: what the calls took one after another."""
    best = []
    for c in sorted((c for c in calls if c.get("end")), key=lambda c: c["end"]):
        seconds, count = max(((b[1], b[2]) for b in best if b[0] <= c["start"]), default=(0, 0))
        best.append((c["end"], seconds + c["end"] - c["start"], count + 1))
    return max(((b[1], b[2]) for b in best), default=(0, 0))


def busy_time(calls):
    """Seconds in which at least one call was open."""
    total, until = 0.0, 0.0
    for c in sorted((c for c in calls if c.get("end")), key=lambda c: c["start"]):
        total += max(0.0, c["end"] - max(c["start"], until))
        until = max(until, c["end"])
    return total


# The kinds of ids that calls bring into the world; what is known by a name of its own is found by that name.
CREATES = {
    "CreateVpc": "vpc-", "CreateSubnet": "subnet-", "CreateInternetGateway": "igw-", "CreateRouteTable": "rtb-",
    "AllocateAddress": "eipalloc-", "CreateNatGateway": "nat-", "CreateSecurityGroup": "sg-", "RunInstances": "i-",
    "CreateVolume": "vol-"}
NAMES = ("RoleName", "InstanceProfileName", "logGroupName", "SecretId")
READS = ("Describe", "Get", "List")


def texts_of(value):
    if isinstance(value, (dict, list)):
        for v in value.values() if isinstance(value, dict) else value:
            yield from texts_of(v)
    else:
        yield str(value)


def named(call, known):
    """The objects of `known` (in the order in which they were made) that a call's parameters name."""
    texts = list(texts_of(call["params"]))
    return [o for o in known if any(t.startswith(o) if o.endswith("-") else t == o for t in texts)]


def create_chain(calls):
    """(seconds, operations) of the longest chain from the first change on. Each call acts on one object: the one that
    it creates, or the one made last of those that it names. The calls on one object follow each other, and an object
    needs the whole of those that its first call names. Reads of objects that were not made here need nothing."""
    known, own, best = [], {}, (0, [])
    for call in sorted((c for c in calls if c.get("end")), key=lambda c: c["start"]):
        operation, params = call["operation"], call["params"]
        needs = [o for o in named(call, known) if o in own]
        made = CREATES.get(operation) or next(
            (params[n] for n in NAMES if operation.startswith("Create") and isinstance(params.get(n), str) and params[n] not in known), None)
        ready = [own[o] for o in needs if own[o][2] <= call["start"]]
        seconds, path = max(((r[0], r[1]) for r in ready), default=(0, []), key=lambda r: r[0])
        result = (seconds + call["end"] - call["start"], [*path, operation], call["end"])
        best = max(best, result[:2], key=lambda b: b[0])
        if made and made not in known:
            known.append(made)
        thing = made or (needs[-1] if needs else None)
        # Of several of one kind (subnets) that are made at once, the slowest stands for all.
        if thing and not operation.startswith("Associate") and (thing not in own or result[0] > own[thing][0]):
            own[thing] = result
    return best


def chain_before_changes(calls):
    """(seconds, what, index of the first change): of an apply's calls, for the plan and for the plan repeated by the apply,
    who we are and the slowest of the checks, which need only that; then a read of what is there."""
    first = next(i for i, c in enumerate(calls) if not c["operation"].startswith(READS))
    starts = [i for i, c in enumerate(calls[:first]) if c["operation"] == "GetCallerIdentity"]
    ends = [*starts[1:], first]
    checks = {c["operation"] for c in calls[starts[0] + 1:ends[0]]}  # the apply's own calls go on with the reads of what is there
    seconds, what = 0.0, []
    for i, end in zip(starts, ends):
        call = calls[i]
        slowest = max((c for c in calls[i + 1:end] if c["operation"] in checks), key=lambda c: c["end"] - c["start"], default=None)
        for c in filter(None, (call, slowest)):
            seconds, what = seconds + c["end"] - c["start"], [*what, c["operation"]]
    reads = statistics.median(c["end"] - c["start"] for c in calls[:first]) if first else 0
    return seconds + reads, [*what, "a read of what is there"], first


def apply_chain(calls):
    """(seconds, what) of the longest chain of an apply's calls: what comes before the changes, and what the objects need of
    each other; and the seconds of the changes, as they were and of their chain."""
    calls = sorted((c for c in calls if c.get("end")), key=lambda c: c["start"])
    seconds, what, first = chain_before_changes(calls)
    chain = create_chain(calls[first:])
    return seconds + chain[0], [*what, *chain[1]], calls[-1]["end"] - calls[first]["start"], chain[0]


# On Google Cloud what an object needs is in the calls' paths, not in ids: the chain of a node's objects, each until its operation is done.
GCP_CHAIN = ["compute.networks.insert", "compute.globalOperations.wait", "compute.subnetworks.insert", "compute.regionOperations.wait",
             "compute.instances.insert", "compute.zoneOperations.wait", "compute.instances.get", "compute.disks.insert", "compute.zoneOperations.wait",
             "compute.disks.get", "compute.instances.attachDisk", "compute.zoneOperations.wait"]
GCP_CHECKS = ["compute.machineTypes.aggregatedList", "compute.acceleratorTypes.aggregatedList"]


def gcp_apply_chain(calls):
    """The same for Google Cloud: two plans' slowest checks, a read of what is there, and the chain; each call as long as the median of its kind."""
    calls = sorted((c for c in calls if c.get("end")), key=lambda c: c["start"])
    took = {}
    for c in calls:
        took.setdefault(c["operation"], []).append(c["end"] - c["start"])
    seconds = {name: statistics.median(t) for name, t in took.items()}
    first = min(i for i, c in enumerate(calls) if c["operation"].endswith((".insert", ".create")))
    plans = sum(c["operation"] == "serviceusage.services.batchGet" for c in calls)
    path = [*[c for c in GCP_CHECKS if c in seconds] * plans, "compute.networks.get", *GCP_CHAIN]
    return (sum(seconds[p] for p in path), path, calls[-1]["end"] - calls[first]["start"], sum(seconds[p] for p in GCP_CHAIN))


class Bench:
    def __init__(self, directory, simulator, core_type, core_binary, node, settings):
        self.directory, self.sim, self.node, self.settings = directory, simulator, node, settings
        self.core_type, self.core_binary = core_type, core_binary

    def core(self, name):
        path = self.directory / name
        path.mkdir()
        return self.core_type(self.core_binary, path, self.settings(self.sim.endpoint))

    def plans(self, runs):
        """Medians of seconds: a plan with the node, one of terraform_data, the longest chain of the plan's calls, the time
        in which some call was open; and the number of calls in the chain."""
        alone, with_node = self.core("alone"), self.core("node")
        alone.write(ALONE, head="")
        alone.ok("init", "-input=false")
        alone.apply_ok()
        with_node.write(self.node())
        with_node.apply_ok()
        with_node.no_difference()
        ours, theirs, chains, busy = [], [], [], []
        for _ in range(runs):
            theirs.append(timed(alone.no_difference))
            before = len(self.sim.calls())
            ours.append(timed(with_node.no_difference))
            calls = self.sim.calls()[before:]
            chains.append(longest_chain(calls))
            busy.append(busy_time(calls))
        with_node.destroy()
        return statistics.median(ours), statistics.median(theirs), statistics.median(c[0] for c in chains), statistics.median(busy), chains[-1][1]

    def function_plan(self, runs):
        """Median seconds of a plan that calls a function of the provider: its starts, without any cloud."""
        core = self.core("function")
        core.write(FUNCTION)
        core.apply_ok()
        return statistics.median(timed(core.no_difference) for _ in range(runs))

    def slow_apply(self):
        """(seconds of the apply, of one of terraform_data, the calls) with each call delayed."""
        core, alone = self.core("slow"), self.core("slow-alone")
        alone.write(ALONE, head="")
        alone.ok("init", "-input=false")
        base = timed(alone.apply_ok)
        core.write(self.node(name="slow"))
        self.sim.rule("*", delay_ms=DELAY_MS, times=-1)
        before = len(self.sim.calls())
        seconds = timed(core.apply_ok)
        calls = self.sim.calls()[before:]
        self.sim.clear_rules()
        core.destroy()
        return seconds, base, calls


def row(what, value, reach, ratio=""):
    print(f"| {what} | {value} | {reach} | {ratio} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    parser.add_argument("--cloud", choices=("aws", "gcp"), default="aws")
    parser.add_argument("--runs", type=int, default=5, help="plans that the medians are of")
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    from tests.acceptance.conftest import CORES, Core, Simulator, aws_settings, gcp_node, gcp_settings, node
    from tests.protocol import plugin

    start, echo = start_times(plugin, 30), bare_process(30)
    with plugin.Plugin() as p:
        p.call("GetProviderSchema")
        rss = p.rss_kib() / 1024
    print("| what | measured | reach | ratio |\n|---|---|---|---|")
    row("start to handshake line, median of 30", f"{median_ms(start):.1f} ms", "5 ms", f"{median_ms(start) / 5:.2f} (a bare process: {median_ms(echo):.1f} ms)")
    row("resident memory after GetProviderSchema", f"{rss:.1f} MiB", "20 MiB", f"{rss / 20:.2f}")
    size = stripped_size(options.provider) / 1e6
    row("binary, stripped", f"{size:.1f} MB", "20 MB", f"{size / 20:.2f}")
    row("needs", ", ".join(shared_libraries(options.provider)), "glibc (and libcurl)")

    name = sorted(CORES, reverse=True)[0] if "tofu" not in CORES else "tofu"
    directory = pathlib.Path(tempfile.mkdtemp(prefix="llm-bench-"))
    gcp = options.cloud == "gcp"
    simulator = Simulator(directory, "tests.sim.gcp" if gcp else "tests.sim.aws")
    try:
        simulator.reset()
        bench = Bench(directory, simulator, Core, CORES[name], gcp_node if gcp else node, gcp_settings if gcp else aws_settings)
        ours, alone, chain, busy, count = bench.plans(options.runs)
        allowed = 1.3 * alone + chain
        row(f"second plan of one node ({name}, median of {options.runs})", f"{ours * 1000:.0f} ms",
            f"1.3 x {alone * 1000:.0f} ms (terraform_data alone) + {chain * 1000:.0f} ms ({count} round trips)", f"{ours / allowed:.2f}")
        function = bench.function_plan(options.runs)
        row("plan that only calls a function of the provider", f"{function * 1000:.0f} ms", "", f"{function / alone:.2f} x terraform_data alone")
        seconds, base, calls = bench.slow_apply()
        needed, path, creating, create_needed = (gcp_apply_chain if gcp else apply_chain)(calls)
        steps_seconds, steps = longest_chain(calls)
        row(f"apply of one node, {DELAY_MS} ms added to each call ({len(calls)} calls)", f"{seconds:.2f} s",
            f"1.2 x {needed:.2f} s (longest chain, {len(path)} calls)", f"{seconds / (1.2 * needed):.2f}")
        row("of that, from the first change on", f"{creating:.2f} s", f"1.2 x {create_needed:.2f} s", f"{creating / (1.2 * create_needed):.2f}")
        print(f"\nThe plans run with {busy * 1000:.0f} ms in which some call was open; the simulator serves one at a time.")
        print(f"The apply's longest chain: {' -> '.join(path)}.")
        print(f"Its longest sequence of calls that do not overlap: {steps_seconds:.2f} s, {steps} calls. "
              f"The same core's apply of terraform_data alone: {base:.2f} s.")
        if simulator.violations():
            print("Requests that break the cloud's models:", simulator.violations())
            return 1
    finally:
        simulator.stop()
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
