"""The list of bad rows beside a database: of the last run, and of nobody else's file."""

import os
from pathlib import Path

from hashgen._native import REJECTS_HEADER, Electors
from hashgen.errors import UsageError


class RejectsFile:
    """`DIRECTORY.rejects.csv`. It is ours if it begins as such a list does."""

    def __init__(self, directory: Path) -> None:
        self.path = directory.with_name(f"{directory.name}.rejects.csv")

    def check(self) -> None:
        """Refuse, with UsageError, to write over another file; raises OSError."""
        if not os.path.lexists(self.path) or self._is_list():
            return
        raise UsageError(
            f"{self.path}, where bad rows would be listed, is there and is no such list: "
            "move it elsewhere, or choose another --out"
        )

    def _is_list(self) -> bool:
        if self.path.is_symlink() or not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            return file.read(len(REJECTS_HEADER)) == REJECTS_HEADER

    def remove(self) -> None:
        """Remove the list of an earlier run. Raises UsageError and OSError."""
        self.check()
        self.path.unlink(missing_ok=True)

    def write(self, electors: Electors) -> None:
        """List the bad rows; the file appears when it is whole. Raises UsageError and OSError."""
        partial = self.path.with_name(f".{self.path.name}.partial")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # of a killed run
        try:
            electors.write_rejects(partial)
            self.check()
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)
