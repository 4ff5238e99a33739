"""What a rehearsal found, as Markdown and as a benchmark's outcome."""

import re
import subprocess
from importlib.metadata import version as installed_version
from pathlib import Path

from jinja2 import Environment, PackageLoader

from edge.bench import report
from edge.bench.outcome import Figure, Outcome, Plot, Series, machine
from edge.bench.rehearsal.day import Found, Options
from edge.bench.rehearsal.phases import Phase
from hashgen import VERSION
from shards.localcluster import server_binary

PICTURES = {
    "rehearsal-throughput.svg": "Ballots decided a second",
    "rehearsal-outbox.svg": "Events that wait for ClickHouse",
    "rehearsal-ages.svg": "Age of the results shown",
}
RESULTS_AGE_S = 2  # what the API promises


def outcome_of(options: Options, phases: list[Phase], found: Found) -> Outcome:
    """Return the figures to keep beside those of the benchmarks."""
    cast = found.cast
    all_s = sum(phase.seconds for phase in phases)
    wrong = sum(not check.holds for check in found.checks)
    figures = [
        Figure("ballots decided", found.votes_per_s, "votes/s"),
        Figure("ballots decided, slowest 10 s", min(_rates(found)), "votes/s"),
        *(Figure(f"answer, {name}", ms, "ms", "lower") for name, ms in cast.latency_ms.items()),
        Figure("ballots sent again", cast.again, "ballots", "lower"),
        *(Figure(phase.name, phase.seconds, "s", "lower") for phase in phases),
        Figure("all of it", all_s, "s", "lower"),
        *(
            Figure(f"peak memory, {kind}", peak / 1e6, "MB", "lower")
            for kind, peak in found.memory_bytes.items()
        ),
        *(Figure(name, size, "bytes", "lower") for name, size in sizes_of(found).items()),
        Figure("longest outbox", max(events for _, events in found.outbox), "events", "lower"),
        *ages_of(found),
        Figure("checks that do not hold", wrong, "checks", "lower", goal=0),
    ]
    return Outcome(
        "rehearsal",
        "Referendum day on one machine: every elector votes, a tenth again, all is reconciled.",
        size_of(options, found),
        figures,
        plots_of(found),
        loop="closed",
        seconds=round(all_s, 1),
    )


def plots_of(found: Found) -> list[Plot]:
    """Draw over the day the ballots decided, the outbox, and how old the results were."""
    decided, waiting, aged = PICTURES.values()
    outbox = [(at_s, float(events)) for at_s, events in found.outbox]
    return [
        Plot(decided, "s", "ballots/s", [Series("decided", found.cast.rates())]),
        Plot(waiting, "s", "events", [Series("outbox", outbox)]),
        Plot(aged, "s", "s", [Series("age", found.ages.seen)] if found.ages.seen else []),
    ]


def sizes_of(found: Found) -> dict[str, float]:
    """Return sizes in bytes by what has them."""
    electors, attempts = found.expected.electors, found.expected.attempts
    return {
        "Redis memory, an elector loaded": found.redis_loaded_bytes / electors,
        "Redis memory, an elector voted": found.redis_voted_bytes / electors,
        "Redis logs at the end, an attempt": found.log_bytes / attempts,
        "ClickHouse, a ballot": found.tables_bytes / electors,
        **{f"{store}, most on disk": peak for store, peak in found.disk_bytes.items()},
    }


def ages_of(found: Found) -> list[Figure]:
    """Return how old the results were that were shown, if any were seen."""
    ages = found.ages
    if not ages.seen:
        return []
    return [
        Figure("age of the results, median", ages.median_s, "s", "lower"),
        Figure("age of the results, oldest", ages.oldest_s, "s", "lower", goal=RESULTS_AGE_S),
    ]


def write(directory: Path, options: Options, phases: list[Phase], found: Found) -> Path:
    """Write rehearsal.md and its pictures; return the former."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, plot in zip(PICTURES, plots_of(found), strict=True):
        (directory / name).write_text(report.draw(plot))
    file = directory / "rehearsal.md"
    file.write_text(render(options, phases, found))
    return file


def render(options: Options, phases: list[Phase], found: Found) -> str:
    """Return the report as Markdown."""
    environment = Environment(  # noqa: S701 - Markdown, of figures and names of ours
        loader=PackageLoader("edge.bench.rehearsal", "."),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.md").render(
        found=found,
        cast=found.cast,
        wrong=[check.name for check in found.checks if not check.holds],
        size=size_of(options, found),
        machine=machine(),
        software=_software(found),
        options=options,
        phases=phases,
        rates=_rates(found),
        pictures=PICTURES,
        missed=found.missed,
        ages=found.ages,
        results_age_s=RESULTS_AGE_S,
        sizes=sizes_of(found),
    )


def size_of(options: Options, found: Found) -> str:
    """Say what was rehearsed."""
    expected = found.expected
    return (
        f"{expected.electors:,} electors, {expected.attempts:,} attempts "
        f"({expected.duplicates:,} duplicates, {expected.invalid:,} invalid), "
        f"{options.durability}, 3 primaries, replicas of each: {options.replicas}, drainers: "
        f"{options.drainers}, one edge, {options.connections} connections"
    )


def _rates(found: Found) -> list[float]:
    return [rate for _, rate in found.cast.rates()]


def _software(found: Found) -> str:
    parts = [
        f"Scrutin {VERSION}",
        f"{Path(server_binary()).name} {_said_version([server_binary(), '--version'])}",
        f"ClickHouse {found.clickhouse_version}",
        f"Granian {installed_version('granian')}",
        f"wrk {_said_version(['wrk', '-v'])}",
    ]
    return ", ".join(parts)


def _said_version(command: list[str]) -> str:
    # No shell, and every argument is ours; wrk tells its version and exits 1.
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return found[0] if found else "of unknown version"
