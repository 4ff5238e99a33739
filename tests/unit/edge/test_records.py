import base64
import json
import shutil
import stat
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.cli import make_app
from edge.errors import RecordError, SigningKeyError
from edge.records.document import (
    INTEGER_MAX,
    SignedRecord,
    check,
    read_document,
    sign,
    signed_bytes,
    write_document,
)
from edge.records.signing_keys import (
    make_signing_key,
    public_file_of,
    read_public_key,
    read_signing_key,
)

KIND = "scrutin-test-record"
RECORD: dict[str, Any] = {
    "z": [{"law_id": "L2025-001", "oui": 3, "non": 4}],
    "titre": "Référendum – « loi »\n\x1f",
    "frozen": True,
    "nothing": None,
}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    make_signing_key(path)
    return path


@pytest.fixture
def document(key_file: Path) -> SignedRecord:
    return sign(RECORD, KIND, read_signing_key(key_file))


def test_a_record_is_written_read_and_checked(
    tmp_path: Path, key_file: Path, document: SignedRecord
) -> None:
    path = tmp_path / "record.json"
    write_document(path, document)
    read = read_document(path)
    assert read == document
    check(read, KIND)
    check(read, KIND, read_public_key(public_file_of(key_file)))
    assert [left.name for left in tmp_path.iterdir() if left.name.startswith(".")] == []


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None:
        return 0
    assert isinstance(value, str)
    return ("B" if value.startswith("A") else "A") + value[1:]


def tampered(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the value with each of its parts changed, left out, or joined by another."""
    if isinstance(value, dict):
        yield f"{path}.new", value | {"new": 1}
        for key in value:
            yield f"{path}.{key} gone", {other: value[other] for other in value if other != key}
            for name, part in tampered(value[key], f"{path}.{key}"):
                yield name, value | {key: part}
    elif isinstance(value, list):
        yield f"{path}[]", [*value, *value[:1]]
        for place, part in enumerate(value):
            for name, other in tampered(part, f"{path}[{place}]"):
                yield name, [*value[:place], other, *value[place + 1 :]]
    else:
        yield path, changed(value)


def passes(path: Path, trusted: Ed25519PublicKey) -> bool:
    try:
        check(read_document(path), KIND, trusted)
    except RecordError:
        return False
    return True


def test_no_part_of_a_record_can_be_changed(
    tmp_path: Path, key_file: Path, document: SignedRecord
) -> None:
    trusted = read_public_key(public_file_of(key_file))
    forms = list(tampered(msgspec.to_builtins(document)))
    assert len(forms) > 25
    for name, form in forms:
        path = tmp_path / "tampered.json"
        path.write_text(json.dumps(form))
        assert not passes(path, trusted), f"{name} was changed, and the record passed"


@pytest.mark.parametrize("field", ["signature", "public_key"])
def test_bits_that_decoding_drops_cannot_be_changed_either(
    document: SignedRecord, field: str
) -> None:
    text: str = getattr(document, field)
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    last = text.rstrip("=")[-1]
    other = digits[digits.index(last) + 1]  # the last digit's low bits are not used
    changed = text.rstrip("=")[:-1] + other + "=" * text.count("=")
    assert base64.b64decode(changed) == base64.b64decode(text)
    with pytest.raises(RecordError, match="not written as it should be"):
        check(msgspec.structs.replace(document, **{field: changed}), KIND)


def test_only_the_trusted_key_will_do(tmp_path: Path, document: SignedRecord) -> None:
    other = make_signing_key(tmp_path / "other.pem")
    check(document, KIND)
    with pytest.raises(RecordError, match="another key signed"):
        check(document, KIND, other)


def test_one_kind_of_record_never_passes_for_another(
    key_file: Path, document: SignedRecord
) -> None:
    renamed = msgspec.structs.replace(document, format="scrutin-other-record")
    with pytest.raises(RecordError, match="does not fit"):
        check(renamed, "scrutin-other-record")
    with pytest.raises(RecordError, match="kind"):
        check(document, "scrutin-other-record")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"format": 1}', "\xff", "[" * 100_000, '{"a": NaN}', '{"a": 1.5}'],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordError, match="no signed record"):
        read_document(path)


def test_a_key_that_comes_twice_is_refused(tmp_path: Path, document: SignedRecord) -> None:
    path = tmp_path / "record.json"
    text = msgspec.json.encode(document).decode()
    path.write_text(text.replace('"oui":3', '"oui":9,"oui":3'))
    with pytest.raises(RecordError, match="twice"):
        read_document(path)


@pytest.mark.parametrize("number", [0.5, INTEGER_MAX + 1, -INTEGER_MAX - 1])
def test_numbers_that_readers_round_are_not_signed(key_file: Path, number: float) -> None:
    with pytest.raises(ValueError, match="integer"):
        sign({"n": [number]}, KIND, read_signing_key(key_file))


def test_a_record_is_never_overwritten(tmp_path: Path, document: SignedRecord) -> None:
    path = tmp_path / "record.json"
    path.write_text("the first")
    with pytest.raises(RecordError, match="never overwritten"):
        write_document(path, document)
    assert path.read_text() == "the first"


def test_the_signed_bytes_are_sorted_compact_utf8() -> None:
    plain = {"format": KIND, "record": RECORD, "version": 1}
    expected = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert signed_bytes(KIND, 1, RECORD) == expected.encode()


def test_openssl_agrees(tmp_path: Path, key_file: Path, document: SignedRecord) -> None:
    """The signature is that of a standard, which needs no program of ours."""
    openssl = shutil.which("openssl")
    assert openssl
    (tmp_path / "signed").write_bytes(signed_bytes(document.format, document.version, RECORD))
    base64 = shutil.which("base64")
    assert base64
    signature = subprocess.run(
        [base64, "-d"], input=document.signature.encode(), capture_output=True, check=True
    )
    (tmp_path / "signature").write_bytes(signature.stdout)
    subprocess.run(
        [openssl, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public_file_of(key_file),
         "-in", tmp_path / "signed", "-sigfile", tmp_path / "signature"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_the_command_makes_a_key_that_only_its_owner_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key.pem"
    app = make_app()
    assert app(["signing-key", str(path)]) == 0
    printed = capsys.readouterr()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_file_of(path).read_text() in printed.out
    assert "PRIVATE" in path.read_text()
    for line in path.read_text().splitlines():
        assert line not in printed.out + printed.err
    before = path.read_bytes()
    assert app(["signing-key", str(path)]) == 2
    assert "never overwritten" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_key_whose_public_half_is_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    public_file_of(path).write_text("of the key before")
    with pytest.raises(SigningKeyError, match="never overwritten"):
        make_signing_key(path)
    assert not path.exists()


def test_a_key_that_everybody_can_read_is_refused(key_file: Path) -> None:
    key_file.chmod(0o604)
    with pytest.raises(SigningKeyError, match="chmod"):
        read_signing_key(key_file)


@pytest.mark.parametrize("content", ["", "nonsense", "swapped"])
def test_a_file_that_is_no_key_is_refused_without_showing_it(key_file: Path, content: str) -> None:
    public_file = public_file_of(key_file)
    private, public = key_file.read_text(), public_file.read_text()
    key_file.write_text(public if content == "swapped" else content)
    public_file.write_text(private if content == "swapped" else content)
    for read, path in ((read_signing_key, key_file), (read_public_key, public_file)):
        with pytest.raises(SigningKeyError) as raised:
            read(path)
        for line in private.splitlines()[1:-1]:
            assert line not in str(raised.value)
