"""The auditors' pages: cases of the review queue, read with one token, decided with another."""

import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple, get_args
from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.admission import Admission
from edge.api import language_of, respond_problem
from edge.backend import Backend
from edge.errors import BadRequest
from edge.forms import read_form
from edge.patience import Patience
from edge.problems import BAD_FORM, CROSS_SITE, READ_ONLY, UNAUTHORISED, Problem
from edge.rendering import SECURITY_HEADERS, Renderer
from edge.tokens import ReviewTokens, shown_credentials
from edge.wire import discard_body
from shards.errors import ReviewRefused, ShardsError
from shards.review import (
    Decision,
    Kind,
    ReviewCase,
    ReviewDesk,
    Standing,
    TrailEntry,
    checked_auditor,
)

CASES_SHOWN_MAX = 50
ENTRIES_SHOWN = 100
# what is shown first: one's own cases, those to be taken, those that others have, the decided
ORDER = {"grown": 1, "open": 1, "claimed": 2, "resolved": 3}


class Auditor(NamedTuple):
    """Who is at the page. `name` is empty unless he may decide; `refused`: what he gave is none."""

    name: str = ""
    refused: bool = False


class CaseView(NamedTuple):
    """A case as the page shows it; `act_id` and seals make a form good for one act."""

    case: ReviewCase
    standing: Standing
    mine: bool
    act_id: UUID
    claim_seal: str
    resolve_seal: str


# what an act came to: nothing to say when it was done, else a word for the page and a name
Act = Callable[[ReviewDesk, Auditor, dict[str, str], UUID], Awaitable[tuple[str, str]]]


