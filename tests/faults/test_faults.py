"""A sample of the fault matrix, drawn by a seed, and the cases that once were lost. All of it: scripts/test --faults."""
import os

import pytest

from tests.faults.matrix import Case, Matrix, arguments
from tests.faults.cases import BY_NAME

SECONDS = float(os.environ.get("LLM_FAULTS_SECONDS", "100"))
SEED = os.environ.get("LLM_FAULTS_SEED", "7")
# What was found by the matrix: (cloud, operation, fault, call, which of its calls).
ONCE_LOST = [
    ("gcp", "update", "killed before the answer", "compute.firewalls.insert", 0),
    ("gcp", "update", "killed before the answer", "logging.projects.locations.buckets.patch", 0),
    ("gcp", "replace", "killed before the answer", "compute.instances.insert", 0),
    ("gcp", "replace", "killed before the call", "compute.instances.attachDisk", 0),
    ("gcp", "create", "body empty", "compute.images.getFromFamily", 0),
]


@pytest.fixture(scope="module")
def matrix():
    one = Matrix(arguments(["--jobs", "1", "--seed", SEED, "--seconds", str(SECONDS), "--sample", "2000"]))
    for cloud in sorted({c for c, *_ in ONCE_LOST} | {"aws", "gcp"}):
        one.open(cloud)
    yield one
    one.close()


@pytest.mark.parametrize("case", ONCE_LOST, ids=lambda c: " ".join(map(str, c)))
def test_once_lost(matrix, case):
    cloud, operation, fault, call, occurrence = case
    ground = matrix.pools[cloud].get()
    try:
        assert Case(ground, operation, BY_NAME[fault], call, occurrence).run(matrix.facts[cloud][1][operation]), "the call was not reached"
    finally:
        matrix.pools[cloud].put(ground)


def test_sample(matrix):
    matrix.run()
    print(matrix.table())
    assert not matrix.lost, "\n".join([matrix.table(), *matrix.lost])
