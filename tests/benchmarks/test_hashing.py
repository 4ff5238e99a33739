"""What a hash costs through Python. Run alone for figures: `pytest tests/benchmarks`.

In a group, what Scrutin does stands beside the same in plain Python, and beside the hash alone of
a message that is ready (hashlib's, which is OpenSSL's).
"""

import hashlib

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.bench.plain import plain_hash
from hashgen import BallotHasher, FieldError, ballot_hash
from hashgen._native import normalise_law_id, normalise_vote

ELECTOR = ("012-345-678", "abcd2345", "L2025-001")
MESSAGE = b"012345678|ABCD2345|L2025-001"
ROWS = [(f"{number:09}", "ABCD2345", "L2025-001") for number in range(1_000)]
MESSAGES = ["|".join(row).encode() for row in ROWS]

one = pytest.mark.benchmark(group="one hash")
thousand = pytest.mark.benchmark(group="a thousand hashes")
field = pytest.mark.benchmark(group="a field")


@pytest.fixture(params=["sha256", "hmac-sha256"])
def hasher(request: pytest.FixtureRequest) -> BallotHasher:
    key = bytes(range(32)) if request.param == "hmac-sha256" else None
    return BallotHasher(request.param, key)


@one
def test_one_hash(benchmark: BenchmarkFixture, hasher: BallotHasher) -> None:
    digest = benchmark(hasher.hash, *ELECTOR)
    assert digest == hasher.hash("012345678", "ABCD2345", "L2025-001")


@one
def test_one_ballot_hash(benchmark: BenchmarkFixture) -> None:
    assert benchmark(ballot_hash, *ELECTOR) == hashlib.sha256(MESSAGE).digest()


@one
def test_one_hash_in_plain_python(benchmark: BenchmarkFixture) -> None:
    assert benchmark(plain_hash, *ELECTOR) == ballot_hash(*ELECTOR)


@one
def test_one_hash_alone(benchmark: BenchmarkFixture) -> None:
    digest = benchmark(lambda: hashlib.sha256(MESSAGE).digest())
    assert digest == ballot_hash(*ELECTOR)


@one
def test_one_refusal(benchmark: BenchmarkFixture, hasher: BallotHasher) -> None:
    def refuse() -> FieldError:
        with pytest.raises(FieldError) as refused:
            hasher.hash("12345678", *ELECTOR[1:])
        return refused.value

    assert benchmark(refuse).field == "nas"


@thousand
def test_a_thousand_hashes(benchmark: BenchmarkFixture, hasher: BallotHasher) -> None:
    digests = benchmark(hasher.hash_many, ROWS)
    assert digests == [hasher.hash(*row) for row in ROWS]


@thousand
def test_a_thousand_hashes_in_plain_python(benchmark: BenchmarkFixture) -> None:
    digests = benchmark(lambda: [plain_hash(*row) for row in ROWS])
    assert digests == BallotHasher().hash_many(ROWS)


@thousand
def test_a_thousand_hashes_alone(benchmark: BenchmarkFixture) -> None:
    digests = benchmark(lambda: [hashlib.sha256(message).digest() for message in MESSAGES])
    assert digests == BallotHasher().hash_many(ROWS)


@field
def test_a_law_id(benchmark: BenchmarkFixture) -> None:
    assert benchmark(normalise_law_id, "L2025-001") == "L2025-001"


@field
def test_a_vote(benchmark: BenchmarkFixture) -> None:
    assert benchmark(normalise_vote, "Non") == "non"
