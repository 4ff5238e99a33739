"""Ed25519 keys in files: the private one to sign with, the public one to check with."""

import base64
import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from edge.errors import SigningKeyError
from hashgen.output import sync_directory

PRIVATE_MODE, PUBLIC_MODE = 0o600, 0o644
_DAMAGED = (ValueError, TypeError, UnsupportedAlgorithm)


def public_file_of(path: Path) -> Path:
    """Return where the public key of a private one is written: FILE.pub."""
    return path.with_name(path.name + ".pub")


def make_signing_key(path: Path) -> Ed25519PublicKey:
    """Make a key, write it to `path` and its public half to `path`.pub, and return that half.

    Only the owner can read the private key. Raises `SigningKeyError`, also when either file is
    there: records that a key has signed need its public half for ever.
    """
    public_path = public_file_of(path)
    for taken in (path, public_path):
        if os.path.lexists(taken):
            raise SigningKeyError(f"{taken} is there already, and is never overwritten")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key()
    _write_new(path, private, PRIVATE_MODE)
    try:
        _write_new(public_path, pem_of(public), PUBLIC_MODE)
    except BaseException:
        path.unlink()  # or it would block the next try
        raise
    return public


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    A file that others than its owner and group can read is refused. Raises `SigningKeyError`,
    which never holds the file's contents.
    """
    content = _read(path)
    if path.stat().st_mode & stat.S_IRWXO:
        raise SigningKeyError(f"everybody can read the signing key {path}; run: chmod o= {path}")
    try:
        key = load_pem_private_key(content, password=None)
    except _DAMAGED:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(
            f"{path} is no private Ed25519 key (PEM); make one with: scrutin signing-key FILE"
        )
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key; raises `SigningKeyError`."""
    try:
        key = load_pem_public_key(_read(path))
    except _DAMAGED:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyError(f"{path} is no public Ed25519 key (PEM)")
    return key


def pem_of(key: Ed25519PublicKey) -> bytes:
    """Return a public key as the lines of its file."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def text_of(key: Ed25519PublicKey) -> str:
    """Return a public key as one line: the base64 between the first and last lines of its PEM."""
    return base64.b64encode(_der(key)).decode()


def key_of(text: str) -> Ed25519PublicKey:
    """Return the public key that `text_of` wrote; raises ValueError."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except _DAMAGED:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("it carries no public Ed25519 key")  # noqa: TRY004 (not of ours)
    return key


def fingerprint_of(key: Ed25519PublicKey) -> str:
    """Return a key's fingerprint: the hex SHA-256 of its DER form, as `openssl` would make it."""
    return hashlib.sha256(_der(key)).hexdigest()


def _der(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SigningKeyError(f"the key {path} cannot be read: {error.strerror}") from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole, or leave none. Raises SigningKeyError, also when it is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            sync_directory(path.parent)
        except BaseException:
            path.unlink()
            raise
    except OSError as error:
        raise SigningKeyError(f"cannot write {path}: {error.strerror}") from error
