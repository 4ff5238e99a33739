"""`scrutin verify`: the proof that every store says the same."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.verify import DIFFERENCES_MAX, Verification, Verifier, readings
from edge.commands.running import EXIT_FAILED, EXIT_OK, run, settings_of, with_settings
from edge.commands.stores import open_checked, redis_of
from hashgen.progress import accumulating, reporting


@with_settings("redis_url", "redis_timeout_s", "clickhouse_url")
def verify(
    *,
    roll: Annotated[
        Path | None, Parameter(help="The hash database, to look for every elector of the roll in.")
    ] = None,
    settled: Annotated[
        bool, Parameter(negative="", help="Also demand an empty outbox and final results.")
    ] = False,
    json: Annotated[bool, Parameter(negative="", help="Print JSON instead.")] = False,
    limit: Annotated[int, Parameter(help="Differences to list; all are counted.")] = (
        DIFFERENCES_MAX
    ),
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Prove that Redis, audit, ballots and results say the same. Exits 1 with each difference.

    Only reads, and may run while votes are taken: what is decided meanwhile is left out. With
    --settled, after the last vote: nothing may wait, and the published results must be the count.
    Stores may agree on an elector who is none: --roll finds that.
    """

    async def work() -> int:
        settings = settings_of(flags)
        url = settings.clickhouse_url
        database = open_checked(roll) if roll else None
        async with (
            redis_of(settings, reading=True) as redis,
            connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
        ):
            verifier = Verifier(
                redis, clickhouse, database=database, settled=settled, differences_max=limit
            )
            with reporting({"comparing": "shards"}) as report:
                compared = accumulating(report, "comparing", readings(database))
                found = await verifier.run(compared)
        if json:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        else:
            _show(found)
        return EXIT_FAILED if found.differences_total else EXIT_OK

    return run(work)


def _show(found: Verification) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for difference in found.differences:
        console.print(f"{difference.kind:<20} {difference.vote_hash} {difference.text}")
    left_out = found.differences_total - len(found.differences)
    if left_out:
        console.print(f"and {left_out:,} more")
    console.print(f"electors     {found.electors:,}, {found.voted:,} voted by the roll")
    if found.matched:
        console.print(f"database     {found.matched:,} of them are in the hash database")
    console.print(f"ballots      {found.ballots:,}")
    console.print(
        f"vote_audit   {found.audit_events:,} attempts, "
        f"{found.duplicates:,} duplicates, {found.refused:,} ballots refused"
    )
    console.print(f"outbox       {found.waiting:,} wait; {found.moving:,} came meanwhile")
    console.print(f"differences  {found.differences_total:,}")
    for kind, count in sorted(found.differences_by_kind.items()):
        console.print(f"  {kind:<20} {count:,}")
