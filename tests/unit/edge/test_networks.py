"""Networks are counted by tags that their day's secret alone could explain."""

from datetime import UTC, datetime, timedelta

import pytest

from edge.networks import TAGS_MAX, NetworkCounts, network_of, network_tag

MORNING = datetime(2026, 11, 25, 7, 59, 59, tzinfo=UTC)


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def counting(now: datetime = MORNING) -> tuple[NetworkCounts, Clock]:
    """Return counts that know the secret of their day."""
    clock = Clock(now)
    counts = NetworkCounts(clock)
    counts._day, counts._secret = now.strftime("%Y%m%d"), b"a secret of the tests"
    return counts, clock


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("203.0.113.250", "203.0.113.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::/64", "2001:db8:1::/48"),
        ("unix:", None),
        ("", None),
    ],
)
def test_the_network_of_a_client(client: str, network: str | None) -> None:
    assert network_of(client) == network


def test_a_tag_depends_on_the_secret_and_shows_no_address() -> None:
    tags = {network_tag(secret, "203.0.113.0/24") for secret in (b"one", b"other")}
    assert len(tags) == 2
    assert all(len(tag) == 16 and "203" not in tag[:3] for tag in tags)
    assert network_tag(b"one", "203.0.113.0/24") != network_tag(b"one", "203.0.114.0/24")


def test_counts_are_by_hour_network_and_outcome() -> None:
    counts, clock = counting()
    for client, status in (
        ("203.0.113.9", "duplicate"),
        ("203.0.113.10", "invalid"),
        ("203.0.113.10", "invalid"),
        ("198.51.100.1", "invalid"),
    ):
        counts.count(client, status)  # type: ignore[arg-type]
    clock.now += timedelta(seconds=1)
    counts.count("203.0.113.9", "duplicate")
    tag = network_tag(b"a secret of the tests", "203.0.113.0/24")
    assert counts._counts["20261125T07", tag] == [1, 2]
    assert counts._counts["20261125T08", tag] == [1, 0]
    assert len(counts._counts) == 3


def test_the_secret_of_another_day_is_never_used() -> None:
    counts, clock = counting()
    clock.now += timedelta(days=1)
    counts.count("203.0.113.9", "invalid")
    assert counts._counts == {}


def test_memory_is_bounded() -> None:
    counts, _ = counting()
    for number in range(TAGS_MAX + 500):
        counts.count(f"10.{number // 256}.{number % 256}.1", "invalid")
    assert len(counts._counts) == TAGS_MAX
    counts.count("10.0.0.2", "invalid")
    assert max(map(sum, counts._counts.values())) == 2, "those that are known go on"
