"""Plain ASGI: answers whose bytes are made ahead, and request bodies read within bounds."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import msgspec

from edge.errors import BadRequest
from edge.languages import preferred_language
from edge.patience import Patience
from edge.problems import CUT_SHORT, TIMED_OUT, TOO_LARGE, Language, Problem, details

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BODY_BYTES_MAX = 4096
DISCARD_BYTES_MAX = 65_536
DISCARD_TIMEOUT_S = 1.0
JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes


async def send_reply(send: Send, reply: Reply) -> None:
    """Send an answer."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of that lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def language_preferred(scope: Scope) -> Language:
    """Return the language that a request asks for."""
    return preferred_language((header(scope, b"accept-language") or b"").decode("latin-1"))


def base_headers(content_type: bytes, body: bytes) -> Headers:
    """Return the headers of every answer that must not be kept by a cache."""
    return [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]


def json_reply(status: int, document: msgspec.Struct) -> Reply:
    """Return an answer that is a JSON document."""
    body = msgspec.json.encode(document)
    return Reply(status, base_headers(JSON, body), body)


def problem_reply(problem: Problem, language: Language, extra: Headers | None = None) -> Reply:
    """Return the answer for a problem, `Retry-After` included where it has one."""
    body = msgspec.json.encode(details(problem, language))
    headers = base_headers(PROBLEM_JSON, body) + (extra or [])
    headers.append((b"content-language", language.encode()))
    if problem.kind.retry_after_s:
        headers.append((b"retry-after", b"%d" % problem.kind.retry_after_s))
    return Reply(problem.kind.status, headers, body)


async def read_body(scope: Scope, receive: Receive, patience: Patience) -> bytes:
    """Return the body, at most 4 KiB.

    Raises `BadRequest` when it is larger, what is left of it taken in, or takes too long, or ends
    before it is whole.
    """
    announced = header(scope, b"content-length")
    expected = int(announced) if announced is not None and announced.isdigit() else None
    body, more = b"", True
    if expected is None or expected <= BODY_BYTES_MAX:
        try:
            body, more = await patience.wait(_collect(receive, expected))
        except TimeoutError:
            raise BadRequest(Problem(TIMED_OUT)) from None
        if len(body) <= BODY_BYTES_MAX:
            return body
    if more:
        await discard_body(receive)
    raise BadRequest(Problem(TOO_LARGE))


async def discard_body(receive: Receive) -> None:
    """Take in what is left of a refused request's body, within bounds.

    A connection that is closed on data unread is reset, and the client may never see why. Not for
    a body that was read to its end: the next message then is that of a client who goes away.
    """
    size_bytes = 0
    try:
        async with asyncio.timeout(DISCARD_TIMEOUT_S):
            while size_bytes < DISCARD_BYTES_MAX:
                message = await receive()
                if not message.get("more_body", False):
                    return
                size_bytes += len(message["body"])
    except TimeoutError:
        return  # too slow to be told politely


async def _collect(receive: Receive, expected: int | None) -> tuple[bytes, bool]:
    """Return a body up to what makes it too large, and whether there may be more of it."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            # mostly nobody is there any more; who sent a chunk that is none still is
            raise BadRequest(Problem(CUT_SHORT))
        body += message["body"]
        more = message.get("more_body", False)
        if not more or len(body) == expected or len(body) > BODY_BYTES_MAX:
            return body, more
