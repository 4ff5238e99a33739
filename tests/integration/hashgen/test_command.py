"""`hashgen` as a user meets it: killed, interrupted, out of disk, given bad files."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hashgen.database import HashDatabase
from hashgen.output import appearing_directory
from hashgen.sample import write_sample
from tests.support.hashgen_command import hashgen, start, wait_while_running

# A file for every hash, each flushed to the disk: seconds, of which the test needs a moment.
SLOW = ["--shard-size", "1"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_leaves_no_database(
    electors_csv: Path, tmp_path: Path, number: signal.Signals
) -> None:
    directory = tmp_path / "db"
    process = start("run", electors_csv, "--out", directory, *SLOW)
    partial = tmp_path / ".db.partial"
    wait_while_running(process, lambda: partial.is_dir() and any(partial.iterdir()))
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert not directory.exists()
    assert hashgen("verify", directory).returncode == 1
    if number is signal.SIGINT:
        assert process.returncode == 130
        assert "stopped" in errors
        assert "Traceback" not in errors
        assert list(tmp_path.iterdir()) == []
    else:
        assert process.returncode == -signal.SIGKILL
        assert hashgen("verify", partial).returncode == 1

    assert hashgen("run", electors_csv, "--out", directory).returncode == 0
    assert hashgen("verify", directory).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["db"]


def test_ctrl_c_while_reading(electors_csv: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "electors.csv"
    os.mkfifo(pipe)
    process = start("run", pipe, "--out", tmp_path / "db")
    with pipe.open("wb") as file:  # opens when the run opens it
        file.write(electors_csv.read_bytes())
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "stopped; nothing was made\n")
    assert list(tmp_path.iterdir()) == [pipe]


def test_ctrl_c_while_nothing_comes(tmp_path: Path) -> None:
    pipe = tmp_path / "electors.csv"
    os.mkfifo(pipe)
    process = start("run", pipe, "--out", tmp_path / "db")
    with pipe.open("wb") as file:  # opens when the run opens it
        file.write(b"nas,code,law_id\n012345678,ABC123,L1\n")
        file.flush()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=5)
    assert (process.returncode, errors) == (130, "stopped; nothing was made\n")


def open_files(pid: int) -> set[Path]:
    files = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            files.add(descriptor.readlink())
    return files


def test_ctrl_c_while_nobody_writes(tmp_path: Path) -> None:
    pipe = tmp_path / "electors.csv"
    os.mkfifo(pipe)
    process = start("run", pipe, "--out", tmp_path / "db")
    wait_while_running(process, lambda: pipe in open_files(process.pid))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=5)
    assert (process.returncode, errors) == (130, "stopped; nothing was made\n")


def test_electors_may_come_from_a_pipe(electors_csv: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "electors.csv"
    os.mkfifo(pipe)
    process = start("run", pipe, "--out", tmp_path / "db")
    content = electors_csv.read_bytes()
    with pipe.open("wb") as file:
        file.write(content[:100_000])
        file.flush()
        time.sleep(0.2)  # the pause is what is tested: longer than the run waits at a time
        file.write(content[100_000:])
    assert process.communicate(timeout=30)[1] == ""
    assert HashDatabase.open(tmp_path / "db").manifest.total == 40_000


def test_two_runs_at_once(electors_csv: Path, tmp_path: Path) -> None:
    directory = tmp_path / "db"
    with appearing_directory(directory) as partial:
        (partial / "mine").write_text("")
        second = hashgen("run", electors_csv, "--out", directory)
        assert (partial / "mine").exists()
    assert second.returncode == 2
    assert "another run" in second.stderr
    assert [path.name for path in directory.iterdir()] == ["mine"]


def test_a_full_disk(electors_csv: Path, tmp_path: Path) -> None:
    directory = tmp_path / "db"
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6));"
        "from hashgen.cli import app; app()"
    )
    result = subprocess.run(
        [sys.executable, "-c", limited, "run", electors_csv, "--out", directory],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "hash_database-00000.json: File too large" in result.stderr
    assert "run again" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nowhere.csv", "--out", "db"], 1, "nowhere.csv cannot be read: No such file"),
        (["run", ".", "--out", "db"], 1, "Is a directory"),
        (["run", "bytes.csv", "--out", "db"], 1, "the first line must name"),
        (["run", "bad.csv", "--out", "db"], 1, "6 bad rows of 8, listed in db.rejects.csv"),
        (["run", "bad.csv", "--out", "db", "--shard-size", "0"], 2, "--shard-size"),
        (["run", "bad.csv", "--out", "db", "--shard-size", "9" * 20], 2, "--shard-size"),
        (["run", "bad.csv", "--out", "db", "--threads", "100000"], 2, "--threads"),
        (["run", "bad.csv", "--out", "db", "--scheme", "md5"], 2, "--scheme"),
        (["run", "bad.csv", "--out", "db", "--scheme", "hmac-sha256"], 2, "--key-file"),
        (["run", "bad.csv", "--out", "db", "--key-file", "key"], 2, "hmac-sha256"),
        (["run", "bad.csv"], 2, "--out"),
        (["verify", "nowhere"], 1, "no hash database"),
        (["sample", "--electors", "0", "--laws", "L1", "--out", "x.csv"], 2, "--electors"),
        (["sample", "--electors", "100000001", "--laws", "L1", "--out", "x.csv"], 2, "100,000,000"),
        (["sample", "--electors", "5", "--laws", "L 1", "--out", "x.csv"], 2, "law"),
        (["sample", "--electors", "5", "--laws", "L1", "L1", "--out", "x.csv"], 2, "once"),
        (["sample", "--electors", "5", "--laws", "L1", "--out", "bad.csv"], 2, "--force"),
        (["sample", "--electors", "5", "--laws", "L1", "--out", "x", "--seed", "-1"], 2, "seed"),
    ],
)
def test_errors_say_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """None of them shows a NAS or a code, nor makes anything but the list of bad rows."""
    monkeypatch.chdir(tmp_path)
    Path("bytes.csv").write_bytes(bytes(range(256)) * 10)
    Path("bad.csv").write_text(
        "nas,code,law_id\n098765432,QQWWZZ99,L1\n098765432,QQWWZZ99,L1\n098765432X,QQWWZZ99,L1\n"
        '098765432,QQWWZZ99é,L1\n"098765432","QQWWZZ99,L1\n098765432,QQWWZZ99\n'
        "098765432,QQWWZZ99,L 1\n012345670,QQWWZZ99,L1\n"
    )
    before = set(tmp_path.iterdir())
    result = hashgen(*arguments)
    rejects = Path("db.rejects.csv")
    said = result.stdout + result.stderr + (rejects.read_text() if rejects.exists() else "")
    assert (result.returncode, message in " ".join(said.split())) == (code, True), said
    assert "Traceback" not in said
    assert "98765432" not in said
    assert "QQWWZZ99" not in said
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "db.rejects.csv"}


def test_a_run_with_a_key(electors_csv: Path, tmp_path: Path) -> None:
    key_file, directory = tmp_path / "key", tmp_path / "db"
    key_file.write_text(bytes(range(32)).hex() + "\n")
    key_file.chmod(0o600)
    options: list[str | Path] = ["--scheme", "hmac-sha256", "--key-file", key_file]
    result = hashgen("run", electors_csv, "--out", directory, *options)
    assert result.returncode == 0, result.stderr
    manifest = HashDatabase.open(directory).manifest
    assert (manifest.scheme, len(manifest.key_fingerprint)) == ("hmac-sha256", 16)
    raw = bytes(range(32))
    for path in directory.iterdir():
        assert raw not in path.read_bytes()
        assert raw.hex().encode() not in path.read_bytes()


@pytest.mark.parametrize("expected", ["39999", "40001"])
def test_another_number_of_rows_than_expected(
    electors_csv: Path, tmp_path: Path, expected: str
) -> None:
    result = hashgen("run", electors_csv, "--out", tmp_path / "db", "--expect-rows", expected)
    assert result.returncode == 2
    assert f"has 40,000 rows, not the {int(expected):,} of --expect-rows" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_be_cut(electors_csv: Path, tmp_path: Path) -> None:
    cut = tmp_path / "electors.csv"
    cut.write_bytes(electors_csv.read_bytes()[:-1])
    warning = "warning: line 40001, the last, has no line end: was the file cut?"
    for csv_file, warned in ((electors_csv, False), (cut, True)):
        directory = tmp_path / str(warned)
        result = hashgen("run", csv_file, "--out", directory, "--expect-rows", "40000")
        assert (result.returncode, warning in result.stdout) == (0, warned), result.stderr


def test_samples(tmp_path: Path) -> None:
    path = tmp_path / "electors.csv"
    arguments: list[str | Path] = [
        "--electors",
        "12345",
        "--laws",
        "L1",
        "--laws",
        "L2",
        "--out",
        path,
    ]
    assert hashgen("sample", *arguments, "--seed", "5").returncode == 0
    header, *rows = path.read_text().splitlines()
    fields = [row.split(",") for row in rows]
    assert header == "nas,code,law_id"
    assert len({nas for nas, _, _ in fields}) == 12_345
    assert len(rows) == len(set(rows)) == 24_690
    assert all(nas.startswith("0") and len(nas) == 9 for nas, _, _ in fields)
    assert all(len(code) == 8 and not set(code) & set("IO01") for _, code, _ in fields)
    assert hashgen("run", path, "--out", tmp_path / "db").returncode == 0

    again, other = tmp_path / "again.csv", tmp_path / "other.csv"
    write_sample(again, 12_345, ["L1", "L2"], seed=5)
    write_sample(other, 12_345, ["L1", "L2"], seed=6)
    assert again.read_bytes() == path.read_bytes()
    assert other.read_bytes() != path.read_bytes()
