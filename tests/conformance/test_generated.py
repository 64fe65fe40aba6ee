"""A sample of generated configurations: the valid ones live a whole life through the real cores, the invalid ones are refused
at the attribute that is wrong. `python -m tests.conformance.lifecycle` runs as many as one likes."""
import json

import pytest

from tests.conformance import generate as g
from tests.conformance import lifecycle
from tests.conformance.subjects import SUBJECTS
from tests.protocol import plugin as p

INVALID = [(subject, *case) for clouds in SUBJECTS.values() for subject in clouds.values() for case in g.invalid(subject)]


def test_lives(ground, request):
    sample = ground.subject.sample
    found = lifecycle.run(ground, f"ci/{request.node.name}", count=sample, size=min(sample, ground.subject.together))
    assert not found, "\n".join(f"{seed}: {json.dumps(pair)}\n{failure}" for seed, pair, failure in found)


@pytest.fixture(scope="module")
def provider():
    with p.Plugin() as one:
        yield one


def named(n, subject, what, culprit):
    return f"{subject.resource}-{subject.name}-{n}-{culprit if isinstance(culprit, str) else '+'.join(culprit)}-{what}".replace(" ", "-")


def path_of(diagnostic):
    """As a path in the schema; of a member of texts, that of the attribute."""
    steps = [s.attribute_name or "*" for s in diagnostic.attribute.steps]
    return ".".join(steps), ".".join(steps).removesuffix(".*")


@pytest.mark.parametrize("subject,what,culprit,config", INVALID, ids=[named(n, s, w, p) for n, (s, w, p, _) in enumerate(INVALID)])
def test_refused(provider, subject, what, culprit, config):
    block = provider.schema().resource_schemas[subject.type].block
    answer = provider.call("ValidateResourceConfig", {"type_name": subject.type, "config": p.dynamic(p.filled(block, config))})
    errors = [d for d in answer.diagnostics if d.severity == 1]
    assert errors, f"{what}: {config} was taken"
    paths = [culprit] if isinstance(culprit, str) else culprit
    if what == "at_least_one":
        paths = [*paths, ""]
    assert any(path in paths for d in errors for path in path_of(d)), [(path_of(d), d.summary, d.detail) for d in errors]
    assert all(d.summary and d.detail for d in errors)
