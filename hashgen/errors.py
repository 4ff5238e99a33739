"""What can go wrong offline.

ValueError
└── FieldError          a NAS, code, law id or vote that is refused (field, reason)
HashgenError
├── UsageError          the arguments contradict each other or what is there
│   └── SeveralCodesError   electors have several codes for a law, which was not allowed
├── InputError          the electors' file or the key file cannot be used
├── BadRowsError        the electors' file has bad rows, listed in a file
└── DatabaseError       a hash database that is missing, damaged or not what it says
"""

from pathlib import Path

from hashgen._native import FieldError

__all__ = [
    "BadRowsError",
    "DatabaseError",
    "FieldError",
    "HashgenError",
    "InputError",
    "SeveralCodesError",
    "UsageError",
]


class HashgenError(Exception):
    """The root of this package's errors; the message says what to do next."""


class UsageError(HashgenError):
    """The arguments contradict each other or what is there: give others."""


class SeveralCodesError(UsageError):
    """Electors have more than one code for a law: how many, and where their rows are listed."""

    def __init__(self, csv_file: Path, rejects_file: Path | None, several_codes: int) -> None:
        rows = (
            f"which rows is only told of a file, and {csv_file} is none"
            if rejects_file is None
            else f"their rows are listed in {rejects_file}"
        )
        super().__init__(
            f"{csv_file} has electors with more than one code for a law, who could vote with "
            f"each: {several_codes:,}; {rows}. No database was made. Correct the electors, or give "
            "--allow-several-codes to let each code vote"
        )
        self.csv_file = csv_file
        self.rejects_file = rejects_file
        self.several_codes = several_codes


class InputError(HashgenError):
    """The electors' file or the key file cannot be used as it is."""


class BadRowsError(HashgenError):
    """The electors' file has bad rows: how many of how many, and where they are listed."""

    def __init__(self, csv_file: Path, rejects_file: Path, rejected: int, rows: int) -> None:
        super().__init__(
            f"{csv_file} has {rejected:,} bad rows of {rows:,}, listed in {rejects_file}; "
            "no database was made. Correct the file, or give --skip-bad-rows to go on without them"
        )
        self.csv_file = csv_file
        self.rejects_file = rejects_file
        self.rejected = rejected
        self.rows = rows


class DatabaseError(HashgenError):
    """A hash database is missing, damaged or not what its manifest says."""
