"""The local engine as a child process."""

import asyncio
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from clickhouse.errors import LocalClickHouseError
from shards.certificates import Certificate
from shards.ports import free_ports
from shards.process import LocalProcess

POLL_S = 0.02
_READY_LINE = b"ready http"


class LocalClickHouse(LocalProcess):
    """A `python -m clickhouse.local` of our own, which ends when this process does.

    `port` None takes a free one, kept when it is started again. `access_file` takes the place of
    `access.xml`. With a certificate it serves HTTPS
    to clients that show one. Blocking, but for `astart`.
    """

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        password_file: Path | None = None,
        access_file: Path | None = None,
        certificate: Certificate | None = None,
        start_timeout_s: float = 60.0,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._port = port or free_ports(1)[0]
        self._start_timeout_s = start_timeout_s
        self._temporary = directory / "temporary"
        argv = [sys.executable, "-P", "-m", "clickhouse.local", "--data", str(directory / "data")]
        argv += ["--port", str(self._port)]
        if password_file is not None:
            argv += ["--password-file", str(password_file)]
        if access_file is not None:
            argv += ["--access-file", str(access_file)]
        if certificate is not None:
            argv += ["--tls-cert-file", str(certificate.chain)]
            argv += ["--tls-key-file", str(certificate.key)]
            argv += ["--tls-authority-file", str(certificate.authority)]
        self._scheme = "http" if certificate is None else "https"
        # Killed, the engine leaves what it made there: here, and until it is started again.
        env = {"TMPDIR": str(self._temporary)}
        super().__init__("clickhouse", argv, log=directory / "clickhouse.log", env=env)

    @property
    def url(self) -> str:
        """Base URL of the HTTP interface."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the engine and wait until it serves; raises LocalClickHouseError."""
        for pause_s in self._starting():
            time.sleep(pause_s)

    async def astart(self) -> None:
        """Start as `start` does, from a coroutine; when cancelled the engine is stopped."""
        for pause_s in self._starting():
            try:
                await asyncio.sleep(pause_s)
            except asyncio.CancelledError:
                self.stop()
                raise

    def _starting(self) -> Iterator[float]:
        """Start the engine; yield how long to wait before the next look until it serves."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir()
        said_before = self.log.stat().st_size if self.log.exists() else 0
        super().start()
        deadline_s = time.monotonic() + self._start_timeout_s
        while _READY_LINE not in self.log.read_bytes()[said_before:]:
            if not self.alive:
                raise LocalClickHouseError(f"ClickHouse did not start: {self.log_tail(1)}")
            if time.monotonic() > deadline_s:
                self.kill()
                raise LocalClickHouseError(
                    f"ClickHouse was not ready in {self._start_timeout_s:.0f} s; see {self.log}"
                )
            yield POLL_S

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
