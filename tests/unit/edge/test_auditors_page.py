"""What docs/auditors.md says of checking without our program works as it stands there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.records.document import sign, write_document
from edge.records.signing_keys import make_signing_key, read_signing_key
from hashgen import BallotHasher
from hashgen.generate import Options
from tests.support.rolls import make_roll

PAGE = Path(__file__).parents[3] / "docs" / "auditors.md"
RECORD = "record-election-2026-11-25.json"


def run(snippet: str, directory: Path) -> str:
    """Run the Python of the page that holds `snippet`; return what it complains of."""
    [script] = [
        text
        for text in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if snippet in text
    ]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=directory, capture_output=True, text=True
    )
    return done.stderr


def test_a_record(tmp_path: Path) -> None:
    make_signing_key(tmp_path / "signing.pem")
    record = {"scope": "election", "é": [1, {"b": "\\", "a": None}], "laws": []}
    signed = sign(record, "scrutin-closing-record", read_signing_key(tmp_path / "signing.pem"))
    path = tmp_path / RECORD
    write_document(path, signed)
    assert run("load_pem_public_key", tmp_path) == ""
    genuine = path.read_text()
    path.write_text(genuine.replace('"election"', '"L1"'))
    assert "InvalidSignature" in run("load_pem_public_key", tmp_path)
    path.write_text(genuine.replace('"record":', '"record": {"scope": "L1"}, "record":', 1))
    assert "a key comes twice" in run("load_pem_public_key", tmp_path)


@pytest.mark.parametrize(
    ("options", "hasher"),
    [
        (Options(shard_size=30), BallotHasher()),
        (Options(format="binary", shard_size=30), BallotHasher("hmac-sha256", b"k" * 32)),
    ],
)
def test_a_hash_database(tmp_path: Path, options: Options, hasher: BallotHasher) -> None:
    database = make_roll(tmp_path, 100, options=options, hasher=hasher).database
    (tmp_path / "roll").symlink_to(database.directory)
    assert run("roll_id", tmp_path) == ""
    manifest = database.directory / "manifest.json"
    genuine = manifest.read_text()
    manifest.write_text(genuine.replace(database.manifest.roll_id, "0" * 64))
    assert "AssertionError" in run("roll_id", tmp_path)
    manifest.write_text(genuine)
    shards = json.loads(genuine)["shards"]
    swapped = json.loads(genuine) | {"shards": shards[::-1]}
    manifest.write_text(json.dumps(swapped))
    assert "not sorted" in run("roll_id", tmp_path)
