"""Where a ballot hash lives."""

from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from shards import keys

hashes = st.binary(min_size=32, max_size=32)


@given(hashes, st.integers(1, 10_000))
def test_all_keys_of_a_ballot_share_a_slot(ballot_hash: bytes, buckets: int) -> None:
    shard = keys.shard_of(ballot_hash)
    names = [
        keys.bucket_key(shard, keys.bucket_of(ballot_hash, buckets)),
        keys.repeats_key(shard, keys.field_of(ballot_hash)),
        keys.outbox_key(shard),
        keys.lease_key(shard),
        keys.meta_key(shard),
    ]
    assert {key_slot(name) for name in names} == {keys.slot(shard)}


@given(st.lists(hashes, min_size=2, max_size=50), st.integers(1, 10_000))
def test_buckets_follow_the_order_of_hashes(ballot_hashes: list[bytes], buckets: int) -> None:
    places = [(h[0], keys.bucket_of(h, buckets)) for h in sorted(ballot_hashes)]
    assert places == sorted(places)
    assert all(0 <= bucket < buckets for _, bucket in places)


@given(hashes)
def test_shard_bucket_and_field_together_tell_hashes_apart(ballot_hash: bytes) -> None:
    last = keys.FIELD_SIZE_BYTES
    other = ballot_hash[:last] + bytes([ballot_hash[last] ^ 1]) + ballot_hash[last + 1 :]
    assert keys.field_of(ballot_hash) != keys.field_of(other)
