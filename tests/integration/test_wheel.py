"""The built wheel holds what the repository holds, and works where the source is not."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("hashgen", "shards", "clickhouse", "edge")
EXTENSION = "hashgen/_native.abi3.so"

pytestmark = pytest.mark.timeout(600)  # it compiles, perhaps when another build is done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [ROOT / ".tools/bin/uv", "build", "--quiet", "--wheel", "--out-dir", directory],
        cwd=ROOT,
        check=True,
    )
    [path] = directory.glob("*.whl")
    return path


def test_every_file_of_the_packages_is_in_it(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    present = {name for name in tracked if (ROOT / name).exists()}
    packed = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if ".dist-info/" not in name and not name.endswith("/")
    }
    assert packed == present | {EXTENSION}
    assert any(name.endswith(".lua") for name in packed)
    assert any(name.endswith(".sql") for name in packed)


def test_it_runs_away_from_the_source(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    csv_file = tmp_path / "electors.csv"

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edge", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-P", "-c", "import hashgen._native as native; print(native.__file__)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(where.strip()) == installed / EXTENSION
    run("hashgen", "sample", "--electors", "10", "--laws", "L2025-001", "--out", csv_file)
    run("hashgen", "run", csv_file, "--out", tmp_path / "roll")
    run("hashgen", "verify", tmp_path / "roll")
