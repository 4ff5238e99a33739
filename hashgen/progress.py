"""How far a long command has come: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PLAIN_INTERVAL_S = 5.0
RATE_TIME_S_MIN = 1.0  # a rate of less time says nothing

Report = Callable[[str, int, int], None]
"""Called with (phase, done, total); total 0 means unknown."""


@contextmanager
def reporting(units: dict[str, str]) -> Iterator[Report]:
    """Yield a Report on stderr. `units` names what each phase counts, `bytes` included."""
    if not sys.stderr.isatty():
        yield PlainReport(units)
        return
    # Here, since rich takes as long to import as a million electors to hash.
    from hashgen.bars import bars

    with bars(units) as report:
        yield report


def accumulating(report: Report, phase: str, total: int = 0) -> Callable[[int], None]:
    """Return what is told how many were done since the last call, and reports how many in all."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        report(phase, done, total)

    return add


class PlainReport:
    """A line to stderr every few seconds, for logs.

    A phase reports first when part of it is done: it began with the reporting, or when the phase
    before reported last.
    """

    def __init__(self, units: dict[str, str]) -> None:
        self._units = units
        self._started_s: dict[str, float] = {}
        self._printed_s = self._reported_s = time.monotonic()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Print the phase's state if the last line is old enough, and the phase too."""
        now_s = time.monotonic()
        phase_s = now_s - self._started_s.setdefault(phase, self._reported_s)
        self._reported_s = now_s
        if now_s - self._printed_s < PLAIN_INTERVAL_S or phase_s < RATE_TIME_S_MIN:
            return
        self._printed_s = now_s
        rate = done / phase_s
        line = f"{phase}: {rate_text(rate, self._units[phase])}"
        if total and rate:
            line += f", {100 * done / total:.0f} %, {(total - done) / rate:.0f} s left"
        print(line, file=sys.stderr, flush=True)


def rate_text(rate: float, unit: str) -> str:
    """Return a rate for reading, like `12.3 MB/s` or `1,234,000 hashes/s`."""
    return f"{rate / 1e6:.1f} MB/s" if unit == "bytes" else f"{rate:,.0f} {unit}/s"
