from pathlib import Path

import pytest

from hashgen.errors import InputError, UsageError
from hashgen.keyfile import make_hasher, read_key

KEY = bytes(range(32))


def key_file(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    path = directory / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\n", KEY.hex().encode() + b"\r\n"],
)
def test_raw_and_hex(tmp_path: Path, content: bytes) -> None:
    assert read_key(key_file(tmp_path, content, 0o640)) == KEY


@pytest.mark.parametrize(
    "content", [b"", KEY[:31], KEY + b"\n", KEY.hex().encode()[:-1], b"k" * 64, b"a" * 100_000]
)
def test_anything_else_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="32 raw bytes or 64 hex digits") as refused:
        read_key(key_file(tmp_path, content))
    assert content.hex() not in str(refused.value) or not content
    assert "aaaa" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_a_file_open_to_everybody_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InputError, match="chmod"):
        read_key(key_file(tmp_path, KEY, mode))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_key(tmp_path / "nowhere")


def test_scheme_and_file_must_agree(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY)
    assert make_hasher("hmac-sha256", path).scheme == "hmac-sha256"
    assert make_hasher("sha256", None).scheme == "sha256"
    with pytest.raises(UsageError, match="takes no key"):
        make_hasher("sha256", path)
    with pytest.raises(UsageError, match="needs --key-file"):
        make_hasher("hmac-sha256", None)
