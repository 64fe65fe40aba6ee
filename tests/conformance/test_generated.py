"""A sample of generated configurations: the valid ones live a whole life through the real cores, the invalid ones are refused
at the attribute that is wrong. `python -m tests.conformance.lifecycle` runs as many as one likes."""
import json

import pytest

from tests.conformance import generate as g
from tests.conformance import lifecycle
from tests.protocol import plugin as p

EXISTING = g.Existing(vpc="vpc-1", subnets=["subnet-1"], security_group="sg-1", snapshot="snap-1", image="ami-1", instance_profile="given",
                      secret="given", kms_key="given")
INVALID = list(g.invalid(EXISTING))


def test_lives(ground, request):
    found = lifecycle.run(ground, f"ci/{request.node.name}", count=6, size=6)
    assert not found, "\n".join(f"{seed}: {json.dumps(pair)}\n{failure}" for seed, pair, failure in found)


@pytest.fixture(scope="module")
def provider():
    with p.Plugin() as one:
        yield one


def first_step(diagnostic):
    steps = diagnostic.attribute.steps
    return steps[0].attribute_name if steps else None


@pytest.mark.parametrize("what,culprit,config", INVALID, ids=[f"{n}-{c if isinstance(c, str) else '+'.join(c)}-{w}".replace(" ", "-") for n, (w, c, _) in enumerate(INVALID)])
def test_refused(provider, what, culprit, config):
    block = provider.schema().resource_schemas["llm_gpu_node"].block
    answer = provider.call("ValidateResourceConfig", {"type_name": "llm_gpu_node", "config": p.dynamic(p.filled(block, config))})
    errors = [d for d in answer.diagnostics if d.severity == 1]
    assert errors, f"{what}: {config} was taken"
    paths = [culprit] if isinstance(culprit, str) else culprit
    roots = {c.partition(".")[0] for c in paths}
    if what == "at_least_one":
        roots.add(None)
    assert any(first_step(d) in roots for d in errors), [(first_step(d), d.summary, d.detail) for d in errors]
    assert all(d.summary and d.detail for d in errors)
