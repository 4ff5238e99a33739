"""An elector with more than one code for a law can vote with each: nobody makes that by mistake."""

import os
from pathlib import Path

import msgspec
import pytest

from hashgen import BallotHasher
from hashgen.database import HashDatabase
from hashgen.errors import DatabaseError, SeveralCodesError
from hashgen.generate import Options, generate
from tests.support.hashgen_command import hashgen, start

# One elector with three codes for a law, of which one stands there twice; one for two laws.
ROWS = (
    "nas,code,law_id\n012345678,AAAAAA,L1\n012345678,BBBBBB,L1\n012345678,AAAAAA,L2\n"
    "098765432,AAAAAA,L1\n012-345-678,cccccc,L1\n012345678,BBBBBB,L1\n098765432,AAAAAA,L2\n"
)
LIST = (
    'line,reason\n3,"another code of the elector of line 2"\n'
    '6,"another code of the elector of line 2"\n7,"duplicate of line 3"\n'
)
COUNT = "electors with more than one code for a law"

# As a run wrote it before it said how many have several codes.
OLDER_MANIFEST = (
    '{"format":"scrutin-hash-database-manifest","version":1,"scheme":"sha256","key_finger'
    'print":"","roll_id":"b9e021748905f60c2851eefdc69c7f534e8e54ac1a24732f8c907962688b3e9'
    'a","laws":{"L1":1},"total":1,"shards":[{"file":"hash_database-00000.json","format":"'
    'json","count":1,"sha256":"1da6ae1203dacadd1d489f493476da351b5e0d97853a727391df0c2547'
    'd90ab2"}],"rows_read":1,"rows_rejected":0,"created_at":"2026-11-28T14:12:18+00:00","'
    'software":"scrutin 0.1.0","checksum":"bdc73f48b6728f5ba11c814e3f541a15a179f093079dc1'
    '58952828f53f360c9b"}'
)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "electors.csv"
    path.write_text(ROWS)
    return path


@pytest.mark.parametrize("options", [[], ["--skip-bad-rows"]])
def test_they_fail_the_run(csv_file: Path, tmp_path: Path, options: list[str]) -> None:
    result = hashgen("run", csv_file, "--out", tmp_path / "db", *options)
    said = " ".join(result.stderr.split())
    assert (result.returncode, result.stdout) == (2, "")
    assert f"{COUNT}, who could vote with each: 1" in said
    assert "listed in" in said
    assert "--allow-several-codes" in said
    assert (tmp_path / "db.rejects.csv").read_text() == LIST
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db.rejects.csv", "electors.csv"]


def test_they_are_taken_when_allowed(csv_file: Path, tmp_path: Path) -> None:
    directory = tmp_path / "db"
    options = ["--allow-several-codes", "--skip-bad-rows"]
    result = hashgen("run", csv_file, "--out", directory, *options)
    assert result.returncode == 0, result.stderr
    assert f"warning: {COUNT}, who can vote with each: 1\n" in result.stdout
    assert (tmp_path / "db.rejects.csv").read_text() == 'line,reason\n7,"duplicate of line 3"\n'
    manifest = HashDatabase.open(directory).manifest
    assert (manifest.total, manifest.several_codes) == (6, 1)
    assert f"{COUNT}: 1\n" in hashgen("verify", directory).stdout


def test_what_comes_from_a_pipe_is_counted_only(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start("run", pipe, "--out", tmp_path / "db")
    pipe.write_text(ROWS.removesuffix("098765432,AAAAAA,L2\n") + "bad\n")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"each: 1; which rows is only told of a file, and {pipe} is none" in errors
    listed = 'line,reason\n7,"duplicate of line 3"\n8,"not exactly three columns"\n'
    assert (tmp_path / "db.rejects.csv").read_text() == listed


def test_a_count_for_each_law(tmp_path: Path) -> None:
    csv_file = tmp_path / "electors.csv"
    rows = [f"012345678,CODE{code:04},L{law}" for code in range(900) for law in range(3)]
    csv_file.write_text("\n".join(["nas,code,law_id", *rows, ""]))
    with pytest.raises(SeveralCodesError) as refused:
        generate(csv_file, tmp_path / "db", BallotHasher(), Options(threads=2, block_bytes=999))
    assert refused.value.several_codes == 3
    listed = (tmp_path / "db.rejects.csv").read_text().splitlines()[1:]
    lines = [
        f'{line},"another code of the elector of line {2 + (line - 2) % 3}"'
        for line in range(5, 2702)
    ]
    assert listed == lines


def test_a_manifest_that_does_not_say(csv_file: Path, tmp_path: Path) -> None:
    directory = tmp_path / "db"
    csv_file.write_text("nas,code,law_id\n012345678,AAAAAA,L1\n")
    made = generate(csv_file, directory, BallotHasher(), Options()).manifest
    assert f"{COUNT}: 0\n" in hashgen("verify", directory).stdout
    more = msgspec.structs.replace(made, several_codes=1)
    (directory / "manifest.json").write_bytes(msgspec.json.encode(more))
    with pytest.raises(DatabaseError, match="checksum"):
        HashDatabase.open(directory)

    (directory / "manifest.json").write_text(OLDER_MANIFEST)
    result = hashgen("verify", directory)
    assert (result.returncode, COUNT in result.stdout) == (0, False), result.stderr
