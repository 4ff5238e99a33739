"""The local engine as a supervised child process."""

from __future__ import annotations

import selectors
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

from clickhouse.errors import LocalClickHouseError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_READY = b"ready "


class LocalClickHouse:
    """A `python -m clickhouse.local` of our own, ended when this process ends.

    `port` None takes a free one, and keeps it over a restart. Blocking: from a coroutine, use
    `asyncio.to_thread`.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 15.0,
        password_file: Path | None = None,
    ) -> None:
        self._directory = directory
        self._port = port
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._password_file = password_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Base URL, once started."""
        assert self._port is not None, "not started"
        return f"http://127.0.0.1:{self._port}"

    @property
    def log_path(self) -> Path:
        """Where the child's standard error goes."""
        return self._directory / "local.log"

    @property
    def pid(self) -> int:
        """The child's process id, while it is started."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start the child and wait until it serves. LocalClickHouseError says why it does not."""
        assert self._process is None, "started already"
        self._directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "clickhouse.local", "--until-stdin-closes"]
        command += ["--data", str(self._directory / "data"), "--port", str(self._port or 0)]
        if self._password_file:
            command += ["--password-file", str(self._password_file)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module and arguments
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # A terminal's Ctrl-C reaches us alone, so that we stop things in order.
                start_new_session=True,
            )
        try:
            self._port = self._read_port()
        except LocalClickHouseError:
            self.kill()
            raise

    def running(self) -> bool:
        """Whether the child lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the child cleanly, or by force after `stop_timeout_s`. Nothing if not started."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self._stop_timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._release()

    def kill(self) -> None:
        """End the child with SIGKILL, as a crash would. Nothing if not started."""
        if self._process is not None:
            self._process.kill()
            self._release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _release(self) -> None:
        assert self._process is not None
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None

    def _read_port(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        stdout, deadline_s = self._process.stdout, time.monotonic() + self._start_timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(deadline_s - time.monotonic()):
                raise LocalClickHouseError(
                    f"the local ClickHouse was not ready in {self._start_timeout_s:.0f} s; "
                    f"its log: {self.log_path}"
                )
        line = stdout.readline()
        if not line.startswith(_READY):
            raise LocalClickHouseError(f"the local ClickHouse did not start: {self._last_words()}")
        return int(line.rsplit(b":", 1)[1])

    def _last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"no word in {self.log_path}"
