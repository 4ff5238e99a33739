"""What the views count, and the same counted from the rows themselves, by name."""

from collections import Counter
from itertools import groupby
from operator import attrgetter

from clickhouse_connect.driver import AsyncClient

from clickhouse.history import Ballot
from clickhouse.retry import classified
from clickhouse.sql import read_query
from clickhouse.tally import read_tallies
from shards.events import OutboxEvent
from shards.results import LawTally

AUDIT = "vote_audit: attempts"
AGAIN = "duplicate_attempts: ballots"
ATTEMPTS = "duplicate_attempts: attempts"
VOTES = ("oui", "non")
_RESULT = "vote_results: "

Totals = Counter[str]


async def read_totals(client: AsyncClient) -> Totals:
    """Read what the views say; raises ClickHouseUnavailable, ClickHouseRejected."""
    with classified():
        [row] = (await client.query(read_query("totals"))).result_rows
    return totals_of_tallies(await read_tallies(client)) + Counter(
        dict(zip((AUDIT, AGAIN, ATTEMPTS), row, strict=True))
    )


def totals_of_tallies(tallies: list[LawTally]) -> Totals:
    """Name the counts of the laws' results."""
    return Counter(
        {
            name: count
            for tally in tallies
            for name, count in zip(
                (_result(tally.law_id, vote) for vote in VOTES),
                (tally.oui_count, tally.non_count),
                strict=True,
            )
        }
    )


def count_totals(events: list[OutboxEvent], ballots: list[Ballot]) -> Totals:
    """Count rows that are sorted by hash and event id; of two ballots of a hash the earliest."""
    totals: Totals = Counter()
    for _, rows in groupby(ballots, attrgetter("law_id", "vote_hash")):
        ballot = next(rows)
        totals[_result(ballot.law_id, ballot.vote)] += 1
    totals[AUDIT] = len({event[:3] for event in events})
    duplicates = [event for event in events if event.status == "duplicate"]
    totals[AGAIN] = len({event.vote_hash for event in duplicates})
    totals[ATTEMPTS] = len({event[:3] for event in duplicates})
    return totals


def is_of_choice(name: str) -> bool:
    """Say whether a total is of a choice, and not of turnout."""
    return name.startswith(_RESULT)


def _result(law_id: str, vote: str) -> str:
    return f"{_RESULT}{law_id} {vote}"
