"""`scrutin results`: the count, out of ClickHouse."""

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from clickhouse.connection import connected
from clickhouse.tally import read_tallies
from edge.commands.policy import check_published
from edge.commands.running import run, settings_of, with_settings
from shards.results import LawTally


@with_settings("clickhouse_url", "election")
def results(*, json: bool = False, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Show the count of every law as ClickHouse has it, once the election publishes it.

    Parameters
    ----------
    json
        Print JSON instead.
    **flags
        The settings given.

    """

    async def work() -> None:
        settings = settings_of(flags)
        election = check_published(settings)
        async with connected(settings.clickhouse_url) as clickhouse:
            counted = {tally.law_id: tally for tally in await read_tallies(clickhouse)}
        unvoted = {law.id: LawTally(law.id, 0, 0) for law in election.laws}
        tallies = [tally for _, tally in sorted((unvoted | counted).items())]
        if json:
            sys.stdout.write(msgspec.json.encode(tallies).decode() + "\n")
            return
        table = Table("law", "oui", "non", "total")
        for tally in tallies:
            total = tally.oui_count + tally.non_count
            table.add_row(
                tally.law_id, f"{tally.oui_count:,}", f"{tally.non_count:,}", f"{total:,}"
            )
        Console().print(table)

    return run(work)
