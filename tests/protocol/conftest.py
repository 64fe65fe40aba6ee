"""One running provider for the tests that leave it as it was, and one each for the others."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.protocol.plugin import Plugin  # noqa: E402


@pytest.fixture(scope="session")
def shared():
    with Plugin() as plugin:
        yield plugin
        assert plugin.alive(), f"the provider ended: {plugin.process.returncode}\n{plugin.log()}"


@pytest.fixture
def plugin():
    with Plugin() as plugin:
        yield plugin


@pytest.fixture
def start():
    """Starts providers as the test wants them: start(tls=…, env=…)."""
    started = []

    def one(**options):
        started.append(Plugin(**options))
        return started[-1]

    yield one
    for plugin in started:
        plugin.stop()
