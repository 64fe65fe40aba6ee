"""The generated configurations' ground: a simulator of each cloud, and the cores that are there."""
import pathlib
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.acceptance.conftest import CORES, Simulator  # noqa: E402
from tests.conformance.lifecycle import Ground  # noqa: E402
from tests.conformance.subjects import SUBJECTS  # noqa: E402


@pytest.fixture(scope="session", params=[(r, c) for r in sorted(SUBJECTS) for c in sorted(SUBJECTS[r])], ids="-".join)
def subject(request):
    one = SUBJECTS[request.param[0]][request.param[1]]
    with one.outside():
        yield one


@pytest.fixture(scope="session")
def simulator(subject):
    one = Simulator(pathlib.Path(tempfile.mkdtemp(prefix="llm-conformance-")), subject.simulator)
    yield one
    one.stop()


@pytest.fixture(params=sorted(CORES))
def ground(request, subject, simulator):
    return Ground(simulator, CORES[request.param], subject)
