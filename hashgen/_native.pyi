# ruff: noqa: PYI021 (this stub is the documentation of the extension)
"""The contract of the Rust extension. Hashes are 32 raw bytes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, final

VERSION: Final[str]
SCHEMES: Final[tuple[str, str]]
KEY_BYTES: Final[int]
HASH_BYTES: Final[int]
SAMPLE_ELECTORS_MAX: Final[int]
REJECTS_HEADER: Final[bytes]
BLOCK_BYTES: Final[int]

class FieldError(ValueError):
    """A field was refused. Neither the message nor the attributes hold the field's value."""

    field: str
    """`nas`, `code`, `law_id` or `vote`."""
    reason: str
    """What the field must be, in English, to be read after the field's name."""

@final
class BallotHasher:
    """The ballot hash under one scheme.

    `sha256` takes no key, `hmac-sha256` exactly 32 bytes; anything else is a ValueError.
    """

    def __new__(cls, scheme: str = "sha256", key: bytes | None = None) -> BallotHasher: ...
    @property
    def scheme(self) -> str: ...
    @property
    def key_fingerprint(self) -> str:
        """Empty for `sha256`, else the first 16 hex digits of a SHA-256 that names the key."""

    def hash(self, nas: str, code: str, law_id: str) -> bytes:
        """Normalise the fields and return the ballot hash. Raises FieldError."""

    def hash_many(self, rows: Iterable[tuple[str, str, str]]) -> list[bytes]:
        """Hash (nas, code, law_id) tuples. Raises the FieldError of the first bad one."""

def ballot_hash(nas: str, code: str, law_id: str) -> bytes:
    """SHA-256 of the normalised `nas|code|law_id`. Raises FieldError."""

def normalise_law_id(law_id: str) -> str:
    """Return the law id as it stands, 1 to 50 of `[A-Za-z0-9._-]`. Raises FieldError."""

def normalise_vote(vote: str) -> str:
    """Return `oui` or `non`, given in any case. Raises FieldError."""

@final
class CastCall:
    """The Redis call that casts a ballot on one roll, as bytes ready to be sent.

    `function` is the full name of the Redis function. Keys are those of `shards.keys`.
    """

    def __new__(cls, function: bytes, roll_id: str, buckets_per_shard: int) -> CastCall: ...
    def pack(self, ballot_hash: bytes, law_id: str, choice: str, request_id: bytes) -> bytes:
        """Encode a call: 32-byte hash, 16-byte request id; ValueError for any other size."""

@final
class Electors:
    """The electors of a CSV file as sorted hashes, without duplicates: 46 bytes a row."""

    @staticmethod
    def read(
        path: Path,
        hasher: BallotHasher,
        *,
        threads: int,
        block_bytes: int = ...,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Electors:
        """Read and sort a whole file, the GIL released.

        `progress(phase, done, total)` is called every 50 ms, in phases `read` (bytes; total 0 if
        the file is a pipe) and `sort` (steps). What it raises, like KeyboardInterrupt, ends the
        work. Raises OSError, and ValueError if the whole file is refused.
        """

    @property
    def total(self) -> int:
        """Hashes kept."""

    @property
    def rows(self) -> int:
        """Lines after the header, good or bad."""

    @property
    def unended_line(self) -> int | None:
        """The number of the last line, if it has no line end."""

    @property
    def rejected(self) -> int:
        """Rows refused: malformed, the duplicate of an earlier row, or with another code."""

    @property
    def several_codes(self) -> int:
        """Electors that have more than one code for a law, counted for each law."""

    def reject_other_codes(
        self,
        path: Path,
        hasher: BallotHasher,
        *,
        block_bytes: int = ...,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> None:
        """Read the file again, to add to the rejects an elector's rows with other codes for a law.

        No database can be made any more: the hashes are let go. Phase `list` (bytes). Raises as
        `read` does.
        """

    @property
    def laws(self) -> dict[str, int]:
        """Hashes by law id, in the order of ids."""

    def write_rejects(self, path: Path) -> None:
        """Write `line,reason` of every bad row to a new CSV file. Raises OSError."""

    def write_shards(
        self,
        directory: Path,
        hasher: BallotHasher,
        *,
        format: Literal["json", "binary"],  # noqa: A002 (the format's name everywhere)
        shard_size: int,
        threads: int,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> tuple[str, list[tuple[str, int, str]]]:
        """Write new files, flushed to disk; phase `write` (hashes). Raises OSError.

        Returns the roll id and (file, count, SHA-256 in hex) of every shard.
        """

@final
class RollChecker:
    """Checks the files of a database, given in order."""

    def __new__(cls, scheme: str, key_fingerprint: str) -> RollChecker: ...
    def check(self, path: Path, format: str, shard: int, count: int, sha256: str) -> None:  # noqa: A002
        """Check layout, size, order and checksum of the next file. Raises ValueError."""

    @property
    def roll_id(self) -> str:
        """Of the files checked so far."""

def read_shard(path: Path, format: str, shard: int, count: int, sha256: str) -> bytes:  # noqa: A002
    """Return `count` raw hashes of a file, in order, checked. Raises ValueError."""

def sample_rows(seed: int, first: int, count: int, laws: Sequence[str]) -> bytes:
    """Return CSV rows of synthetic electors number `first` on, one for each law."""
