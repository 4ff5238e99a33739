"""What can go wrong offline.

ValueError
└── FieldError          a NAS, code, law id or vote that is refused (field, reason)
HashgenError
├── UsageError          the arguments contradict each other or what is there
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
    "UsageError",
]


class HashgenError(Exception):
    """The root of this package's errors; the message says what to do next."""


class UsageError(HashgenError):
    """The arguments contradict each other or what is there: give others."""


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
