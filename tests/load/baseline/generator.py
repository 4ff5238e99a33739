"""The generator: every ballot of a file sent once, from connections that are kept busy."""

import signal
import subprocess
import time
from pathlib import Path

import msgspec

from tests.load.baseline.servers import find

SCRIPT = Path(__file__).with_name("vote_once.lua")
TIMEOUT_S = 30  # a slower answer would be missing from the percentiles: it fails the run
DURATION_S_MAX = 3600


class Sent(msgspec.Struct, frozen=True):
    """What came back: `refused` were answered 400 or above, `broken` are connection errors."""

    answered: int
    refused: int
    broken: int
    p50_us: int
    p95_us: int
    p99_us: int
    began_s: float = 0.0
    ended_s: float = 0.0


class SendFailed(Exception):
    """wrk ended without its report."""


class Generator:
    """wrk with so many connections; the constructor raises `MissingServer` without wrk."""

    def __init__(self, connections: int) -> None:
        self.connections = connections
        self._program = find("wrk", "wrk", [])

    def send(self, url: str, ballots: Path) -> Sent:
        """Send the ballots; times are those of `time.monotonic`. Raises `SendFailed`."""
        flags = [f"-c{self.connections}", f"-d{DURATION_S_MAX}", f"--timeout={TIMEOUT_S}"]
        script = ["-s", str(SCRIPT), url, "--", str(ballots), str(self.connections)]
        return _run([self._program, "-t1", *flags, *script])


def _run(command: list[str]) -> Sent:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
        assert wrk.stdout is not None
        said = ""
        at_s: dict[str, float] = {}
        for line in wrk.stdout:
            at_s[line.strip()] = time.monotonic()
            if line == "answered\n":
                wrk.send_signal(signal.SIGINT)
            said = line if line.startswith("{") else said
    if wrk.returncode or not said or "answered" not in at_s:
        raise SendFailed(f"wrk failed with exit code {wrk.returncode}")
    sent = msgspec.json.decode(said, type=Sent)
    return msgspec.structs.replace(sent, began_s=at_s["sending"], ended_s=at_s["answered"])
