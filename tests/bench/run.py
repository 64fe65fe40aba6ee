"""The provider's figures, measured side by side in one run, printed as a table. Asserts no times.

Usage: python tests/bench/run.py [--provider BINARY] [--runs N]
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
    """Seconds of the longest chain of calls in which each began after the one before had ended because it needed it:
    a call needs an earlier one when it names something that the earlier one's answer made. The simulator records no
    answers, so what a call needs is taken from time: its predecessors are all calls that ended before it began, and
    the chain is the one with the most calls. Calls that overlap are never in one chain."""
    calls = sorted((c for c in calls if c.get("end")), key=lambda c: c["end"])
    best = []  # (end, seconds of the best chain that ends there, number of calls)
    for c in calls:
        before = [b for b in best if b[0] <= c["start"]]
        seconds, count = max(((b[1], b[2]) for b in before), default=(0, 0))
        best.append((c["end"], seconds + c["end"] - c["start"], count + 1))
    return max(((b[1], b[2]) for b in best), default=(0, 0))


# What each call of a create needs first, from AWS's own rules: the ids that its parameters carry. A parameter's id
# is matched to the call that first brought it into the world.
CREATES = {
    "CreateVpc": "vpc-", "CreateSubnet": "subnet-", "CreateInternetGateway": "igw-", "CreateRouteTable": "rtb-",
    "AllocateAddress": "eipalloc-", "CreateNatGateway": "nat-", "CreateSecurityGroup": "sg-", "RunInstances": "i-",
    "CreateVolume": "vol-"}


def parameter_texts(value):
    if isinstance(value, dict):
        for v in value.values():
            yield from parameter_texts(v)
    elif isinstance(value, list):
        for v in value:
            yield from parameter_texts(v)
    else:
        yield str(value)


def needed_chain(calls):
    """Seconds and operations of the longest chain of calls that need each other: a call needs the call that created
    what its parameters name (by AWS's id prefixes, or by the name given at creation)."""
    calls = sorted((c for c in calls if c.get("end")), key=lambda c: c["start"])
    makers, made_names, best = {}, {}, []
    for i, c in enumerate(calls):
        texts = list(parameter_texts(c["params"]))
        needs = set()
        for text in texts:
            for prefix, maker in makers.items():
                if text.startswith(prefix):
                    needs |= {m for m in maker if calls[m]["end"] <= c["start"]}
            needs |= {m for m in made_names.get(text, ()) if calls[m]["end"] <= c["start"]}
        seconds, path = max(((best[n][0], best[n][1]) for n in needs), key=lambda b: b[0], default=(0, []))
        best.append((seconds + c["end"] - c["start"], [*path, c["operation"]]))
        if c["operation"] in CREATES:
            makers.setdefault(CREATES[c["operation"]], []).append(i)
        for key in ("RoleName", "InstanceProfileName", "Name", "logGroupName"):
            if c["operation"].startswith("Create") and isinstance(c["params"].get(key), str):
                made_names.setdefault(c["params"][key], []).append(i)
    return max(best, key=lambda b: b[0], default=(0, []))


class Bench:
    def __init__(self, directory, simulator, core_type, core_binary, node):
        self.directory, self.sim, self.node = directory, simulator, node
        self.core_type, self.core_binary = core_type, core_binary

    def core(self, name):
        path = self.directory / name
        path.mkdir()
        return self.core_type(self.core_binary, path, self.sim.endpoint)

    def plans(self, runs):
        """(plan with the node, plan of terraform_data, the longest chain of calls of one plan, its calls), in seconds."""
        alone, with_node = self.core("alone"), self.core("node")
        alone.write(ALONE, head="")
        alone.ok("init", "-input=false")
        alone.apply_ok()
        with_node.write(self.node())
        with_node.apply_ok()
        with_node.no_difference()
        ours, theirs, chains = [], [], []
        for _ in range(runs):
            theirs.append(timed(alone.no_difference))
            before = len(self.sim.calls())
            ours.append(timed(with_node.no_difference))
            chains.append(longest_chain(self.sim.calls()[before:]))
        with_node.destroy()
        return statistics.median(ours), statistics.median(theirs), statistics.median(c[0] for c in chains), chains[-1][1]

    def slow_apply(self):
        """(apply, empty apply of terraform_data, needed chain) with each call delayed, in seconds."""
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
        return seconds, base, needed_chain(calls), longest_chain(calls), calls


def row(what, value, reach, ratio=""):
    print(f"| {what} | {value} | {reach} | {ratio} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    parser.add_argument("--runs", type=int, default=5, help="plans that the medians are of")
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    from tests.acceptance.conftest import CORES, Core, Simulator, node
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
    simulator = Simulator(directory)
    try:
        simulator.reset()
        bench = Bench(directory, simulator, Core, CORES[name], node)
        ours, alone, chain, count = bench.plans(options.runs)
        allowed = 1.3 * alone + chain
        row(f"second plan of one node ({name}, median of {options.runs})", f"{ours * 1000:.0f} ms",
            f"1.3 x {alone * 1000:.0f} ms (terraform_data alone) + {chain * 1000:.0f} ms ({count} round trips)", f"{ours / allowed:.2f}")
        seconds, base, (needed, path), (observed, steps), calls = bench.slow_apply()
        row(f"apply of one node, {DELAY_MS} ms added to each call ({len(calls)} calls)", f"{seconds:.2f} s",
            f"1.2 x {needed:.2f} s (longest chain of needs, {len(path)} calls)", f"{seconds / (1.2 * needed):.2f}")
        print(f"\nThe chain of needs: {' -> '.join(path)}.")
        print(f"The longest sequence of calls without overlap: {observed:.2f} s, {steps} calls. "
              f"The same core's apply of terraform_data alone: {base:.2f} s.")
        if simulator.violations():
            print("Requests that break AWS's models:", simulator.violations())
            return 1
    finally:
        simulator.stop()
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
