"""What the demo makes of its data directory, run after run."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge.demo.electorate import Card, prepare, read_cards
from edge.errors import StartError
from hashgen.errors import BadRowsError

CSV = "\ufeff Code ,LAW_ID,NAS\nABC123,L2025-001,123456789\n"
OTHER_CSV = "nas,code,law_id\n012345674,XYZ789,L2025-002\n"


def report(_phase: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.csv"
    file.write_text(CSV, encoding="utf-8")
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


def test_a_csv_as_hashgen_takes_it(data: Path, csv_file: Path) -> None:
    electorate = prepare(data, None, csv_file, report)
    assert electorate.database.manifest.total == 1
    assert read_cards(electorate.csv_file) == [Card("123456789", "ABC123", "L2025-001")]


def test_the_same_electors_again(data: Path, csv_file: Path) -> None:
    first = prepare(data, None, csv_file, report)
    for again in (prepare(data, None, csv_file, report), prepare(data, None, None, report)):
        assert again.csv_file == csv_file
        assert not again.sample
        assert again.database.manifest == first.database.manifest


def test_sample_electors_again(data: Path) -> None:
    first = prepare(data, 20, None, report)
    assert first.sample
    for electors in (20, None):
        assert prepare(data, electors, None, report).database.manifest == first.database.manifest


def test_other_electors_are_refused(data: Path, tmp_path: Path, csv_file: Path) -> None:
    prepare(data, 20, None, report)
    for electors, csv in ((21, None), (None, csv_file)):
        with pytest.raises(StartError, match=r"other electors.*--data"):
            prepare(data, electors, csv, report)

    kept = tmp_path / "kept"
    kept.mkdir()
    prepare(kept, None, csv_file, report)
    csv_file.write_text(OTHER_CSV)
    for electors, csv in ((20, None), (None, csv_file), (None, None)):
        with pytest.raises(StartError, match=r"other electors.*--data"):
            prepare(kept, electors, csv, report)


def test_a_pipe_is_refused(data: Path, tmp_path: Path) -> None:
    """The electors are read more than once, and whoever opens a pipe waits for its writer."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(StartError, match=r"pipe\.csv is not a file"):
        prepare(data, None, pipe, report)


def test_a_corrected_csv_is_taken(data: Path, csv_file: Path) -> None:
    csv_file.write_text("nas,code,law_id\n12345678,ABC123,L2025-001\n")
    with pytest.raises(BadRowsError):
        prepare(data, None, csv_file, report)
    csv_file.write_text(OTHER_CSV)
    assert list(prepare(data, None, csv_file, report).database.manifest.laws) == ["L2025-002"]


def test_nobody_else_reads_the_hashes(data: Path) -> None:
    database = prepare(data, 20, None, report).database
    assert stat.S_IMODE(database.directory.stat().st_mode) == 0o700


def test_voters_without_electors_end_with_a_line(tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    file.write_text("nas,code,law_id\n")
    argv = [sys.executable, "-P", "-m", "edge.demo.voters", "http://127.0.0.1:9", str(file)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, f"voters: {file} has no electors\n")
