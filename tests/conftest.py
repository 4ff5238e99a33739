"""Real engines for all tests, started once a session on free ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shards.localcluster import LocalCluster


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCluster]:
    """Three primaries and three replicas, persisting; tests that use it flush what they need."""
    directory: Path = tmp_path_factory.mktemp("cluster")
    async with LocalCluster(directory, node_timeout_ms=2000) as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the browser tests draw what they see."""
    parser.addoption("--screenshots", metavar="DIRECTORY", help="draw the pages' states there")
