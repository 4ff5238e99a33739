"""`scrutin demo`: everything on this machine, from electors to a tally, in one command."""

import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from edge.commands.running import Stopped, in_thread, run, stop_on_signals, unless
from edge.demo.banner import TokenFiles, Urls, banner
from edge.demo.electorate import CARDS, Electorate, prepare, read_cards
from edge.demo.ports import choose
from edge.demo.simulation import Simulation
from edge.demo.stack import Ports, Stack
from edge.demo.supervisor import Supervisor
from edge.errors import SettingsError
from hashgen.progress import Report

HTTP_PORT = 8000
CLICKHOUSE_PORT = 8123
RESERVED_CARDS = 1000  # electors the simulation leaves to whoever tries the demo


def demo(
    *,
    electors: Annotated[int | None, Parameter(validator=Number(gte=10, lte=10_000_000))] = None,
    csv: Path | None = None,
    port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65_535))] = None,
    clickhouse_port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65_535))] = None,
    data: Path | None = None,
    simulate: bool | None = None,
) -> int:
    """Run the whole system on this machine, with sample voters.

    Three Redis primaries with a replica each, ClickHouse, an edge, a drainer and a light stream
    of votes. Every process that dies is started again. Ctrl-C ends all of it.

    Parameters
    ----------
    electors
        How many sample electors to make (default: 100,000).
    csv
        Take these electors instead (header: nas,code,law_id).
    port
        Port of the pages and the API (default: 8000, or the next free one).
    clickhouse_port
        Port of ClickHouse's HTTP interface (default: 8123, or the next free one).
    data
        Keep data and logs in this directory, and go on with what is there (default: a temporary
        directory, removed at the end).
    simulate
        Cast votes of sample electors all the time (default: yes, but never for those of --csv).

    """
    plan = Plan(electors, csv, port, clickhouse_port, simulate)
    return run(lambda: _demo(plan, data))


class Plan(NamedTuple):
    """What was asked for."""

    electors: int | None
    csv: Path | None
    port: int | None
    clickhouse_port: int | None
    simulate: bool | None


async def _demo(plan: Plan, data: Path | None) -> None:
    if plan.electors is not None and plan.csv is not None:
        raise SettingsError("--electors and --csv exclude each other: give one")
    stop = stop_on_signals()
    with _directory(data) as directory:
        ports = Ports(
            choose("--port", plan.port, HTTP_PORT),
            choose("--clickhouse-port", plan.clickhouse_port, CLICKHOUSE_PORT),
        )
        stack = Stack(directory, ports)
        try:
            electorate = await unless(stop, _start(stack, directory, plan, stop))
            if electorate is not None:
                await _live(stack, directory, plan, electorate, stop)
        finally:
            _say("stopping")
            await asyncio.to_thread(stack.stop)


async def _start(stack: Stack, directory: Path, plan: Plan, stop: asyncio.Event) -> Electorate:
    """Bring everything up; each step says what it is about."""
    began_s = time.monotonic()
    _say("starting Redis (3 primaries, 3 replicas) and ClickHouse")
    engines = asyncio.create_task(stack.start_engines())
    try:
        _say("preparing electors, their hash database and the election")
        electorate = await in_thread(
            lambda: prepare(directory, plan.electors, plan.csv, _interruptible(stop))
        )
        await engines
    finally:
        engines.cancel()
        await asyncio.gather(engines, return_exceptions=True)
    _say(f"loading {electorate.database.manifest.total:,} electors into Redis")
    await stack.load(electorate)
    _say("starting drainer and edge")
    await stack.start_services()
    _say(f"up after {time.monotonic() - began_s:.1f} s")
    return electorate


async def _live(
    stack: Stack, directory: Path, plan: Plan, electorate: Electorate, stop: asyncio.Event
) -> None:
    """Show the banner, then keep things running until `stop`."""
    cards = read_cards(electorate.csv_file, CARDS)
    urls = Urls(stack.url, stack.drainer_metrics_url, stack.clickhouse.url, stack.cluster.url)
    tokens = TokenFiles(stack.ops_token_file, stack.review_write_token_file)
    text = banner(urls, cards, directory, tokens)
    sys.stdout.write(text)
    sys.stdout.flush()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Supervisor(stack.processes, _say).watch(stop))
        if electorate.sample if plan.simulate is None else plan.simulate:
            voters = read_cards(electorate.csv_file)
            reserved = min(RESERVED_CARDS, len(voters) // 2)
            simulation = Simulation(stack.url, voters[reserved:], random.Random())  # noqa: S311
            tasks.create_task(simulation.run(stop))


def _interruptible(stop: asyncio.Event) -> Report:
    """Return a report that ends the hashing thread once `stop` is set."""

    def report(_phase: str, _done: int, _total: int) -> None:
        if stop.is_set():
            raise Stopped

    return report


@contextmanager
def _directory(data: Path | None) -> Iterator[Path]:
    """Yield the directory for data and logs; one of our own is removed at the end."""
    if data is not None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield data.resolve()
        return
    own = Path(tempfile.mkdtemp(prefix="scrutin-demo-"))
    try:
        yield own
    finally:
        shutil.rmtree(own)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
