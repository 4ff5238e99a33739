"""Who is let in, and which limit refuses whom."""

from typing import Any

import msgspec

from edge.admission import Admission
from edge.problems import RATE_LIMITED, TOO_MANY_FAILURES
from edge.settings import Settings
from tests.unit.edge.test_ratelimit import Clock


def scope(client: str = "203.0.113.1") -> dict[str, Any]:
    return {"client": (client, "4711"), "headers": []}


def admission(**settings: float) -> Admission:
    return Admission(msgspec.convert(settings, Settings, strict=False), Clock())


def test_the_instance_has_a_rate() -> None:
    gate = admission(rate_limit_per_s=3)
    answers = [gate.refuse_vote(scope(f"203.0.113.{number}")) for number in range(5)]
    assert answers == [None, None, None, RATE_LIMITED, RATE_LIMITED]


def test_reads_never_use_up_the_votes_share() -> None:
    gate = admission(rate_limit_per_s=3, client_rate_limit_per_s=100)
    while gate.refuse_read(scope()) is None:
        pass
    assert gate.refuse_vote(scope()) is None


def test_a_client_over_its_rate_does_not_use_up_the_instance() -> None:
    gate = admission(rate_limit_per_s=10, client_rate_limit_per_s=2)
    answers = [gate.refuse_vote(scope()) for _ in range(100)]
    assert answers.count(None) == 2
    assert gate.refuse_vote(scope("203.0.113.2")) is None


def test_loopback_can_be_exempt_from_the_client_limit_alone() -> None:
    gate = admission(rate_limit_per_s=10, client_rate_limit_per_s=2, exempt_loopback=True)
    answers = [gate.refuse_vote(scope("127.0.0.1")) for _ in range(20)]
    assert answers.count(None) == 10
    gate = admission(rate_limit_per_s=10, client_rate_limit_per_s=2)
    answers = [gate.refuse_vote(scope("127.0.0.1")) for _ in range(20)]
    assert answers.count(None) == 2


def test_who_guesses_too_often_is_held_for_a_while() -> None:
    clock = Clock()
    settings = msgspec.convert({"client_failure_limit_per_min": 3}, Settings)
    gate = Admission(settings, clock)
    for _ in range(3):
        assert gate.refuse_vote(scope()) is None
        gate.identification_failed(scope())
    assert gate.refuse_vote(scope()) is TOO_MANY_FAILURES
    assert gate.refuse_vote(scope("203.0.113.2")) is None
    assert gate.refuse_read(scope()) is None, "whoever is held can still read why"
    clock.now_s += 20
    assert gate.refuse_vote(scope()) is None
    gate.identification_failed(scope())
    assert gate.refuse_vote(scope()) is TOO_MANY_FAILURES


def test_guesses_sent_together_are_paid_off_one_by_one() -> None:
    clock = Clock()
    settings = msgspec.convert({"client_failure_limit_per_min": 6}, Settings)
    gate = Admission(settings, clock)
    assert [gate.refuse_vote(scope()) for _ in range(40)] == [None] * 40, "none has failed yet"
    for _ in range(40):
        gate.vote_refused(scope(), "invalid")
    clock.now_s += 340  # of the 34 owed one is left
    assert gate.refuse_vote(scope()) is TOO_MANY_FAILURES
    clock.now_s += 20
    assert gate.refuse_vote(scope()) is None


def test_votes_that_are_on_the_roll_are_no_guesses() -> None:
    gate = admission(client_failure_limit_per_min=1, client_rate_limit_per_s=1000)
    for _ in range(500):
        assert gate.refuse_vote(scope()) is None
        gate.vote_refused(scope(), "duplicate")
