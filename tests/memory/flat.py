"""Plans and reads on one provider process, by the thousand: its resident memory stays where it was after the first ones.

Usage: python -m tests.memory.flat [--count N]
"""
import argparse
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.memory.failing import Ground, Provider  # noqa: E402
from tests.protocol import plugin as p  # noqa: E402

STEPS = 10
GROWTH_MIB = 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10000, help="RPCs")
    parser.add_argument("--provider", default=os.environ.get("LLM_PROVIDER_BIN", str(ROOT / "build/provider/terraform-provider-llm")))
    options = parser.parse_args()
    os.environ["LLM_PROVIDER_BIN"] = str(pathlib.Path(options.provider).resolve())
    with Ground() as ground:
        ground.new_cloud()
        provider = Provider(ground.port)
        made = provider.apply(provider.plan())
        state, private, resident = made.new_state, made.private, []
        print("| RPCs | resident memory |\n|---|---|")
        for step in range(STEPS):
            for _ in range(options.count // STEPS // 2):
                read = provider.read(state, private)
                state, private = read.new_state, read.private
                provider.plan(p.value_of(state), private)
            resident.append(provider.plugin.rss_kib() / 1024)
            print(f"| {(step + 1) * options.count // STEPS} | {resident[-1]:.1f} MiB |", flush=True)
        provider.destroy(state, private)
        provider.plugin.stop()
    growth = max(resident[STEPS // 2:]) - max(resident[:STEPS // 2])
    print(f"The second half's peak is {growth:+.2f} MiB against the first half's.")
    return 1 if growth > GROWTH_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
