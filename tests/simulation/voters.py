"""Voters: they send, grow impatient, send again, and keep the answers that reach them."""

import asyncio
import random
from typing import NamedTuple

from shards.errors import Unavailable
from shards.roll import Cast
from tests.simulation.plan import Plan, Request
from tests.simulation.programs import Edge
from tests.simulation.trace import Trace


class Answered(NamedTuple):
    """An answer that reached a voter."""

    request: Request
    cast: Cast


class Voters:
    """All requests of the day; `answers` is the log that counts, `errors` what none may see."""

    def __init__(self, plan: Plan, edges: list[Edge], rng: random.Random, trace: Trace) -> None:
        self.answers: list[Answered] = []
        self.errors: list[str] = []
        self._plan, self._edges, self._rng, self._trace = plan, edges, rng, trace

    async def vote(self) -> None:
        """See every request to its answer, or to its voter's giving up."""
        await asyncio.gather(*(self._insist(request) for request in self._plan.requests))

    async def _insist(self, request: Request) -> None:
        await asyncio.sleep(request.at_s)
        tries = 0
        while not await self._try(request):
            tries += 1
            if tries == request.tries_max:
                return
            await asyncio.sleep(self._rng.uniform(0.1, 0.8))

    async def _try(self, request: Request) -> bool:
        """Send once; return whether an answer came back."""
        edge = self._rng.choice(self._edges)
        if not edge.alive:
            return False
        task = edge.cast(request)
        done, _ = await asyncio.wait({task}, timeout=self._plan.patience_s)
        name = request.request_id.hex()[:8]
        if not done:
            if self._rng.random() < 0.5:  # the edge notices that the client has gone
                task.cancel()
            return False
        if task.cancelled() or not edge.alive:
            return False
        error = task.exception()
        if error is not None:
            if not isinstance(error, Unavailable):
                self.errors.append(f"{name}: {error!r}")
            self._trace.note(edge.name, f"{name} {type(error).__name__}")
            return False
        cast = task.result()
        if self._rng.random() < self._plan.answer_lost:
            self._trace.note(edge.name, f"{name} {cast.status} {cast.attempt_count}, answer lost")
            return False
        self._trace.note(edge.name, f"{name} {cast.status} {cast.attempt_count}")
        self.answers.append(Answered(request, cast))
        return True
