"""What the day takes: memory of the processes, of Redis, disk, and how long the outbox gets."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from edge.demo.stack import Stack
from shards.client import ShardClient
from shards.errors import Unavailable
from shards.outbox import Outbox
from shards.process import LocalProcess

LOOK_EVERY_S = 5.0
MACHINE = "whole machine, in use"


class Watch:
    """Looks every few seconds.

    `memory_bytes`: the most seen of each kind of process (resident, without the children that
    write Redis' files anew) and of the machine; `disk_bytes`: the most seen of each store;
    `outbox`: (seconds since the beginning, events that wait); `missed`: looks that Redis did not
    answer.
    """

    def __init__(self, stack: Stack, data: Path, client: ShardClient) -> None:
        self.memory_bytes: dict[str, int] = {}
        self.disk_bytes: dict[str, int] = {}
        self.outbox: list[tuple[float, int]] = []
        self.missed = 0
        self._kinds: dict[str, Sequence[LocalProcess]] = {
            "Redis servers, together": stack.cluster.nodes,
            "edge": [stack.edge],
            "drainers, together": stack.drainers,
            "ClickHouse": [stack.clickhouse],
        }
        self._stores = {"Redis": data / "redis", "ClickHouse": data / "clickhouse"}
        self._outbox = Outbox(client, owner="rehearsal")
        self._client = client
        self._began_s = time.monotonic()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once."""
        machine = psutil.virtual_memory()
        _raise(self.memory_bytes, MACHINE, machine.total - machine.available)
        for kind, processes in self._kinds.items():
            pids = [process.pid for process in processes]
            _raise(self.memory_bytes, kind, sum(_resident_bytes(pid) for pid in pids if pid))
        for store, directory in self._stores.items():
            _raise(self.disk_bytes, store, await asyncio.to_thread(size_bytes, directory))
        try:
            waiting = await self.waiting()
        except Unavailable:  # it is looked at for the report alone
            self.missed += 1
        else:
            self.outbox.append((time.monotonic() - self._began_s, waiting))

    async def waiting(self) -> int:
        """Return the events in the outbox; raises `Unavailable`."""
        return await self._outbox.waiting()

    async def redis_bytes(self) -> int:
        """Return the memory that all primaries use; raises `Unavailable`."""
        return sum(node.used_bytes for node in (await self._client.node_memory()).values())


def size_bytes(directory: Path) -> int:
    """Return the size of all files below a directory, as far as they stay while it is read."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size  # noqa: PTH116, PTH118 - many
            except FileNotFoundError:  # merged or written anew meanwhile
                continue
    return total


def _raise(most: dict[str, int], name: str, seen: int) -> None:
    most[name] = max(most.get(name, 0), seen)


def _resident_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:  # whoever waits for it says so
        return 0
