"""`python -m tests.analysts`: write docs/analysts.md anew; with `--measure`, measure first."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from clickhouse.connection import connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from tests.analysts import figures, page, scale
from tests.analysts.dictionary import Relation, read_relations


def main() -> None:
    """Do as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.analysts", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="takes minutes and 3 GB of disk")
    parser.add_argument("--audit-rows", type=int, default=10_000_000)
    arguments = parser.parse_args()
    kept = figures.read(page.FIGURES)
    if arguments.measure:
        kept = asyncio.run(scale.measure(arguments.audit_rows, kept.choices))
        figures.write(page.FIGURES, kept)
    text = page.render(page.PAGE.read_text(), asyncio.run(_relations()), kept)
    page.PAGE.write_text(text)


async def _relations() -> list[Relation]:
    with tempfile.TemporaryDirectory(prefix="scrutin-analysts-") as directory:
        server = LocalClickHouse(Path(directory))
        await server.astart()
        try:
            async with connected(server.url) as client:
                await migrate(client)
                return await read_relations(client)
        finally:
            await asyncio.to_thread(server.stop)


if __name__ == "__main__":
    main()
