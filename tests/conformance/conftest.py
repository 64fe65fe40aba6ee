"""The generated configurations' ground: a simulator of each cloud, and the cores that are there."""
import pathlib
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.acceptance.conftest import CORES, Simulator  # noqa: E402
from tests.conformance.clouds import CLOUDS  # noqa: E402
from tests.conformance.lifecycle import Ground  # noqa: E402


@pytest.fixture(scope="session", params=sorted(CLOUDS))
def simulator(request):
    one = Simulator(pathlib.Path(tempfile.mkdtemp(prefix="llm-conformance-")), CLOUDS[request.param].simulator)
    one.cloud = CLOUDS[request.param]
    yield one
    one.stop()


@pytest.fixture(params=sorted(CORES))
def ground(request, simulator):
    return Ground(simulator, CORES[request.param], simulator.cloud)
