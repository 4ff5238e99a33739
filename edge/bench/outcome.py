"""What a benchmark found, and the file that keeps it."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from edge.errors import StartError
from hashgen import VERSION


class Figure(msgspec.Struct, frozen=True):
    """One measured value. `goal` is what it should reach, `better` says which way."""

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower"] = "higher"
    goal: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None when there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


class Series(msgspec.Struct, frozen=True):
    """A line of a plot, as (x, y)."""

    name: str
    points: list[tuple[float, float]]


class Plot(msgspec.Struct, frozen=True):
    """A picture of the report. `logarithmic` is of the x axis."""

    title: str
    x: str
    y: str
    series: list[Series]
    logarithmic: bool = False


class Share(msgspec.Struct, frozen=True):
    """A part of a profile's samples that fell on a place in the code."""

    place: str
    share: float


class Outcome(msgspec.Struct, frozen=True):
    """All of one benchmark.

    `loop` says whether arrivals waited for answers, `profile` where the time went, `by_case` that
    figures are named "case, measure" and are to be shown with the cases side by side.
    """

    benchmark: str
    about: str
    size: str
    figures: list[Figure]
    plots: list[Plot] = []
    profile: list[Share] = []
    notes: list[str] = []
    loop: Literal["", "open", "closed"] = ""
    date: str = ""
    seconds: float = 0.0
    by_case: bool = False

    @property
    def cases(self) -> dict[str, dict[str, Figure]]:
        """Figures by case and by measure."""
        cases: dict[str, dict[str, Figure]] = {}
        for figure in self.figures:
            case, _, measure = figure.name.partition(", ")
            cases.setdefault(case, {})[measure] = figure
        return cases


class Results(msgspec.Struct, frozen=True):
    """A machine's outcomes, the latest of each benchmark."""

    machine: str
    software: str
    outcomes: list[Outcome] = []

    def outcome(self, benchmark: str) -> Outcome | None:
        """Return a benchmark's outcome, if it was run."""
        return next((o for o in self.outcomes if o.benchmark == benchmark), None)


def cores() -> int:
    """Return how many cores this process may run on: fewer than there are, under `taskset` say."""
    return len(os.sched_getaffinity(0))


def machine() -> str:
    """Say in a line what this runs on: cores, processor, memory, system, Python."""
    model = platform.processor() or platform.machine()
    cpu_facts = Path("/proc/cpuinfo")
    if cpu_facts.exists():
        for line in cpu_facts.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cores()} x {model}, {memory_gib:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}"
    )


def read_results(file: Path) -> Results:
    """Read kept results; raises `StartError` when the file is not there or no such file."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Results)
    except OSError as error:
        raise StartError(f"{file} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise StartError(f"{file} holds no benchmark results: {error}") from error


def check_place(file: Path) -> None:
    """Raise `StartError` unless results can be put into the file; for before anything is measured.

    Makes nothing.
    """
    if file.exists():
        read_results(file)
    place = next(place for place in file.absolute().parents if place.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise StartError(f"{file} cannot be written: see {place}, or choose another --out")


def keep(file: Path, outcome: Outcome) -> Results:
    """Put an outcome into the file in place of an earlier one, and return all that it holds.

    Outcomes of another machine are dropped: figures of two machines do not compare. Whatever
    happens meanwhile, those of before or the new ones are in the file.
    """
    before = read_results(file) if file.exists() else None
    kept = before.outcomes if before is not None and before.machine == machine() else []
    dated = msgspec.structs.replace(outcome, date=datetime.now(UTC).isoformat(timespec="seconds"))
    outcomes = [o for o in kept if o.benchmark != outcome.benchmark] + [dated]
    results = Results(machine(), f"scrutin {VERSION}", outcomes)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    partial.replace(file)
    return results
