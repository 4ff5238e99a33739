"""`scrutin bench rehearsal`: the whole day, and a report of it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from edge.bench import report
from edge.bench.outcome import check_place, keep, machine
from edge.bench.rehearsal import reporting
from edge.bench.rehearsal.day import Day, Options
from edge.bench.rehearsal.phases import Phases
from edge.bench.rehearsal.room import check_disk
from edge.commands.running import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    run,
    stop_on_signals,
    unless,
)
from edge.demo.stack import REPLICAS_PER_PRIMARY
from edge.errors import RehearsalFailed
from shards.options import DurabilityMode

RESULTS = Path("bench-results")


def rehearsal(
    *,
    electors: Annotated[int, Parameter(validator=Number(gte=100, lte=10_000_000))] = 8_000_000,
    out: Path = RESULTS,
    durability: DurabilityMode = "replicated",
    replicas: Annotated[int | None, Parameter(validator=Number(gte=0, lte=2))] = None,
    drainers: Annotated[int, Parameter(validator=Number(gte=1, lte=8))] = 1,
    connections: Annotated[int, Parameter(validator=Number(gte=2, lte=4096))] = 256,
    seed: Annotated[int, Parameter(validator=Number(gte=0, lt=2**64))] = 1,
    keep_data: Annotated[bool, Parameter(name="--keep", negative="")] = False,
) -> int:
    """Rehearse referendum day: every elector votes, and every vote is accounted for.

    Makes the electors and their hash database, loads the roll into a local cluster, and casts a
    ballot of every elector over HTTP, a tenth of them again and a hundredth with a wrong code, as
    fast as the machine takes them. Then it drains, closes, verifies and compares the tally with
    the one known beforehand. Needs wrk on PATH. Leave the machine alone meanwhile.

    Exits 1 when anything does not reconcile, 2 for a setting that does not fit.

    Parameters
    ----------
    electors
        Size of the roll.
    out
        Directory for rehearsal.md, its pictures, results.json and report.html.
    durability
        What a vote waits for before it is answered.
    replicas
        Of each of the three primaries (default: 1 if replicated, else 0).
    drainers
        How many drainers share the outbox.
    connections
        Kept busy by wrk, each with one vote at a time.
    seed
        Another seed, other electors and votes.
    keep_data
        Keep electors, ballots, stores and logs; they are removed otherwise.

    """
    if replicas is None:
        replicas = REPLICAS_PER_PRIMARY if durability == "replicated" else 0
    options = Options(electors, durability, replicas, drainers, connections, seed)

    async def work() -> int:
        check_place(out / "results.json")  # now, not after the day
        stop = stop_on_signals()
        console = Console()
        with _directory(console, kept=keep_data) as data:
            copies = 0 if durability == "memory" else 1 + replicas
            console.print(machine(), soft_wrap=True)
            console.print(f"takes {check_disk(data, electors, copies)}", soft_wrap=True)
            phases = Phases(console, stop)
            try:
                found = await unless(stop, Day(options, data, phases).run())
            except RehearsalFailed as error:
                console.print(f"the rehearsal failed: {error}", markup=False, soft_wrap=True)
                return EXIT_FAILED
            if found is None:
                return EXIT_INTERRUPTED
        written = reporting.write(out, options, phases.done, found)
        results = keep(out / "results.json", reporting.outcome_of(options, phases.done, found))
        report.write(out / "report.html", results, None)
        for check in found.checks:
            if not check.holds:
                console.print(
                    f"{check.name}: expected {check.expected}, found {check.found}", soft_wrap=True
                )
        says = "everything reconciles" if found.reconciled else "it does not reconcile"
        console.print(f"{says}; report in {written}", soft_wrap=True)
        return EXIT_OK if found.reconciled else EXIT_FAILED

    return run(work)


@contextmanager
def _directory(console: Console, *, kept: bool) -> Iterator[Path]:
    """Yield a directory of our own; it is removed at the end unless it is to be kept."""
    directory = Path(tempfile.mkdtemp(prefix="scrutin-rehearsal-"))
    try:
        yield directory
    finally:
        if kept:
            console.print(f"data and logs are in {directory}", soft_wrap=True)
        else:
            shutil.rmtree(directory)
