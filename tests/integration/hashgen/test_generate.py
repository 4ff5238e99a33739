import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from hashgen import BallotHasher
from hashgen.database import HashDatabase
from hashgen.errors import BadRowsError, InputError, UsageError
from hashgen.generate import Options, generate
from tests.support import hashgen_oracle as oracle

COLUMNS = ["nas", "code", "law_id"]
KEY = bytes(range(32))


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_json_shards_are_exactly_as_documented(electors_csv: Path, tmp_path: Path) -> None:
    expected = oracle.read_roll(electors_csv.read_bytes(), COLUMNS)
    generate(electors_csv, tmp_path / "db", BallotHasher(), Options(shard_size=15_000))
    hashes = [digest.hex() for digest in expected.hashes]
    for number, start in enumerate(range(0, 40_000, 15_000)):
        part = hashes[start : start + 15_000]
        document = {
            "format": "scrutin-hash-database",
            "version": 1,
            "shard": number,
            "count": len(part),
            "hashes": part,
        }
        text = (tmp_path / "db" / f"hash_database-{number:05}.json").read_text()
        assert text == json.dumps(document, separators=(",", ":"))
    manifest = json.loads((tmp_path / "db" / "manifest.json").read_text())
    assert manifest["laws"] == dict(expected.laws)
    assert (manifest["total"], manifest["rows_read"], manifest["rows_rejected"]) == (
        40_000,
        40_000,
        0,
    )


def test_the_roll_is_the_same_whatever_its_files(electors_csv: Path, tmp_path: Path) -> None:
    hasher = BallotHasher("hmac-sha256", KEY)
    choices = [
        Options(),
        Options(format="binary"),
        Options(format="binary", shard_size=999),
        Options(shard_size=1_234, threads=1, block_bytes=100),
    ]
    rolls = []
    for number, options in enumerate(choices):
        directory = tmp_path / str(number)
        made = generate(electors_csv, directory, hasher, options)
        database = HashDatabase.open(directory)
        database.check()
        raw = b"".join(database.read(shard) for shard in database.manifest.shards)
        rolls.append((made.manifest.roll_id, raw))
    assert rolls == [rolls[0]] * len(rolls)
    expected = oracle.read_roll(electors_csv.read_bytes(), COLUMNS, KEY)
    assert rolls[0][1] == b"".join(expected.hashes)
    identity = b"hmac-sha256" + hasher.key_fingerprint.encode() + rolls[0][1]
    assert rolls[0][0] == hashlib.sha256(identity).hexdigest()
    other = generate(electors_csv, tmp_path / "other", BallotHasher(), Options())
    assert other.manifest.roll_id != rolls[0][0]


def test_threads_change_nothing(electors_csv: Path, tmp_path: Path) -> None:
    lines = electors_csv.read_bytes().splitlines(keepends=True)
    csv_file = tmp_path / "electors.csv"
    csv_file.write_bytes(b"".join([*lines[:9_000], b"bad\n", *lines[5_000:12_000]]))
    outputs = []
    for threads in (1, 4):
        directory = tmp_path / str(threads)
        made = generate(
            csv_file,
            directory,
            BallotHasher(),
            Options(skip_bad_rows=True, threads=threads, block_bytes=3_000, shard_size=2_000),
        )
        assert made.rejects_file is not None
        files = files_of(directory)
        manifest = msgspec.structs.replace(made.manifest, created_at="", checksum="")
        del files["manifest.json"]
        outputs.append((files, manifest, made.rejects_file.read_bytes()))
    assert outputs[0] == outputs[1]
    assert outputs[0][1].rows_rejected == 4_001


def test_bad_rows_fail_the_run_or_are_left_out(electors_csv: Path, tmp_path: Path) -> None:
    csv_file, directory = tmp_path / "electors.csv", tmp_path / "db"
    content = electors_csv.read_bytes()
    csv_file.write_bytes(content + b"012345678,SECRET,\n")
    with pytest.raises(BadRowsError, match="1 bad rows of 40,001") as refused:
        generate(csv_file, directory, BallotHasher(), Options())
    assert not directory.exists()
    listed = 'line,reason\n40002,"law_id must have 1 to 50 characters"\n'
    assert refused.value.rejects_file == tmp_path / "db.rejects.csv"
    assert refused.value.rejects_file.read_text() == listed

    made = generate(csv_file, directory, BallotHasher(), Options(skip_bad_rows=True))
    assert (made.manifest.total, made.manifest.rows_rejected) == (40_000, 1)
    assert made.rejects_file == tmp_path / "db.rejects.csv"

    csv_file.write_bytes(content)
    made = generate(csv_file, directory, BallotHasher(), Options(force=True))
    assert made.rejects_file is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "electors.csv"]


def test_a_failed_run_leaves_the_old_database(electors_csv: Path, tmp_path: Path) -> None:
    csv_file, directory = tmp_path / "electors.csv", tmp_path / "db"
    csv_file.write_bytes(electors_csv.read_bytes())
    generate(csv_file, directory, BallotHasher(), Options())
    before = files_of(directory)
    with csv_file.open("ab") as file:
        file.write(b"bad\n")
    with pytest.raises(BadRowsError):
        generate(csv_file, directory, BallotHasher(), Options(force=True))
    assert files_of(directory) == before


def test_no_elector_is_no_database(tmp_path: Path) -> None:
    csv_file = tmp_path / "electors.csv"
    for content in ("nas,code,law_id", "nas,code,law_id\n", "nas,code,law_id\nbad\n"):
        csv_file.write_text(content)
        with pytest.raises(InputError, match="no elector that can be used"):
            generate(csv_file, tmp_path / "db", BallotHasher(), Options(skip_bad_rows=True))
        assert not (tmp_path / "db").exists()


def test_what_is_there_is_not_written_over(electors_csv: Path, tmp_path: Path) -> None:
    hasher = BallotHasher()
    directory = tmp_path / "db"
    generate(electors_csv, directory, hasher, Options())
    before = files_of(directory)
    with pytest.raises(UsageError, match="--force"):
        generate(electors_csv, directory, hasher, Options())
    assert files_of(directory) == before
    generate(electors_csv, directory, hasher, Options(force=True, format="binary"))
    assert "hash_database-00000.bin" in files_of(directory)

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(directory)
    for name in ("mine", "file", "link", "..", ""):
        with pytest.raises(UsageError, match="--out"):
            generate(electors_csv, Path(tmp_path / name), hasher, Options(force=True))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_empty_directory_is_taken(electors_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    generate(electors_csv, tmp_path / "db", BallotHasher(), Options())
    HashDatabase.open(tmp_path / "db").check()
