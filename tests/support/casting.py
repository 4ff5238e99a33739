"""The keys of the call that casts a ballot, as Python says them."""

from shards import keys


def cast_keys(ballot_hash: bytes, buckets_per_shard: int) -> tuple[bytes, ...]:
    """Return the keys of `scrutin_cast` for a ballot, in their order."""
    shard = keys.shard_of(ballot_hash)
    return (
        keys.bucket_key(shard, keys.bucket_of(ballot_hash, buckets_per_shard)),
        keys.outbox_key(shard),
        keys.meta_key(shard),
        keys.repeats_key(shard, keys.field_of(ballot_hash)),
    )
