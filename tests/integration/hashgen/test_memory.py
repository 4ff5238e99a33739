"""48 bytes an elector and a constant, from the million up."""

import subprocess
import sys
from pathlib import Path

import pytest

from hashgen.sample import write_sample

ELECTORS = 1_000_000
BYTES_AN_ELECTOR = 48
# Blocks of lines and staged records of each thread, half-filled chunks, the allocator's slack.
CONSTANT_BYTES = 16 * 1024 * 1024
THREADS = 2
SAME_ROWS = 3_000_000
BYTES_A_SAME_ROW = 84

# The peak is that of this process image alone; ru_maxrss would start at the parent's.
SCRIPT = """
import re, sys
from pathlib import Path
from hashgen import BallotHasher
from hashgen.generate import Options, generate

def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024

csv_file, directory, file_format, threads = sys.argv[1:]
before = peak_bytes()
options = Options(format=file_format, threads=int(threads), skip_bad_rows=True)
made = generate(Path(csv_file), Path(directory), BallotHasher(), options)
print(made.manifest.total, peak_bytes() - before)
"""


def used_by(csv_file: Path, directory: Path, file_format: str) -> tuple[int, int]:
    """Return how many hashes a run made, and how many bytes of memory it took."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, csv_file, directory, file_format, str(THREADS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    total, used_bytes = map(int, result.stdout.split())
    return total, used_bytes


@pytest.fixture(scope="module")
def million_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("million") / "electors.csv"
    write_sample(path, ELECTORS, ["L2025-001"])
    return path


@pytest.mark.parametrize("file_format", ["json", "binary"])
def test_memory_stays_bounded(million_csv: Path, tmp_path: Path, file_format: str) -> None:
    total, used_bytes = used_by(million_csv, tmp_path / "db", file_format)
    assert total == ELECTORS
    assert used_bytes < BYTES_AN_ELECTOR * ELECTORS + CONSTANT_BYTES
    # A measure that finds less than the hashes alone is no measure.
    assert used_bytes > 32 * ELECTORS


def test_rows_that_are_all_the_same(tmp_path: Path) -> None:
    """They meet in one partition, and each is a bad row besides: still no copy of all of them."""
    csv_file = tmp_path / "electors.csv"
    csv_file.write_text("nas,code,law_id\n" + "012345678,ABCD2345,L1\n" * SAME_ROWS)
    total, used_bytes = used_by(csv_file, tmp_path / "db", "binary")
    assert total == 1
    assert used_bytes < BYTES_A_SAME_ROW * SAME_ROWS + CONSTANT_BYTES
