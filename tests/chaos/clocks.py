"""Wall clocks that can be set wrong, one process at a time."""

import struct
import subprocess
from pathlib import Path

from shards.process import LocalProcess

SOURCE = Path(__file__).with_name("clock.c")


class Clocks:
    """Gives processes a clock of their own; call `give` before they start."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._library = directory / "clock.so"
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(SOURCE), "-ldl"],
            check=True,
        )

    def give(self, process: LocalProcess) -> None:
        """Have the process started with a clock that `skew` can set."""
        self.skew(process, 0)
        process.argv = [
            "/usr/bin/env",
            f"LD_PRELOAD={self._library}",
            f"CLOCK_SKEW_FILE={self._file(process)}",
            *process.argv,
        ]

    def skew(self, process: LocalProcess, seconds: int) -> None:
        """Set a process's wall clock wrong by so many seconds, at once."""
        path = self._file(process)
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))

    def _file(self, process: LocalProcess) -> Path:
        return self._directory / f"{process.name}.skew"
