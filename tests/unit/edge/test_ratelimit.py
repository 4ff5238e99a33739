"""Token buckets on a clock of our own."""

from hypothesis import given
from hypothesis import strategies as st

from edge.ratelimit import ClientBuckets, TokenBucket


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_full_bucket_gives_its_burst_and_no_more() -> None:
    bucket = TokenBucket(10, 10, Clock())
    assert [bucket.take() for _ in range(11)] == [True] * 10 + [False]


def test_tokens_come_back_at_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 10, clock)
    while bucket.take():
        pass
    clock.now_s += 0.31
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_refusals_cost_nothing() -> None:
    clock = Clock()
    bucket = TokenBucket(1, 1, clock)
    assert bucket.take()
    for _ in range(9):
        clock.now_s += 0.1
        assert not bucket.take()
    clock.now_s += 0.11
    assert bucket.take()


@given(
    pauses_s=st.lists(st.floats(0, 5), max_size=200),
    rate_per_s=st.floats(0.5, 50),
    burst=st.integers(1, 50),
)
def test_never_more_than_burst_and_rate_allow(
    pauses_s: list[float], rate_per_s: float, burst: int
) -> None:
    clock = Clock()
    bucket = TokenBucket(rate_per_s, burst, clock)
    taken = 0
    for pause_s in pauses_s:
        clock.now_s += pause_s
        taken += bucket.take()
        assert taken <= burst + (clock.now_s - 1000.0) * rate_per_s + 1e-6


def test_clients_do_not_share() -> None:
    clients = ClientBuckets(1, 2, 10, Clock())
    assert [clients.take("a") for _ in range(3)] == [True, True, False]
    assert clients.take("b")


def test_the_table_is_bounded_and_forgets_who_came_longest_ago() -> None:
    clients = ClientBuckets(1, 1, 2, Clock())
    assert clients.take("a")
    assert clients.take("b")
    assert not clients.take("a")  # a is now the latest
    assert clients.take("c")  # b falls out
    assert len(clients) == 2
    assert not clients.take("a")
    assert clients.take("b")
