"""The errors of the HTTP interface: RFC 9457 problem details with titles in both languages."""

from typing import Literal

import msgspec

Language = Literal["fr", "en"]


class ProblemKind(msgspec.Struct, frozen=True):
    """One kind of error. `retry_after_s` is sent as `Retry-After` when positive."""

    code: str
    status: int
    title_en: str
    title_fr: str
    retry_after_s: int = 0


MALFORMED = ProblemKind(
    "malformed",
    400,
    "The body is not the JSON object that is expected",
    "Le corps n’est pas l’objet JSON attendu",
)
INVALID_FIELD = ProblemKind(
    "invalid-field", 400, "A field is missing or wrong", "Un champ manque ou est erroné"
)
BAD_FORM = ProblemKind("bad-form", 400, "The form is not whole", "Le formulaire n’est pas entier")
CUT_SHORT = ProblemKind(
    "cut-short", 400, "The body did not arrive whole", "Le corps n’est pas arrivé entier"
)
REQUEST_IDS_DIFFER = ProblemKind(
    "request-ids-differ",
    400,
    "Idempotency-Key and request_id differ",
    "Idempotency-Key et request_id diffèrent",
)
UNAUTHORISED = ProblemKind(
    "unauthorised",
    401,
    "A token is needed",
    "Un jeton est nécessaire",
)
RESULTS_NOT_PUBLISHED = ProblemKind(
    "results-not-published",
    403,
    "Results are published after closing",
    "Les résultats sont publiés après la clôture",
)
CROSS_SITE = ProblemKind(
    "cross-site",
    403,
    "The form was sent from another site",
    "Le formulaire a été envoyé depuis un autre site",
)
READ_ONLY = ProblemKind(
    "read-only",
    403,
    "To decide, a name and the second token are needed",
    "Pour décider, il faut un nom et le second jeton",
)
NOT_FOUND = ProblemKind("not-found", 404, "There is nothing here", "Il n’y a rien ici")
UNKNOWN_LAW = ProblemKind("unknown-law", 404, "There is no such law", "Cette loi n’existe pas")
METHOD_NOT_ALLOWED = ProblemKind(
    "method-not-allowed",
    405,
    "This method is not allowed here",
    "Cette méthode n’est pas permise ici",
)
TIMED_OUT = ProblemKind(
    "timed-out",
    408,
    "The request did not arrive in time",
    "La requête n’est pas arrivée à temps",
)
TOO_LARGE = ProblemKind("too-large", 413, "The body is over 4 KiB", "Le corps dépasse 4 Kio")
UNSUPPORTED_MEDIA_TYPE = ProblemKind(
    "unsupported-media-type",
    415,
    "The body must be application/json in UTF-8",
    "Le corps doit être application/json en UTF-8",
)
REQUEST_ID_REUSED = ProblemKind(
    "request-id-reused",
    422,
    "This request id was used before with another choice",
    "Cet identifiant de requête a déjà servi avec un autre choix",
)
RATE_LIMITED = ProblemKind(
    "rate-limited", 429, "Too many requests", "Trop de requêtes", retry_after_s=1
)
TOO_MANY_FAILURES = ProblemKind(
    "too-many-failures",
    429,
    "Too many votes from this address with a NAS and a code that do not belong together",
    "Trop de votes de cette adresse avec un NAS et un code qui ne vont pas ensemble",
    retry_after_s=10,
)
INTERNAL = ProblemKind("internal", 500, "The service failed", "Le service a échoué")
NOT_CONFIRMED = ProblemKind(
    "not-confirmed",
    503,
    "Not confirmed: the vote may be recorded, send it again with the same request id",
    "Non confirmé : le vote est peut-être enregistré, renvoyez-le avec le même identifiant"
    " de requête",
    retry_after_s=1,
)
OVERLOADED = ProblemKind(
    "overloaded",
    503,
    "Too many requests at once: this request was not processed, send it again with the same"
    " request id",
    "Trop de requêtes à la fois : cette requête n’a pas été traitée, renvoyez-la avec le même"
    " identifiant de requête",
    retry_after_s=2,
)
NOT_READY = ProblemKind(
    "not-ready",
    503,
    "The service is not ready to take votes",
    "Le service n’est pas prêt à prendre des votes",
    retry_after_s=2,
)
UNAVAILABLE = ProblemKind(
    "unavailable",
    503,
    "The roll cannot be reached: this request was not processed, send it again with the same"
    " request id",
    "La liste électorale est hors d’atteinte : cette requête n’a pas été traitée, renvoyez-la avec"
    " le même identifiant de requête",
    retry_after_s=2,
)
NOT_COUNTED = ProblemKind(
    "not-counted",
    503,
    "No count has been published yet",
    "Aucun décompte n’a encore été publié",
    retry_after_s=2,
)

KINDS = (
    MALFORMED,
    INVALID_FIELD,
    BAD_FORM,
    CUT_SHORT,
    REQUEST_IDS_DIFFER,
    UNAUTHORISED,
    RESULTS_NOT_PUBLISHED,
    CROSS_SITE,
    READ_ONLY,
    NOT_FOUND,
    UNKNOWN_LAW,
    METHOD_NOT_ALLOWED,
    TIMED_OUT,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    REQUEST_ID_REUSED,
    RATE_LIMITED,
    TOO_MANY_FAILURES,
    INTERNAL,
    NOT_CONFIRMED,
    OVERLOADED,
    NOT_READY,
    UNAVAILABLE,
    NOT_COUNTED,
)


class Problem(msgspec.Struct, frozen=True):
    """An error about to be answered. `field` names the field at fault, never its value."""

    kind: ProblemKind
    field: str | None = None
    detail: str | None = None
    request_id: str | None = None


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error (RFC 9457). `title` is in the language of `Accept-Language`, English by default."""

    type: str
    title: str
    status: int
    title_en: str
    title_fr: str
    detail: str | None = None
    field: str | None = None
    request_id: str | None = None


def details(problem: Problem, language: Language) -> ProblemDetails:
    """Return the document that is sent for a problem."""
    kind = problem.kind
    return ProblemDetails(
        type=f"/docs#{kind.code}",
        title=kind.title_fr if language == "fr" else kind.title_en,
        status=kind.status,
        title_en=kind.title_en,
        title_fr=kind.title_fr,
        detail=problem.detail,
        field=problem.field,
        request_id=problem.request_id,
    )
