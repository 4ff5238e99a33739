"""Tables as files that spreadsheets open, and that do nothing when they are opened."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ENCODING = "utf-8-sig"  # by its mark spreadsheets know UTF-8
# What spreadsheets take for a formula, also after what they drop.
_ACTIVE = re.compile(r"[\t\r\n]|[\s\ufeff\x00-\x1f]*[=+\-@|%]")


class Spreadsheet:
    """A CSV file being written, row by row. Use as `with`."""

    def __init__(self, file: Path, header: Sequence[str]) -> None:
        self._file = file.open("w", encoding=ENCODING, newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(header)

    def write(self, row: Iterable[object]) -> None:
        """Write a row, each cell as a text that stays one."""
        self._writer.writerow([inert(str(cell)) for cell in row])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def inert(text: str) -> str:
    """Return a cell that no spreadsheet runs: one like a formula gets an apostrophe before it."""
    return f"'{text}" if _ACTIVE.match(text) else text
