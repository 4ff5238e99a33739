"""The routes that are read: health, readiness, laws, results, metrics."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.backend import Backend, RollState
from edge.draining import DrainState
from edge.languages import preferred_language
from edge.metrics import MEDIA_TYPE, EdgeMetrics
from edge.problems import (
    NOT_COUNTED,
    NOT_READY,
    RESULTS_NOT_PUBLISHED,
    UNKNOWN_LAW,
    Language,
    Problem,
)
from edge.results import Turnout, law_results, law_turnout, may_see_results
from edge.watch_metrics import RedisState
from edge.wire import Reply, json_reply, problem_reply
from hashgen import VERSION

METRICS_PATH = "/metrics"


class RollHealth(msgspec.Struct, frozen=True):
    """The roll that is open. `electors` counts elector-and-law pairs."""

    state: RollState
    electors: int = 0
    roll_id: str = ""


class ResultsHealth(msgspec.Struct, frozen=True):
    """The results that this instance serves. `age_s` is null before the first count."""

    age_s: float | None


class Dependencies(msgspec.Struct, frozen=True):
    """Each dependency as it was seen last, at most about a second ago."""

    redis: RedisState
    roll: RollHealth
    results: ResultsHealth
    drainer: DrainState | Literal["elsewhere"]


class Health(msgspec.Struct, frozen=True):
    """The process lives; `ready` says whether it takes votes."""

    ready: bool
    stopping: bool
    version: str
    dependencies: Dependencies
    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct, frozen=True):
    """The instance takes votes."""

    status: Literal["ready"] = "ready"


class LawInfo(msgspec.Struct, frozen=True):
    """A law of the election; votes are taken from `opens_at` until just before `closes_at`.

    `turnout` is null before the first count.
    """

    id: str
    title_fr: str
    title_en: str
    text_fr: str
    text_en: str
    opens_at: datetime
    closes_at: datetime
    turnout: Turnout | None


class Laws(msgspec.Struct, frozen=True):
    """The election's laws. `results`: when results can be read."""

    title_fr: str
    title_en: str
    results: Literal["live", "after_close"]
    laws: list[LawInfo]


class ReadApi:
    """The handlers of the routes that are read."""

    def __init__(
        self,
        backend: Backend,
        metrics: EdgeMetrics,
        drain_state: Callable[[], DrainState | None],
    ) -> None:
        self.stopping = False
        self._backend = backend
        self._metrics = metrics
        self._drain_state = drain_state

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/v1/health", self.health),
            Route("/api/v1/ready", self.ready),
            Route("/api/v1/laws", self.laws),
            Route("/api/v1/results/{law_id}", self.results),
            Route(METRICS_PATH, self.metrics),
        ]

    async def health(self, _: Request) -> Response:
        """Answer 200 while the process lives."""
        return respond(json_reply(200, self.state()))

    def state(self) -> Health:
        """Return what was seen of everything last."""
        backend = self._backend
        info = backend.roll.info if backend.roll else None
        snapshot = backend.results
        age_s = round(time.time() - snapshot.updated_at_ms / 1000, 3) if snapshot else None
        return Health(
            ready=backend.ready and not self.stopping,
            stopping=self.stopping,
            version=VERSION,
            dependencies=Dependencies(
                redis=backend.redis_state,
                roll=RollHealth(
                    backend.roll_state,
                    info.electors if info else 0,
                    info.roll_id if info else "",
                ),
                results=ResultsHealth(age_s),
                drainer=self._drain_state() or "elsewhere",
            ),
        )

    async def ready(self, request: Request) -> Response:
        """Answer 200 while votes can be taken, else 503 with what is missing."""
        backend = self._backend
        missing = [*(["stopping"] if self.stopping else []), *backend.missing()]
        if missing:
            return respond_problem(request, Problem(NOT_READY, detail="; ".join(missing)))
        return respond(json_reply(200, Ready()))

    async def laws(self, _: Request) -> Response:
        """Answer the election's laws, and how many have voted on each."""
        return respond(json_reply(200, _laws(self._backend)))

    async def results(self, request: Request) -> Response:
        """Answer a law's count."""
        law_id = request.path_params["law_id"]
        election, snapshot = self._backend.election, self._backend.results
        law = election.law(law_id)
        if law is None:
            return respond_problem(request, Problem(UNKNOWN_LAW))
        if not may_see_results(election, law_id, self._backend.windows_read_at):
            detail = f"closes at {law.closes_at.isoformat()}"
            return respond_problem(request, Problem(RESULTS_NOT_PUBLISHED, detail=detail))
        if snapshot is None:
            return respond_problem(request, Problem(NOT_COUNTED))
        return respond(json_reply(200, law_results(snapshot, election, law_id)))

    async def metrics(self, _: Request) -> Response:
        """Answer the metrics in Prometheus' text format."""
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(self._metrics.exposition(), media_type=MEDIA_TYPE, headers=headers)


def respond(reply: Reply) -> Response:
    """Return a built answer as Starlette's."""
    response = Response(reply.body, reply.status)
    response.raw_headers = list(reply.headers)
    return response


def respond_problem(request: Request, problem: Problem) -> Response:
    """Return a problem in the language that the request asks for."""
    return respond(problem_reply(problem, language_of(request)))


def language_of(request: Request) -> Language:
    """Return the language that a request's headers ask for."""
    return preferred_language(request.headers.get("accept-language", ""))


def _laws(backend: Backend) -> Laws:
    election, roll = backend.election, backend.roll.info if backend.roll else None
    return Laws(
        election.title_fr,
        election.title_en,
        election.results,
        [
            LawInfo(
                law.id,
                law.title_fr,
                law.title_en,
                law.text_fr,
                law.text_en,
                law.opens_at,
                law.closes_at,
                law_turnout(backend.results, roll, law.id),
            )
            for law in election.laws
        ],
    )
