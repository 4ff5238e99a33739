"""`scrutin roll`: load the hash database into Redis, and look at what is loaded."""

import sys
from pathlib import Path
from typing import Any

import cyclopts
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.commands.running import run, settings_of, with_settings
from hashgen.database import HashDatabase
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.roll import RollInfo, read_roll_info

app = cyclopts.App(name="roll", help="Load the roll into Redis, and look at it.")


@app.command
@with_settings(
    "election", "redis_url", "redis_timeout_s", "durability", "min_replicas",
    "durability_timeout_ms",
)  # fmt: skip
def load(directory: Path, /, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Load a hash database into the cluster.

    Every checksum is checked before the first write. May be killed and run again; a vote that
    was cast is never touched.

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
        with _progress() as progress:
            checking = progress.add_task("checking", total=total)
            database.check(lambda checked: progress.update(checking, completed=checked))
            loading = progress.add_task("loading", total=total)
            client = await ShardClient.connect(settings.redis_options())
            try:
                info = await load_roll(
                    client, database, election, lambda count: progress.advance(loading, count)
                )
            finally:
                await client.aclose()
        _show(info)

    return run(work)


@app.command
@with_settings("redis_url", "redis_timeout_s")
def status(*, json: bool = False, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Show the roll that is loaded. Exits 1 when there is none.

    Parameters
    ----------
    json
        Print JSON instead.
    **flags
        The settings given.

    """

    async def work() -> None:
        client = await ShardClient.connect(settings_of(flags).redis_options())
        try:
            info = await read_roll_info(client)
        finally:
            await client.aclose()
        if json:
            sys.stdout.write(msgspec.json.encode(info).decode() + "\n")
        else:
            _show(info)

    return run(work)


def _show(info: RollInfo) -> None:
    console = Console(highlight=False)
    console.print(f"roll         {info.roll_id}")
    console.print(f"hash scheme  {info.scheme} {info.key_fingerprint}".rstrip())
    console.print(f"electors     {info.electors:,}")
    for law_id, count in sorted(info.laws.items()):
        console.print(f"  {law_id}  {count:,}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
