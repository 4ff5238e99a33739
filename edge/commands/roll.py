"""`scrutin roll`: load the hash database into Redis, and look at what is loaded."""

import sys
from pathlib import Path
from typing import Any

import cyclopts
import msgspec
from rich.console import Console

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from edge.accuracy.wiping import NOTHING, wipe
from edge.commands.running import EXIT_FAILED, EXIT_OK, run, settings_of, with_settings
from edge.commands.stores import open_checked, redis_of
from hashgen.progress import accumulating, reporting
from shards.election import load_election
from shards.keys import SHARDS
from shards.load import load_roll
from shards.roll import RollInfo
from shards.status import RollStatus, read_status

app = cyclopts.App(name="roll", help="Load the roll into Redis, and look at it.")


@app.command
@with_settings(
    "election", "redis_url", "redis_timeout_s", "durability", "min_replicas",
    "durability_timeout_ms",
)  # fmt: skip
def load(directory: Path, /, *, reopen: bool = False, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Load a hash database into the cluster.

    Every checksum is checked before the first write. May be killed and run again; a vote that
    was cast is never touched.

    Parameters
    ----------
    directory
        The directory that `scrutin hashgen run` made.
    reopen
        Take votes again on laws that have closed, with the election file's new hours. Whoever
        saw the count before and sees it after knows how those between have voted.
    **flags
        The settings given.

    """

    async def work() -> None:
        settings = settings_of(flags)
        election = load_election(settings.election_file())
        database = open_checked(directory)
        with reporting({"loading": "electors"}) as report:
            loaded = accumulating(report, "loading", database.manifest.total)
            async with redis_of(settings) as redis:
                info = await load_roll(redis, database, election, loaded, reopen=reopen)
        _show(info)

    return run(work)


@app.command
@with_settings(
    "redis_url", "redis_timeout_s", "clickhouse_url", "durability", "min_replicas",
    "durability_timeout_ms",
)  # fmt: skip
def unload(roll_id: str, /, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Remove a roll that nobody has tried to vote on, to load another; stop drainers before.

    Refuses with exit code 2 when there is any vote or attempt in Redis or ClickHouse, and while a
    drainer runs. Edges are not ready until a roll is loaded. The user of ClickHouse must be allowed
    to truncate.

    Parameters
    ----------
    roll_id
        The whole id of the roll, as `scrutin roll status` shows it.
    **flags
        The settings given.

    """

    async def work() -> None:
        settings = settings_of(flags)
        async with (
            redis_of(settings) as redis,
            connected(settings.clickhouse_url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
        ):
            await wipe(redis, clickhouse, roll_id, NOTHING)
        sys.stdout.write(f"unloaded     {roll_id}\n")

    return run(work)


@app.command
@with_settings("redis_url", "redis_timeout_s")
def status(*, json: bool = False, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Show the roll that is loaded, counted. Exits 1 when there is none, or not the whole of it.

    Parameters
    ----------
    json
        Print JSON instead.
    **flags
        The settings given.

    """

    async def work() -> int:
        async with redis_of(settings_of(flags)) as redis:
            status = await read_status(redis)
        if json:
            sys.stdout.write(msgspec.json.encode(status).decode() + "\n")
        else:
            _show_status(status)
        return EXIT_OK if status.complete else EXIT_FAILED

    return run(work)


def _show(info: RollInfo) -> None:
    console = Console(highlight=False)
    console.print(f"roll         {info.roll_id}")
    console.print(f"hash scheme  {info.scheme} {info.key_fingerprint}".rstrip())
    console.print(f"electors     {info.electors:,}")
    for law_id, count in sorted(info.laws.items()):
        console.print(f"  {law_id}  {count:,}")


def _show_status(status: RollStatus) -> None:
    _show(status.info)
    console = Console(highlight=False)
    console.print(f"loaded       {status.electors_loaded:,} electors, counted")
    console.print(f"open         {status.shards_ready} of {SHARDS} shards take ballots")
    for law_id, window in sorted(status.windows.items()):
        console.print(f"  {law_id}  {window.opens_at:%F %T} to {window.closes_at:%F %T} UTC")
    console.print(f"outbox       {status.outbox_events:,} attempts not yet in ClickHouse")
    for address, memory in sorted(status.nodes.items()):
        limit = f"of {memory.max_bytes:,}" if memory.max_bytes else "without limit"
        console.print(f"  {address}  {memory.used_bytes:,} bytes used, {limit}")
    if not status.complete:
        console.print("not complete: run `scrutin roll load` again")