class Auditors:
    """The handlers of the pages."""

    def __init__(
        self,
        tokens: ReviewTokens,
        backend: Backend,
        admission: Admission,
        renderer: Renderer,
        patience: Patience,
    ) -> None:
        self._tokens = tokens
        self._backend = backend
        self._admission = admission
        self._renderer = renderer
        self._patience = patience

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/review", self.page, methods=["GET"]),
            Route("/review/trail", self.trail, methods=["GET"]),
            Route("/review/claim", self.claim, methods=["POST"]),
            Route("/review/resolve", self.resolve, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """Show the cases that were published last, each as it stands."""
        auditor = self._identify(request)
        return auditor if isinstance(auditor, Response) else await self._page(request, auditor)

    async def trail(self, request: Request) -> Response:
        """Show who did what lately."""
        auditor = self._identify(request)
        if isinstance(auditor, Response):
            return auditor
        entries: list[TrailEntry] | None = None
        if self._backend.client is not None:
            try:
                entries = await ReviewDesk(self._backend.client).latest(ENTRIES_SHOWN)
            except ShardsError:
                entries = None  # the page says so
        return self._renderer.page(
            "auditors_trail.html",
            language_of(request),
            200 if entries is not None else 503,
            entries=entries,
            moment=moment,
        )

    async def claim(self, request: Request) -> Response:
        """Take a case that was published."""

        async def take(
            desk: ReviewDesk, auditor: Auditor, fields: dict[str, str], act_id: UUID
        ) -> tuple[str, str]:
            snapshot = await desk.published()
            cases = {case.case_id: case for case in snapshot.cases} if snapshot else {}
            if fields["case"] not in cases:
                return "gone", ""
            outcome = await desk.claim(cases[fields["case"]], auditor.name, act_id)
            return ("", "") if outcome.done else outcome

        return await self._act(request, "claim", take)

    async def resolve(self, request: Request) -> Response:
        """Decide a case that this auditor has taken."""

        async def decide(
            desk: ReviewDesk, auditor: Auditor, fields: dict[str, str], act_id: UUID
        ) -> tuple[str, str]:
            try:
                outcome = await desk.resolve(
                    fields["case"],
                    auditor.name,
                    fields.get("decision", ""),
                    fields.get("why", ""),
                    act_id,
                )
            except ReviewRefused:
                return "wrong", ""  # what was typed is not shown again: it might be a NAS
            return ("", "") if outcome.done else outcome

        return await self._act(request, "resolve", decide)

    async def _act(self, request: Request, action: str, act: Act) -> Response:
        auditor = self._identify(request)
        if isinstance(auditor, Response):
            await discard_body(request.receive)
            return auditor
        try:
            fields, act_id = await self._fields(request, auditor, action)
        except BadRequest as error:
            return respond_problem(request, error.problem)
        said, who = "away", ""
        if self._backend.client is not None:
            try:
                said, who = await act(ReviewDesk(self._backend.client), auditor, fields, act_id)
            except ShardsError:
                said = "away"
        if not said:
            return RedirectResponse("/review", 303, SECURITY_HEADERS)
        status = {"away": 503, "wrong": 400}.get(said, 409)
        return await self._page(request, auditor, status, said, who)

    async def _fields(
        self, request: Request, auditor: Auditor, action: str
    ) -> tuple[dict[str, str], UUID]:
        """Return the fields of a form that this page made for this auditor, and its act id.

        Raises `BadRequest` for any other, and for who may not decide.
        """
        fields = await read_form(request, self._patience)
        if not auditor.name:
            raise BadRequest(Problem(READ_ONLY))
        try:
            act_id = UUID(fields["act"])
            expected = self._seal(action, fields["case"], auditor, act_id)
            sealed = hmac.compare_digest(expected.encode(), fields["seal"].encode())
        except (KeyError, ValueError):
            raise BadRequest(Problem(BAD_FORM)) from None
        if not sealed:
            raise BadRequest(Problem(CROSS_SITE))
        return fields, act_id

    async def _page(
        self, request: Request, auditor: Auditor, status: int = 200, said: str = "", who: str = ""
    ) -> Response:
        kind = request.query_params.get("kind", "")
        kind = kind if kind in get_args(Kind) else ""
        views: list[CaseView] | None = None
        made_at = None
        if self._backend.client is not None:
            desk = ReviewDesk(self._backend.client)
            try:
                snapshot = await desk.published()
                if snapshot is not None:
                    cases = [case for case in snapshot.cases if kind in ("", case.kind)]
                    views = self._views(cases, await desk.standings(cases), auditor)
                    made_at = moment(snapshot.at_ms)
            except ShardsError:
                status, said = 503, "away"
        else:
            status, said = 503, "away"
        return self._renderer.page(
            "auditors.html",
            language_of(request),
            status,
            name=auditor.name,
            refused=auditor.refused,
            kind=kind,
            said=said,
            who=who,
            made_at=made_at,
            views=views[:CASES_SHOWN_MAX] if views is not None else None,
            total=len(views or ()),
            decisions=get_args(Decision),
            moment=moment,
        )

    def _views(
        self, cases: list[ReviewCase], standings: dict[str, Standing], auditor: Auditor
    ) -> list[CaseView]:
        views = []
        for case in cases:
            standing, act_id = standings[case.case_id], uuid4()
            mine = bool(auditor.name) and (standing.state, standing.auditor) == (
                "claimed",
                auditor.name,
            )
            seals = [
                self._seal(action, case.case_id, auditor, act_id) if auditor.name else ""
                for action in ("claim", "resolve")
            ]
            views.append(CaseView(case, standing, mine, act_id, *seals))
        return sorted(
            views,
            key=lambda view: (
                0 if view.mine else ORDER[view.standing.state],
                -view.case.attempts,
                view.case.case_id,
            ),
        )

    def _seal(self, action: str, case_id: str, auditor: Auditor, act_id: UUID) -> str:
        """Return what proves that a form is this page's: others do not know the token."""
        assert self._tokens.writing is not None
        text = "\n".join((action, case_id, auditor.name, str(act_id)))
        return hmac.digest(self._tokens.writing.encode(), text.encode(), "sha256").hex()

    def _identify(self, request: Request) -> Auditor | Response:
        """Return who shows a token, or the answer to who does not."""
        refused = self._admission.refuse_guess(request.scope)
        if refused is not None:
            return respond_problem(request, Problem(refused))
        shown = shown_credentials(request.headers.get("authorization", ""))
        writing = self._tokens.writing
        if writing is not None and hmac.compare_digest(shown.token, writing.encode()):
            try:
                return Auditor(checked_auditor(shown.name))
            except ReviewRefused:
                return Auditor(refused=bool(shown.name))  # whoever gives no name may look
        if hmac.compare_digest(shown.token, self._tokens.reading.encode()):
            return Auditor()
        if shown.token:
            self._admission.identification_failed(request.scope)
        response = respond_problem(request, Problem(UNAUTHORISED))
        response.headers["WWW-Authenticate"] = 'Basic realm="review", charset="UTF-8"'
        return response


def moment(at_ms: int) -> datetime:
    """Return a time in ms since 1970 as a moment."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
