"""What a hash database costs to make, check and read, through Python and in plain Python."""

import csv
import json
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge.bench.plain import plain_database
from hashgen import BallotHasher
from hashgen._native import Electors, sample_rows
from hashgen.database import Format, HashDatabase
from hashgen.generate import Options, generate
from hashgen.sample import write_sample

ELECTORS = 20_000
LAW = "L2025-001"
ROUNDS = 5

making = pytest.mark.benchmark(group="a database of 20,000 electors, made")
reading = pytest.mark.benchmark(group="a database of 20,000 electors, read")
sampling = pytest.mark.benchmark(group="20,000 sample electors")


@pytest.fixture(scope="module")
def csv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("electors") / "electors.csv"
    write_sample(path, ELECTORS, [LAW])
    return path


@pytest.fixture(params=["json", "binary"])
def options(request: pytest.FixtureRequest) -> Options:
    file_format: Format = request.param
    return Options(format=file_format)


@pytest.fixture
def database(csv_file: Path, options: Options, tmp_path: Path) -> HashDatabase:
    generate(csv_file, tmp_path / "roll", BallotHasher(), options)
    return HashDatabase.open(tmp_path / "roll")


@making
def test_hashgen_run(
    benchmark: BenchmarkFixture, csv_file: Path, options: Options, tmp_path: Path
) -> None:
    numbers = count()

    def run() -> int:
        made = generate(csv_file, tmp_path / str(next(numbers)), BallotHasher(), options)
        return made.manifest.total

    assert benchmark.pedantic(run, rounds=ROUNDS) == ELECTORS


@making
def test_electors_read(benchmark: BenchmarkFixture, csv_file: Path) -> None:
    electors = benchmark.pedantic(
        Electors.read, (csv_file, BallotHasher()), {"threads": 1}, rounds=ROUNDS
    )
    assert (electors.total, electors.rejected) == (ELECTORS, 0)


@making
def test_plain_python(benchmark: BenchmarkFixture, csv_file: Path, tmp_path: Path) -> None:
    made = benchmark.pedantic(plain_database, (csv_file, tmp_path), rounds=ROUNDS)
    assert made == ELECTORS
    hashes = json.loads((tmp_path / "hashes.json").read_text())
    with csv_file.open(newline="") as lines:
        rows = [(row["nas"], row["code"], row["law_id"]) for row in csv.DictReader(lines)]
    assert hashes == sorted(digest.hex() for digest in BallotHasher().hash_many(rows))


@reading
def test_hashgen_verify(benchmark: BenchmarkFixture, database: HashDatabase) -> None:
    checked: list[int] = []
    benchmark.pedantic(database.check, (checked.append,), rounds=ROUNDS)
    assert checked[-1] == ELECTORS


@reading
def test_read_shard(benchmark: BenchmarkFixture, database: HashDatabase) -> None:
    [entry] = database.manifest.shards
    hashes = benchmark.pedantic(database.read, (entry,), rounds=ROUNDS)
    assert len(hashes) == 32 * ELECTORS


@sampling
def test_sample_rows(benchmark: BenchmarkFixture) -> None:
    rows = benchmark.pedantic(sample_rows, (1, 0, ELECTORS, [LAW]), rounds=ROUNDS)
    assert rows.count(b"\n") == ELECTORS


@sampling
def test_write_sample(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    path = tmp_path / "electors.csv"
    benchmark.pedantic(write_sample, (path, ELECTORS, [LAW]), {"force": True}, rounds=ROUNDS)
    assert path.read_bytes().count(b"\n") == ELECTORS + 1
