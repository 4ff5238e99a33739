"""How far a long command has come, as bars on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hashgen.progress import rate_text


class BarReport:
    """One bar a phase, with rate and time left."""

    def __init__(self, units: dict[str, str], progress: Progress) -> None:
        self._units = units
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show the phase's state."""
        if phase not in self._tasks:
            for earlier in self._tasks.values():
                self._progress.update(earlier, completed=self._progress.tasks[earlier].total)
            self._tasks[phase] = self._progress.add_task(phase, total=total or None, rate="")
        task_id = self._tasks[phase]
        self._progress.update(task_id, completed=done)
        speed = self._progress.tasks[task_id].speed
        self._progress.update(task_id, rate=rate_text(speed or 0.0, self._units[phase]))


@contextmanager
def bars(units: dict[str, str]) -> Iterator[BarReport]:
    """Show bars on stderr while the block runs; `units` names what each phase counts."""
    columns = (
        TextColumn("{task.description:>6}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield BarReport(units, progress)
