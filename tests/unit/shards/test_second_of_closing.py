"""The very Lua that decides, at the last and the first millisecond, by clocks that are set."""

from typing import Any

import pytest

from shards.beliefs import LawState, state_at
from shards.functions import qualified, sources
from shards.keys import FIELD_SIZE_BYTES
from shards.roll import CastCode
from tests.simulation.replies import Failure
from tests.simulation.store import Executor, Store

OPENS_MS, CLOSES_MS = 1_000_000, 2_000_000
LAW, OTHER = b"L2025-001", b"L2025-002"
META, BUCKET, OUTBOX, REPEATS = b"{00}:meta", b"{00}:b:0", b"{00}:out", b"{00}:r:f"
FIELD = b"f" * FIELD_SIZE_BYTES


@pytest.fixture
def shard() -> Store:
    store = Store([])
    for source in sources():
        at(store, 0, b"FUNCTION", b"LOAD", source)
    window = (b"opens:" + LAW, b"%d" % OPENS_MS, b"closes:" + LAW, b"%d" % CLOSES_MS)
    at(store, 0, b"HSET", META, b"ready", b"roll", b"roll", b"roll", *window)
    at(store, 0, b"HSET", BUCKET, FIELD, b"0")
    return store


def at(store: Store, now_ms: int, *command: bytes) -> Any:
    """Execute a command at a time of the server's."""
    return Executor(store, now_ms).execute(*command)


def call(store: Store, now_ms: int, name: str, keys: tuple[bytes, ...], *arguments: bytes) -> Any:
    return at(store, now_ms, b"FCALL", qualified(name), b"%d" % len(keys), *keys, *arguments)


def cast(store: Store, now_ms: int, request: bytes = b"r") -> Any:
    keys = (BUCKET, OUTBOX, META, REPEATS)
    arguments = (b"roll", FIELD, b"h" * 32, LAW, b"oui", request * 16)
    return call(store, now_ms, "cast", keys, *arguments)


def freeze(store: Store, now_ms: int) -> Any:
    return call(store, now_ms, "roll_freeze", (META,), b"roll", LAW)


@pytest.mark.parametrize(
    ("now_ms", "decided", "state"),
    [
        (OPENS_MS - 1, CastCode.CLOSED, "waiting"),
        (OPENS_MS, CastCode.ACCEPTED, "open"),
        (CLOSES_MS - 1, CastCode.ACCEPTED, "open"),
        (CLOSES_MS, CastCode.CLOSED, "closed"),
    ],
)
def test_the_window_is_from_the_first_millisecond_to_the_last(
    shard: Store, now_ms: int, decided: CastCode, state: LawState
) -> None:
    assert state_at(now_ms, OPENS_MS, CLOSES_MS, frozen=False) == state
    assert cast(shard, now_ms) == decided
    assert at(shard, now_ms, b"XLEN", OUTBOX) == (decided == CastCode.ACCEPTED)


def test_a_vote_in_flight_at_closing_is_decided_once(shard: Store) -> None:
    """Sent again after closing it is still accepted; another attempt is not counted any more."""
    assert cast(shard, CLOSES_MS - 1) == CastCode.ACCEPTED
    assert cast(shard, CLOSES_MS + 1) == CastCode.ACCEPTED
    assert cast(shard, CLOSES_MS + 1, b"s") == CastCode.CLOSED
    assert at(shard, CLOSES_MS + 1, b"XLEN", OUTBOX) == 1


def test_a_vote_that_came_late_stays_late_when_the_clock_goes_on(shard: Store) -> None:
    assert cast(shard, CLOSES_MS) == CastCode.CLOSED
    assert cast(shard, CLOSES_MS + 1) == CastCode.CLOSED
    assert at(shard, CLOSES_MS, b"HGET", BUCKET, FIELD) == b"0"


def test_nothing_is_frozen_before_it_closes(shard: Store) -> None:
    assert freeze(shard, CLOSES_MS - 1) == [CLOSES_MS - 1, 0]
    assert cast(shard, CLOSES_MS - 1) == CastCode.ACCEPTED
    assert freeze(shard, CLOSES_MS) == [CLOSES_MS, CLOSES_MS]


def test_a_law_without_a_window_is_not_frozen(shard: Store) -> None:
    answer = call(shard, CLOSES_MS, "roll_freeze", (META,), b"roll", OTHER)
    assert answer == [CLOSES_MS, 0]


def test_a_frozen_law_is_closed_for_a_clock_that_is_behind_too(shard: Store) -> None:
    """As after a failover to a server whose clock is not right."""
    freeze(shard, CLOSES_MS)
    assert cast(shard, CLOSES_MS - 1000) == CastCode.CLOSED
    assert freeze(shard, CLOSES_MS - 1000) == [CLOSES_MS - 1000, CLOSES_MS]
    assert at(shard, 0, b"HGET", META, b"frozen:" + LAW) == b"%d" % CLOSES_MS


@pytest.mark.parametrize(
    ("now_ms", "closes_ms", "refused"),
    [
        (CLOSES_MS - 1000, CLOSES_MS - 1001, True),
        (CLOSES_MS - 1000, CLOSES_MS - 1000, True),  # a vote may have been taken just now
        (CLOSES_MS - 1000, CLOSES_MS - 999, False),
        (CLOSES_MS, CLOSES_MS - 1, True),
        (CLOSES_MS, CLOSES_MS, False),
    ],
)
def test_no_law_closes_before_a_vote_that_was_taken(
    shard: Store, now_ms: int, closes_ms: int, refused: bool
) -> None:
    """Its count up to then would be called final without that vote."""
    hours = (b"opens:" + LAW, b"%d" % OPENS_MS, b"closes:" + LAW, b"%d" % closes_ms)
    answer = call(shard, now_ms, "roll_begin", (META,), b"roll", b"0", b"info", b"{}", *hours)
    assert (isinstance(answer, Failure) and answer.text.startswith(b"PAST")) == refused
    after = at(shard, now_ms, b"HGET", META, b"closes:" + LAW)
    assert after == b"%d" % (CLOSES_MS if refused else closes_ms)


def test_the_hours_of_a_frozen_law_stay(shard: Store) -> None:
    freeze(shard, CLOSES_MS)
    hours = [b"opens:" + LAW, b"%d" % OPENS_MS, b"closes:" + LAW, b"%d" % CLOSES_MS]
    begin = ("roll_begin", (META,), b"roll", b"0", b"info", b"{}")
    other = [b"opens:" + OTHER, b"1", b"closes:" + OTHER, b"2"]
    assert not isinstance(call(shard, CLOSES_MS, *begin, *hours, *other), Failure)
    assert at(shard, 0, b"HGET", META, b"closes:" + OTHER) == b"2"
    for place in (1, 3):
        changed = [*hours[:place], b"1500000", *hours[place + 1 :]]
        refused = call(shard, CLOSES_MS, *begin, *changed)
        assert isinstance(refused, Failure)
        assert refused.text.startswith(b"FROZEN")
    assert at(shard, 0, b"HGET", META, b"closes:" + LAW) == b"%d" % CLOSES_MS
