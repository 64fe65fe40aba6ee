"""A sample of generated configurations: the valid ones live a whole life through the real cores, the invalid ones are refused
at the attribute that is wrong. `python -m tests.conformance.lifecycle` runs as many as one likes."""
import json

import pytest

from tests.conformance import generate as g
from tests.conformance import lifecycle
from tests.conformance.clouds import CLOUDS
from tests.protocol import plugin as p

INVALID = [(cloud.name, *case) for cloud in CLOUDS.values() for case in g.invalid(cloud)]


def test_lives(ground, request):
    found = lifecycle.run(ground, f"ci/{request.node.name}", count=5, size=5)
    assert not found, "\n".join(f"{seed}: {json.dumps(pair)}\n{failure}" for seed, pair, failure in found)


@pytest.fixture(scope="module")
def provider():
    with p.Plugin() as one:
        yield one


def named(cloud, n, what, culprit):
    return f"{cloud}-{n}-{culprit if isinstance(culprit, str) else '+'.join(culprit)}-{what}".replace(" ", "-")


def path_of(diagnostic):
    return ".".join(s.attribute_name for s in diagnostic.attribute.steps if s.attribute_name)


@pytest.mark.parametrize("cloud,what,culprit,config", INVALID, ids=[named(c, n, w, p) for n, (c, w, p, _) in enumerate(INVALID)])
def test_refused(provider, cloud, what, culprit, config):
    block = provider.schema().resource_schemas["llm_gpu_node"].block
    answer = provider.call("ValidateResourceConfig", {"type_name": "llm_gpu_node", "config": p.dynamic(p.filled(block, config))})
    errors = [d for d in answer.diagnostics if d.severity == 1]
    assert errors, f"{what}: {config} was taken"
    paths = [culprit] if isinstance(culprit, str) else culprit
    if what == "at_least_one":
        paths = [*paths, ""]
    assert any(path_of(d) in paths for d in errors), [(path_of(d), d.summary, d.detail) for d in errors]
    assert all(d.summary and d.detail for d in errors)
