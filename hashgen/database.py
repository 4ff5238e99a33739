"""A hash database on disk: its manifest and its files."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hashgen._native import HASH_BYTES, SCHEMES, RollChecker, read_shard
from hashgen.errors import DatabaseError

MANIFEST_FILE = "manifest.json"
SHARD_FILES = "hash_database-*"
UNFINISHED_SUFFIX = ".partial"
REPLACED_SUFFIX = ".old"

COUNT_MAX = 2**32
"""Lines that an electors' file can have."""

Format = Literal["json", "binary"]
Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]


class ShardEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its name in the directory, its format, hashes in it, SHA-256 of it in hex."""

    file: str
    format: Format
    count: Count
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a database holds. `checksum` is over all other fields, against edits and accidents."""

    format: Literal["scrutin-hash-database-manifest"] = "scrutin-hash-database-manifest"
    version: Literal[1] = 1
    scheme: str
    key_fingerprint: str
    roll_id: str
    """Hex SHA-256 over scheme, key fingerprint and all hashes in order."""
    laws: dict[str, Count]
    """Hashes by law id."""
    total: Count
    shards: list[ShardEntry]
    rows_read: Count
    rows_rejected: Count
    several_codes: Count | msgspec.UnsetType = msgspec.UNSET
    """Electors with more than one code for a law, for each law. Older manifests do not say."""
    created_at: str
    """UTC, ISO 8601."""
    software: str
    checksum: str = ""

    def sealed(self) -> "Manifest":
        """Return the manifest with its checksum."""
        return msgspec.structs.replace(self, checksum=self._digest())

    def _digest(self) -> str:
        plain = msgspec.structs.replace(self, checksum="")
        return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()

    def fault(self) -> str | None:
        """Say what contradicts itself in the manifest, or None."""
        if self.checksum != self._digest():
            return "was edited or damaged: its checksum does not match"
        if self.scheme not in SCHEMES:
            return "names an unknown hash scheme"
        if any(shard.count < 1 for shard in self.shards):
            return "lists an empty shard"
        if not self.total == sum(shard.count for shard in self.shards) == sum(self.laws.values()):
            return "has a total that is not the sum of its shards and of its laws"
        if self.total != self.rows_read - self.rows_rejected:
            return "has a total that is not the rows read without those rejected"
        if any(Path(shard.file).name != shard.file for shard in self.shards):
            return "lists a file outside the directory"
        return None


def old_place_of(directory: Path) -> Path:
    """Return where a database is for the moment in which another takes its place."""
    return directory.with_name(f".{directory.name}{REPLACED_SUFFIX}")


class HashDatabase:
    """A database opened by its manifest; files are read when asked for."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory = directory
        self.manifest = manifest

    @classmethod
    def open(cls, directory: Path) -> "HashDatabase":
        """Read the manifest and check it against itself. Raises DatabaseError."""
        if directory.resolve().name.endswith(UNFINISHED_SUFFIX):  # it may have all but its name
            raise DatabaseError(f"{directory} is what a killed run left: run it again")
        path = directory / MANIFEST_FILE
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except FileNotFoundError as error:
            if not directory.exists() and (old := old_place_of(directory.absolute())).is_dir():
                raise DatabaseError(
                    f"{directory} is not there: a run with --force was killed in the moment it "
                    f"took its place. What was there is in {old}: rename that, or run again"
                ) from error
            raise DatabaseError(
                f"{directory} is no hash database: it has no {MANIFEST_FILE}. "
                "Make one with: scrutin hashgen run CSV --out DIR"
            ) from error
        except OSError as error:
            raise DatabaseError(f"{path} cannot be read: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DatabaseError(f"{path} is no manifest: {error}") from error
        fault = manifest.fault()
        if fault is not None:
            raise DatabaseError(f"{path} {fault}")
        return cls(directory, manifest)

    def check(self, progress: Callable[[int], None] | None = None) -> None:
        """Check every file and the roll id; raises the DatabaseError of the first fault.

        `progress` is called with the number of hashes checked so far, after each file.
        """
        listed = {shard.file for shard in self.manifest.shards}
        for path in sorted(self.directory.glob(SHARD_FILES)):
            if path.name not in listed:
                raise DatabaseError(f"{path} is not in the manifest; is it of another run?")
        checker = RollChecker(self.manifest.scheme, self.manifest.key_fingerprint)
        done = 0
        for number, shard in enumerate(self.manifest.shards):
            path = self.directory / shard.file
            try:
                checker.check(path, shard.format, number, shard.count, shard.sha256)
            except ValueError as error:
                raise DatabaseError(f"{path}: {error}") from error
            done += shard.count
            if progress is not None:
                progress(done)
        if checker.roll_id != self.manifest.roll_id:
            raise DatabaseError(
                f"{self.directory / MANIFEST_FILE} has a roll id that its hashes do not make"
            )

    def read(self, shard: ShardEntry) -> bytes:
        """Return the raw hashes of one file, 32 bytes each, sorted. Raises DatabaseError."""
        path = self.directory / shard.file
        number = self.manifest.shards.index(shard)
        try:
            hashes = read_shard(path, shard.format, number, shard.count, shard.sha256)
        except ValueError as error:
            raise DatabaseError(f"{path}: {error}") from error
        assert len(hashes) == shard.count * HASH_BYTES
        return hashes
