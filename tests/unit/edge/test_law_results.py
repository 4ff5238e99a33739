"""What is shown of a law, and from which moment on."""

from datetime import timedelta
from typing import Literal

import msgspec
import pytest

from edge.results import Turnout, law_results, law_turnout, may_see_results
from shards.results import LawTally, ResultsSnapshot
from shards.roll import RollInfo
from tests.support.rolls import LAW, open_election

ELECTION = open_election(LAW)
CLOSES_AT = ELECTION.laws[0].closes_at
CLOSES_MS = ELECTION.laws[0].closes_at_ms
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(("after_ms", "final"), [(-1, False), (0, True)])
def test_a_count_is_final_once_it_is_complete_up_to_closing(after_ms: int, final: bool) -> None:
    snapshot = ResultsSnapshot([LawTally(LAW, 2, 3)], CLOSES_MS + 5000, CLOSES_MS + after_ms)
    found = law_results(snapshot, ELECTION, LAW)
    assert (found.oui_count, found.non_count, found.final) == (2, 3, final)


def test_a_law_that_nobody_voted_on_has_counts_of_zero() -> None:
    found = law_results(ResultsSnapshot([LawTally("L1", 2, 3)], 1, 1), ELECTION, LAW)
    assert (found.oui_count, found.non_count) == (0, 0)


@pytest.mark.parametrize(
    ("policy", "after", "seen"),
    [
        ("live", -MOMENT, True),
        ("after_close", -MOMENT, False),
        ("after_close", timedelta(0), True),
    ],
)
def test_results_are_seen_as_the_election_lets_them(
    policy: Literal["live", "after_close"], after: timedelta, seen: bool
) -> None:
    election = msgspec.structs.replace(ELECTION, results=policy)
    assert may_see_results(election, LAW, CLOSES_AT + after) == seen


def test_turnout() -> None:
    roll = RollInfo("r", "sha256", "", 8, {LAW: 8}, 1)
    snapshot = ResultsSnapshot([LawTally(LAW, 1, 3), LawTally("L1", 9, 9)], 1, 1)
    assert law_turnout(snapshot, roll, LAW) == Turnout(4, 8)
    assert law_turnout(None, roll, LAW) is None
    assert law_turnout(snapshot, None, LAW) is None


@pytest.mark.parametrize(
    ("ballots", "electors", "share"),
    [(0, 0, 0.0), (1, 4, 0.25), (5, 4, 1.0)],
)
def test_a_share_is_never_more_than_all(ballots: int, electors: int, share: float) -> None:
    assert Turnout(ballots, electors).share == share
