"""The ASGI application: votes go straight to their handler, the rest through Starlette."""

import logging
import time
import traceback
from collections.abc import Callable
from time import perf_counter

import msgspec
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.admission import Admission
from edge.api import METRICS_PATH, ReadApi, respond, respond_problem
from edge.assets import Assets
from edge.auditors import Auditors
from edge.backend import Backend
from edge.draining import DrainState
from edge.metrics import VOTE_ROUTE, EdgeMetrics
from edge.openapi import openapi_document
from edge.ops import Ops
from edge.pages import Pages
from edge.patience import Patience
from edge.problems import (
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    RATE_LIMITED,
    Language,
    Problem,
)
from edge.rendering import Renderer
from edge.request_ids import request_id_of
from edge.results_page import ResultsPage
from edge.settings import Settings
from edge.vote_api import VoteEndpoint
from edge.voting import VotingDesk
from edge.wire import (
    JSON,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    base_headers,
    header,
    language_preferred,
    problem_reply,
    send_reply,
)
from edge.words import LANGUAGES
from hashgen import BallotHasher
from shards.election import Election
from shards.roll import RollStore

DeskMaker = Callable[[BallotHasher, Callable[[], RollStore | None], EdgeMetrics, int], VotingDesk]
UNLIMITED = frozenset({"/api/v1/health", "/api/v1/ready"})  # probes come in bursts
API = "/api/"
HTML = b"text/html"
VOTE_PAGES = frozenset({"/fr/vote", "/en/vote"})  # counted as votes, and they keep the form
logger = logging.getLogger(__name__)


class EdgeApp:
    """The top ASGI callable."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        metrics: EdgeMetrics,
        drain_state: Callable[[], DrainState | None] = lambda: None,
        make_desk: DeskMaker = VotingDesk,
    ) -> None:
        self.admission = Admission(settings, time.monotonic, backend.networks)
        self._metrics = metrics
        desk = self.desk = make_desk(
            settings.hasher(), lambda: backend.roll, metrics, settings.in_flight_max
        )
        patience = Patience(settings.body_timeout_s)
        self._vote = VoteEndpoint(desk, lambda: backend.election, self.admission, patience)
        renderer = Renderer(backend.election)
        self._pages = Pages(desk, backend, self.admission, renderer, patience)
        # made ahead: a flood is not worth a page of its own
        self._refusals = {
            language: self._pages.problem(Problem(RATE_LIMITED), language) for language in LANGUAGES
        }
        read = self._read = ReadApi(backend, metrics, drain_state)
        metrics.watched.lives(
            ready=lambda: backend.ready and not read.stopping, in_flight=lambda: desk.in_flight
        )
        self._document = openapi_document()
        body = msgspec.json.encode(self._document)
        self._openapi = Reply(200, base_headers(JSON, body), body)
        token = settings.ops_token()
        ops = Ops(token, self._read, metrics, backend, self.admission, renderer) if token else None
        tokens = settings.review_tokens()
        auditors = Auditors(tokens, backend, self.admission, renderer, patience) if tokens else None
        self._routes = [
            *self._read.routes(),
            Route("/openapi.json", self._openapi_json),
            Route("/docs", self._docs),
            *self._pages.routes(),
            *ResultsPage(backend, renderer).routes(),
            *Assets().routes(),
            *(ops.routes() if ops else []),
            *(auditors.routes() if auditors else []),
        ]
        self._rest = Starlette(
            routes=self._routes,
            exception_handlers={HTTPException: self._http_error, Exception: self._failure},
        )
        # It would redirect to whatever host and scheme the request came by.
        self._rest.router.redirect_slashes = False

    def stop_being_ready(self) -> None:
        """Say not ready from now on, while requests are still answered."""
        self._read.stopping = True

    def route_paths(self) -> list[str]:
        """Return the paths of all routes."""
        return [VOTE_ROUTE, *(route.path for route in self._routes)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and count the answer.

        Whatever fails is a 500 without a word of the request's own.
        """
        assert scope["type"] == "http"
        began = perf_counter()
        started = Started(send)
        try:
            if scope["path"] == VOTE_ROUTE:
                await self._vote(scope, receive, started)
            else:
                await self._answer(scope, receive, started)
        except Exception as error:  # noqa: BLE001 (the last line: nothing may reach the server)
            _log_failure(error, scope)
            if not started.status:
                failure = Problem(INTERNAL, request_id=request_id_of(scope))
                await send_reply(started, _problem(scope, failure))
        finally:
            if started.status:
                self._count(scope, started.status, perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, started: "Started") -> None:
        path = scope["path"]
        if path in UNLIMITED or (path in VOTE_PAGES and scope["method"] == "POST"):
            refused = None
        elif path == METRICS_PATH:
            refused = self.admission.refuse_scrape(scope)
        else:
            refused = self.admission.refuse_read(scope)
        if refused is None:
            await self._rest(scope, receive, started)
        elif language := _page_language(scope):
            await self._refusals[language](scope, receive, started)
        else:
            await send_reply(started, _problem(scope, Problem(refused)))

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        if scope["path"] == VOTE_ROUTE:
            self._metrics.vote_answered(status, seconds)
        else:
            route = scope.get("route")  # Starlette's, where one matched
            self._metrics.answered(route.path if route else "other", status, seconds)

    async def _openapi_json(self, _: Request) -> Response:
        return respond(self._openapi)

    async def _docs(self, request: Request) -> Response:
        return self._pages.docs(request, self._document)

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = METHOD_NOT_ALLOWED if error.status_code == METHOD_NOT_ALLOWED.status else NOT_FOUND
        response = self._show(request, Problem(kind))
        response.headers.update(error.headers or {})
        return response

    async def _failure(self, request: Request, _: Exception) -> Response:
        # Starlette raises the error again after this answer, so that it gets logged
        return self._show(request, Problem(INTERNAL, request_id=request_id_of(request.scope)))

    def _show(self, request: Request, problem: Problem) -> Response:
        """Show a problem as a page where people are, else as a document."""
        if language := _page_language(request.scope):
            return self._pages.problem(problem, language)
        return respond_problem(request, problem)


class Started:
    """A `send` that remembers the status it sent."""

    __slots__ = ("_send", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def make_app(
    settings: Settings,
    election: Election,
    registry: CollectorRegistry,
    drain_state: Callable[[], DrainState | None],
    make_edge: Callable[..., EdgeApp] = EdgeApp,
) -> tuple[EdgeApp, Backend]:
    """Return the application and the backend that has to be watched."""
    metrics = EdgeMetrics(registry)
    backend = Backend(settings, election, metrics)
    return make_edge(settings, backend, metrics, drain_state), backend


def _page_language(scope: Scope) -> Language | None:
    """Return the language of a page's address, None for what is no page.

    Elsewhere but in the API browsers are told by what they accept: people who type an address get
    it wrong, and the shortest one, `/`, is in no language.
    """
    path = scope["path"]
    for language in LANGUAGES:
        if path.startswith(f"/{language}/"):
            return language
    if path.startswith(API) or HTML not in (header(scope, b"accept") or b""):
        return None
    return language_preferred(scope)


def _problem(scope: Scope, problem: Problem) -> Reply:
    return problem_reply(problem, language_preferred(scope))


def _log_failure(error: Exception, scope: Scope) -> None:
    # the type and the place, never the message or a value: those could quote a request
    place = "".join(traceback.format_tb(error.__traceback__))
    logger.error(
        "a request failed with %s\n%s",
        type(error).__name__,
        place,
        extra={"request_id": request_id_of(scope)},
    )
