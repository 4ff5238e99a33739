"""What the processes take while a load goes on."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import psutil

from shards.errors import Unavailable
from shards.outbox import Outbox
from shards.process import LocalProcess
from tests.operations.deployment import Deployment

MIB = 2**20
REDIS = "Redis, together"


class Look(msgspec.Struct, frozen=True):
    """A moment: resident memory in MiB by kind of process, and the events in the outbox."""

    at_s: float
    memory_mib: dict[str, float]
    outbox: int


class Watch:
    """Looks again and again until cancelled; `missed` counts looks that Redis did not answer.

    Processes are not restarted meanwhile.
    """

    def __init__(self, deployment: Deployment, now_s: Callable[[], float], every_s: float) -> None:
        self.looks: list[Look] = []
        self.missed = 0
        self._deployment = deployment
        self._now_s = now_s
        self._every_s = every_s

    async def run(self) -> None:
        """Watch until cancelled."""
        deployment = self._deployment
        kinds: dict[str, Sequence[LocalProcess]] = {
            "edges, each": deployment.edges,
            "drainers, each": deployment.drainers,
            "ClickHouse": [deployment.clickhouse],
            REDIS: deployment.cluster.nodes,
        }
        redis = await deployment.connect()
        outbox = Outbox(redis, owner="watch")
        try:
            while True:
                memory = {
                    kind: round(_resident_mib(processes) / _divisor(kind, processes), 1)
                    for kind, processes in kinds.items()
                }
                try:
                    waiting = await outbox.waiting()
                except Unavailable:
                    self.missed += 1
                else:
                    self.looks.append(Look(round(self._now_s(), 1), memory, waiting))
                await asyncio.sleep(self._every_s)
        finally:
            await redis.aclose()


def _divisor(kind: str, processes: Sequence[LocalProcess]) -> int:
    return len(processes) if kind.endswith("each") else 1


def _resident_mib(processes: Sequence[LocalProcess]) -> float:
    pids = [process.pid for process in processes]
    return sum(psutil.Process(pid).memory_info().rss for pid in pids if pid is not None) / MIB
