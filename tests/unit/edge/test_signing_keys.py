"""A key is made whole or not at all: what is left of one would block the next try."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import SigningKeyError
from edge.records.signing_keys import make_signing_key, public_file_of, read_signing_key

ROOM_BYTES = 100  # of 119


def fill_the_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, ROOM_BYTES))


def test_a_full_disk_leaves_no_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    result = subprocess.run(
        [sys.executable, "-m", "edge", "signing-key", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=fill_the_disk,
    )
    assert (result.returncode, "File too large" in result.stderr) == (2, True), result.stderr
    assert list(tmp_path.iterdir()) == []
    make_signing_key(path)
    read_signing_key(path)


def test_no_key_is_left_without_its_public_half(tmp_path: Path) -> None:
    path = tmp_path / ("k" * 253)  # what is added for the other file makes its name too long
    with pytest.raises(SigningKeyError, match=r"\.pub: File name too long"):
        make_signing_key(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["key.pem", "key.pem.pub"])
def test_a_key_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_text("of the key before")
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)
    with pytest.raises(SigningKeyError, match="File exists"):
        make_signing_key(tmp_path / "key.pem")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "of the key before"


def test_a_key_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    make_signing_key(path)
    before = path.read_bytes(), public_file_of(path).read_bytes()
    with pytest.raises(SigningKeyError, match="never overwritten"):
        make_signing_key(path)
    assert (path.read_bytes(), public_file_of(path).read_bytes()) == before
