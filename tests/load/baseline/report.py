"""The contest's figures as a table and as JSON."""

import msgspec
from rich.console import Console
from rich.table import Table

from tests.load.baseline.contest import Figures

CPU_GOAL = 8.0
MEMORY_GOAL = 1 / 7


class Ratios(msgspec.Struct, frozen=True):
    """Ours over theirs."""

    name: str
    counted_per_s: float
    p95: float
    votes_per_cpu_second: float
    bytes_per_elector_loaded: float
    bytes_per_elector_voted: float
    cpu_goal_met: bool
    memory_goal_met: bool


class Report(msgspec.Struct, frozen=True):
    """A run of the contest; `load_average` is that of the minute before it began."""

    machine: str
    date: str
    nice: int
    load_average: float
    electors: int
    votes: int
    connections: int
    workers: int
    worker_batch: int
    versions: dict[str, str]
    figures: list[Figures]
    ratios: list[Ratios]


def compare(ours: Figures, theirs: Figures) -> Ratios:
    """Return the ratios of two contenders and whether they reach the goals."""
    cpu = theirs.cpu_s_per_million / ours.cpu_s_per_million
    memory = ours.bytes_per_elector_voted / theirs.bytes_per_elector_voted
    return Ratios(
        name=ours.name,
        counted_per_s=ours.counted_per_s / theirs.counted_per_s,
        p95=ours.p95_ms / theirs.p95_ms,
        votes_per_cpu_second=cpu,
        bytes_per_elector_loaded=ours.bytes_per_elector_loaded / theirs.bytes_per_elector_loaded,
        bytes_per_elector_voted=memory,
        cpu_goal_met=cpu >= CPU_GOAL,
        memory_goal_met=memory <= MEMORY_GOAL,
    )


def print_report(report: Report, console: Console) -> None:
    """Print the figures, the ratios, and where the processor time went."""
    console.print(f"{report.machine}; {report.date}")
    console.print(
        f"{report.electors:,} electors, {report.votes:,} votes timed, {report.connections} "
        f"connections (closed loop), nice {report.nice}, load before {report.load_average:.1f}; "
        f"baseline with {report.workers} worker(s), {report.worker_batch} vote(s) together"
    )
    console.print(_figures(report))
    for figures in report.figures:
        parts = sorted(figures.cpu_s_by_process.items(), key=lambda part: -part[1])
        said = ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts)
        console.print(f"CPU seconds, {figures.name}: {said}")


def _figures(report: Report) -> Table:
    table = Table("")
    for figures in report.figures:
        table.add_column(figures.name, justify="right")
    for ratios in report.ratios:
        table.add_column(f"{ratios.name}: ratio", justify="right")
    for label, field, ratio in (
        ("votes/s until answered", "answered_per_s", ""),
        ("votes/s until counted", "counted_per_s", "counted_per_s"),
        ("p50 ms", "p50_ms", ""),
        ("p95 ms", "p95_ms", "p95"),
        ("p99 ms", "p99_ms", ""),
        ("CPU s per million votes", "cpu_s_per_million", ""),
        ("votes per CPU s", "votes_per_cpu_second", "votes_per_cpu_second"),
        ("B/elector, loaded", "bytes_per_elector_loaded", "bytes_per_elector_loaded"),
        ("B/elector, all voted", "bytes_per_elector_voted", "bytes_per_elector_voted"),
        ("same, buffers included", "used_memory_per_elector_voted", ""),
    ):
        values = [f"{getattr(figures, field):,.1f}" for figures in report.figures]
        of = [f"{getattr(ratios, ratio):.3f}" if ratio else "" for ratios in report.ratios]
        table.add_row(label, *values, *of)
    goals = [f"CPU {_met(r.cpu_goal_met)}, memory {_met(r.memory_goal_met)}" for r in report.ratios]
    table.add_row("goals: 8 and 1/7", *[""] * len(report.figures), *goals)
    return table


def _met(goal_met: bool) -> str:
    return "met" if goal_met else "missed"
