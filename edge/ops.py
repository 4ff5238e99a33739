"""The live page of an instance for its operators: behind a token, and off without one."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from typing import get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from edge.admission import Admission
from edge.api import Health, ReadApi, language_of, respond_problem
from edge.backend import Backend
from edge.metrics import EdgeMetrics
from edge.problems import OVERLOADED, UNAUTHORISED, Problem
from edge.rendering import SECURITY_HEADERS, Renderer
from edge.tokens import shown_credentials
from shards.errors import ShardsError
from shards.keys import SHARDS
from shards.outbox import Outbox
from shards.roll import CastStatus

EVENT_PAUSE_S = 1.0
OUTBOX_PAUSE_S = 2.0  # measuring the outbox asks every shard
STREAMS_MAX = 32


class OutboxState(msgspec.Struct, frozen=True):
    """What waits for ClickHouse in all shards."""

    events: int
    oldest_age_s: float


class OpsState(msgspec.Struct, frozen=True):
    """An instance at a moment. `decided` counts by decision; `outbox` is None while unknown."""

    votes_per_second: float
    decided: dict[str, int]
    outbox: OutboxState | None
    health: Health


class Ops:
    """The handlers of the page and of its stream of events."""

    def __init__(
        self,
        token: str,
        read: ReadApi,
        metrics: EdgeMetrics,
        backend: Backend,
        admission: Admission,
        renderer: Renderer,
    ) -> None:
        self._token = token.encode()
        self._read = read
        self._metrics = metrics
        self._backend = backend
        self._admission = admission
        self._renderer = renderer
        self._streams = 0
        self._outbox: OutboxState | None = None
        self._outbox_at_s = -OUTBOX_PAUSE_S

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/ops", self.page), Route("/ops/events", self.events)]

    async def page(self, request: Request) -> Response:
        """Show the instance as it is; the script keeps it so."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        return self._renderer.page("ops.html", language_of(request), state=await self._state())

    async def events(self, request: Request) -> Response:
        """Stream the state as server-sent events, one a second."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if self._streams >= STREAMS_MAX:
            return respond_problem(request, Problem(OVERLOADED))
        return StreamingResponse(
            self._stream(), media_type="text/event-stream", headers=SECURITY_HEADERS
        )

    async def _stream(self) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            while not self._read.stopping:
                yield b"data: %b\n\n" % msgspec.json.encode(await self._state())
                await asyncio.sleep(EVENT_PAUSE_S)
        finally:
            self._streams -= 1

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to whoever does not show the token, None to who does."""
        refused = self._admission.refuse_guess(request.scope)
        if refused is not None:
            return respond_problem(request, Problem(refused))
        shown = shown_credentials(request.headers.get("authorization", "")).token
        if hmac.compare_digest(shown, self._token):
            return None
        if shown:
            self._admission.identification_failed(request.scope)
        response = respond_problem(request, Problem(UNAUTHORISED))
        response.headers["WWW-Authenticate"] = 'Basic realm="ops", charset="UTF-8"'
        return response

    async def _state(self) -> OpsState:
        metrics = self._metrics
        return OpsState(
            votes_per_second=round(metrics.value("votes_per_second"), 1),
            decided={
                status: round(metrics.value("votes_validated_total", status=status))
                for status in get_args(CastStatus)
            },
            outbox=await self._outbox_state(),
            health=self._read.state(),
        )

    async def _outbox_state(self) -> OutboxState | None:
        """Return what waits in the outbox, measured now and then for all who watch."""
        now_s = time.monotonic()
        client = self._backend.client
        if client is None or now_s - self._outbox_at_s < OUTBOX_PAUSE_S:
            return self._outbox
        self._outbox_at_s = now_s
        try:
            depths = await Outbox(client, owner="ops").depth()
        except ShardsError:
            depths = {}
        self._outbox = None  # shown as unknown, beside the state of Redis
        if len(depths) == SHARDS:
            self._outbox = OutboxState(
                sum(depth.events for depth in depths.values()),
                round(max(depth.oldest_age_s for depth in depths.values()), 1),
            )
        return self._outbox
