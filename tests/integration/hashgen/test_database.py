"""Every way to damage a database is found."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hashgen import BallotHasher
from hashgen.database import MANIFEST_FILE, Format, HashDatabase, Manifest, ShardEntry
from hashgen.errors import DatabaseError
from hashgen.generate import Options, generate
from tests.support.hashgen_command import hashgen

Damage = Callable[[Path, Manifest], None]


def seal(directory: Path, manifest: Manifest) -> None:
    """Write the manifest as if it were sound, its number of rows read included."""
    rows_read = manifest.total + manifest.rows_rejected
    write_sealed(directory, msgspec.structs.replace(manifest, rows_read=rows_read))


def write_sealed(directory: Path, manifest: Manifest) -> None:
    (directory / MANIFEST_FILE).write_bytes(msgspec.json.encode(manifest.sealed()))


def with_shards(manifest: Manifest, shards: list[ShardEntry]) -> Manifest:
    return msgspec.structs.replace(manifest, shards=shards)


def forge(directory: Path, manifest: Manifest, content: bytes) -> None:
    """Give the first file other contents and a manifest that agrees with them."""
    first = manifest.shards[0]
    (directory / first.file).write_bytes(content)
    entry = msgspec.structs.replace(first, sha256=hashlib.sha256(content).hexdigest())
    seal(directory, with_shards(manifest, [entry, *manifest.shards[1:]]))


def first_file(directory: Path, manifest: Manifest) -> Path:
    return directory / manifest.shards[0].file


def hash_at(manifest: Manifest, content: bytes | bytearray, number: int) -> slice:
    """Where a hash stands in a file, quotation marks excluded."""
    if manifest.shards[0].format == "binary":
        return slice(32 * number, 32 * number + 32)
    start = content.index(b"[") + 2 + 67 * number
    return slice(start, start + 64)


def flip_byte(directory: Path, manifest: Manifest) -> None:
    path = first_file(directory, manifest)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_last_hash_byte(directory: Path, manifest: Manifest) -> None:
    """Neither order nor layout changes: only the checksum knows."""
    path = directory / manifest.shards[-1].file
    content = bytearray(path.read_bytes())
    at = len(content) - (1 if manifest.shards[0].format == "binary" else 5)
    content[at] = ord("0") if content[at] != ord("0") else ord("1")
    path.write_bytes(content)


def truncate(directory: Path, manifest: Manifest) -> None:
    path = first_file(directory, manifest)
    path.write_bytes(path.read_bytes()[:-32])


def lengthen(directory: Path, manifest: Manifest) -> None:
    with first_file(directory, manifest).open("ab") as file:
        file.write(b"\n")


def remove_file(directory: Path, manifest: Manifest) -> None:
    first_file(directory, manifest).unlink()


def swap_files(directory: Path, manifest: Manifest) -> None:
    first, second = (directory / shard.file for shard in manifest.shards[:2])
    first.rename(directory / "kept")
    second.rename(first)
    (directory / "kept").rename(second)


def swap_files_and_entries(directory: Path, manifest: Manifest) -> None:
    first, second, *rest = manifest.shards
    seal(directory, with_shards(manifest, [second, first, *rest]))


def swap_hashes(directory: Path, manifest: Manifest) -> None:
    content = bytearray(first_file(directory, manifest).read_bytes())
    a, b = hash_at(manifest, content, 3), hash_at(manifest, content, 4)
    content[a], content[b] = content[b], content[a]
    forge(directory, manifest, bytes(content))


def repeat_a_hash(directory: Path, manifest: Manifest) -> None:
    content = bytearray(first_file(directory, manifest).read_bytes())
    content[hash_at(manifest, content, 4)] = content[hash_at(manifest, content, 3)]
    forge(directory, manifest, bytes(content))


def smuggle_a_hash(directory: Path, manifest: Manifest) -> None:
    """In order, with the right checksum and count: only the roll id knows."""
    content = bytearray(first_file(directory, manifest).read_bytes())
    at = hash_at(manifest, content, 4)
    content[at.stop - 1] = ord("8") if content[at.stop - 1] != ord("8") else ord("9")
    forge(directory, manifest, bytes(content))


def renumber(directory: Path, manifest: Manifest) -> None:
    """A file that says it is another one, or has no head to say so and is put in its place."""
    content = first_file(directory, manifest).read_bytes()
    if manifest.shards[0].format == "binary":
        forge(directory, manifest, (directory / manifest.shards[1].file).read_bytes())
    else:
        forge(directory, manifest, content.replace(b'"shard":0', b'"shard":1'))


def count_wrongly(directory: Path, manifest: Manifest) -> None:
    first, second, *rest = manifest.shards
    shards = [
        msgspec.structs.replace(first, count=first.count - 1),
        msgspec.structs.replace(second, count=second.count + 1),
        *rest,
    ]
    seal(directory, with_shards(manifest, shards))


def drop_an_entry(directory: Path, manifest: Manifest) -> None:
    last = manifest.shards[-1]
    seal(
        directory,
        msgspec.structs.replace(
            manifest,
            shards=manifest.shards[:-1],
            total=manifest.total - last.count,
            laws={"L": manifest.total - last.count},
        ),
    )


def drop_an_entry_and_its_file(directory: Path, manifest: Manifest) -> None:
    drop_an_entry(directory, manifest)
    (directory / manifest.shards[-1].file).unlink()


def edit_manifest(directory: Path, manifest: Manifest) -> None:
    path = directory / MANIFEST_FILE
    path.write_bytes(path.read_bytes().replace(b"L2025-001", b"L2025-009"))


def claim_other_totals(directory: Path, manifest: Manifest) -> None:
    seal(directory, msgspec.structs.replace(manifest, total=manifest.total + 1))


def claim_another_scheme(directory: Path, manifest: Manifest) -> None:
    fingerprint = "0123456789abcdef"
    seal(
        directory,
        msgspec.structs.replace(manifest, scheme="hmac-sha256", key_fingerprint=fingerprint),
    )


def point_outside(directory: Path, manifest: Manifest) -> None:
    first, *rest = manifest.shards
    entry = msgspec.structs.replace(first, file=f"../{directory.name}/{first.file}")
    seal(directory, with_shards(manifest, [entry, *rest]))


def claim_a_huge_count(directory: Path, manifest: Manifest) -> None:
    first, *rest = manifest.shards
    huge = msgspec.structs.replace(first, count=2**31)
    total = manifest.total - first.count + 2**31
    changed = msgspec.structs.replace(manifest, total=total, laws={"L": total})
    seal(directory, with_shards(changed, [huge, *rest]))


def claim_a_count_that_none_can_be(directory: Path, manifest: Manifest) -> None:
    first, *rest = manifest.shards
    huge = msgspec.structs.replace(first, count=2**70)
    total = manifest.total - first.count + 2**70
    changed = msgspec.structs.replace(manifest, total=total, laws={"L": total})
    seal(directory, with_shards(changed, [huge, *rest]))


def claim_a_negative_law(directory: Path, manifest: Manifest) -> None:
    laws = {"L1": manifest.total + 1, "L2": -1}
    seal(directory, msgspec.structs.replace(manifest, laws=laws))


def claim_negative_rejects(directory: Path, manifest: Manifest) -> None:
    seal(directory, msgspec.structs.replace(manifest, rows_rejected=-5))


def claim_negative_codes(directory: Path, manifest: Manifest) -> None:
    seal(directory, msgspec.structs.replace(manifest, several_codes=-1))


def claim_other_rows(directory: Path, manifest: Manifest) -> None:
    write_sealed(directory, msgspec.structs.replace(manifest, rows_rejected=3))


def spoil_the_encoding(directory: Path, manifest: Manifest) -> None:
    path = directory / MANIFEST_FILE
    path.write_bytes(path.read_bytes().replace(b"L2025-001", b"L2025-\xff01"))


def add_a_file(directory: Path, manifest: Manifest) -> None:
    shutil.copy(first_file(directory, manifest), directory / "hash_database-00099.json")


def remove_manifest(directory: Path, manifest: Manifest) -> None:
    (directory / MANIFEST_FILE).unlink()


def cut_manifest(directory: Path, manifest: Manifest) -> None:
    path = directory / MANIFEST_FILE
    path.write_bytes(path.read_bytes()[:-100])


DAMAGES: list[tuple[Damage, str]] = [
    (flip_byte, "not written as|not above|SHA-256"),
    (flip_last_hash_byte, "not above|SHA-256"),
    (truncate, "bytes where the manifest"),
    (lengthen, "bytes where the manifest"),
    (remove_file, "No such file"),
    (swap_files, "begins otherwise|bytes where|not above|SHA-256"),
    (swap_files_and_entries, "begins otherwise|not above"),
    (swap_hashes, "hash 4 is not above"),
    (repeat_a_hash, "hash 4 is not above"),
    (smuggle_a_hash, "roll id"),
    (renumber, "begins otherwise|not above"),
    (count_wrongly, "bytes where the manifest"),
    (drop_an_entry, "not in the manifest"),
    (drop_an_entry_and_its_file, "roll id"),
    (edit_manifest, "edited or damaged"),
    (claim_other_totals, "total"),
    (claim_another_scheme, "roll id"),
    (point_outside, "outside the directory"),
    (claim_a_huge_count, "bytes where the manifest"),
    (claim_a_count_that_none_can_be, "no manifest: .*<= 4294967296"),
    (claim_a_negative_law, "no manifest: .*laws"),
    (claim_negative_rejects, "no manifest: .*rows_rejected"),
    (claim_negative_codes, "no manifest: .*several_codes"),
    (claim_other_rows, "not the rows read without those rejected"),
    (spoil_the_encoding, "no manifest: .*utf-8"),
    (add_a_file, "not in the manifest"),
    (remove_manifest, "no hash database"),
    (cut_manifest, "no manifest"),
]


@pytest.fixture(scope="module", params=["json", "binary"])
def sound(
    request: pytest.FixtureRequest, electors_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A sound database of three files."""
    file_format: Format = request.param
    directory = tmp_path_factory.mktemp("sound") / "db"
    options = Options(format=file_format, shard_size=15_000)
    generate(electors_csv, directory, BallotHasher(), options)
    return directory


