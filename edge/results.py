"""Results of one law, out of the snapshot that drainers publish."""

from datetime import UTC, datetime

import msgspec

from shards.election import Election
from shards.results import ResultsSnapshot


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
    tally = next((tally for tally in snapshot.tallies if tally.law_id == law_id), None)
    return LawResults(
        law_id=law_id,
        oui_count=tally.oui_count if tally else 0,
        non_count=tally.non_count if tally else 0,
        updated_at=datetime.fromtimestamp(snapshot.updated_at_ms / 1000, UTC),
        # complete after closing implies closed: both are the servers' clock
        final=snapshot.complete_until_ms >= law.closes_at_ms,
    )


def may_see_results(election: Election, law_id: str, now: datetime) -> bool:
    """Say whether the election lets a law's results be seen at this time."""
    law = election.law(law_id)
    assert law is not None
    return election.results == "live" or now >= law.closes_at
