"""Scrutin beside the documented architecture, on the same votes, in one run.

    python -m tests.load.baseline --electors 200000 --votes 100000 --json FILE

Needs RabbitMQ, PostgreSQL and wrk: apt-get install rabbitmq-server postgresql wrk. Closed loop:
the generator keeps its connections busy. Exits 1 when either counts wrongly; the goals are
reported, not enforced. What is compared and what was tuned is in README.md beside this file.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console

from edge.bench.outcome import machine
from edge.demo.electorate import prepare
from edge.errors import StartError
from shards.localcluster import server_binary
from shards.options import DurabilityMode
from tests.load.baseline.contest import Contender, Figures, Miscounted, measure, write_ballots
from tests.load.baseline.generator import Generator, SendFailed
from tests.load.baseline.ours import OurStack
from tests.load.baseline.report import Report, compare, print_report
from tests.load.baseline.servers import MissingServer
from tests.load.baseline.stack import BaselineStack
from tests.load.baseline.worker import BATCHES, VOTES_AT_ONCE

MODES: tuple[DurabilityMode, ...] = ("fsync", "replicated")
PACKAGES = ("fastapi", "uvicorn", "aio-pika", "redis", "psycopg", "granian", "chdb")


async def run(given: argparse.Namespace, data: Path) -> list[Figures]:
    """Measure theirs, then ours in each mode."""
    generator = Generator(given.connections)
    contenders: list[Contender] = [
        BaselineStack(data / "baseline", workers=given.workers, worker_batch=given.worker_batch)
    ]
    electorate = prepare(data, given.electors, None, lambda *_: None)
    ballots = write_ballots(electorate, given.votes, data)
    contenders += [OurStack(data / mode, electorate, mode) for mode in given.durability]
    figures = []
    for contender in contenders:
        sys.stderr.write(f"measuring {contender.name}\n")
        found = await measure(contender, electorate, ballots, generator)
        sys.stderr.write(
            f"  {found.counted_per_s:,.0f} votes/s counted, {found.votes_per_cpu_second:,.0f} "
            f"votes per CPU second, {found.bytes_per_elector_voted:,.1f} B/elector\n"
        )
        figures.append(found)
    return figures


def versions() -> dict[str, str]:
    """Return the versions of what is compared."""
    said = subprocess.run(
        [server_binary(), "--version"], capture_output=True, text=True, check=True
    )
    return {"redis": said.stdout.strip()} | {name: version(name) for name in PACKAGES}


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.baseline", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--electors", type=int, default=200_000)
    parser.add_argument("--votes", type=int, default=100_000, help="timed; the others vote after")
    parser.add_argument("--durability", choices=MODES, nargs="*", default=MODES, help="ours")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--workers", type=int, default=1, help="validation workers of the baseline")
    parser.add_argument(
        "--worker-batch",
        type=int,
        choices=BATCHES,
        default=VOTES_AT_ONCE,
        help="votes a worker of the baseline decides together",
    )
    parser.add_argument("--json", type=Path, help="write machine, figures and ratios here")
    given = parser.parse_args()
    if not 0 < given.votes < given.electors:
        parser.error("--votes must be fewer than --electors")
    date, load_average = datetime.now(UTC).isoformat(timespec="seconds"), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="scrutin-baseline-") as directory:
        data = Path(directory)
        data.chmod(0o711)  # PostgreSQL's user passes through
        try:
            theirs, *ours = uvloop.run(run(given, data))
        except (MissingServer, Miscounted, SendFailed, StartError) as error:
            sys.exit(str(error))
    report = Report(
        machine=machine(),
        date=date,
        nice=os.nice(0),
        load_average=load_average,
        electors=given.electors,
        votes=given.votes,
        connections=given.connections,
        workers=given.workers,
        worker_batch=given.worker_batch,
        versions=versions(),
        figures=[theirs, *ours],
        ratios=[compare(figures, theirs) for figures in ours],
    )
    print_report(report, Console(width=None if sys.stdout.isatty() else 160))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


if __name__ == "__main__":
    main()
