"""`scrutin export`: aggregates as Parquet files."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.export import export as export_views
from edge.commands.policy import check_published
from edge.commands.running import run, settings_of, with_settings


@with_settings("clickhouse_url", "election")
def export(
    directory: Path,
    /,
    *,
    with_results: Annotated[
        bool, Parameter(negative="", help="Also what was chosen, not only turnout.")
    ] = False,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Write the views of counts as Parquet files to a new directory, which appears whole or not.

    No file has a ballot's hash or a request id. The analysts' role suffices.

    Parameters
    ----------
    directory
        Where the files go.
    with_results
        Also what was chosen, once the election publishes it.
    **flags
        The settings given.

    """

    async def work() -> None:
        settings = settings_of(flags)
        if with_results:
            check_published(settings)
        url = settings.clickhouse_url
        async with connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse:
            files = await export_views(clickhouse, directory, with_results=with_results)
        console = Console(highlight=False)
        for file in files:
            console.print(f"{file.path}  {file.size_bytes:,} bytes")
        if not with_results:
            console.print("Not what was chosen: --with-results once that may be known.")

    return run(work)
