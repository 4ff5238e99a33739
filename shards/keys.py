"""Every Redis key, and where a ballot hash lives.

A roll has 256 shards; the shard is the first byte of the ballot hash. All keys of a shard carry
its tag `{xx}`, so they share a cluster slot and one script can change them together. The call that
casts a ballot names its keys in Rust, `native/src/cast.rs`.
"""

from redis.crc import key_slot

SHARDS = 256
HASH_SIZE_BYTES = 32
FIELD_SIZE_BYTES = 12  # with the shard 104 bits of the hash: no two electors share them


def tag(shard: int) -> bytes:
    """Return the hash tag of a shard: `{xx}`, two lower-case hex digits."""
    return b"{%02x}" % shard


def slot(shard: int) -> int:
    """Return the cluster slot that holds a shard."""
    return int(key_slot(b"%02x" % shard))


def shard_of(ballot_hash: bytes) -> int:
    """Return the shard of a 32-byte ballot hash: its first byte."""
    return ballot_hash[0]


def bucket_of(ballot_hash: bytes, buckets_per_shard: int) -> int:
    """Return the bucket of a hash: its shard's range cut into equal parts, in hash order.

    Order is kept so that a sorted database fills one bucket after the other.
    """
    return (int.from_bytes(ballot_hash[1:5]) * buckets_per_shard) >> 32


def field_of(ballot_hash: bytes) -> bytes:
    """Return the bytes that name an elector inside a bucket."""
    return ballot_hash[1 : 1 + FIELD_SIZE_BYTES]


def bucket_key(shard: int, bucket: int) -> bytes:
    """Return the key of the hash that holds a bucket's electors and their ballots."""
    return b"{%02x}:b:%d" % (shard, bucket)


def repeats_key(shard: int, field: bytes) -> bytes:
    """Return the key of the request ids of an elector's latest duplicate attempts."""
    return b"{%02x}:r:%b" % (shard, field)


def outbox_key(shard: int) -> bytes:
    """Return the key of a shard's outbox stream."""
    return b"{%02x}:out" % shard


def lease_key(shard: int) -> bytes:
    """Return the key that names the drainer of a shard's outbox."""
    return b"{%02x}:lease" % shard


def token_key(shard: int) -> bytes:
    """Return the key of the token of the latest lease on a shard's outbox."""
    return b"{%02x}:token" % shard


def meta_key(shard: int) -> bytes:
    """Return the key of a shard's roll id, scheme, counts and law windows."""
    return b"{%02x}:meta" % shard


def results_key() -> bytes:
    """Return the key of the published tally snapshot."""
    return tag(0) + b":results"


def review_case_key(case_id: str) -> bytes:
    """Return the key of a case of the review queue as it stands."""
    return tag(0) + b":review:case:" + case_id.encode()


def review_history_key(case_id: str) -> bytes:
    """Return the key of the stream of a case's entries."""
    return tag(0) + b":review:history:" + case_id.encode()


def review_trail_key() -> bytes:
    """Return the key of the stream of all entries of the review queue."""
    return tag(0) + b":review:trail"


def review_cases_key() -> bytes:
    """Return the key of the published cases, those that ask for a look first."""
    return tag(0) + b":review:cases"


def review_turn_key() -> bytes:
    """Return the key that names the drainer whose turn it is to publish cases."""
    return tag(0) + b":review:turn"


def review_confirm_key() -> bytes:
    """Return the key that is written so that what was written before it is on disks."""
    return tag(0) + b":review:confirm"


def networks_key(hour: str) -> bytes:
    """Return the key of an hour's refused votes by network."""
    return tag(0) + b":review:networks:" + hour.encode()


def network_secret_key(day: str) -> bytes:
    """Return the key of the secret that a day's networks are named with."""
    return tag(0) + b":review:secret:" + day.encode()
