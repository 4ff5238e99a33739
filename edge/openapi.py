"""The OpenAPI document, made from the types that the handlers really send and take."""

from typing import Any

import msgspec

from edge.api import Health, Laws, Ready
from edge.problems import KINDS, ProblemDetails, ProblemKind
from edge.results import LawResults
from edge.vote_api import Accepted, Closed, Duplicate, Invalid, VoteRequest
from hashgen import VERSION

EXAMPLE_ID = "5f0c7b0e-3c1d-4b5a-9f61-0d9d8f4b8f11"
_TYPES = (
    VoteRequest,
    Accepted,
    Duplicate,
    Invalid,
    Closed,
    Health,
    Ready,
    Laws,
    LawResults,
    ProblemDetails,
)
_VOTE_EXAMPLE = {
    "nas": "012345678",
    "code": "ABC123",
    "law_id": "L2025-001",
    "vote": "oui",
    "request_id": EXAMPLE_ID,
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The vote's request id, in place of `request_id` in the body. Send a vote again"
    " with the same id, and it is counted once and gets its true answer.",
    "schema": {"type": "string", "format": "uuid"},
}
_ACCEPT_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "description": "Language of an error's `title`; both languages are always there.",
    "schema": {"type": "string"},
}
# What the native normalisation takes; the decoder leaves it to that, so types do not say it.
_SEPARATORS = r"[ \t\u00a0\u202f\u2010\u2011-]*"
_VOTE_PATTERNS = {
    "nas": f"^{_SEPARATORS}([0-9]{_SEPARATORS}){{9}}$",
    "code": f"^{_SEPARATORS}([A-Za-z0-9]{_SEPARATORS}){{6,32}}$",
    "law_id": "^[A-Za-z0-9._-]{1,50}$",
    "vote": "^([oO][uU][iI]|[nN][oO][nN])$",
}
_LAW_ID = {
    "name": "law_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,50}$"},
}

Document = dict[str, Any]


def openapi_document() -> Document:
    """Return the document as JSON-like values."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    for field, pattern in _VOTE_PATTERNS.items():
        schemas["VoteRequest"]["properties"][field]["pattern"] = pattern
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Scrutin",
            "version": VERSION,
            "description": "Votes on the laws of a referendum day. Errors are RFC 9457 problem"
            " details with titles in French and English; they name the field at fault and never"
            " its value.",
        },
        "paths": {
            "/api/v1/vote": {"post": _vote()},
            "/api/v1/health": {
                "get": _read("Health", "The process lives; how each dependency does", Health)
            },
            "/api/v1/ready": {
                "get": _read("Readiness", "The instance takes votes", Ready, "not-ready")
            },
            "/api/v1/laws": {
                "get": _read("Laws", "The election's laws", Laws, "rate-limited"),
            },
            "/api/v1/results/{law_id}": {
                "get": {
                    **_read(
                        "Results",
                        "The law's count",
                        LawResults,
                        "results-not-published",
                        "unknown-law",
                        "rate-limited",
                        "not-counted",
                    ),
                    "parameters": [_LAW_ID, _ACCEPT_LANGUAGE],
                }
            },
            "/metrics": {"get": _text("Metrics", "Prometheus' text format", "text/plain")},
            "/openapi.json": {
                "get": {
                    "summary": "The document you are reading",
                    "responses": {
                        "200": {
                            "description": "OpenAPI 3.1",
                            "content": {"application/json": {"schema": {"type": "object"}}},
                        }
                    }
                    | _problems({"rate-limited", "method-not-allowed", "internal"}),
                }
            },
            "/docs": {"get": _text("The document as a page", "A page", "text/html")},
        },
        "components": {"schemas": schemas},
    }


def _vote() -> Document:
    answers: Document = {
        "202": _json("Recorded", Accepted, {"request_id": EXAMPLE_ID, "status": "accepted"}),
        "403": {
            "description": "Not on the roll, or voting is not open",
            "content": {"application/json": {"schema": {"anyOf": [_ref(Invalid), _ref(Closed)]}}},
        },
        "409": _json(
            "Voted already",
            Duplicate,
            {"request_id": EXAMPLE_ID, "status": "duplicate", "attempt_count": 1},
        ),
    }
    codes = {
        "malformed", "invalid-field", "cut-short", "request-ids-differ", "timed-out", "too-large",
        "unsupported-media-type", "request-id-reused", "rate-limited", "too-many-failures",
        "internal", "not-confirmed", "overloaded", "not-ready", "unavailable", "method-not-allowed",
    }  # fmt: skip
    return {
        "summary": "Cast a vote",
        "description": "Answers 202 once the vote is recorded as durably as the service is set up"
        " for. After 503 send it again with the same request id.",
        "parameters": [_IDEMPOTENCY_KEY, _ACCEPT_LANGUAGE],
        "requestBody": {
            "required": True,
            "description": "At most 4 KiB",
            "content": {
                "application/json": {"schema": _ref(VoteRequest), "example": _VOTE_EXAMPLE}
            },
        },
        "responses": answers | _problems(codes),
    }


def _read(summary: str, description: str, answer: type, *codes: str) -> Document:
    return {
        "summary": summary,
        "parameters": [_ACCEPT_LANGUAGE],
        "responses": {"200": _json(description, answer)}
        | _problems({*codes, "method-not-allowed", "internal"}),
    }


def _text(summary: str, description: str, media_type: str) -> Document:
    content = {media_type: {"schema": {"type": "string"}}}
    return {
        "summary": summary,
        "responses": {"200": {"description": description, "content": content}}
        | _problems({"rate-limited", "method-not-allowed", "internal"}),
    }


def _json(description: str, answer: type, example: Document | None = None) -> Document:
    content: Document = {"schema": _ref(answer)}
    if example:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}


def _problems(codes: set[str]) -> Document:
    answers: Document = {}
    for status in sorted({kind.status for kind in KINDS if kind.code in codes}):
        kinds = [kind for kind in KINDS if kind.code in codes and kind.status == status]
        answers[str(status)] = _problem(kinds)
    return answers


def _problem(kinds: list[ProblemKind]) -> Document:
    answer: Document = {
        "description": "; or ".join(f"`{kind.code}`: {kind.title_en}" for kind in kinds),
        "content": {"application/problem+json": {"schema": _ref(ProblemDetails)}},
    }
    if any(kind.retry_after_s for kind in kinds):
        answer["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait"}
        }
    return answer


def _ref(kind: type) -> Document:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
