"""`scrutin replay`: the voted state, rebuilt in an empty cluster."""

from pathlib import Path
from typing import Any

from rich.console import Console

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.replay import LOADING, REPLAYING
from clickhouse.replay import replay as replay_votes
from edge.commands.running import run, settings_of, with_settings
from edge.commands.stores import redis_of
from hashgen.database import HashDatabase
from hashgen.progress import accumulating, reporting
from shards.election import load_election


@with_settings(
    "election", "redis_url", "redis_timeout_s", "clickhouse_url", "durability", "min_replicas",
    "durability_timeout_ms",
)  # fmt: skip
def replay(directory: Path, /, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Load a hash database into an empty cluster and replay the votes that ClickHouse holds.

    Who has voted is a duplicate again, with the right count. No vote is decided before all are
    there. May be killed and run again. Stop edges and drainers first. Exits 2 when the cluster was
    in use, or the votes are not of this roll.

    Parameters
    ----------
    directory
        The directory that `scrutin hashgen run` made.
    **flags
        The settings given.

    """

    async def work() -> None:
        settings = settings_of(flags)
        election = load_election(settings.election_file())
        database = HashDatabase.open(directory)
        total = database.manifest.total
        with reporting({"checking": "hashes", LOADING: "hashes", REPLAYING: "ballots"}) as report:
            database.check(lambda done: report("checking", done, total))
            told = {
                LOADING: accumulating(report, LOADING, total),
                REPLAYING: accumulating(report, REPLAYING),
            }
            url = settings.clickhouse_url
            async with (
                redis_of(settings) as redis,
                connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
            ):
                replayed = await replay_votes(
                    redis, clickhouse, database, election, lambda step, count: told[step](count)
                )
        console = Console(highlight=False)
        console.print(f"electors   {replayed.electors:,}")
        console.print(f"ballots    {replayed.ballots:,}, {replayed.written:,} written now")
        if replayed.completed:
            console.print(f"completed  {replayed.completed:,} ballots that only vote_audit had")

    return run(work)
