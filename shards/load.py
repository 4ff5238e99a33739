"""Loads a hash database into the cluster: checked first, resumable, never touching a ballot."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import msgspec

from hashgen.database import HashDatabase, Manifest
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.election import Election
from shards.errors import ConfigurationError, RollConflict, RollLost, ShardsError
from shards.functions import fcall
from shards.roll import RollInfo

ELECTORS_PER_BUCKET = 56  # the mean; Poisson keeps the fullest of a large roll under 128
BUCKETS_A_BATCH = 512
LOST = (
    "Electors of a roll that took ballots are gone: to fill them in again would let people vote"
    " twice. Load an empty cluster with `scrutin replay`, which restores who has voted"
)
Progress = Callable[[int], None]  # told how many electors were handled since the last call


class Bucket(msgspec.Struct, frozen=True):
    """A bucket's place and its electors' fields, joined."""

    shard: int
    number: int
    fields: bytes

    @property
    def electors(self) -> int:
        """How many electors it holds."""
        return len(self.fields) // keys.FIELD_SIZE_BYTES


def roll_info(manifest: Manifest) -> RollInfo:
    """Return what the loaded roll will say of itself."""
    per_shard = manifest.total / keys.SHARDS
    return RollInfo(
        roll_id=manifest.roll_id,
        scheme=manifest.scheme,
        key_fingerprint=manifest.key_fingerprint,
        electors=manifest.total,
        laws=manifest.laws,
        buckets_per_shard=max(1, round(per_shard / ELECTORS_PER_BUCKET)),
        field_size_bytes=keys.FIELD_SIZE_BYTES,
    )


def buckets_of(database: HashDatabase, buckets_per_shard: int) -> Iterator[Bucket]:
    """Yield the buckets of a database in order, each whole, wherever its files are cut."""
    place: tuple[int, int] | None = None
    fields: list[bytes] = []
    for entry in database.manifest.shards:
        hashes = database.read(entry)
        for start in range(0, len(hashes), keys.HASH_SIZE_BYTES):
            ballot_hash = hashes[start : start + keys.HASH_SIZE_BYTES]
            here = (ballot_hash[0], keys.bucket_of(ballot_hash, buckets_per_shard))
            if here != place:
                if place is not None:
                    yield Bucket(*place, b"".join(fields))
                place, fields = here, []
            fields.append(keys.field_of(ballot_hash))
    if place is not None:
        yield Bucket(*place, b"".join(fields))


async def load_roll(
    client: ShardClient,
    database: HashDatabase,
    election: Election,
    progress: Progress | None = None,
    *,
    reopen: bool = False,
) -> RollInfo:
    """Load a database whose files have been checked with `database.check()`.

    May be killed and run again, and run over a roll in use: buckets that are there are left
    alone. Once any shard takes ballots nothing is filled any more: an elector who is gone may have
    voted. A law that has closed stays so unless `reopen`. Raises `ConfigurationError` for a law
    without a window, `RollConflict` when another roll is loaded, `RollLost` when electors of one in
    use are gone, `ShardsError` for hours that cannot be changed, and when the count in the cluster
    is wrong at the end.
    """
    info = await fill_roll(client, database, election, progress, reopen=reopen)
    await client.call_each(
        lambda shard: fcall("roll_finish", (keys.meta_key(shard),), info.roll_id)
    )
    return info


async def fill_roll(
    client: ShardClient,
    database: HashDatabase,
    election: Election,
    progress: Progress | None = None,
    *,
    reopen: bool = False,
) -> RollInfo:
    """Do all of `load_roll` but declaring the roll ready for ballots; raises as it does."""
    info = roll_info(database.manifest)
    unknown = sorted(set(info.laws) - {law.id for law in election.laws})
    if unknown:
        raise ConfigurationError(
            f"the roll has electors for {', '.join(unknown)}, which the election file lacks"
        )
    in_use = await _begin(client, info, election, reopen=reopen)
    fill = partial(_fill_command, roll_id=info.roll_id, in_use=in_use)
    await _fill(client, buckets_of(database, info.buckets_per_shard), fill, progress)
    await _verify(client, info, database, in_use=in_use)
    return info


async def _begin(client: ShardClient, info: RollInfo, election: Election, *, reopen: bool) -> bool:
    """Open every shard for the roll; say whether any takes ballots already."""
    facts: list[bytes | str | int] = [info.roll_id, int(reopen), "info", msgspec.json.encode(info)]
    for law in election.laws:
        facts += [f"opens:{law.id}", law.opens_at_ms, f"closes:{law.id}", law.closes_at_ms]
    replies = await client.call_each(
        lambda shard: fcall("roll_begin", (keys.meta_key(shard),), *facts)
    )
    for shard, reply in enumerate(replies):
        if reply == b"LAYOUT":
            raise RollConflict(
                f"shard {shard:02x} holds this roll in the layout of another version of Scrutin:"
                " go on with that version, or use an empty cluster"
            )
        if reply not in (b"OK", b"READY"):
            raise RollConflict(
                f"shard {shard:02x} holds roll {reply.decode()[:16]}… already and this is roll "
                f"{info.roll_id[:16]}…; a cluster takes one roll: use an empty cluster, or"
                " `scrutin roll unload` as long as nobody has tried to vote"
            )
    return b"READY" in replies


async def _fill(
    client: ShardClient,
    buckets: Iterator[Bucket],
    command: Callable[[Bucket], bytes],
    progress: Progress | None,
) -> None:
    while batch := list(islice(buckets, BUCKETS_A_BATCH)):
        filled = await client.call_all((bucket.shard, command(bucket)) for bucket in batch)
        if -1 in filled:
            raise RollLost(LOST)
        if progress is not None:
            progress(sum(bucket.electors for bucket in batch))


def _fill_command(bucket: Bucket, *, roll_id: str, in_use: bool) -> bytes:
    key = keys.bucket_key(bucket.shard, bucket.number)
    meta = keys.meta_key(bucket.shard)
    return fcall("roll_fill", (key, meta), roll_id, bucket.fields, int(in_use))


async def _verify(
    client: ShardClient, info: RollInfo, database: HashDatabase, *, in_use: bool
) -> None:
    """Count what the cluster holds: the sum must be the database's."""
    loaded = sum(await count_electors(client, info.buckets_per_shard))
    if loaded == database.manifest.total:
        return
    counts = f"the cluster holds {loaded} electors, the database has {database.manifest.total}"
    if in_use and loaded < database.manifest.total:
        raise RollLost(f"{counts}; `scrutin verify --roll` names them. {LOST}")
    raise ShardsError(f"{counts}: nothing of ours loads others; use an empty cluster")


async def count_electors(client: ShardClient, buckets_per_shard: int) -> list[int]:
    """Count the electors of every shard, bucket by bucket; raises `Unavailable`."""
    counts = []
    for shard in range(keys.SHARDS):
        lengths = await client.call_in_turn(
            (shard, pack("HLEN", keys.bucket_key(shard, bucket)))
            for bucket in range(buckets_per_shard)
        )
        counts.append(sum(lengths))
    return counts
