"""Authorities for tests, what they certify, and the whole system with TLS on every connection."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import httpx
import trustme

from clickhouse.local.process import LocalClickHouse
from shards.certificates import Certificate
from shards.localcluster import LocalCluster
from shards.ports import free_ports
from shards.process import LocalProcess
from tests.support.edges import SCRUTIN, until

HOST = "127.0.0.1"
PASSWORD = "words-for-clickhouse"
SERVER = Path(__file__).parents[2] / ".tools/tls-server/valkey-server"


class Authority:
    """A certificate authority with its files in a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._ca = trustme.CA()
        self._directory = directory
        self.file = directory / "ca.crt"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str, authority: Path | None = None) -> Certificate:
        """Certify this machine; whoever shows it trusts `authority` (by default this one)."""
        issued = self._ca.issue_cert(HOST, common_name=name)
        chain, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        for pem in issued.cert_chain_pems:
            pem.write_to_path(chain, append=True)
        issued.private_key_pem.write_to_path(key)
        return Certificate(chain, key, authority or self.file)


def client_context(certificate: Certificate | None, authority: Path) -> ssl.SSLContext:
    """Return a client's context: what it shows, and whom it trusts."""
    context = ssl.create_default_context(cafile=authority)
    if certificate is not None:
        context.load_cert_chain(certificate.chain, certificate.key)
    return context


def redis_url(cluster: LocalCluster, certificate: Certificate) -> str:
    """Return a Redis URL with what a client shows and trusts."""
    files = {
        "ssl_ca_certs": certificate.authority,
        "ssl_certfile": certificate.chain,
        "ssl_keyfile": certificate.key,
    }
    return f"{cluster.url}?{urlencode(files)}"


def clickhouse_url(clickhouse: LocalClickHouse, certificate: Certificate) -> str:
    """Return a ClickHouse URL with user, password, and what a client shows and trusts."""
    files = {
        "ca_cert": certificate.authority,
        "client_cert": certificate.chain,
        "client_cert_key": certificate.key,
    }
    return f"{clickhouse.url.replace('://', f'://scrutin:{PASSWORD}@')}?{urlencode(files)}"


class TlsStack(NamedTuple):
    """The system, and the authority that it is certified by."""

    authority: Authority
    client: Certificate
    cluster: LocalCluster
    clickhouse: LocalClickHouse
    edge: LocalProcess
    drainer: LocalProcess
    edge_port: int
    metrics_port: int

    @property
    def stores(self) -> dict[str, object]:
        """The settings that lead to the stores."""
        return {
            "redis_url": redis_url(self.cluster, self.client),
            "clickhouse_url": clickhouse_url(self.clickhouse, self.client),
        }

    @property
    def edge_url(self) -> str:
        """Base URL of the edge."""
        return f"https://{HOST}:{self.edge_port}"

    @property
    def metrics_url(self) -> str:
        """URL of the drainer's metrics."""
        return f"https://{HOST}:{self.metrics_port}/metrics"

    @property
    def ports(self) -> dict[str, int]:
        """Every port that something of the system listens on."""
        redis = {f"{node.name}": node.port for node in self.cluster.nodes}
        clickhouse = int(self.clickhouse.url.rpartition(":")[2])
        others = {"clickhouse": clickhouse, "edge": self.edge_port, "drainer": self.metrics_port}
        return redis | others

    async def start_services(self) -> None:
        """Start drainer and edge, and wait until votes are taken."""
        trusting = client_context(None, self.authority.file)
        async with httpx.AsyncClient(verify=trusting) as http:

            async def ready() -> bool:
                for process in (self.edge, self.drainer):
                    assert process.alive, process.log_tail()
                try:
                    return (await http.get(f"{self.edge_url}/api/v1/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            self.drainer.start()
            self.edge.start()
            await until(ready, "an edge that is ready")


@contextlib.asynccontextmanager
async def running(directory: Path, election: Path) -> AsyncIterator[TlsStack]:
    """Run the stores inside the block; drainer and edge are still to be started."""
    assert SERVER.exists(), "the tests of TLS need a server that speaks it: make tls-server"
    authority = Authority(directory / "authority")
    client = authority.issue("scrutin")
    cluster = LocalCluster(
        directory / "redis", certificate=authority.issue("redis"), binary=str(SERVER)
    )
    password_file = directory / "clickhouse-password"
    password_file.write_text(PASSWORD)
    clickhouse = LocalClickHouse(
        directory / "clickhouse",
        password_file=password_file,
        certificate=authority.issue("clickhouse"),
    )
    edge_port, metrics_port = free_ports(2)
    environment = {
        "SCRUTIN_REDIS_URL": redis_url(cluster, client),
        "SCRUTIN_CLICKHOUSE_URL": clickhouse_url(clickhouse, client),
        "SCRUTIN_ELECTION": str(election),
        "SCRUTIN_EXEMPT_LOOPBACK": "true",
    }
    served = authority.issue("edge")
    environment |= {
        "SCRUTIN_TLS_CERT_FILE": str(served.chain),
        "SCRUTIN_TLS_KEY_FILE": str(served.key),
    }
    metrics = ["--metrics-host", HOST, "--metrics-port", str(metrics_port)]
    edge = LocalProcess(
        "edge", [SCRUTIN, "serve", "--port", str(edge_port)],
        log=directory / "edge.log", env=environment,
    )  # fmt: skip
    drainer = LocalProcess(
        "drainer", [SCRUTIN, "drain", *metrics], log=directory / "drainer.log", env=environment
    )
    async with cluster:
        with clickhouse:
            try:
                yield TlsStack(
                    authority, client, cluster, clickhouse, edge, drainer, edge_port, metrics_port
                )
            finally:
                for process in (edge, drainer):
                    process.stop()
