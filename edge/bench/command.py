"""`scrutin bench`: measure this machine, keep the results, show them."""

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from edge.bench import costs, counting, offline, online, pages, report, roll, scale, structures
from edge.bench.outcome import Outcome, Results, check_place, keep, machine, read_results
from edge.bench.size import FULL, QUICK, Size
from edge.bench.tools import find
from edge.commands.running import run as run_command
from edge.errors import SettingsError

BENCHMARKS: dict[str, Callable[[Size], Awaitable[Outcome]]] = {
    "hashing": offline.hashing,
    "hashgen": offline.hashgen,
    "roll": roll.roll,
    "throughput": online.throughput,
    "latency": online.latency,
    "costs": costs.costs,
    "pages": pages.pages,
    "drain": counting.drain,
    "tally": counting.tally,
    "scale": scale.scale,
    "structures": structures.structures,
}
PROGRAMS = {
    "hashing": "openssl",
    "throughput": "wrk",
    "latency": "oha",
    "costs": "wrk",
    "pages": "oha",
    "scale": "wrk",
}
RESULTS = Path("bench-results")
QUICK_RESULTS = RESULTS / "quick"  # or they would take the place of those to quote

app = cyclopts.App(
    name="bench",
    help="Measure speed and size on this machine, on real engines. Needs wrk and oha on PATH.",
)
app.command(
    "edge.bench.rehearsal.command:rehearsal",
    name="rehearsal",
    help="Rehearse referendum day: every elector votes, and every vote is accounted for.",
)
app.command(
    "edge.bench.sizing:capacity",
    name="capacity",
    help="Size a deployment by what the benchmarks measured.",
)


@app.command(name="list")
def list_benchmarks() -> int:
    """List the benchmarks."""
    for name, benchmark in BENCHMARKS.items():
        sys.stdout.write(f"{name:<12}{benchmark.__doc__}\n")
    return 0


@app.command
def run(
    *names: str,
    out: Path | None = None,
    against: Path | None = None,
    quick: Annotated[bool, Parameter(negative="")] = False,
    electors: int | None = None,
    seconds: int | None = None,
) -> int:
    """Run benchmarks and keep what they find.

    Leave the machine alone meanwhile. Compare ratios, which hold on other machines, rather than
    rates, which do not. Exits 1 when a benchmark cannot be run, 2 for arguments that do not fit;
    a goal that is missed is no failure.

    Parameters
    ----------
    names
        Which (default: all).
    out
        Directory for results.json and report.html; results of other benchmarks there are kept
        (default: bench-results, with --quick bench-results/quick).
    against
        Earlier results.json to compare with.
    quick
        Small sizes, to see that everything works: no figures to quote.
    electors
        Another size of roll than 8,000,000.
    seconds
        Keep loads up for as long, not 15 s.

    """
    out = out or (QUICK_RESULTS if quick else RESULTS)
    size = QUICK if quick else FULL
    size = msgspec.structs.replace(
        size, electors=electors or size.electors, seconds=seconds or size.seconds
    )

    async def work() -> None:
        unknown = sorted(set(names) - BENCHMARKS.keys())
        if unknown:
            raise SettingsError(
                f"no benchmark is named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}"
            )
        chosen = names or tuple(BENCHMARKS)
        for program in {PROGRAMS[name] for name in chosen if name in PROGRAMS}:
            find(program)  # now, not after the benchmarks before it
        before = read_results(against) if against is not None else None
        check_place(out / "results.json")  # likewise
        console = Console()
        console.print(machine())
        for name in chosen:
            with console.status(f"{name} …"):
                began_s = time.perf_counter()
                outcome = await BENCHMARKS[name](size)
                seconds_taken = round(time.perf_counter() - began_s, 1)
                outcome = msgspec.structs.replace(outcome, seconds=seconds_taken)
            results = keep(out / "results.json", outcome)
            report.write(out / "report.html", results, before)
            console.print(_table(outcome, before))
        console.print(f"kept in {out / 'results.json'}, shown in {out / 'report.html'}")

    return run_command(work)


def _table(outcome: Outcome, before: Results | None) -> Table:
    title = f"{outcome.benchmark}: {outcome.size}" + (f", {outcome.loop} loop" * bool(outcome.loop))
    if outcome.by_case:
        return _table_by_case(outcome, title)
    table = Table("figure", "value", "unit", "goal", "change", title=title, title_justify="left")
    for figure in outcome.figures:
        goal = ""
        if figure.goal is not None:
            bound = "at least" if figure.better == "higher" else "at most"
            goal = f"{bound} {report.number(figure.goal)}: {'met' if figure.met else 'missed'}"
        change = report.change(outcome, figure, before)
        table.add_row(figure.name, report.number(figure.value), figure.unit, goal, change)
    return table


def _table_by_case(outcome: Outcome, title: str) -> Table:
    """Show cases side by side, a measure a line."""
    cases = outcome.cases
    table = Table(title=title, title_justify="left")
    for heading in ("", *cases, "unit"):
        table.add_column(heading, overflow="fold")
    for measure, like in next(iter(cases.values())).items():
        values = (report.number(figures[measure].value) for figures in cases.values())
        table.add_row(measure, *values, like.unit)
    return table
