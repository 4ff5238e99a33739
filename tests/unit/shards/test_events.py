"""Entries of an outbox that are attempts, and entries that are none."""

import pytest

from shards.errors import StrangeEntry
from shards.events import OutboxEvent, decode_events

HASH, REQUEST_ID = bytes(range(32)), bytes(range(16))
ATTEMPT = {
    b"h": HASH, b"l": b"L2025-001", b"v": b"oui", b"s": b"duplicate", b"r": REQUEST_ID, b"n": b"2",
}  # fmt: skip


def entry(fields: dict[bytes, bytes]) -> list[object]:
    return [b"1790000000000-7", [text for pair in fields.items() for text in pair]]


def test_an_attempt() -> None:
    event = OutboxEvent(
        10, 1_790_000_000_000, 7, HASH, "L2025-001", "oui", "duplicate", REQUEST_ID, 2
    )
    assert decode_events(10, [entry(ATTEMPT)]) == [event]


@pytest.mark.parametrize(
    "fields",
    [
        {b"note": b"operator test"},
        {b"x" + name: value for name, value in ATTEMPT.items()},
        {name: ATTEMPT[name] for name in reversed(ATTEMPT)},
        ATTEMPT | {b"more": b"1"},
        ATTEMPT | {b"h": HASH[1:]},
        ATTEMPT | {b"l": b"\xff"},
        ATTEMPT | {b"v": b"yes"},
        ATTEMPT | {b"s": b"counted"},
        ATTEMPT | {b"r": b""},
        ATTEMPT | {b"n": b"many"},
    ],
)
def test_what_is_none_is_named(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(StrangeEntry) as raised:
        decode_events(10, [entry(ATTEMPT), entry(fields)])
    assert "XRANGE {0a}:out 1790000000000-7 1790000000000-7" in str(raised.value)
    assert "XDEL {0a}:out 1790000000000-7" in str(raised.value)
