"""A server on its own, set so that its structures are measured and not the disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shards.localcluster import LocalNode
from shards.ports import free_ports

SETTINGS: dict[str, object] = {
    "cluster-enabled": "no",  # a node of a cluster takes no writes in its first two seconds
    "appendfsync": "everysec",
    "auto-aof-rewrite-percentage": 0,  # the log is rewritten when we say
}
REPLICA_TIMEOUT_MS = 30_000


class Server(LocalNode):
    """Keeps an append-only log in its directory; copies a primary when it is given one's port."""

    def __init__(self, directory: Path, primary_port: int | None = None) -> None:
        port, bus_port = free_ports(2)
        super().__init__(directory, port, bus_port, appendonly=True, timeout_ms=1000)
        for name, value in SETTINGS.items():
            self.argv += [f"--{name}", str(value)]
        if primary_port is not None:
            self.argv += ["--replicaof", f"127.0.0.1 {primary_port}"]

    async def boot(self) -> None:
        """Start it for the first time; raises `Unavailable`."""
        self.initialise()
        self.start()
        await self.wait_ready()


@asynccontextmanager
async def serving(directory: Path, *, replicated: bool = False) -> AsyncIterator[Server]:
    """Start a server, with a replica that follows it if that is asked for; stop them."""
    server = Server(directory / "primary")
    running = [server]
    try:
        await server.boot()
        if replicated:
            running.append(Server(directory / "replica", server.port))
            await running[1].boot()
            async with server.client() as redis:
                await redis.wait(1, REPLICA_TIMEOUT_MS)
        yield server
    finally:
        for each in running:
            each.stop()
