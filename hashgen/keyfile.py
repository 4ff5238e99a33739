"""The secret key of the scheme hmac-sha256, from a file and from nowhere else."""

import stat
from pathlib import Path

from hashgen._native import KEY_BYTES, SCHEMES, BallotHasher
from hashgen.errors import InputError, UsageError

SCHEME_SHA256, SCHEME_HMAC_SHA256 = SCHEMES
FILE_BYTES_MAX = 2 * KEY_BYTES + 2


def read_key(path: Path) -> bytes:
    """Return the 32 bytes of a key file: raw, or as 64 hex digits with or without a line end.

    A file that others than its owner and group can read is refused: whoever reads the key can
    search for codes. Raises InputError, which never holds the file's contents.
    """
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"the key file {path} cannot be read: {error.strerror}") from error
    if mode & stat.S_IRWXO:
        raise InputError(f"everybody can read the key file {path}; run: chmod o= {path}")
    if len(content) == KEY_BYTES:
        return content
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InputError(
            f"the key file {path} must hold {KEY_BYTES} raw bytes or {2 * KEY_BYTES} hex digits; "
            f"make one with: (umask 077; head -c {KEY_BYTES} /dev/urandom > KEYFILE)"
        )
    return key


def make_hasher(scheme: str, key_file: Path | None) -> BallotHasher:
    """Return the hasher of a scheme, its key read from `key_file`.

    Raises UsageError if scheme and key file disagree, InputError if the file is no key.
    """
    if scheme == SCHEME_HMAC_SHA256 and key_file is None:
        raise UsageError(f"the scheme {scheme} needs --key-file FILE")
    if scheme == SCHEME_SHA256 and key_file is not None:
        raise UsageError(f"the scheme {scheme} takes no key; did you mean --scheme hmac-sha256?")
    return BallotHasher(scheme, None if key_file is None else read_key(key_file))
