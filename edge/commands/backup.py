"""`scrutin backup` and `scrutin restore`: copies of the tables."""

from pathlib import Path
from typing import Any

from rich.console import Console

from clickhouse.backup import BackupManifest, back_up
from clickhouse.backup import complete as complete_tables
from clickhouse.backup import restore as restore_tables
from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from edge.commands.running import run, settings_of, with_settings
from edge.errors import SettingsError
from hashgen.progress import accumulating, reporting


@with_settings("clickhouse_url")
def backup(directory: Path, /, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Copy ballots and vote_audit to a new directory, which appears whole or not at all.

    The copy has all that was stored before it began. Votes may go on.

    Parameters
    ----------
    directory
        Where the copy goes.
    **flags
        The settings given.

    """

    async def work() -> None:
        with reporting({"copying": "rows"}) as report:
            url = settings_of(flags).clickhouse_url
            async with connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse:
                manifest = await back_up(clickhouse, directory, accumulating(report, "copying"))
        _show(manifest)

    return run(work)


@with_settings("clickhouse_url")
def restore(
    directory: Path | None = None,
    /,
    *,
    add: bool = False,
    complete: bool = False,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Fill empty tables from a copy that `scrutin backup` made.

    Every file is checked before the first write, and tables that hold rows are refused.

    Parameters
    ----------
    directory
        Where the copy is.
    add
        Let the tables hold rows of the same election: what both have counts once.
    complete
        In place of a copy: only add the ballots that vote_audit has and ballots lacks, as after
        ClickHouse's own RESTORE. A restored copy is completed anyhow.
    **flags
        The settings given.

    """

    async def work() -> None:
        url = settings_of(flags).clickhouse_url
        if (directory is None) != complete or (add and complete):
            raise SettingsError("name the copy's directory, or give --complete alone")
        if directory is None:
            async with connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse:
                await complete_tables(clickhouse)
            return
        with reporting({"restoring": "rows"}) as report:
            progress = accumulating(report, "restoring")
            async with connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse:
                manifest = await restore_tables(clickhouse, directory, progress, add=add)
        _show(manifest)

    return run(work)


def _show(manifest: BackupManifest) -> None:
    console = Console(highlight=False)
    for table, rows in manifest.rows.items():
        console.print(f"{table:<11} {rows:,} rows")
