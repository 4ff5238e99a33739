"""What processes have used."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import psutil
from redis.asyncio import Redis

from edge.errors import StartError
from shards.process import LocalProcess

BUFFERS = (
    "mem_total_replication_buffers",
    "mem_clients_normal",
    "mem_clients_slaves",
    "mem_cluster_links",
    "mem_aof_buffer",
)


class RedisMemory(NamedTuple):
    """Bytes of servers: `used_memory`, and what of it are buffers that no elector adds to."""

    used: int = 0
    buffers: int = 0

    @classmethod
    async def of(cls, redis: Redis) -> Self:
        """Ask one server."""
        info = await redis.info("memory")
        return cls(int(info["used_memory"]), sum(int(info[name]) for name in BUFFERS))

    @property
    def data(self) -> int:
        """Without the buffers."""
        return self.used - self.buffers


def cpu_seconds(processes: Iterable[LocalProcess]) -> dict[str, float]:
    """Return user and system time by process name, descendants included, ended ones too.

    Raises `StartError` when one of the processes themselves has ended.
    """
    used: dict[str, float] = {}
    for process in processes:
        if process.pid is None:
            raise StartError(f"{process.name}: {process.how_it_ended}\n{process.log_tail()}")
        used[process.name] = _tree(psutil.Process(process.pid))
    return used


def _tree(root: psutil.Process) -> float:
    # Children first: one that ends meanwhile is in the times of its parent, read after it.
    total_s = 0.0
    for process in (*reversed(root.children(recursive=True)), root):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system + times.children_user + times.children_system
    return total_s
