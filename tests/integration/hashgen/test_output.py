"""Nothing that is not ours is removed, and nothing of ours is left where it does not belong."""

import errno
import fcntl
import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from hashgen import BallotHasher
from hashgen.database import HashDatabase
from hashgen.errors import DatabaseError, UsageError
from hashgen.generate import Options, generate
from hashgen.output import Check, appearing_directory, check_replaceable, check_unused
from tests.support.hashgen_command import hashgen, start

MOUNT_POINT = Path("/proc")
CHECKS: list[Check] = [check_unused, partial(check_replaceable, force=True)]


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def database(electors_csv: Path, tmp_path: Path) -> Path:
    generate(electors_csv, tmp_path / "db", BallotHasher(), Options(format="binary"))
    return tmp_path / "db"


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_what_appears_while_reading_is_kept(
    electors_csv: Path, tmp_path: Path, options: list[str]
) -> None:
    pipe, directory = tmp_path / "electors.csv", tmp_path / "db"
    os.mkfifo(pipe)
    process = start("run", pipe, "--out", directory, *options)
    with pipe.open("wb") as file:  # opens when the place was checked and the run opens it
        directory.mkdir()
        (directory / "thesis.txt").write_text("years of work")
        file.write(electors_csv.read_bytes())
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, "holds other files" in errors) == (2, True), errors
    assert names_in(directory) == ["thesis.txt"]
    assert names_in(tmp_path) == ["db", "electors.csv"]


def test_what_appears_while_writing_is_kept(database: Path) -> None:
    directory = database.with_name("new")
    appearing = appearing_directory(directory, partial(check_replaceable, force=False))
    with pytest.raises(UsageError, match="already holds a hash database"), appearing:
        database.rename(directory)
    HashDatabase.open(directory).check()
    assert names_in(directory.parent) == ["new"]


def test_a_run_that_ended_in_this_moment_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its unfinished directory was opened, but it is in its place before it could be locked."""
    directory, unfinished = tmp_path / "db", tmp_path / ".db.partial"
    lock = fcntl.flock

    def end_then_lock(descriptor: int, operation: int) -> None:
        unfinished.rename(directory)
        (directory / "theirs").write_text("")
        unfinished.mkdir()
        (unfinished / "of a third run").write_text("")
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", end_then_lock)
    with pytest.raises(UsageError, match="another run"), appearing_directory(directory):
        pass
    assert names_in(directory) == ["theirs"]
    assert names_in(unfinished) == ["of a third run"]


def test_force_removes_only_a_database(electors_csv: Path, database: Path) -> None:
    csv_file = database / "electors.csv"
    shutil.copy(electors_csv, csv_file)
    result = hashgen("run", csv_file, "--out", database, "--force")
    assert (result.returncode, "also holds electors.csv" in result.stderr) == (2, True)
    assert csv_file.exists()
    csv_file.unlink()
    (database / "manifest.json").write_text("{}")
    result = hashgen("run", electors_csv, "--out", database, "--force")
    assert (result.returncode, "remove" in result.stderr) == (2, True)
    assert names_in(database) == ["hash_database-00000.bin", "manifest.json"]


@pytest.mark.parametrize("check", CHECKS)
def test_a_mount_point_is_refused(check: Check) -> None:
    with pytest.raises(UsageError, match="mount point: name a directory inside"):
        check(MOUNT_POINT)


@pytest.mark.parametrize("check", CHECKS)
def test_a_link_is_refused(tmp_path: Path, check: Check) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with pytest.raises(UsageError, match="is no directory"):
        check(tmp_path / "link")


def test_what_cannot_take_its_place_is_removed(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was there is back in its place."""
    before = names_in(database)
    unfinished = database.with_name(".db.partial")
    rename = Path.rename

    def busy(self: Path, target: Path) -> Path:
        if self == unfinished:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", busy)
    replacing = appearing_directory(database, partial(check_replaceable, force=True))
    with pytest.raises(OSError, match="busy"), replacing:
        (unfinished / "every choice").write_text("")
    assert names_in(database.parent) == ["db"]
    assert names_in(database) == before


def test_a_link_for_the_unfinished_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / ".db.partial").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="Not a directory"), appearing_directory(tmp_path / "db"):
        pass
    assert names_in(tmp_path / "mine") == ["thesis.txt"]


def test_a_link_that_was_replaced_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / ".db.old").symlink_to(tmp_path / "empty")
    with appearing_directory(tmp_path / "db"):
        pass
    assert names_in(tmp_path) == ["db", "empty"]


def test_killed_between_two_renames(electors_csv: Path, database: Path) -> None:
    database.rename(database.with_name(".db.old"))
    with pytest.raises(DatabaseError, match=r"killed.*\.db\.old: rename that, or run again"):
        HashDatabase.open(database)
    generate(electors_csv, database, BallotHasher(), Options())
    assert names_in(database.parent) == ["db"]
