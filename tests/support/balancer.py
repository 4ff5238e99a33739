"""compose's balancer on this machine: its own configuration, with files and ports of a test."""

from pathlib import Path

from shards.ports import free_ports
from shards.process import LocalProcess
from tests.support.compose import COMPOSE
from tests.support.tls import HOST, Authority

FOLDER = COMPOSE / "balancer"


class Balancer:
    """A balancer without edges; `port` is the voters'."""

    def __init__(self, directory: Path, source_connections_max: int = 1000) -> None:
        tls = directory / "tls"
        self.authority = Authority(tls)
        certificate = self.authority.issue("balancer")
        certificate.chain.rename(tls / "tls.crt")
        certificate.key.rename(tls / "tls.key")
        self.port, self.auditors_port = free_ports(2)
        configuration = directory / "haproxy.cfg"
        configuration.write_text(
            (FOLDER / "haproxy.cfg")
            .read_text()
            .replace("/etc/haproxy/tls", str(tls))
            .replace("/etc/haproxy", str(FOLDER))
            .replace("bind :8443", f"bind {HOST}:{self.port}")
            .replace("bind :8444", f"bind {HOST}:{self.auditors_port}")
        )
        self.process = LocalProcess(
            "balancer",
            ["haproxy", "-W", "-db", "-f", str(configuration)],
            log=directory / "haproxy.log",
            env={"SOURCE_CONNECTIONS_MAX": str(source_connections_max)},
        )
