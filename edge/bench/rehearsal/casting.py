"""Casts the attempts: wrk with a script that sends each until it is decided."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.bench.serving import VOTE_PATH
from edge.bench.tools import find
from edge.errors import RehearsalFailed
from hashgen.progress import Report
from shards.process import LocalProcess

SCRIPT = Path(__file__).with_name("cast.lua")
THREADS = 2
DURATION_H = 240  # it is interrupted when the last ballot is decided
ANSWER_TIMEOUT_S = 60  # a slower answer would be missing from the percentiles
STALLED_S = 120.0
POLL_S = 0.25
WRK_STOP_TIMEOUT_S = 30.0
WINDOW_S = 10.0


class ThreadReport(msgspec.Struct, frozen=True):
    """A thread's counts, as `cast.lua` writes them: by status, of ballots and of all answers."""

    decisions: dict[str, int]
    statuses: dict[str, int]
    again: int
    stray: int


class CastReport(msgspec.Struct, frozen=True):
    """What wrk reports at its end."""

    threads: list[ThreadReport]
    broken: int
    p50_us: int
    p95_us: int
    p99_us: int
    max_us: int


class Cast(msgspec.Struct, frozen=True):
    """What became of the attempts.

    `decisions`: ballots by the status that decided them; `statuses`: every answer; `again`:
    ballots sent again; `broken`: connections; `progress`: (seconds, ballots decided).
    """

    decisions: dict[int, int]
    statuses: dict[int, int]
    again: int
    broken: int
    took_s: float
    latency_ms: dict[str, float]
    progress: list[tuple[float, int]]

    def rates(self) -> list[tuple[float, float]]:
        """Return (seconds, ballots decided a second) of every ten seconds, or of all if shorter."""
        rates: list[tuple[float, float]] = []
        began_s, before = self.progress[0]
        for now_s, decided in self.progress[1:]:
            if now_s - began_s >= WINDOW_S or (not rates and now_s == self.progress[-1][0]):
                rates.append((now_s, (decided - before) / (now_s - began_s)))
                began_s, before = now_s, decided
        return rates


class Generator:
    """wrk with so many connections; raises `StartError` without wrk."""

    def __init__(self, data: Path, connections: int) -> None:
        self._program = find("wrk")
        self._connections_a_thread = max(1, connections // THREADS)
        self._report_file = data / "wrk.json"
        self._log = data / "wrk.log"
        self.process: LocalProcess | None = None

    @property
    def connections(self) -> int:
        """Connections kept busy."""
        return self._connections_a_thread * THREADS

    async def cast(
        self, url: str, prefix: Path, attempts: int, watch: Sequence[LocalProcess], report: Report
    ) -> Cast:
        """Send every ballot of the parts of `prefix` until it is decided.

        Raises `RehearsalFailed` when wrk or one of `watch` ends, or when nothing is decided for two
        minutes.
        """
        self.process = wrk = LocalProcess("wrk", self._command(url, prefix), log=self._log)
        wrk.start()
        try:
            progress = await self._follow(wrk, attempts, watch, report)
            wrk.send(signal.SIGINT)  # it then writes its report and ends
            async with asyncio.timeout(WRK_STOP_TIMEOUT_S):
                while wrk.alive:  # noqa: ASYNC110 - a process tells nobody
                    await asyncio.sleep(POLL_S)
        finally:
            wrk.kill()
        return _merged(self._read_report(), progress)

    def _command(self, url: str, prefix: Path) -> list[str]:
        return [
            self._program,
            f"-t{THREADS}",
            f"-c{self.connections}",
            f"-d{DURATION_H}h",
            f"--timeout={ANSWER_TIMEOUT_S}",
            *("-s", str(SCRIPT), url + VOTE_PATH, "--"),
            *(str(prefix), str(self._connections_a_thread), str(self._report_file)),
        ]

    async def _follow(
        self, wrk: LocalProcess, attempts: int, watch: Sequence[LocalProcess], report: Report
    ) -> list[tuple[float, int]]:
        began_s = time.monotonic()
        report("votes", 0, attempts)
        progress = [(0.0, 0)]
        decided_by = dict.fromkeys(range(THREADS), 0)
        finished = 0
        said = ""
        with self._log.open() as log:
            while finished < THREADS:
                await asyncio.sleep(POLL_S)
                for process in (wrk, *watch):
                    if not process.alive:
                        raise RehearsalFailed(f"{process.name} ended:\n{process.log_tail()}")
                *lines, said = (said + log.read()).split("\n")
                for line in lines:
                    match line.split():
                        case ["answered", thread, count]:
                            decided_by[int(thread)] = int(count)
                        case ["finished", _]:
                            finished += 1
                now_s, decided = time.monotonic() - began_s, sum(decided_by.values())
                if decided > progress[-1][1]:
                    progress.append((now_s, decided))
                    report("votes", decided, attempts)
                elif now_s - progress[-1][0] > STALLED_S:
                    raise RehearsalFailed(
                        f"no ballot was decided for {STALLED_S:.0f} s, after {decided:,}"
                    )
        return progress

    def _read_report(self) -> CastReport:
        try:
            return msgspec.json.decode(self._report_file.read_bytes(), type=CastReport)
        except (OSError, msgspec.DecodeError) as error:
            raise RehearsalFailed(f"wrk ended without its report: {error}") from error


def _merged(report: CastReport, progress: list[tuple[float, int]]) -> Cast:
    decisions: Counter[int] = Counter()
    statuses: Counter[int] = Counter()
    for thread in report.threads:
        decisions.update({int(status): count for status, count in thread.decisions.items()})
        statuses.update({int(status): count for status, count in thread.statuses.items()})
    return Cast(
        decisions=dict(sorted(decisions.items())),
        statuses=dict(sorted(statuses.items())),
        again=sum(thread.again for thread in report.threads),
        broken=report.broken,
        took_s=progress[-1][0],
        latency_ms={
            "p50": report.p50_us / 1000,
            "p95": report.p95_us / 1000,
            "p99": report.p99_us / 1000,
            "longest": report.max_us / 1000,
        },
        progress=progress,
    )
