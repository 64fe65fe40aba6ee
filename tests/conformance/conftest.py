"""The generated configurations' ground: a simulator and the first core that is there."""
import pathlib
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.acceptance.conftest import CORES, Core, Simulator  # noqa: E402
from tests.conformance.lifecycle import Ground  # noqa: E402
from tests.sim.cloud import Cloud  # noqa: E402


@pytest.fixture(scope="session")
def simulator():
    one = Simulator(pathlib.Path(tempfile.mkdtemp(prefix="llm-conformance-")))
    yield one
    one.stop()


@pytest.fixture(params=sorted(CORES))
def ground(request, simulator):
    return Ground(simulator, CORES[request.param], Core, Cloud)