@pytest.mark.parametrize(
    ("damage", "message"), DAMAGES, ids=lambda item: getattr(item, "__name__", "")
)
def test_damage_is_found(sound: Path, tmp_path: Path, damage: Damage, message: str) -> None:
    directory = tmp_path / "db"
    shutil.copytree(sound, directory)
    damage(directory, HashDatabase.open(directory).manifest)
    with pytest.raises(DatabaseError, match=message):
        HashDatabase.open(directory).check()


@pytest.mark.parametrize("damage", [flip_byte, flip_last_hash_byte, truncate, remove_file])
def test_a_damaged_file_is_not_read(sound: Path, tmp_path: Path, damage: Damage) -> None:
    directory = tmp_path / "db"
    shutil.copytree(sound, directory)
    database = HashDatabase.open(directory)
    damage(directory, database.manifest)
    shard = database.manifest.shards[-1 if damage is flip_last_hash_byte else 0]
    with pytest.raises(DatabaseError, match=shard.file):
        database.read(shard)


def test_progress_counts_hashes(sound: Path) -> None:
    seen: list[int] = []
    HashDatabase.open(sound).check(seen.append)
    assert seen == [15_000, 30_000, 40_000]


def test_the_command_says_what_it_found(sound: Path, tmp_path: Path) -> None:
    result = hashgen("verify", sound)
    assert result.returncode == 0
    assert "sound: 40,000 hashes" in result.stdout
    assert "L2025-002: 20,000" in result.stdout

    directory = tmp_path / "db"
    shutil.copytree(sound, directory)
    truncate(directory, HashDatabase.open(directory).manifest)
    result = hashgen("verify", directory)
    assert (result.returncode, result.stdout) == (1, "")
    assert str(first_file(directory, HashDatabase.open(directory).manifest)) in result.stderr

    assert hashgen("verify", tmp_path / "nowhere").returncode == 1


def test_what_a_killed_run_left_is_no_database(tmp_path: Path) -> None:
    csv_file = tmp_path / "electors.csv"
    csv_file.write_text("nas,code,law_id\n012345678,ABCD2345,L1\n")
    generate(csv_file, tmp_path / "roll", BallotHasher(), Options())
    unfinished = (tmp_path / "roll").rename(tmp_path / ".roll.partial")
    with pytest.raises(DatabaseError, match="killed run left"):
        HashDatabase.open(unfinished)


def test_nor_is_it_one_seen_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".roll.partial").mkdir()
    monkeypatch.chdir(tmp_path / ".roll.partial")
    with pytest.raises(DatabaseError, match="killed run left"):
        HashDatabase.open(Path())
