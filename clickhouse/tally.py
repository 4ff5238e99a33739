"""The tally of every law from its ballots, and what accepted attempts differ from it.

The ballots are what counts. But they lie in the order of their hashes, so every ballot has to be
compared before it is known to be in the table once: seconds, with millions. Accepted attempts lie
in the order of their times, so that a count can go on from the one before. Both say the same,
unless Redis lost a vote that it had confirmed and accepted another of the same elector: then two
attempts were accepted, and the first is the ballot. The difference is looked for apart, up to a
time of which both tables are known to be complete.
"""

from collections.abc import Iterable
from itertools import chain

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from shards.results import LawTally


async def read_tallies(client: AsyncClient) -> list[LawTally]:
    """Count the ballots of every law that has one, by law id.

    Raises ClickHouseUnavailable, ClickHouseRejected.
    """
    return [LawTally(*row) for row in await read_rows(client, "tallies", tuple[str, int, int])]


async def read_corrections(client: AsyncClient, until_ms: int) -> list[LawTally]:
    """Return what to add to accepted attempts to have the ballots, where that is anything.

    Of what was decided before `until_ms`, up to which both tables must be complete; counts may be
    negative. Raises as above.
    """
    rows = await read_rows(client, "corrections", tuple[str, int, int], {"until_ms": until_ms})
    return [LawTally(*row) for row in rows]


def summed(*counts: Iterable[LawTally]) -> list[LawTally]:
    """Add counts up by law, sorted by its id; laws without a vote are left out."""
    sums: dict[str, tuple[int, int]] = {}
    for law in chain(*counts):
        oui, non = sums.get(law.law_id, (0, 0))
        sums[law.law_id] = oui + law.oui_count, non + law.non_count
    return [LawTally(law_id, *votes) for law_id, votes in sorted(sums.items()) if any(votes)]
