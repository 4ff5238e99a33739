"""A server process of ours on this machine: started, watched, stopped, never left behind."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

STOP_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1


class LocalProcess:
    """One child process; its output goes to a log file.

    It has a process group of its own, so that Ctrl-C reaches only its parent, and (on Linux)
    is killed by the kernel when its parent dies.
    """

    def __init__(
        self,
        name: str,
        argv: list[str],
        *,
        log: Path,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = argv
        self.log = log
        self.env = env or {}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code of a process that ended (negative: a signal's number)."""
        return None if self._child is None else self._child.poll()

    @property
    def how_it_ended(self) -> str:
        """Words for the end of a process: its signal or its exit code."""
        code = self.exit_code
        if code is None:
            return "running" if self.alive else "never started"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def start(self) -> None:
        """Start the process, or start it again after it ended; raises OSError."""
        assert not self.alive, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self.env,
                process_group=0,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process runs."""
        if self._child is not None:
            self._child.send_signal(number)

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        self.send(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int | None:
        """Ask the process to end, kill it when it does not; return its exit code."""
        if self._child is None:
            return None
        self.send(signal.SIGTERM)
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._child.returncode

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the log, for error messages."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@asynccontextmanager
async def within(timeout_s: float, undone: str) -> AsyncIterator[None]:
    """Give the block so long; raises TimeoutError that says what is `undone` then."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as error:
        raise TimeoutError(f"{undone} after {timeout_s:g} s: is the machine too busy?") from error


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
