"""Real `scrutin serve` processes for tests, on free ports."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from shards.ports import free_ports
from shards.process import LocalProcess

SCRUTIN = str(Path(sys.executable).with_name("scrutin"))
START_TIMEOUT_S = 20.0
POLL_S = 0.02


async def until(
    holds: Callable[[], Awaitable[bool]], what: str, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Wait until that holds; fail, saying what was waited for, when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not await holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(POLL_S)


def drainer_process(directory: Path, metrics_port: int, **variables: object) -> LocalProcess:
    """Return a `scrutin drain` that is not started yet."""
    return LocalProcess(
        "drainer",
        [SCRUTIN, "drain", "--metrics-port", str(metrics_port)],
        log=directory / "drain.log",
        env={f"SCRUTIN_{name.upper()}": str(value) for name, value in variables.items()},
    )


class EdgeProcess:
    """One edge; its output is in `log`. Use as `async with`: then it is up, and stopped after."""

    def __init__(self, directory: Path, *arguments: str, **variables: object) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {f"SCRUTIN_{name.upper()}": str(value) for name, value in variables.items()}
        self.process = LocalProcess(
            "edge",
            [SCRUTIN, "serve", "--port", str(self.port), *arguments],
            log=directory / f"edge-{self.port}.log",
            env=environment,
        )

    @property
    def log(self) -> str:
        """Everything the process wrote."""
        return self.process.log.read_text()

    async def wait(self, path: str = "/api/v1/ready") -> None:
        """Wait until that path answers 200."""

        async def answers(http: httpx.AsyncClient) -> bool:
            assert self.process.alive, f"the edge ended:\n{self.process.log_tail()}"
            try:
                return (await http.get(self.url + path)).status_code == 200
            except httpx.TransportError:
                return False

        async with httpx.AsyncClient() as http:
            await until(lambda: answers(http), path)

    async def ended(self, timeout_s: float = 15.0) -> int:
        """Wait for the process to end by itself and return its exit code."""

        async def over() -> bool:
            return not self.process.alive

        await until(over, "the edge's end", timeout_s)
        code = self.process.exit_code
        assert code is not None
        return code

    async def __aenter__(self) -> Self:
        self.process.start()
        try:
            await self.wait()
        except BaseException:
            self.process.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.stop()
