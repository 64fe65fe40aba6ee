"""Lists what exists in the simulator, by boto3; for the demo.

    AWS_ENDPOINT_URL=… python -m tests.sim.show [--expect-nothing]
"""
import sys

from tests.sim.cloud import Cloud


def main():
    objects = Cloud().owned()
    if "--expect-nothing" in sys.argv:
        print("\n".join(f"left: {kind} {name}" for kind, name, _ in objects) or "Nothing is left.")
        sys.exit(1 if objects else 0)
    width = max((len(kind) for kind, _, _ in objects), default=0)
    for index, (kind, name, note) in enumerate(objects):
        branch = "└─" if index + 1 == len(objects) else "├─"
        print(f"{branch} {kind:<{width}}  {name}  {note}")
    print(f"{len(objects)} objects")


if __name__ == "__main__":
    main()
