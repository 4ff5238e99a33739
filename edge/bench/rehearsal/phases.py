"""The phases of a rehearsal: shown while they run, kept with their time."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from rich.console import Console

from edge.commands.running import Stopped
from hashgen.progress import Report, reporting


class Phase(msgspec.Struct):
    """One phase: how many of what it handled (0: nothing to count), in how many seconds."""

    name: str
    unit: str
    count: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.count / self.seconds if self.seconds else 0.0


class Phases:
    """Shows what goes on, a line for each phase that is done, and keeps the phases in `done`."""

    def __init__(self, console: Console, stop: asyncio.Event) -> None:
        self.done: list[Phase] = []
        self._console = console
        self._stop = stop

    @contextmanager
    def phase(
        self, name: str, unit: str = "", steps: dict[str, str] | None = None
    ) -> Iterator[tuple[Phase, Report]]:
        """Time a phase; yield it, to set its count, and a report of how far it has come.

        `steps` name what the report's own phases count (default: all count `unit`).
        """
        phase = Phase(name, unit)
        began_s = time.monotonic()
        with reporting(steps or {name: unit}) as shown:

            def report(step: str, done: int, total: int) -> None:
                if self._stop.is_set():
                    raise Stopped
                shown(step if steps else name, done, total)

            yield phase, report
        phase.seconds = time.monotonic() - began_s
        self.done.append(phase)
        line = f"{name:<36} {phase.seconds:8.1f} s"
        if phase.count:
            line += f"   {phase.count:,} {phase.unit}, {phase.rate:,.0f} a second"
        self._console.print(line, highlight=False, soft_wrap=True)
