"""Real engines for all tests, started once a session on free ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shards import ports
from shards.localcluster import LocalCluster

# Properties are about what is right; how long an example takes is the machine's matter.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker ports of its own: two that look at once would find the same ones free."""
    worker: dict[str, str | int] | None = getattr(config, "workerinput", None)
    if worker is not None:
        number = int(str(worker["workerid"]).removeprefix("gw"))
        ports.PORTS = ports.PORTS[number :: int(worker["workercount"])]


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCluster]:
    """Three primaries and three replicas, persisting; tests that use it flush what they need.

    No test of it stops a server, so no slow disk shall look like a server that is lost.
    """
    directory: Path = tmp_path_factory.mktemp("cluster")
    async with LocalCluster(directory, node_timeout_ms=10_000) as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the browser tests draw what they see."""
    parser.addoption("--screenshots", metavar="DIRECTORY", help="draw the pages' states there")
