"""A limit on waiting that many tasks share: one timer for all, where a timer each costs more."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

WATCHES_A_TIMEOUT = 8


class Patience:
    """Ends waits that take longer than `timeout_s`, at most an eighth of that too late."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._since: dict[asyncio.Task[Any], float] = {}  # loop times; the oldest comes first
        self._overdue: set[asyncio.Task[Any]] = set()
        self._watching = False

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Await, once at a time in each task; raises `TimeoutError`."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._since[task] = loop.time()
        if not self._watching:
            self._watching = True
            loop.call_later(self._timeout_s / WATCHES_A_TIMEOUT, self._look, loop)
        try:
            return await awaitable
        except asyncio.CancelledError:
            # whoever cancelled the task besides us still has his way
            if task in self._overdue and not task.uncancel():
                raise TimeoutError from None
            raise
        finally:
            self._since.pop(task, None)
            self._overdue.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - self._timeout_s
        for task, since in list(self._since.items()):
            if since > latest:
                break
            del self._since[task]
            self._overdue.add(task)
            task.cancel()
        self._watching = bool(self._since)
        if self._watching:
            loop.call_later(self._timeout_s / WATCHES_A_TIMEOUT, self._look, loop)
