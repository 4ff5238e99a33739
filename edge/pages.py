"""The voters' pages: a form, its outcomes and the results, without scripts."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.admission import Admission
from edge.api import language_of
from edge.backend import Backend
from edge.errors import BadRequest
from edge.openapi import Document
from edge.problems import (
    BAD_FORM,
    CROSS_SITE,
    INTERNAL,
    INVALID_FIELD,
    KINDS,
    NOT_CONFIRMED,
    Language,
    Problem,
    ProblemKind,
)
from edge.rendering import LANGUAGES, SECURITY_HEADERS, Renderer, stylesheet, when
from edge.results import law_results, may_see_results
from edge.voting import VotingDesk
from edge.wire import discard_body, read_body
from hashgen import FieldError
from shards.election import Law
from shards.errors import ShardsError
from shards.roll import Cast

FORM = b"application/x-www-form-urlencoded"
FIELDS_MAX = 8
REFRESH_S = 5


class Ballot(msgspec.Struct, frozen=True):
    """The form's fields."""

    nas: str
    code: str
    law_id: str
    vote: str
    request_id: UUID

    def __repr__(self) -> str:
        return "Ballot(…)"


class Pages:
    """The handlers of the pages."""

    def __init__(
        self,
        desk: VotingDesk,
        backend: Backend,
        admission: Admission,
        body_timeout_s: float,
    ) -> None:
        self._desk = desk
        self._backend = backend
        self._admission = admission
        self._body_timeout_s = body_timeout_s
        self._renderer = Renderer(backend.election)
        self._style = stylesheet()

    def routes(self) -> list[Route]:
        """Return the routes; each page is a route in each language."""
        routes = [Route("/", self.home), Route("/static/style.css", self.style)]
        for language in LANGUAGES:
            routes += [
                Route(f"/{language}/", self.form),
                Route(f"/{language}/vote", self.vote, methods=["POST"]),
                Route(f"/{language}/results", self.results),
            ]
        return routes

    async def home(self, request: Request) -> Response:
        """Send the client to its language."""
        headers = {"Vary": "Accept-Language", "Cache-Control": "no-store"}
        return RedirectResponse(f"/{language_of(request)}/", 303, headers)

    async def style(self, _: Request) -> Response:
        """Answer the style sheet."""
        headers = SECURITY_HEADERS | {"Cache-Control": "public, max-age=3600"}
        return Response(self._style, media_type="text/css", headers=headers)

    async def form(self, request: Request) -> Response:
        """Show the form, with a new request id in it."""
        language = _page_language(request)
        title = self._renderer.texts[language]["form_title"]
        return self._page(
            "form.html", language, title=title, request_id=uuid4(), law_id=None, vote=None
        )

    async def vote(self, request: Request) -> Response:
        """Take a vote and show what became of it."""
        language = _page_language(request)
        refused = self._admission.refuse_vote(request.scope)
        try:
            return await self._vote(request, language, refused)
        except BadRequest as error:
            await discard_body(request.receive)
            return self.problem(error.problem, language)

    async def _vote(
        self, request: Request, language: Language, refused: ProblemKind | None
    ) -> Response:
        _check_origin(request)
        ballot = _parse(await self._body(request))
        if refused is not None:
            return self._again(ballot, refused, language)
        law = self._backend.election.law(ballot.law_id)
        try:
            cast = await self._desk.cast(
                ballot.nas, ballot.code, ballot.law_id, ballot.vote, ballot.request_id
            )
        except FieldError as error:
            return self._again(ballot, INVALID_FIELD, language, error.field)
        except ShardsError as error:
            kind = self._desk.problem_of(error)
            if kind is INTERNAL:
                return self.problem(Problem(kind), language)
            return self._again(ballot, kind, language)
        return self._decided(cast, ballot.request_id, law, language)

    async def _body(self, request: Request) -> bytes:
        media_type = request.headers.get("content-type", "").encode("latin-1")
        if media_type.partition(b";")[0].strip().lower() != FORM:
            raise BadRequest(Problem(BAD_FORM))
        return await read_body(request.scope, request.receive, self._body_timeout_s)

    def _decided(
        self, cast: Cast, request_id: UUID, law: Law | None, language: Language
    ) -> Response:
        texts = self._renderer.texts[language]
        status = {"accepted": 202, "duplicate": 409, "conflict": 422}.get(cast.status, 403)
        text = texts[f"{cast.status}_text"].format(
            attempt_count=cast.attempt_count,
            opens=when(law.opens_at, language) if law else "",
            closes=when(law.closes_at, language) if law else "",
        )
        return self._page(
            "outcome.html",
            language,
            status=status,
            title=texts[f"{cast.status}_title"],
            text=text,
            receipt=request_id if cast.status == "accepted" else None,
            request_id=None,
        )

    def _again(
        self, ballot: Ballot, kind: ProblemKind, language: Language, field: str = ""
    ) -> Response:
        """Show the form again: same request id and choice, NAS and code to be typed again."""
        texts = self._renderer.texts[language]
        if kind is INVALID_FIELD:
            labels = {"nas": "nas_label", "code": "code_label", "law_id": "law_label"}
            label = texts[labels.get(field, "choice_label")]
            title, text = texts["field_title"], texts["field_text"].format(field=label)
        else:
            title = texts["again_title"]
            text = texts["again_text" if kind is NOT_CONFIRMED else "again_slow"]
        return self._page(
            "outcome.html",
            language,
            status=kind.status,
            headers=_retry_after(kind),
            title=title,
            text=text,
            receipt=None,
            request_id=ballot.request_id,
            law_id=ballot.law_id,
            vote=ballot.vote,
        )

    def problem(self, problem: Problem, language: Language) -> Response:
        """Show a problem that sending the form again would not cure."""
        kind = problem.kind
        return self._page(
            "outcome.html",
            language,
            status=kind.status,
            headers=_retry_after(kind),
            title=self._renderer.texts[language]["problem_title"],
            text=kind.title_fr if language == "fr" else kind.title_en,
            receipt=None,
            request_id=None,
        )

    async def results(self, request: Request) -> Response:
        """Show the results; the page loads itself again."""
        language = _page_language(request)
        now = datetime.now(UTC)
        return self._renderer.page(
            "results.html",
            language,
            title=self._renderer.texts[language]["results_title"],
            path="results",
            refresh_s=REFRESH_S,
            laws=[
                self._renderer.law(law, language) | self._count(law, language, now)
                for law in self._backend.election.laws
            ],
        )

    def _count(self, law: Law, language: Language, now: datetime) -> dict[str, str]:
        texts = self._renderer.texts[language]
        if not may_see_results(self._backend.election, law.id, now):
            return {"note": texts["results_closed"].format(closes=when(law.closes_at, language))}
        if self._backend.results is None:
            return {"note": texts["results_none"]}
        count = law_results(self._backend.results, self._backend.election, law.id)
        grouping = "\N{NARROW NO-BREAK SPACE}" if language == "fr" else ","
        oui, non, total = (
            f"{number:,}".replace(",", grouping)
            for number in (count.oui_count, count.non_count, count.oui_count + count.non_count)
        )
        return {
            "note": "",
            "oui": oui,
            "non": non,
            "total": total,
            "status": texts["results_final" if count.final else "results_partial"],
            "updated": texts["results_updated"].format(updated=when(count.updated_at, language)),
        }

    def docs(self, document: Document) -> Response:
        """Show the API's documentation."""
        return self._renderer.docs(document=document, kinds=KINDS)

    def _page(
        self,
        template: str,
        language: Language,
        *,
        title: str,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: object,
    ) -> Response:
        laws = [self._renderer.law(law, language) for law in self._backend.election.laws]
        return self._renderer.page(
            template,
            language,
            title=title,
            path="",
            status=status,
            headers=headers,
            laws=laws,
            **values,
        )


def _page_language(request: Request) -> Language:
    return "fr" if request.url.path.startswith("/fr/") else "en"


def _retry_after(kind: ProblemKind) -> dict[str, str]:
    return {"Retry-After": str(kind.retry_after_s)} if kind.retry_after_s else {}


def _check_origin(request: Request) -> None:
    """Refuse a form that a browser says comes from elsewhere; what is no browser says nothing."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not same:
        raise BadRequest(Problem(CROSS_SITE))


def _parse(body: bytes) -> Ballot:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise BadRequest(Problem(BAD_FORM))
        return msgspec.convert({"request_id": str(uuid4())} | fields, Ballot)
    except (ValueError, msgspec.ValidationError):
        raise BadRequest(Problem(BAD_FORM)) from None
