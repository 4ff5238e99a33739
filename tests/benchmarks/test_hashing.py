"""What a hash costs through Python. Run alone for figures: `pytest tests/benchmarks`."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hashgen import BallotHasher

ROWS = [(f"{number:09}", "ABCD2345", "L2025-001") for number in range(1_000)]


@pytest.fixture(params=["sha256", "hmac-sha256"])
def hasher(request: pytest.FixtureRequest) -> BallotHasher:
    key = bytes(range(32)) if request.param == "hmac-sha256" else None
    return BallotHasher(request.param, key)


def test_one_hash(benchmark: BenchmarkFixture, hasher: BallotHasher) -> None:
    digest = benchmark(hasher.hash, "012-345-678", "abcd2345", "L2025-001")
    assert digest == hasher.hash("012345678", "ABCD2345", "L2025-001")


def test_a_thousand_hashes(benchmark: BenchmarkFixture, hasher: BallotHasher) -> None:
    digests = benchmark(hasher.hash_many, ROWS)
    assert digests == [hasher.hash(*row) for row in ROWS]
