"""The review queue: cases that auditors take and decide, and the trail of who did what.

What a case is, is computed from the attempts in ClickHouse; here is who has it and what became of
it. Every change and its entry in the trail are one atomic step (`lua/review.lua`), confirmed on
disks as a vote is.
"""

import re
import unicodedata
from typing import Literal, NamedTuple, get_args
from uuid import UUID

import msgspec

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.connection import Reply
from shards.errors import ReviewRefused
from shards.functions import fcall

CLAIM_MINUTES = 30
CLAIM_MINUTES_MIN = 1 / 60  # less is over before anybody can decide
CLAIM_MINUTES_MAX = 24 * 60
CALLS_MAX = 1000  # at once
AUDITOR_CHARACTERS_MAX = 64
WHY_CHARACTERS_MAX = 500

Kind = Literal["duplicate", "invalid", "many-attempts", "unknown-hashes", "network-burst"]
State = Literal["open", "claimed", "resolved", "grown"]
Decision = Literal["harmless", "suspect", "fault"]
Action = Literal["claim", "resolve", "reopen"]
Code = Literal["claimed", "resolved", "reopened", "held", "decided", "open", "undecided"]

_HOUR = "[0-9]{8}T[0-9]{2}Z"
_PATTERN_ID = rf"(?:unknown|network-[0-9a-f]{{16}})-{_HOUR}"
_CASE_ID = re.compile(rf"[0-9a-f]{{64}}|{_PATTERN_ID}")
_NAME_SIGNS = " .@'’-_"
# what a reason may quote: a ballot hash, in whatever text, and the id of another case
_QUOTED = re.compile(
    rf"(?<![0-9a-fA-F])[0-9a-fA-F]{{64}}(?![0-9a-fA-F])|(?<![^\W_]){_PATTERN_ID}(?![^\W_])"
)
# no more and no fewer: telephone numbers and times have others
_NINE_DIGITS = re.compile(r"(?<!\d)\d(?:[\W_]*\d){8}(?!\d)")


class ReviewCase(msgspec.Struct, frozen=True):
    """A case as the attempts make it; never a choice. Times in ms since 1970.

    `law_id` is empty for a law that the roll does not know. `hashes`: how many different ones were
    tried.
    """

    case_id: str
    kind: Kind
    law_id: str
    attempts: int
    hashes: int
    first_ms: int
    last_ms: int


class CasesSnapshot(msgspec.Struct, frozen=True):
    """The undecided cases with the most attempts, at a time in ms since 1970."""

    cases: list[ReviewCase]
    at_ms: int


class Standing(msgspec.Struct, frozen=True):
    """A case as it stands: who has it until when, or who decided what, when and why."""

    state: State = "open"
    auditor: str = ""
    until_ms: int = 0
    decision: str = ""
    why: str = ""
    at_ms: int = 0


class TrailEntry(msgspec.Struct, frozen=True):
    """Who did what to which case, when and why. `attempts`: as many as the auditor saw."""

    entry_ms: int
    entry_seq: int
    case_id: str
    action: str
    auditor: str
    decision: str
    why: str
    attempts: int
    act_id: UUID


class Outcome(NamedTuple):
    """What became of an act, and the auditor who has the case or decided it."""

    code: Code
    auditor: str

    @property
    def done(self) -> bool:
        """Whether it was done as asked."""
        return self.code in ("claimed", "resolved", "reopened")


