"""Results of one law, out of the snapshot that drainers publish."""

from datetime import UTC, datetime

import msgspec

from shards.election import Election
from shards.results import LawTally, ResultsSnapshot
from shards.roll import RollInfo


class LawResults(msgspec.Struct, frozen=True):
    """The count of one law. `final`: closed, and every vote taken before closing is in it."""

    law_id: str
    oui_count: int
    non_count: int
    updated_at: datetime
    final: bool


def law_results(snapshot: ResultsSnapshot, election: Election, law_id: str) -> LawResults:
    """Return a law's results; a law that nobody has voted on yet has counts of zero."""
    law = election.law(law_id)
    assert law is not None
    tally = _tally(snapshot, law_id)
    return LawResults(
        law_id=law_id,
        oui_count=tally.oui_count,
        non_count=tally.non_count,
        updated_at=datetime.fromtimestamp(snapshot.updated_at_ms / 1000, UTC),
        # complete after closing implies closed: both are the servers' clock
        final=snapshot.complete_until_ms >= law.closes_at_ms,
    )


class Turnout(msgspec.Struct, frozen=True):
    """How many have voted on a law, of how many; no choice, so that it is shown at any time."""

    ballots: int
    electors: int

    @property
    def share(self) -> float:
        """The part of the electors who have voted, 0 to 1; 0 where there are none."""
        return min(self.ballots / self.electors, 1.0) if self.electors else 0.0


def law_turnout(
    snapshot: ResultsSnapshot | None, roll: RollInfo | None, law_id: str
) -> Turnout | None:
    """Return a law's turnout, None before the first count or while no roll is open."""
    if snapshot is None or roll is None:
        return None
    tally = _tally(snapshot, law_id)
    return Turnout(tally.oui_count + tally.non_count, roll.laws.get(law_id, 0))


def may_see_results(election: Election, law_id: str, now: datetime) -> bool:
    """Say whether the election lets a law's results be seen.

    `now`: when it was last known that the law's hours are those of `election`.
    """
    law = election.law(law_id)
    assert law is not None
    return election.results == "live" or now >= law.closes_at


def _tally(snapshot: ResultsSnapshot, law_id: str) -> LawTally:
    """Return a law's tally; one that nobody has voted on yet is not in the snapshot."""
    found = (tally for tally in snapshot.tallies if tally.law_id == law_id)
    return next(found, LawTally(law_id, 0, 0))
