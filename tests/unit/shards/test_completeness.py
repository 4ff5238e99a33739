"""What a watermark waits for, to the event."""

import pytest

from shards.completeness import Fence, Watermark
from shards.events import EventId

HELD: dict[int, EventId] = {0: (5, 1), 1: (7, 0)}


def fence(first: EventId, last: EventId, *, now_ms: int = 9, length: int = 2) -> Fence:
    return Fence(now_ms, length, first, last, lease=1)


@pytest.fixture
def watermark() -> Watermark:
    shards = {
        0: fence((5, 0), HELD[0], now_ms=8),
        1: fence((6, 0), HELD[1]),
        2: fence((0, 0), (0, 0), length=0),
    }
    return Watermark.at(shards)


def test_it_is_of_the_earliest_clock_and_of_what_waits(watermark: Watermark) -> None:
    assert watermark == (8, HELD)


def test_it_is_reached_by_the_last_event_of_every_shard(watermark: Watermark) -> None:
    assert watermark.reached(HELD)
    assert watermark.reached({**HELD, 2: (9, 9)})
    assert not watermark.reached({0: HELD[0]})
    assert not watermark.reached({**HELD, 0: (5, 0)})


@pytest.mark.parametrize(
    ("later", "behind"),
    [
        (fence((5, 0), (9, 0)), True),
        (fence((5, 1), (9, 0)), True),  # the last of them is the first now
        (fence((5, 2), (9, 0)), False),
        (fence((0, 0), (0, 0), length=0), False),
        (None, True),  # the shard does not answer
    ],
)
def test_a_shard_is_behind_while_it_holds_any_of_them(
    watermark: Watermark, later: Fence | None, *, behind: bool
) -> None:
    fences = {1: fence((6, 0), HELD[1])} | ({} if later is None else {0: later})
    left = watermark.after(fences)
    assert left == (8, HELD if behind else {1: HELD[1]})
