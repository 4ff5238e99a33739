"""Keeps the demo's processes running: one that dies is started again with its data."""

import asyncio
from collections.abc import Callable, Sequence

from clickhouse.errors import LocalClickHouseError
from shards.process import LocalProcess

LOOK_EVERY_S = 0.25
RESTART_PAUSE_S = 1.0


class Supervisor:
    """Watches processes until it is told to stop."""

    def __init__(self, processes: Sequence[LocalProcess], say: Callable[[str], None]) -> None:
        self._processes = processes
        self._say = say
        self._started_at: dict[str, float] = {}

    async def watch(self, stop: asyncio.Event) -> None:
        """Start again what died, at most once a second each, until `stop` is set."""
        while not stop.is_set():
            for process in self._processes:
                if not process.alive:
                    await self._restart(process)
            try:
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def _restart(self, process: LocalProcess) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._started_at.get(process.name, float("-inf")) < RESTART_PAUSE_S:
            return
        self._started_at[process.name] = now
        self._say(f"{process.name} ended ({process.how_it_ended}); starting it again")
        try:
            await asyncio.to_thread(process.start)
        except (OSError, LocalClickHouseError) as error:
            self._say(f"{process.name} does not start: {error}; log: {process.log}")
