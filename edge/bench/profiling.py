"""Where an edge spends its time, as py-spy sees it from outside."""

import asyncio
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from edge.bench.outcome import Share
from edge.bench.tools import said_by
from edge.errors import StartError
from shards.process import LocalProcess

SAMPLES_PER_S = 200  # each stops the process for a moment
OUTSIDE = "threads without Python, Granian's own"
OURS = ("edge", "shards", "clickhouse", "hashgen")
_FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^:)]+)(?::\d+)?\)")


async def profile(process: LocalProcess, seconds: int) -> list[Share]:
    """Watch a process that runs; return the share of samples of each place, largest first.

    A place is a module of ours, or another package: what a frame of ours calls in C counts for
    the frame. Raises `StartError` when py-spy is missing or not allowed to look.
    """
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
        "py-spy"
    )
    if program is None:
        raise StartError("py-spy is not installed: it comes with `make setup`")
    return await asyncio.to_thread(_record, [program, "record", "--pid", str(process.pid)], seconds)


def _record(command: list[str], seconds: int) -> list[Share]:
    with tempfile.TemporaryDirectory() as directory:
        stacks = Path(directory, "stacks.txt")
        command += ["--duration", str(seconds), "--rate", str(SAMPLES_PER_S)]
        said_by([*command, "--format", "raw", "--output", str(stacks)])
        return shares(stacks.read_text())


def shares(stacks: str) -> list[Share]:
    """Sum up collapsed stacks, a line each: frames, outermost first, and a count of samples."""
    counts: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        counts[_place(frames.rpartition(";")[2]) if frames else OUTSIDE] += int(count)
    total = counts.total()
    return [Share(place, count / total) for place, count in counts.most_common()]


def _place(frame: str) -> str:
    found = _FRAME.fullmatch(frame)
    if found is None:
        return frame
    file = found["file"]
    package = file.partition("/")[0]
    return file if package in OURS else f"{package} ({found['function']})"
