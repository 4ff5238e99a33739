"""HTTPS by the edge itself, and by a drainer for its metrics."""

import ssl
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import trustme

from shards.ports import free_ports
from shards.process import LocalProcess
from tests.integration.edge.conftest import OPEN, write_election
from tests.support.edges import SCRUTIN, EdgeProcess, until

NO_REDIS = "redis://127.0.0.1:1"


class Tls(NamedTuple):
    """Files of a server, and a context that trusts it."""

    cert: Path
    key: Path
    trusting: ssl.SSLContext


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = directory / "tls.crt", directory / "tls.key"
    issued.cert_chain_pems[0].write_to_path(files[0])
    issued.private_key_pem.write_to_path(files[1])
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return Tls(*files, trusting)


def edge_of(directory: Path, cert: Path, key: Path) -> EdgeProcess:
    election = write_election(directory / "election.toml", "live", {OPEN: (-1, 1)})
    return EdgeProcess(
        directory, redis_url=NO_REDIS, election=election, tls_cert_file=cert, tls_key_file=key
    )


async def test_an_edge_serves_https_and_nothing_else(tmp_path: Path, tls: Tls) -> None:
    edge = edge_of(tmp_path, tls.cert, tls.key)
    secure = f"https://127.0.0.1:{edge.port}/api/v1/health"
    edge.process.start()
    try:
        async with httpx.AsyncClient(verify=tls.trusting) as http:

            async def answers() -> bool:
                assert edge.process.alive, edge.log
                try:
                    return (await http.get(secure)).status_code == 200
                except httpx.ConnectError:
                    return False

            await until(answers, secure)
            with pytest.raises(httpx.TransportError):
                await http.get(f"http://127.0.0.1:{edge.port}/api/v1/health")
        assert f"serves on https://127.0.0.1:{edge.port}" in edge.log
    finally:
        edge.process.stop()


async def test_files_that_are_no_pair_are_refused_at_the_start(tmp_path: Path, tls: Tls) -> None:
    for cert, key, at_fault in (
        (tmp_path / "none", tls.key, "SCRUTIN_TLS_CERT_FILE"),
        (tls.cert, tmp_path / "none", "SCRUTIN_TLS_KEY_FILE"),
        (tls.key, tls.cert, "belong together"),
    ):
        edge = edge_of(tmp_path, cert, key)
        edge.process.start()
        assert await edge.ended() == 2
        assert at_fault in edge.log


async def test_a_drainer_serves_its_metrics_by_https(tmp_path: Path, tls: Tls) -> None:
    (port,) = free_ports(1)
    where = ["--metrics-host", "127.0.0.1", "--metrics-port", str(port)]
    drainer = LocalProcess(
        "drain",
        [SCRUTIN, "drain", "--redis-url", NO_REDIS, *where],
        log=tmp_path / "drain.log",
        env={"SCRUTIN_TLS_CERT_FILE": str(tls.cert), "SCRUTIN_TLS_KEY_FILE": str(tls.key)},
    )
    drainer.start()
    try:
        async with httpx.AsyncClient(verify=tls.trusting) as http:

            async def answers() -> bool:
                assert drainer.alive, drainer.log_tail()
                try:
                    answer = await http.get(f"https://127.0.0.1:{port}/metrics")
                except httpx.ConnectError:
                    return False
                return "clickhouse_up NaN" in answer.text

            await until(answers, "the drainer's metrics")
    finally:
        drainer.stop()
