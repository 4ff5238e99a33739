"""What it takes to encode the call that casts a ballot, in Rust and through hiredis.

Run alone for figures: `pytest tests/benchmarks`.
"""

from collections.abc import Callable
from hashlib import sha256
from itertools import cycle

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hashgen import CastCall
from shards import keys
from shards.functions import fcall, qualified
from tests.support.casting import cast_keys

ROLL_ID = "5e" * 32
BUCKETS = 600
HASHES = [sha256(number.to_bytes(4)).digest() for number in range(1_000)]
REQUEST_ID = bytes(range(16))


def through_hiredis(ballot_hash: bytes) -> bytes:
    arguments = (keys.field_of(ballot_hash), ballot_hash, "L2025-001", "oui", REQUEST_ID)
    return fcall("cast", cast_keys(ballot_hash, BUCKETS), ROLL_ID, *arguments)


def in_rust() -> Callable[[bytes], bytes]:
    call = CastCall(qualified("cast"), ROLL_ID, BUCKETS)
    return lambda ballot_hash: call.pack(ballot_hash, "L2025-001", "oui", REQUEST_ID)


@pytest.mark.benchmark(group="the call of a vote")
@pytest.mark.parametrize("pack", [in_rust(), through_hiredis], ids=["rust", "hiredis"])
def test_one_call(benchmark: BenchmarkFixture, pack: Callable[[bytes], bytes]) -> None:
    hashes = cycle(HASHES)  # other bytes each time, as votes have
    packed = benchmark(lambda: pack(next(hashes)))
    assert packed.startswith(b"*13\r\n$5\r\nFCALL\r\n")
