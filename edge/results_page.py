"""The page of the results: turnout and counts, made once a second however many ask."""

import hashlib
import time
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.backend import Backend
from edge.law_views import law_view
from edge.pages import page_language
from edge.problems import Language
from edge.rendering import SECURITY_HEADERS, Renderer
from edge.results import Turnout, law_results, law_turnout, may_see_results
from edge.words import LANGUAGES
from shards.election import Law

CACHE_S = 1.0
REFRESH_S = 5
EVERY_S = frozenset({"30"})  # how often a browser without scripts may be asked to reload


class Count(msgspec.Struct, frozen=True):
    """The votes counted on a law; shares of 0 to 1, both 0 before the first vote."""

    oui: int
    non: int
    total: int
    oui_share: float
    non_share: float
    final: bool


class LawResultsView(msgspec.Struct, frozen=True):
    """A law's part of the page. `count` is None while the election keeps it closed."""

    id: str
    title: str
    closes_at: datetime
    counted: bool
    turnout: Turnout | None = None
    count: Count | None = None
    updated_at: datetime | None = None


class _Page(NamedTuple):
    body: bytes
    etag: str
    made_at_s: float


class ResultsPage:
    """The handlers of the page."""

    def __init__(self, backend: Backend, renderer: Renderer) -> None:
        self._backend = backend
        self._renderer = renderer
        self._pages: dict[Language, _Page] = {}

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route(f"/{language}/results", self.results) for language in LANGUAGES]

    async def results(self, request: Request) -> Response:
        """Answer the page, or 304 to a client that has it."""
        page = self._page(page_language(request))
        headers = SECURITY_HEADERS | {
            "Cache-Control": f"public, max-age={CACHE_S:.0f}",
            "ETag": page.etag,
        }
        if request.query_params.get("every") in EVERY_S:
            headers["Refresh"] = request.query_params["every"]
        if page.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(page.body, media_type="text/html", headers=headers)

    def _page(self, language: Language) -> _Page:
        now_s = time.monotonic()
        page = self._pages.get(language)
        if page is None or now_s - page.made_at_s >= CACHE_S:
            body = self._render(language).encode()
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            page = self._pages[language] = _Page(body, etag, now_s)
        return page

    def _render(self, language: Language) -> str:
        now = datetime.now(UTC)
        laws = [self._law(law, language, now) for law in self._backend.election.laws]
        return self._renderer.html(
            "results.html", language, path="results", refresh_s=REFRESH_S, laws=laws
        )

    def _law(self, law: Law, language: Language, now: datetime) -> LawResultsView:
        backend = self._backend
        title = law_view(law, language, now).title
        if backend.results is None:
            return LawResultsView(law.id, title, law.closes_at, counted=False)
        found = law_results(backend.results, backend.election, law.id)
        total = found.oui_count + found.non_count
        roll = backend.roll.info if backend.roll else None
        turnout = law_turnout(backend.results, roll, law.id)
        count = Count(
            found.oui_count,
            found.non_count,
            total,
            found.oui_count / max(total, 1),
            found.non_count / max(total, 1),
            found.final,
        )
        seen = may_see_results(backend.election, law.id, backend.windows_read_at)
        return LawResultsView(
            law.id,
            title,
            law.closes_at,
            counted=True,
            turnout=turnout if turnout and turnout.electors else None,
            count=count if seen else None,
            updated_at=found.updated_at,
        )
