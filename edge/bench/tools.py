"""Programs that a benchmark runs."""

import shutil
import subprocess

from edge.errors import StartError

HOW_TO_GET = {
    "oha": "cargo install oha",
    "openssl": "apt-get install openssl",
    "wrk": "apt-get install wrk",
}


def find(program: str) -> str:
    """Return where a program is; raises `StartError` when it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise StartError(f"{program} is not installed: {HOW_TO_GET[program]}")
    return path


def said_by(command: list[str]) -> str:
    """Run a program of ours or on PATH and return what it printed.

    Raises `StartError` with the end of its complaint when it fails.
    """
    # No shell, and every argument is ours: nothing of a request or a file becomes a command.
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise StartError(f"{command[0]} ended with {ran.returncode}: {ran.stderr[-500:]}")
    return ran.stdout
