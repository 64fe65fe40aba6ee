"""Many nodes at once through a real core, with a provider that ThreadSanitizer watches: it must have nothing to say.

Usage: python -m tests.threads.many --provider BINARY [--nodes N]   BINARY is built with LLM_SANITIZE=thread.
gRPC and curl are not built with the sanitizer: what happens inside them is passed over.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--nodes", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llm-threads-") as directory:
        # Threads are joined by a function that the sanitizer does not know.
        settings = f"ignore_noninstrumented_modules=1 report_thread_leaks=0 log_path={directory}/log"
        result = subprocess.run([sys.executable, "-m", "tests.bench.load", "--provider", options.provider, "--nodes", str(options.nodes)], cwd=ROOT,
                                env={**os.environ, "TSAN_OPTIONS": settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(result.stdout)
        reports = [f.read_text() for f in pathlib.Path(directory).iterdir()]
    for report in reports:
        print(report)
    return 1 if result.returncode or reports else 0


if __name__ == "__main__":
    sys.exit(main())
