"""The ground of the tests of secrets: a simulator of each cloud, and a proxy with a password that keeps what goes through it."""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.acceptance.conftest import Simulator, gcp_sim, shared_gcp_simulator, shared_simulator, sim  # noqa: E402, F401
from tests.protocol import plugin as protocol  # noqa: E402
from tests.secrets.canary import Marker, Proxy  # noqa: E402


@pytest.fixture
def password():
    return Marker("proxy password", after="/+%:@")


@pytest.fixture
def proxy(password):
    one = Proxy(password.value)
    yield one
    one.shutdown()
    one.server_close()


@pytest.fixture
def start():
    """Starts providers as a core does, with their logs at TRACE, and ends them."""
    made = []

    def one(**env):
        made.append(protocol.Plugin(env={"TF_LOG_PROVIDER": "TRACE", **env}))
        return made[-1]
    yield one
    for plugin in made:
        plugin.stop()
