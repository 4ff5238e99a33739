"""Ways to keep the roll, and who has voted, in Redis."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple

from shards import keys
from shards.command import pack
from shards.load import ELECTORS_PER_BUCKET
from shards.records import ONCE_BYTES

CAST = "structures_cast"
MEMBERS_A_COMMAND = 512  # when what is filled holds more electors than one command should


class Bucket(NamedTuple):
    """A shard, and which of its buckets."""

    shard: int
    number: int

    @classmethod
    def of(cls, ballot: bytes, buckets_per_shard: int) -> "Bucket":
        """Return where a ballot hash belongs."""
        return cls(keys.shard_of(ballot), keys.bucket_of(ballot, buckets_per_shard))


class Structure(ABC):
    """Keeps electors in buckets of so many on average, or (0) a shard's electors together."""

    script: str  # the Lua file that decides ballots

    def __init__(self, name: str, electors_per_bucket: int = 0) -> None:
        self.name = name
        self.electors_per_bucket = electors_per_bucket

    @property
    def source(self) -> bytes:
        """The Redis function library that decides ballots."""
        folder = files(__package__)
        return b"".join((folder / f"{name}.lua").read_bytes() for name in ("attempts", self.script))

    def buckets_per_shard(self, electors: int) -> int:
        """Return into how many buckets each shard of such a roll is cut."""
        if not self.electors_per_bucket:
            return 1
        return max(1, round(electors / keys.SHARDS / self.electors_per_bucket))

    def fill_commands(self, ballots: Sequence[bytes]) -> Iterator[bytes]:
        """Yield packed commands that load a sorted roll."""
        buckets = self.buckets_per_shard(len(ballots))
        for bucket, electors in groupby(ballots, lambda ballot: Bucket.of(ballot, buckets)):
            yield from self.fill(bucket, list(electors))

    def cast_command(
        self, ballot: bytes, request_id: bytes, choice: str, *, buckets_per_shard: int
    ) -> bytes:
        """Return the packed call that casts a ballot; `choice` is `o` or `n`."""
        elector = self.elector(ballot)
        used = (
            keys.repeats_key(keys.shard_of(ballot), elector),
            *self.keys(Bucket.of(ballot, buckets_per_shard)),
        )
        return pack("FCALL", CAST, len(used), *used, elector, choice, request_id)

    def elector(self, ballot: bytes) -> bytes:
        """Return what names an elector: 12 bytes."""
        return keys.field_of(ballot)

    @abstractmethod
    def keys(self, bucket: Bucket) -> tuple[bytes, ...]:
        """Return the keys that the script uses, from its second on."""

    @abstractmethod
    def fill(self, bucket: Bucket, ballots: list[bytes]) -> Iterator[bytes]:
        """Yield packed commands that write one bucket."""


class Hashes(Structure):
    """A hash a bucket, as shipped: in listpack encoding while it is small."""

    script = "hashes"

    def keys(self, bucket: Bucket) -> tuple[bytes, ...]:
        """Return the bucket's."""
        return (keys.bucket_key(*bucket),)

    def fill(self, bucket: Bucket, ballots: list[bytes]) -> Iterator[bytes]:
        """Set fields to `0`."""
        for part in _parts(ballots):
            pairs = [value for ballot in part for value in (self.elector(ballot), b"0")]
            yield pack("HSET", keys.bucket_key(*bucket), *pairs)


class Packed(Structure):
    """A string a bucket, with room for the records."""

    script = "packed"
    room = bytes(ONCE_BYTES)

    def keys(self, bucket: Bucket) -> tuple[bytes, ...]:
        """Return the bucket's."""
        return (keys.bucket_key(*bucket),)

    def fill(self, bucket: Bucket, ballots: list[bytes]) -> Iterator[bytes]:
        """Set the string."""
        entries = b"".join(self.elector(ballot) + self.room for ballot in ballots)
        yield pack("SET", keys.bucket_key(*bucket), entries)


class PackedApart(Packed):
    """A string of electors a bucket, and one of records once somebody has voted."""

    script = "packed_apart"
    room = b""

    def keys(self, bucket: Bucket) -> tuple[bytes, ...]:
        """Return the electors' and the records'."""
        return keys.bucket_key(*bucket), keys.tag(bucket.shard) + b":v:%d" % bucket.number


class Sets(Structure):
    """Sets of valid and of voted hashes in hex, and a hash of records: cut into shards."""

    script = "sets"

    def elector(self, ballot: bytes) -> bytes:
        """Return the ballot hash in hex."""
        return ballot.hex().encode()

    def keys(self, bucket: Bucket) -> tuple[bytes, ...]:
        """Return the sets' and the records'."""
        names = (b":valid", b":voted", b":requests")
        return tuple(keys.tag(bucket.shard) + name for name in names)

    def fill(self, bucket: Bucket, ballots: list[bytes]) -> Iterator[bytes]:
        """Add to the set of valid hashes."""
        for part in _parts(ballots):
            yield pack("SADD", keys.tag(bucket.shard) + b":valid", *map(self.elector, part))


SHIPPED = Hashes(f"hashes of {ELECTORS_PER_BUCKET} (shipped)", ELECTORS_PER_BUCKET)
CANDIDATES: tuple[Structure, ...] = (
    SHIPPED,
    Hashes("hashes of 32", 32),
    Hashes("hashes of 64", 64),
    Hashes("one hash a shard"),
    Packed("packed 128", 128),
    PackedApart("packed 128 and records", 128),
    Sets("sets of hex"),
)


def _parts(ballots: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(ballots), MEMBERS_A_COMMAND):
        yield ballots[start : start + MEMBERS_A_COMMAND]
