"""`scrutin review export`: every case and every decision, for a spreadsheet and for programs."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from rich.console import Console

from clickhouse.review import Queue, all_cases, read_trail
from edge.commands.review.cases import queue_of, written
from edge.commands.running import run, settings_of, with_settings
from edge.spreadsheets import Spreadsheet
from hashgen.output import appearing_directory, check_unused
from shards.review import ReviewCase, Standing, TrailEntry

CHUNK = 1000
CASES = (
    "case", "kind", "law", "attempts", "hashes", "first_attempt_utc", "last_attempt_utc", "state",
    "auditor", "decision", "why", "decided_at_utc",
)  # fmt: skip
TRAIL = ("at_utc", "entry", "case", "action", "auditor", "decision", "why", "attempts", "act")


@with_settings("clickhouse_url", "redis_url", "redis_timeout_s")
def export(directory: Path, /, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Write all cases and the whole trail to a new directory, which appears whole or not at all.

    `cases.csv` and `trail.csv` open in a spreadsheet, `cases.jsonl` and `trail.jsonl` are the same
    for programs. None has a choice, an address or a network's name.

    Parameters
    ----------
    directory
        Where the files go.
    **flags
        The settings given.

    """

    async def work() -> None:
        check_unused(directory)
        async with queue_of(settings_of(flags), reading=True) as queue:
            with appearing_directory(directory) as partial:
                cases = await _write_cases(queue, partial)
                entries = await _write_trail(queue, partial)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        console.print(f"{directory}  {cases:,} cases, {entries:,} entries of the trail")

    return run(work)


async def _write_cases(queue: Queue, directory: Path) -> int:
    count = 0
    with (
        Spreadsheet(directory / "cases.csv", CASES) as sheet,
        (directory / "cases.jsonl").open("wb") as lines,
    ):
        async for case, standing in _standing(queue):
            sheet.write(_case_row(case, standing))
            _write_line(lines, {"case": case, "standing": standing})
            count += 1
    return count


async def _standing(queue: Queue) -> AsyncIterator[tuple[ReviewCase, Standing]]:
    waiting: list[ReviewCase] = []
    async for case in all_cases(queue.clickhouse):
        waiting.append(case)
        if len(waiting) == CHUNK:
            for pair in await _with_standings(queue, waiting):
                yield pair
            waiting = []
    for pair in await _with_standings(queue, waiting):
        yield pair


async def _with_standings(
    queue: Queue, cases: list[ReviewCase]
) -> Iterable[tuple[ReviewCase, Standing]]:
    standings = await queue.desk.standings(cases)
    return [(case, standings[case.case_id]) for case in cases]


async def _write_trail(queue: Queue, directory: Path) -> int:
    """Write the entries that Redis has, and those that only ClickHouse has any more."""
    copied = await read_trail(queue.clickhouse)
    entries = {(entry.entry_ms, entry.entry_seq): entry for entry in copied}
    after = (0, 0)
    while found := await queue.desk.trail(after, CHUNK):
        entries |= {(entry.entry_ms, entry.entry_seq): entry for entry in found}
        after = found[-1].entry_ms, found[-1].entry_seq
    with (
        Spreadsheet(directory / "trail.csv", TRAIL) as sheet,
        (directory / "trail.jsonl").open("wb") as lines,
    ):
        for _, entry in sorted(entries.items()):
            sheet.write(_entry_row(entry))
            _write_line(lines, entry)
    return len(entries)


def _case_row(case: ReviewCase, standing: Standing) -> Iterable[object]:
    return (
        case.case_id, case.kind, case.law_id, case.attempts, case.hashes, _moment(case.first_ms),
        _moment(case.last_ms), standing.state, standing.auditor, standing.decision, standing.why,
        _moment(standing.at_ms),
    )  # fmt: skip


def _entry_row(entry: TrailEntry) -> Iterable[object]:
    return (
        _moment(entry.entry_ms), f"{entry.entry_ms}/{entry.entry_seq}", entry.case_id, entry.action,
        entry.auditor, entry.decision, entry.why, entry.attempts, entry.act_id,
    )  # fmt: skip


def _write_line(lines: BinaryIO, value: object) -> None:
    lines.write(msgspec.json.encode(value) + b"\n")


def _moment(at_ms: int) -> str:
    """Return a time as spreadsheets read it, in UTC, to the ms; empty for 0."""
    return f"{written(at_ms)}.{at_ms % 1000:03d}" if at_ms else ""
