"""The reports that are committed: docs/soak.md and docs/rolling-restart.md."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from edge.bench.outcome import machine
from tests.operations.rolling import Rolled
from tests.operations.soak import Soaked, redis_growth_bytes

DOCS = Path(__file__).parents[2] / "docs"
SOAK, ROLLING = DOCS / "soak.md", DOCS / "rolling-restart.md"


def write_soak(soaked: Soaked, path: Path = SOAK) -> None:
    """Write the report of a soak test."""
    path.write_text("\n".join(_soak(soaked)) + "\n")


def write_rolling(rolled: Rolled, rate_per_s: float, path: Path = ROLLING) -> None:
    """Write the report of a rolling restart."""
    path.write_text("\n".join(_rolling(rolled, rate_per_s)) + "\n")


def _head(title: str, command: str) -> list[str]:
    return [
        f"# {title}",
        "",
        f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}, {machine()},",
        f"load average {os.getloadavg()[1]:.0f} over five minutes. Voters, edges, drainers,",
        "ClickHouse and nine Redis servers share the machine, and with whatever else it did.",
        "",
    ]


def _soak(soaked: Soaked) -> Iterable[str]:
    minutes = soaked.seconds / 60
    command = f"make soak DURATION={minutes:g}m RATE={soaked.rate_per_s:g}"
    yield from _head("Soak test", command)
    yield (
        f"{soaked.rate_per_s:,.0f} votes/s for {minutes:g} minutes, whatever the answers took: "
        f"{_answers(soaked.answers)}. {soaked.voted:,} electors voted."
    )
    yield ""
    yield from _verdict(
        soaked.troubles,
        "Every answer is in the tables as it was given, `scrutin verify --settled` finds no "
        "difference, and memory and latency stayed flat.",
    )
    yield "## Latency"
    yield ""
    yield "From when a vote was due to its decision; one sent again after a 503 counts once, whole."
    yield ""
    yield "| from | decided | p50 | p99 | longest | 503 | lost connections |"
    yield "|---|---|---|---|---|---|---|"
    for part in soaked.parts:
        yield (
            f"| {part.from_s:,.0f} s | {part.decided:,} | {part.p50_ms:g} ms | {part.p99_ms:g} ms "
            f"| {part.longest_ms:g} ms | {part.refused} | {part.lost} |"
        )
    yield ""
    yield "## Memory and outbox"
    yield ""
    kinds = list(soaked.looks[0].memory_mib)
    yield f"| at | {' | '.join(f'{kind}, MiB' for kind in kinds)} | outbox |"
    yield "|---|" + "---|" * (len(kinds) + 1)
    for look in soaked.looks[:: max(1, len(soaked.looks) // 12)]:
        taken = " | ".join(f"{look.memory_mib[kind]:,.0f}" for kind in kinds)
        yield f"| {look.at_s:,.0f} s | {taken} | {look.outbox:,} |"
    yield ""
    yield (
        f"Redis keeps the votes: {redis_growth_bytes(soaked):,.0f} bytes a vote over all nine "
        "servers, buffers and what is not trimmed yet included."
    )


def _rolling(rolled: Rolled, rate_per_s: float) -> Iterable[str]:
    yield from _head("Rolling restart", f"make rolling-restart RATE={rate_per_s:g}")
    yield (
        f"{rate_per_s:,.0f} votes/s for {rolled.seconds:,.0f} s while every drainer, edge and "
        f"Redis server was ended by SIGTERM and started again, one after the other, "
        f"{len(rolled.restarts)} in all: {_answers(rolled.answers)}."
    )
    yield ""
    yield from _verdict(
        rolled.troubles, "No vote is lost, and no voter saw anything but 202, 409, 403 and 503."
    )
    yield "| | |"
    yield "|---|---|"
    yield f"| sendings | {rolled.sendings:,} |"
    outside = rolled.refused - rolled.in_handovers
    yield f"| 503 outside handovers | {outside:,}, {rolled.refused_share:.3%} |"
    yield f"| 503 while a primary handed over and came back | {rolled.in_handovers:,} |"
    yield f"| connections lost | {rolled.lost:,} |"
    latency = f"{rolled.p50_ms:g}, {rolled.p99_ms:g}, {rolled.longest_ms:g} ms"
    yield f"| latency, p50, p99, longest | {latency} |"
    yield ""
    yield "| restarted | at | back and in step after | 503 meanwhile |"
    yield "|---|---|---|---|"
    for restart in rolled.restarts:
        name = f"{restart.name}, a primary" if restart.handed_over else restart.name
        yield (
            f"| {name} | {restart.began_s:,.1f} s | {restart.ended_s - restart.began_s:.1f} s "
            f"| {restart.refused} |"
        )


def _answers(answers: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(answers.items()))


def _verdict(troubles: list[str], otherwise: str) -> Iterable[str]:
    yield otherwise if not troubles else "**Not as it should be:**"
    yield ""
    if troubles:
        yield from (f"- {trouble}" for trouble in troubles)
        yield ""
