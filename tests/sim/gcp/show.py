"""Prints what exists in the simulated GCP: python -m tests.sim.gcp.show ENDPOINT [--expect-nothing]. What Google makes by itself is left out."""
import argparse
import json
import sys
import urllib.request


def own(service, name):
    """Whether somebody made it."""
    default = name.endswith("-compute@developer.gserviceaccount.com") or name.rsplit("/", 1)[1] in ("_Default", "_Required")
    return not default and not (service == "compute" and "/routes/default-route-" in name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("--expect-nothing", action="store_true")
    options = parser.parse_args()
    with urllib.request.urlopen(f"{options.endpoint}/_sim/things") as answer:
        things = json.load(answer)
    found = [(s, n, b) for s, names in sorted(things.items()) for n, b in names.items() if own(s, n)]
    for service, name, body in found:
        state = body.get("status") or body.get("state") or body.get("lifecycleState") or ""
        print(f"  {service:<16} {name:<90} {state}")
    left = [f for f in found if f[2].get("lifecycleState") != "DELETE_REQUESTED"]
    if not found:
        print("  nothing")
    if options.expect_nothing and left:
        sys.exit("something is left")


if __name__ == "__main__":
    main()
