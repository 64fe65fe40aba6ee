"""The figures that the provider is to reach, measured side by side in one run. Nothing here passes or fails.

    .cache/venv/bin/python -m tests.bench.run [build/provider/terraform-provider-llm]
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/acceptance"))

COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"


def client_certificate():
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
    import datetime
    key = ec.generate_private_key(ec.SECP521R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
                   .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
                   .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA512()))
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def start_times(binary, runs=30):
    env = {**os.environ, "TF_PLUGIN_MAGIC_COOKIE": COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "6", "PLUGIN_CLIENT_CERT": client_certificate()}
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        process = subprocess.Popen([binary], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        times.append((time.perf_counter() - begin) * 1000)
        process.terminate()
        process.wait()
    return statistics.median(times)


def memory_after_schema(binary):
    """Peak and resident memory after GetProviderSchema, without TLS, by way of grpc."""
    import grpc
    env = {**os.environ, "TF_PLUGIN_MAGIC_COOKIE": COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "6"}
    process = subprocess.Popen([binary], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    path = process.stdout.readline().split("|")[3]
    channel = grpc.insecure_channel(f"unix:{path}", options=[("grpc.max_receive_message_length", 1 << 28)])
    call = channel.unary_unary("/tfplugin6.Provider/GetProviderSchema", request_serializer=lambda b: b, response_deserializer=lambda b: b)
    size = len(call(b""))
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line)
    channel.close()
    process.terminate()
    process.wait()
    return int(status["VmRSS"].split()[0]) / 1024, size


def timed(function, runs=5):
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def longest_chain(calls):
    """The most calls that lie one after the other: a call follows those that ended before it began."""
    best = []
    for call in sorted(calls, key=lambda c: c["start"]):
        earlier = [best[i] for i, other in enumerate(sorted(calls, key=lambda c: c["start"])[:len(best)]) if other["end"] <= call["start"]]
        best.append(1 + max(earlier, default=0))
    return max(best, default=0)


def main():
    binary = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/provider/terraform-provider-llm").resolve())
    os.environ["LLM_PROVIDER_BIN"] = binary
    from conftest import CORES, Core, Simulator, node
    rows = [("start to handshake line, median of 30", f"{start_times(binary):.1f} ms", "5 ms")]
    resident, schema = memory_after_schema(binary)
    rows.append((f"resident memory after GetProviderSchema ({schema} bytes)", f"{resident:.1f} MiB", "20 MiB"))
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        subprocess.run(["strip", "-o", str(directory / "stripped"), binary], check=True)
        rows.append(("release binary, stripped", f"{os.path.getsize(directory / 'stripped') / 1e6:.1f} MB", "20 MB"))
        needs = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
        rows.append(("needs", ", ".join(line.split()[0] for line in needs.splitlines() if "=>" in line), "glibc"))
        simulator = Simulator(directory)
        try:
            for name, path in sorted(CORES.items()):
                rows.extend(core_rows(name, path, directory, simulator, Core, node))
        finally:
            simulator.stop()
    width = max(len(row[0]) for row in rows)
    for what, value, reach in rows:
        print(f"{what:<{width}}  {value:>12}   reach: {reach}")


def core_rows(name, path, scratch, simulator, Core, node):
    plain, own = scratch / f"{name}-plain", scratch / f"{name}-node"
    plain.mkdir()
    own.mkdir()
    peer = Core(path, plain, simulator.endpoint)
    peer.write('resource "terraform_data" "x" {\n  input = "x"\n}\n', head="")
    peer.ok("init", "-no-color")
    peer.apply_ok()
    core = Core(path, own, simulator.endpoint)
    simulator.reset()
    core.write(node())
    core.apply_ok()
    alone = timed(lambda: peer.plan())
    before = len(simulator.calls())
    plan = timed(lambda: core.plan())
    calls = simulator.calls()[before:]
    last = calls[-len(calls) // 5:]
    chain = longest_chain(last)
    round_trip = statistics.median((c["end"] - c["start"]) * 1000 for c in calls)
    ratio = (plan - chain * round_trip) / alone
    rows = [(f"{name}: second plan less {chain} round trips of {round_trip:.1f} ms, to terraform_data alone ({alone:.0f} ms)", f"{ratio:.2f} x", "1.3 x")]
    core.destroy()
    simulator.reset()
    simulator.rule("*", delay_ms=50, times=-1)
    # The plan is made before: what is measured is the apply alone, with the core's own start and end taken off.
    core.ok("plan", "-input=false", "-out=p")
    before = len(simulator.calls())
    begin = time.perf_counter()
    core.ok("apply", "-input=false", "p")
    took = (time.perf_counter() - begin) * 1000
    calls = simulator.calls()[before:]
    chain = longest_chain(calls)
    busy = statistics.median((c["end"] - c["start"]) * 1000 for c in calls)
    rows.append((f"{name}: apply with 50 ms a call ({took:.0f} ms, {len(calls)} calls) to its longest chain ({chain} calls of {busy:.0f} ms)",
                 f"{took / (chain * busy):.2f} x", "1.2 x"))
    simulator.clear_rules()
    core.destroy()
    return rows


if __name__ == "__main__":
    main()
