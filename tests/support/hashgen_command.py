"""Runs `hashgen` as a program."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

COMMAND = [sys.executable, "-m", "hashgen"]


def hashgen(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )


def heed_ctrl_c() -> None:
    """A shell that starts the tests in the background makes its children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_while_running(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Return when `reached` is true; fail if the process ended before."""
    while not reached():
        assert process.poll() is None, process.communicate()
        psutil.wait_procs([psutil.Process(process.pid)], timeout=0.001)
