"""One configuration with many llm_gpu_nodes against a fast stand-in of the cloud: time, memory, calls and connections, as a
table. Asserts nothing of times.

Usage: python -m tests.bench.load [--nodes 1,10,100,1000] [--rate N] [--parallelism N]
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

NODES = """
resource "llm_gpu_node" "n" {{
  count  = {count}
  name   = "n${{count.index}}"
  cloud  = "aws"
  models = ["llama3.1:8b"]
  zones  = ["us-east-1a", "us-east-1b"]
}}
"""


class Watch:
    """The largest resident memory of the provider's processes while work runs, in MiB, and what processor time they took, in seconds."""

    def __init__(self, binary):
        self.binary, self.most, self.times, self.stop = binary, 0, {}, threading.Event()

    @property
    def cpu(self):
        return sum(self.times.values())

    def look(self):
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "exe") == self.binary:
                    peak = next(l for l in (entry / "status").read_text().splitlines() if l.startswith("VmHWM"))
                    self.most = max(self.most, int(peak.split()[1]) / 1024)
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    self.times[entry.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            except (OSError, StopIteration):
                continue

    def run(self):
        while not self.stop.wait(0.02):
            self.look()

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def asked(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stub/") as answer:
        return json.load(answer)


def step(core, binary, port, work):
    before = asked(port)
    begun, others = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with Watch(binary) as watch:
        result = work()
    seconds, ended = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    core = ended.ru_utime + ended.ru_stime - others.ru_utime - others.ru_stime - watch.cpu
    assert result.status == 0, result.output[-3000:]
    after = asked(port)
    return {"seconds": seconds, "peak": watch.most, "cpu": watch.cpu, "core": core, "calls": sum(after["calls"].values()) - sum(before["calls"].values()),
            "connections": after["connections"] - before["connections"] - 1, "throttled": after["throttled"] - before["throttled"], "objects": after["objects"]}


def measure(count, options, binary):
    from tests.acceptance.conftest import CORES, Core, aws_settings
    directory = pathlib.Path(tempfile.mkdtemp(prefix="llm-load-"))
    stub = subprocess.Popen([sys.executable, str(ROOT / "tests/bench/stub.py"), "--rate", str(options.rate), "--delay-ms", str(options.delay_ms)],
                            stdout=subprocess.PIPE, text=True)
    try:
        port = int(stub.stdout.readline())
        core = Core(CORES["tofu" if "tofu" in CORES else sorted(CORES)[0]], directory, aws_settings(f"http://127.0.0.1:{port}"))
        core.write(NODES.format(count=count))
        flags = ("-no-color", "-input=false", f"-parallelism={options.parallelism}")
        for what, arguments in (("apply", ("apply", *flags, "-auto-approve")), ("plan", ("plan", *flags, "-detailed-exitcode")),
                                ("destroy", ("destroy", *flags, "-auto-approve"))):
            r = step(core, binary, port, lambda: core.run(*arguments, timeout=3600))
            print(f"| {count} | {what} | {r['seconds']:.2f} s | {r['seconds'] / count * 1000:.0f} ms | {r['cpu']:.2f} s | {r['core']:.2f} s | {r['peak']:.1f} MiB | {r['calls'] / count:.1f} | "
                  f"{r['connections']} | {r['throttled']} | {r['objects']} |", flush=True)
    finally:
        stub.kill()
        shutil.rmtree(directory)


# As much state as a node has, without a provider: what of the time is the core's own.
ALONE = """terraform {{}}
resource "terraform_data" "n" {{
  count = {count}
  input = {{ for i in range(19) : "component-${{i}}" => {{ kind = "aws_subnet", id = "subnet-0123456789abcdef${{i}}", state = "ready" }} }}
}}
"""


def alone(count, options):
    """(seconds of apply, plan, destroy) of the core by itself."""
    from tests.acceptance.conftest import CORES, Core, aws_settings
    directory = pathlib.Path(tempfile.mkdtemp(prefix="llm-load-"))
    try:
        core = Core(CORES["tofu" if "tofu" in CORES else sorted(CORES)[0]], directory, aws_settings("http://127.0.0.1:9"))
        core.write(ALONE.format(count=count), head="")
        core.ok("init", "-input=false")
        flags, found = ("-no-color", "-input=false", f"-parallelism={options.parallelism}"), []
        for arguments in (("apply", *flags, "-auto-approve"), ("plan", *flags), ("destroy", *flags, "-auto-approve")):
            begun = time.perf_counter()
            core.ok(*arguments, timeout=3600)
            found.append(time.perf_counter() - begun)
        return found
    finally:
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    parser.add_argument("--nodes", default="1,10,100")
    parser.add_argument("--rate", type=float, default=0, help="calls a second that the cloud allows; 0: no limit")
    parser.add_argument("--delay-ms", type=float, default=0, help="of each call")
    parser.add_argument("--parallelism", type=int, default=10, help="the core's own")
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = binary = str(pathlib.Path(options.provider).resolve())
    print("| nodes | step | time | a node | CPU of the provider | of the core | peak memory of the provider | calls a node | connections | throttled | objects after |\n|---|---|---|---|---|---|---|---|---|---|---|")
    for count in options.nodes.split(","):
        measure(int(count), options, binary)
    print("\n| resources | terraform_data alone: apply | plan | destroy |\n|---|---|---|---|")
    for count in options.nodes.split(","):
        print(f"| {count} | " + " | ".join(f"{s:.2f} s" for s in alone(int(count), options)) + " |", flush=True)


if __name__ == "__main__":
    main()