class ReviewDesk:
    """Takes and decides cases. Every call may be repeated with the same act id."""

    def __init__(self, client: ShardClient) -> None:
        self._client = client

    async def claim(
        self, case: ReviewCase, auditor: str, act_id: UUID, *, minutes: float = CLAIM_MINUTES
    ) -> Outcome:
        """Take a case for so long; raises `ReviewRefused`, `Unavailable`."""
        if not CLAIM_MINUTES_MIN <= minutes <= CLAIM_MINUTES_MAX:
            raise ReviewRefused(
                f"a case is claimed for a second or more, up to {CLAIM_MINUTES_MAX:,} minutes"
            )
        lease_ms = round(minutes * 60_000)
        return await self._act(
            "claim", case.case_id, auditor, act_id, str(case.attempts), str(lease_ms)
        )

    async def resolve(
        self, case_id: str, auditor: str, decision: str, why: str, act_id: UUID
    ) -> Outcome:
        """Decide a case that the auditor has taken; raises `ReviewRefused`, `Unavailable`."""
        if decision not in get_args(Decision):
            raise ReviewRefused(f"a decision is one of {', '.join(get_args(Decision))}")
        return await self._act("resolve", case_id, auditor, act_id, decision, checked_why(why))

    async def reopen(self, case_id: str, auditor: str, why: str, act_id: UUID) -> Outcome:
        """Put a decided case back into the queue; raises `ReviewRefused`, `Unavailable`."""
        return await self._act("reopen", case_id, auditor, act_id, checked_why(why))

    async def standings(self, cases: list[ReviewCase]) -> dict[str, Standing]:
        """Return how each case stands, by its id; raises `Unavailable`."""
        replies: list[Reply] = []
        for first in range(0, len(cases), CALLS_MAX):
            replies += await self._client.call_all(
                (0, pack("HGETALL", keys.review_case_key(case.case_id)))
                for case in cases[first : first + CALLS_MAX]
            )
        (seconds, microseconds) = await self._client.call(0, pack("TIME"))
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        return {
            case.case_id: _standing(_pairs(reply), case.attempts, now_ms)
            for case, reply in zip(cases, replies, strict=True)
        }

    async def history(self, case_id: str) -> list[TrailEntry]:
        """Return a case's entries, the earliest first; raises `ReviewRefused`, `Unavailable`."""
        key = keys.review_history_key(checked_case_id(case_id))
        return _entries(await self._client.call(0, pack("XRANGE", key, "-", "+")))

    async def trail(self, after: tuple[int, int], count: int) -> list[TrailEntry]:
        """Return entries that follow the one of that ms and seq; raises `Unavailable`."""
        start = f"({after[0]}-{after[1]}"
        command = pack("XRANGE", keys.review_trail_key(), start, "+", "COUNT", count)
        return _entries(await self._client.call(0, command))

    async def latest(self, count: int) -> list[TrailEntry]:
        """Return the latest entries, the latest first; raises `Unavailable`."""
        command = pack("XREVRANGE", keys.review_trail_key(), "+", "-", "COUNT", count)
        return _entries(await self._client.call(0, command))

    async def take_turn(self, owner: str, turn_ms: int) -> bool:
        """Say whether it is this drainer's turn to publish, for so long; raises `Unavailable`."""
        command = fcall("take_turn", (keys.review_turn_key(),), owner, turn_ms)
        return bool(await self._client.call(0, command))

    async def confirm(self) -> None:
        """Return once all entries read so far are on disks; raises `Unavailable`."""
        await self._client.call(0, pack("SET", keys.review_confirm_key(), "", "PX", 1000))

    async def publish(self, snapshot: CasesSnapshot) -> None:
        """Show edges these cases; raises `Unavailable`."""
        value = msgspec.json.encode(snapshot)
        await self._client.call(0, pack("SET", keys.review_cases_key(), value))

    async def published(self) -> CasesSnapshot | None:
        """Return the cases published last, None before the first; raises `Unavailable`."""
        value = await self._client.call(0, pack("GET", keys.review_cases_key()))
        return None if value is None else msgspec.json.decode(value, type=CasesSnapshot)

    async def _act(
        self, function: str, case_id: str, auditor: str, act_id: UUID, *arguments: str
    ) -> Outcome:
        case_id, auditor = checked_case_id(case_id), checked_auditor(auditor)
        case_keys = (
            keys.review_case_key(case_id),
            keys.review_trail_key(),
            keys.review_history_key(case_id),
        )
        command = fcall(function, case_keys, case_id, auditor, str(act_id), *arguments)
        code, who = await self._client.call(0, command)
        return Outcome(code.decode(), who.decode())


def checked_case_id(text: str) -> str:
    """Return a case's id; raises `ReviewRefused` for what is none."""
    if not _CASE_ID.fullmatch(text):
        raise ReviewRefused(
            "a case is named by its ballot hash, or as `scrutin review list` has it"
        )
    return text


def checked_auditor(text: str) -> str:
    """Return an auditor's name in NFC, spaces around it dropped: one however it was typed.

    Raises `ReviewRefused`.
    """
    name = unicodedata.normalize("NFC", text.strip())
    valid = re.match(r"\w", name) and all(map(_is_of_names, name))
    if len(name) > AUDITOR_CHARACTERS_MAX or not valid:
        raise ReviewRefused(
            f"an auditor's name has 1 to {AUDITOR_CHARACTERS_MAX} letters, digits, spaces or"
            f" {_NAME_SIGNS.strip()}, a letter or digit first"
        )
    return name


def _is_of_names(char: str) -> bool:
    """Say so of letters, digits, some signs and marks: many scripts write vowels as marks."""
    return char.isalnum() or char in _NAME_SIGNS or unicodedata.category(char) in ("Mn", "Mc")


def checked_why(text: str) -> str:
    """Return a reason, its white space evened out.

    Raises `ReviewRefused` for none, one too long, and one that may hold a NAS: nothing online does.
    That is nine digits with neither letters nor digits between them, but in what names a case.
    """
    why = " ".join(text.split())
    if not 0 < len(why) <= WHY_CHARACTERS_MAX or not why.isprintable():
        raise ReviewRefused(f"a reason has 1 to {WHY_CHARACTERS_MAX} characters")
    if _NINE_DIGITS.search(_QUOTED.sub("x", why)):
        raise ReviewRefused("a reason must not hold nine digits together: they might be a NAS")
    return why


def _standing(held: dict[str, str], attempts: int, now_ms: int) -> Standing:
    state, auditor = held.get("state", "open"), held.get("auditor", "")
    if state == "claimed" and int(held["until_ms"]) > now_ms:
        return Standing("claimed", auditor, until_ms=int(held["until_ms"]))
    if state != "resolved":
        return Standing()
    grown = attempts > int(held["attempts"])
    return Standing(
        "grown" if grown else "resolved",
        auditor,
        decision=held["decision"],
        why=held["why"],
        at_ms=int(held["at_ms"]),
    )


def _entries(reply: Reply) -> list[TrailEntry]:
    return [_entry(entry_id, _pairs(fields)) for entry_id, fields in reply]


def _entry(entry_id: bytes, held: dict[str, str]) -> TrailEntry:
    entry_ms, _, entry_seq = entry_id.partition(b"-")
    return TrailEntry(
        int(entry_ms), int(entry_seq), held["c"], held["a"], held["u"], held["d"], held["y"],
        int(held["n"]), UUID(held["i"]),
    )  # fmt: skip


def _pairs(reply: list[bytes]) -> dict[str, str]:
    texts = [item.decode() for item in reply]
    return dict(zip(texts[::2], texts[1::2], strict=True))
