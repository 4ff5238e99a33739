"""The voters' pages: welcome, choose, review, cast, and what becomes of a vote."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.admission import Admission
from edge.api import language_of
from edge.backend import Backend
from edge.ballot_form import (
    CHOICES,
    Draft,
    Identity,
    draft_of,
    identity_of,
    new_draft,
)
from edge.errors import BadRequest
from edge.examples import examples
from edge.forms import read_form
from edge.law_views import LawView, law_view
from edge.openapi import Document
from edge.patience import Patience
from edge.problems import (
    INTERNAL,
    KINDS,
    NOT_CONFIRMED,
    TOO_MANY_FAILURES,
    Language,
    Problem,
    ProblemKind,
)
from edge.receipts import receipt_number
from edge.rendering import SECURITY_HEADERS, Renderer
from edge.request_ids import remember
from edge.voting import VotingDesk
from edge.words import LANGUAGES, load_words
from shards.election import Law
from shards.errors import ShardsError
from shards.roll import Cast

STATUSES = {"accepted": 202, "duplicate": 409, "conflict": 422, "invalid": 403, "closed": 403}
SHOWN = {
    "invalid": "invalid.html",
    "unconfirmed": "busy.html",
    "failures": "busy.html",
    "slow": "busy.html",
}
LOOKS = {"accepted": "good", "duplicate": "info", "conflict": "info", "closed": "info"}


class Pages:
    """The handlers of the pages."""

    def __init__(
        self,
        desk: VotingDesk,
        backend: Backend,
        admission: Admission,
        renderer: Renderer,
        patience: Patience,
    ) -> None:
        self._desk = desk
        self._backend = backend
        self._admission = admission
        self._patience = patience
        self._renderer = renderer
        self._words = {language: load_words(language).gettext for language in LANGUAGES}

    def routes(self) -> list[Route]:
        """Return the routes; each page is a route in each language."""
        routes = [Route("/", self.home)]
        for language in LANGUAGES:
            routes += [
                Route(f"/{language}", self.slashed),
                Route(f"/{language}/", self.welcome),
                Route(f"/{language}/choose", self.choose, methods=["GET", "POST"]),
                Route(f"/{language}/review", self.review, methods=["GET", "POST"]),
                Route(f"/{language}/vote", self.vote, methods=["GET", "POST"]),
                Route(f"/{language}/privacy", self.privacy),
            ]
        return routes

    async def home(self, request: Request) -> Response:
        """Send the client to its language."""
        headers = SECURITY_HEADERS | {"Vary": "Accept-Language"}
        return RedirectResponse(f"/{language_of(request)}/", 303, headers)

    async def slashed(self, request: Request) -> Response:
        """Send whoever left the slash out to the welcome page."""
        return RedirectResponse(f"{request.scope['path']}/", 308, SECURITY_HEADERS)

    async def welcome(self, request: Request) -> Response:
        """Show what is voted on, when, and what a voter needs."""
        language = page_language(request)
        return self._renderer.page("welcome.html", language, path="", laws=self._laws(language))

    async def privacy(self, request: Request) -> Response:
        """Show what becomes of what voters enter."""
        return self._renderer.page("privacy.html", page_language(request), path="privacy")

    def _unsure(self, request: Request) -> Response:
        """Answer whoever comes to a form's address without the form, by a bookmark say.

        The script shows the receipt in its place where the tab's history has one.
        """
        path = request.url.path.rpartition("/")[2]
        return self._renderer.page("unsure.html", page_language(request), path=path)

    async def choose(self, request: Request) -> Response:
        """Show laws and choices; with a form, that form's choices."""
        language = page_language(request)
        if request.method == "POST":
            return await self._with_form(request, lambda fields: self._chosen(fields, language))
        return self._choose(new_draft(), language)

    async def review(self, request: Request) -> Response:
        """Show what is about to be cast, and ask who casts it."""
        if request.method != "POST":
            return self._unsure(request)
        language = page_language(request)
        return await self._with_form(request, lambda fields: self._review(fields, language))

    async def vote(self, request: Request) -> Response:
        """Take a vote and show what became of it."""
        if request.method != "POST":
            return self._unsure(request)
        language = page_language(request)
        refused = self._admission.refuse_vote(request.scope)
        try:
            fields = await read_form(request, self._patience)
            draft, identity = draft_of(fields), identity_of(fields)
        except BadRequest as error:
            return self.problem(error.problem, language)
        if refused is not None:
            return self._busy(draft, refused, language)
        wrong = self._wrong(draft, language)
        if wrong:
            return self._choose(draft, language, wrong)
        faults = identity.faults()
        if faults:
            return self._identity_again(draft, identity, faults, language)
        return await self._cast(request, draft, identity, language)

    async def _cast(
        self, request: Request, draft: Draft, identity: Identity, language: Language
    ) -> Response:
        try:
            cast = await self._desk.cast(
                identity.nas, identity.code, draft.law_id, draft.vote, draft.request_id
            )
        except ShardsError as error:
            kind = self._desk.problem_of(error, draft.request_id)
            if kind is INTERNAL:
                return self.problem(Problem(kind), language)
            return self._busy(draft, kind, language)
        except Exception:
            remember(request.scope, draft.request_id)
            raise
        if cast.status in {"duplicate", "invalid"}:
            self._admission.vote_refused(request.scope, cast.status)
        if cast.status == "invalid":
            return self._with_ballot(
                "invalid.html",
                draft,
                language,
                403,
                shown="invalid",
                unusual_nas=identity.unusual_nas,
            )
        return self._decided(cast, draft, language)

    def _decided(self, cast: Cast, draft: Draft, language: Language) -> Response:
        now = datetime.now(UTC)
        law = self._law(draft)
        # Refused as closed by a server whose clock is not ours: it was the end that is nearer.
        coming = cast.status == "closed" and now - law.opens_at < law.closes_at - now
        outcome = "coming" if coming else cast.status
        ours, theirs = (
            self._renderer.said(
                outcome,
                each,
                "h1" if each == language else "h2",
                law=law_view(law, each, now),
                receipt=receipt_number(draft.request_id),
                attempt_count=cast.attempt_count,
                now=now,
            )
            for each in sorted(LANGUAGES, key=lambda each: each != language)
        )
        return self._renderer.page(
            "outcome.html",
            language,
            STATUSES[cast.status],
            ours=ours,
            theirs=theirs,
            look=LOOKS[cast.status],
            more_laws=len(self._backend.election.laws) > 1,
        )

    def _chosen(self, fields: dict[str, str], language: Language) -> Response:
        draft = draft_of(fields)
        errors = self._wrong(draft, language) if fields.get("shown") == "errors" else None
        return self._choose(draft, language, errors)

    def _choose(
        self, draft: Draft, language: Language, errors: dict[str, str] | None = None
    ) -> Response:
        return self._renderer.draft_page(
            "choose.html",
            language,
            draft,
            400 if errors else 200,
            step="choose",
            laws=self._laws(language),
            shown="errors" if errors else "",
            errors=errors or {},
            retype=False,
        )

    def _review(self, fields: dict[str, str], language: Language) -> Response:
        draft = draft_of(fields)
        wrong = self._wrong(draft, language)
        if wrong:
            return self._choose(draft, language, wrong)
        shown = fields.get("shown", "")  # above the form, where the language was switched
        if shown not in SHOWN:
            return self._with_ballot("review.html", draft, language)
        return self._with_ballot(SHOWN[shown], draft, language, shown=shown)

    def _wrong(self, draft: Draft, language: Language) -> dict[str, str]:
        """Return what to say of the fields that were not chosen as they can be."""
        _ = self._words[language]
        law = self._backend.election.law(draft.law_id)
        return {
            **({} if law else {"law_id": _("law_missing")}),
            **({} if draft.vote in CHOICES else {"vote": _("vote_missing")}),
        }

    def _identity_again(
        self, draft: Draft, identity: Identity, faults: list[str], language: Language
    ) -> Response:
        _ = self._words[language]
        texts = {"nas": _("nas_missing"), "code": _("code_missing")}
        return self._with_ballot(
            "review.html",
            draft,
            language,
            400,
            unusual_nas=identity.unusual_nas,
            errors={field: texts[field] for field in faults},
        )

    def _busy(self, draft: Draft, kind: ProblemKind, language: Language) -> Response:
        """Ask to send again: same request id and choice, NAS and code to be typed again."""
        wrong = self._wrong(draft, language)
        if wrong:
            return self._choose(draft, language, wrong)
        shown = {NOT_CONFIRMED: "unconfirmed", TOO_MANY_FAILURES: "failures"}.get(kind, "slow")
        return self._with_ballot(
            "busy.html", draft, language, kind.status, _retry_after(kind), shown=shown
        )

    def _with_ballot(
        self,
        template: str,
        draft: Draft,
        language: Language,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> Response:
        """Return a page that has the last form in it."""
        _ = self._words[language]
        values = {"unusual_nas": False, "errors": {}} | values
        return self._renderer.draft_page(
            template,
            language,
            draft,
            status,
            headers,
            step="review",
            law=law_view(self._law(draft), language, datetime.now(UTC)),
            choices={"oui": _("oui"), "non": _("non")},
            retype=True,
            **values,
        )

    def problem(self, problem: Problem, language: Language) -> Response:
        """Show a problem that sending the form again would not cure."""
        kind = problem.kind
        return self._renderer.page(
            "problem.html",
            language,
            kind.status,
            _retry_after(kind),
            code=kind.code,
            text=kind.title_fr if language == "fr" else kind.title_en,
            passing=kind.retry_after_s > 0,
        )

    def docs(self, request: Request, document: Document) -> Response:
        """Show the API's documentation."""
        law_id = self._backend.election.laws[0].id
        shown = examples(request.url.scheme, request.headers.get("host", ""), law_id)
        return self._renderer.docs(document=document, kinds=KINDS, examples=shown)

    async def _with_form(
        self, request: Request, show: Callable[[dict[str, str]], Response]
    ) -> Response:
        """Show a step with the fields of a form; what it says of NAS and code is dropped here."""
        try:
            return show(await read_form(request, self._patience))
        except BadRequest as error:
            return self.problem(error.problem, page_language(request))

    def _laws(self, language: Language) -> list[LawView]:
        now = datetime.now(UTC)
        return [law_view(law, language, now) for law in self._backend.election.laws]

    def _law(self, draft: Draft) -> Law:
        law = self._backend.election.law(draft.law_id)
        assert law is not None, "checked when the form came in"
        return law


def page_language(request: Request) -> Language:
    """Return the language of a page's address."""
    return "fr" if request.url.path.startswith("/fr/") else "en"


def _retry_after(kind: ProblemKind) -> dict[str, str]:
    return {"Retry-After": str(kind.retry_after_s)} if kind.retry_after_s else {}
