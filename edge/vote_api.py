"""`POST /api/v1/vote`, as plain ASGI: this is the hot path."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import msgspec

from edge.admission import Admission
from edge.errors import BadRequest
from edge.patience import Patience
from edge.problems import (
    INVALID_FIELD,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    REQUEST_ID_REUSED,
    REQUEST_IDS_DIFFER,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)
from edge.request_ids import remember
from edge.voting import VotingDesk
from edge.wire import (
    JSON,
    Headers,
    Receive,
    Reply,
    Scope,
    Send,
    base_headers,
    discard_body,
    header,
    json_reply,
    language_preferred,
    problem_reply,
    read_body,
    send_reply,
)
from hashgen import FieldError
from shards.election import Election
from shards.errors import ShardsError
from shards.roll import Cast


class VoteRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vote. Of a key that appears twice, the last value counts."""

    nas: str
    code: str
    law_id: str
    vote: str
    request_id: UUID | None = None

    def __repr__(self) -> str:
        return "VoteRequest(…)"  # NAS and code must not reach a log by way of a traceback


class Accepted(msgspec.Struct, frozen=True):
    """The vote is recorded, as durably as the settings promise."""

    request_id: UUID
    status: Literal["accepted"] = "accepted"


class Duplicate(msgspec.Struct, frozen=True):
    """The elector has voted on this law already; `attempt_count` attempts came after that."""

    request_id: UUID
    attempt_count: int
    status: Literal["duplicate"] = "duplicate"


class Invalid(msgspec.Struct, frozen=True):
    """Not on the roll: NAS, code and law do not belong together."""

    request_id: UUID
    status: Literal["invalid"] = "invalid"


class Closed(msgspec.Struct, frozen=True):
    """The law's voting window is not open: from `opens_at` until just before `closes_at`."""

    request_id: UUID
    opens_at: datetime
    closes_at: datetime
    status: Literal["closed"] = "closed"


REFUSED_UNREAD = frozenset({405, 415, 429})  # statuses decided before the body is read
_DECODER = msgspec.json.Decoder(VoteRequest)
_FIELD_IN_ERROR = re.compile(r"\$\.(\w+)|missing required field `(\w+)`")
_ACCEPTED = b'{"request_id":"%b","status":"accepted"}'
_ACCEPTED_HEADERS: Headers = base_headers(JSON, _ACCEPTED % (b"-" * 36))
_ALLOW: Headers = [(b"allow", b"POST")]


class VoteEndpoint:
    """The route's ASGI callable."""

    def __init__(
        self,
        desk: VotingDesk,
        election: Callable[[], Election],
        admission: Admission,
        patience: Patience,
    ) -> None:
        self._desk = desk
        self._election = election
        self._admission = admission
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refused = self._admission.refuse_vote(scope)
        if scope["method"] != "POST":
            reply = self._problem(scope, Problem(METHOD_NOT_ALLOWED), _ALLOW)
        elif refused is not None:
            reply = self._problem(scope, Problem(refused))
        else:
            reply = await self._vote(scope, receive)
        if reply.status in REFUSED_UNREAD:
            await discard_body(receive)
        await send_reply(send, reply)

    async def _vote(self, scope: Scope, receive: Receive) -> Reply:
        try:
            _check_media_type(scope)
            ballot = _decode(await read_body(scope, receive, self._patience))
            request_id = _request_id(scope, ballot)
        except BadRequest as error:
            return self._problem(scope, error.problem)
        try:
            cast = await self._desk.cast(
                ballot.nas, ballot.code, ballot.law_id, ballot.vote, request_id
            )
        except FieldError as error:
            problem = Problem(INVALID_FIELD, error.field, error.reason, str(request_id))
            return self._problem(scope, problem)
        except ShardsError as error:
            kind = self._desk.problem_of(error, request_id)
            return self._problem(scope, Problem(kind, request_id=str(request_id)))
        except Exception:
            remember(scope, request_id)
            raise
        if cast.status == "accepted":
            return Reply(202, _ACCEPTED_HEADERS, _ACCEPTED % str(request_id).encode())
        return self._decided(scope, cast, request_id, ballot.law_id)

    def _decided(self, scope: Scope, cast: Cast, request_id: UUID, law_id: str) -> Reply:
        match cast.status:
            case "duplicate":
                self._admission.vote_refused(scope, "duplicate")
                return json_reply(409, Duplicate(request_id, cast.attempt_count))
            case "closed":
                law = self._election().law(law_id)
                assert law is not None, "the roll's laws were checked against the election's"
                return json_reply(403, Closed(request_id, law.opens_at, law.closes_at))
            case "conflict":
                problem = Problem(REQUEST_ID_REUSED, request_id=str(request_id))
                return self._problem(scope, problem)
            case _:
                self._admission.vote_refused(scope, "invalid")
                return json_reply(403, Invalid(request_id))

    def _problem(self, scope: Scope, problem: Problem, extra: Headers | None = None) -> Reply:
        return problem_reply(problem, language_preferred(scope), extra)


def _check_media_type(scope: Scope) -> None:
    media_type = header(scope, b"content-type")
    if media_type == JSON:
        return
    name, _, parameters = (media_type or b"").lower().partition(b";")
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    if name.strip() != JSON or charset not in {b"", b"charset=utf-8"}:
        raise BadRequest(Problem(UNSUPPORTED_MEDIA_TYPE))


def _decode(body: bytes) -> VoteRequest:
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        # of the message, only a known field's name may leave: the rest can quote the body
        found = _FIELD_IN_ERROR.search(str(error))
        field = next(filter(None, found.groups()), None) if found else None
        if field in VoteRequest.__struct_fields__:
            expected = "a UUID" if field == "request_id" else "a text"
            raise BadRequest(Problem(INVALID_FIELD, field, f"{expected} is needed")) from None
        unknown = "unknown field" in str(error)
        detail = "unknown fields are refused" if unknown else "an object is needed"
        raise BadRequest(Problem(MALFORMED, detail=detail)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest(Problem(MALFORMED)) from None


def _request_id(scope: Scope, ballot: VoteRequest) -> UUID:
    """Return the request id that the client gave, in the header, the body or both, or a new one."""
    given = header(scope, b"idempotency-key")
    if given is None:
        return ballot.request_id or uuid4()
    try:
        request_id = msgspec.convert(given.decode("ascii").strip(' "'), UUID)
    except (msgspec.ValidationError, UnicodeDecodeError):
        problem = Problem(INVALID_FIELD, "Idempotency-Key", "a UUID is needed")
        raise BadRequest(problem) from None
    if ballot.request_id not in {None, request_id}:
        raise BadRequest(Problem(REQUEST_IDS_DIFFER, "request_id", request_id=str(request_id)))
    return request_id
