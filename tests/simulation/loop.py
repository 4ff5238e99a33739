"""An asyncio event loop whose time is simulated: idle time takes none, and every run is the same.

Callbacks that are ready run in the order in which they became so, as asyncio promises; what the
seed varies is when things happen, down to the microsecond.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol

EPOCH_S = 1_800_000_000.0  # the wall clock when the loop's time is 0


class Stuck(Exception):
    """Nothing is left to happen, and the simulation waits."""


class Connector(Protocol):
    """Makes in-memory connections."""

    async def connect(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """As the loop's `create_connection`; raises OSError."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks and timers only; `connector` gives connections, threads are played."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.connector: Connector | None = None
        self.thread_s: Callable[[], float] = lambda: 0.0
        self.errors: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._now_s

    def wall_s(self) -> float:
        return EPOCH_S + self._now_s

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's, and of two timers for the same moment the earlier made comes first."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], host: str, port: int, **_: object
    ) -> tuple[asyncio.Transport, Any]:
        assert self.connector is not None
        return await self.connector.connect(protocol_factory, host, port)

    def run_in_executor(
        self, _executor: object, func: Callable[..., Any], *args: object
    ) -> asyncio.Future[Any]:
        """Do it at once, and give the result after as long as a thread may take."""
        future: asyncio.Future[Any] = self.create_future()
        result = func(*args)
        self.call_later(self.thread_s(), _resolve, future, result)
        return future

    def finish(self) -> None:
        """Cancel what still runs, and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()

    def _run_once(self) -> None:
        """Run what is ready; when nothing is, go to the next timer's moment."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        if not ready:
            while timers and timers[0][2]._cancelled:
                heappop(timers)
            if not timers:
                raise Stuck
            self._now_s = max(self._now_s, timers[0][0])
        while timers and timers[0][0] <= self._now_s:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # What a killed program left unread is no error, and comes up whenever memory is freed.
        if "never retrieved" not in context["message"]:
            self.errors.append(f"{context['message']}: {context.get('exception')!r}")


class LoopTime:
    """Stands where a module expects `time`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.monotonic = self.perf_counter = loop.time
        self.time = loop.wall_s


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)
