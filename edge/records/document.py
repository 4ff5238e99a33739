"""A signed record: one JSON document of what is said, its signature and the public key.

What is signed is the object of the document's `format`, `record` and `version`, as canonical JSON:
UTF-8, keys in order of their code points at every depth, no spaces or line ends between tokens,
integers and no other numbers. For such records this is RFC 8785. `format` says what kind of record
it is, so that one kind never passes for another.
"""

import base64
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.errors import RecordError
from edge.records.signing_keys import fingerprint_of, key_of, text_of
from hashgen.output import sync_directory

Json = dict[str, Any]
INTEGER_MAX = 2**53 - 1  # above, other readers of JSON round


class SignedRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document. `public_key` and `signature` are base64: a DER public key, 64 bytes."""

    format: str
    version: Literal[1]
    record: Json
    signature: str
    public_key: str
    algorithm: Literal["Ed25519"]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key that the record carries, which proves nothing by itself."""
        return fingerprint_of(key_of(self.public_key))


def sign(record: msgspec.Struct | Json, format_: str, key: Ed25519PrivateKey) -> SignedRecord:
    """Sign a record of the kind `format_`, such as "scrutin-closing-record".

    Raises ValueError when it has numbers that are not integers of up to 53 bits.
    """
    plain: Json = msgspec.to_builtins(record)
    _check_numbers(plain)
    signature = key.sign(signed_bytes(format_, 1, plain))
    return SignedRecord(
        format=format_,
        version=1,
        record=plain,
        signature=base64.b64encode(signature).decode(),
        public_key=text_of(key.public_key()),
        algorithm="Ed25519",
    )


def check(document: SignedRecord, format_: str, trusted: Ed25519PublicKey | None = None) -> None:
    """Check that a record is of this kind and as it was signed; raises `RecordError`.

    With `trusted`, that this key signed it. Without, only that it was not damaged: whoever makes up
    a record can sign it with a key of their own.
    """
    if document.format != format_:
        raise RecordError(f"this is a record of the kind {document.format!r}, not {format_!r}")
    try:
        carried = key_of(document.public_key)
        signature = base64.b64decode(document.signature, validate=True)
        _check_numbers(document.record)
    except ValueError as error:
        raise RecordError(f"the record is damaged: {error}") from error
    if text_of(carried) != document.public_key:
        raise RecordError("the record is damaged: its public key is not written as it should be")
    if trusted is not None and fingerprint_of(carried) != fingerprint_of(trusted):
        raise RecordError(
            f"another key signed the record: {fingerprint_of(carried)}, "
            f"and you trust {fingerprint_of(trusted)}"
        )
    try:
        carried.verify(signature, signed_bytes(format_, document.version, document.record))
    except InvalidSignature:
        raise RecordError("the signature does not fit: the record was changed") from None
    if base64.b64encode(signature).decode() != document.signature:
        raise RecordError("the record is damaged: its signature is not written as it should be")


def signed_bytes(format_: str, version: int, record: Json) -> bytes:
    """Return the bytes that the signature is over."""
    whole = {"format": format_, "record": record, "version": version}
    return msgspec.json.encode(whole, order="sorted")


def read_document(path: Path) -> SignedRecord:
    """Read a document, unchecked; raises `RecordError`, also when an object has a key twice."""
    try:
        plain = json.loads(
            path.read_bytes(),
            object_pairs_hook=_object,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
        return msgspec.convert(plain, SignedRecord)
    except OSError as error:
        raise RecordError(f"the record {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also what json, msgspec and decoding raise
        raise RecordError(f"{path} is no signed record: {error}") from error


def check_place(path: Path) -> None:
    """Raise `RecordError` unless a new document can be written there; for before work is done."""
    if path.exists():
        raise RecordError(f"{path} is there already, and is never overwritten")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as directory:
            unfinished = Path(directory, "unfinished")
            unfinished.touch()
            os.link(unfinished, Path(directory, "document"))  # some disks have no hard links
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror}") from error


def write_document(path: Path, document: SignedRecord) -> None:
    """Write a document to a new file, which appears whole; raises `RecordError` if it is there."""
    content = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)  # unlike a rename, never over another file
        sync_directory(path.parent)
    except FileExistsError as error:
        raise RecordError(f"{path} is there already, and is never overwritten") from error
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _object(pairs: list[tuple[str, Any]]) -> Json:
    """Refuse a key that comes twice: another reader might show the value that was not checked."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no integer")


def _check_numbers(value: object) -> None:
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > INTEGER_MAX):
        raise ValueError(f"{value} is no integer of up to 53 bits")
    for part in value.values() if isinstance(value, dict) else ():
        _check_numbers(part)
    for part in value if isinstance(value, list) else ():
        _check_numbers(part)
