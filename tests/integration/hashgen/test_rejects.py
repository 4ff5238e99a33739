"""The list of bad rows: of the last run, and never in the place of another file."""

from pathlib import Path

import pytest

from hashgen import BallotHasher
from hashgen._native import Electors
from hashgen.errors import InputError, UsageError
from hashgen.generate import Options, generate
from hashgen.rejects import RejectsFile
from tests.support.hashgen_command import hashgen

BAD = "nas,code,law_id\n012345678,ABC123,L1\nbad\n"
GOOD = "nas,code,law_id\n012345678,ABC123,L1\n"
LIST = 'line,reason\n3,"not exactly three columns"\n'


@pytest.mark.parametrize("content", [BAD, GOOD])
def test_the_electors_file_is_never_taken(tmp_path: Path, content: str) -> None:
    csv_file = tmp_path / "db.rejects.csv"
    csv_file.write_text(content)
    result = hashgen("run", csv_file, "--out", tmp_path / "db")
    assert (result.returncode, "choose another --out" in result.stderr) == (2, True)
    assert csv_file.read_text() == content
    assert list(tmp_path.iterdir()) == [csv_file]


@pytest.mark.parametrize("content", ["thesis", "", "line,thesis\n"])
def test_another_file_is_never_taken(tmp_path: Path, content: str) -> None:
    csv_file, place = tmp_path / "electors.csv", tmp_path / "db.rejects.csv"
    csv_file.write_text(BAD)
    place.write_text(content)
    with pytest.raises(UsageError, match=r"db\.rejects\.csv.*is no such list"):
        generate(csv_file, tmp_path / "db", BallotHasher(), Options())
    assert place.read_text() == content


@pytest.mark.parametrize("target", ["theirs", "nowhere"])
def test_a_link_is_not_followed(tmp_path: Path, target: str) -> None:
    csv_file, place = tmp_path / "electors.csv", tmp_path / "db.rejects.csv"
    csv_file.write_text(BAD)
    (tmp_path / "theirs").write_text(LIST)
    place.symlink_to(tmp_path / target)
    with pytest.raises(UsageError, match="is no such list"):
        generate(csv_file, tmp_path / "db", BallotHasher(), Options())
    assert place.is_symlink()
    assert (tmp_path / "theirs").read_text() == LIST
    assert not (tmp_path / "nowhere").exists()


def test_what_appears_while_reading_is_kept(tmp_path: Path) -> None:
    csv_file, place = tmp_path / "electors.csv", tmp_path / "db.rejects.csv"
    csv_file.write_text(BAD)

    def report(phase: str, done: int, total: int) -> None:
        place.write_text("thesis")

    with pytest.raises(UsageError, match="is no such list"):
        generate(csv_file, tmp_path / "db", BallotHasher(), Options(), report)
    assert place.read_text() == "thesis"
    assert sorted(tmp_path.iterdir()) == [place, csv_file]


@pytest.mark.parametrize("content", ["no header\n", ""])
def test_no_list_outlives_its_run(tmp_path: Path, content: str) -> None:
    csv_file, place = tmp_path / "electors.csv", tmp_path / "db.rejects.csv"
    place.write_text(LIST)
    csv_file.write_text(content)
    with pytest.raises(InputError):
        generate(csv_file, tmp_path / "db", BallotHasher(), Options())
    assert not place.exists()


def test_it_appears_whole(tmp_path: Path) -> None:
    """What a killed run left is no hindrance, be it a link."""
    csv_file = tmp_path / "electors.csv"
    csv_file.write_text(BAD)
    (tmp_path / "theirs").write_text("thesis")
    (tmp_path / ".db.rejects.csv.partial").symlink_to(tmp_path / "theirs")
    electors = Electors.read(csv_file, BallotHasher(), threads=1)
    RejectsFile(tmp_path / "db").write(electors)
    assert (tmp_path / "db.rejects.csv").read_text() == LIST
    assert (tmp_path / "theirs").read_text() == "thesis"
    assert not (tmp_path / ".db.rejects.csv.partial").is_symlink()
    with pytest.raises(FileExistsError):
        electors.write_rejects(tmp_path / "theirs")
