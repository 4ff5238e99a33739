"""The harness held to account: bugs are planted, each must be caught.

A bug is a file in `bugs/`: what it is, which text of which file it replaces, and the scenarios to
play. It is planted in a copy of the source, from which everything then runs.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.chaos import results

BUGS = Path(__file__).with_name("bugs")
ROOT = Path(__file__).parents[2]
PACKAGES = ("edge", "clickhouse", "shards", "hashgen", "tests")
RUNS = 8
VOTES = 2000


class Change(msgspec.Struct, frozen=True):
    """In `file`, `old` becomes `new`."""

    file: str
    old: str
    new: str


class Bug(msgspec.Struct, frozen=True):
    """A bug to plant, and the scenarios that should show it, the likeliest first."""

    about: str
    scenarios: list[str]
    changes: list[Change]


def read_bugs() -> dict[str, Bug]:
    """Return all bugs by name."""
    return {
        path.stem: msgspec.toml.decode(path.read_bytes(), type=Bug)
        for path in sorted(BUGS.glob("*.toml"))
    }


def plant(bug: Bug, directory: Path) -> None:
    """Copy the source to a directory with the bug in it; the text to replace must be there."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, directory / package, ignore=ignored)
    for change in bug.changes:
        path = directory / change.file
        text = path.read_text()
        assert text.count(change.old) == 1, f"{change.file} has changed: {change.old!r}"
        path.write_text(text.replace(change.old, change.new))


def catch(name: str, bug: Bug) -> results.Catch:
    """Plant a bug and play its scenarios until a run shows it."""
    played = 0
    with tempfile.TemporaryDirectory(prefix="scrutin-bug-") as text:
        directory = Path(text)
        plant(bug, directory)
        for scenario in bug.scenarios:
            file = directory / f"{scenario}.json"
            command = [sys.executable, "-m", "tests.chaos", "--scenario", scenario]
            command += ["--runs", str(RUNS), "--votes", str(VOTES), "--until-failure"]
            environment = {"PYTHONPATH": text, "TMPDIR": text, "PATH": "/usr/bin:/bin"}
            run = subprocess.run(
                [*command, "--results", str(file)],
                cwd=directory,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert file.exists(), f"{name}: {scenario} did not play:\n{run.stdout}{run.stderr}"
            [result] = results.read(file).scenarios
            played += result.runs
            if result.violations:
                sys.stdout.write(f"{name}: caught by {scenario}, run {played}\n{run.stdout}")
                return results.Catch(name, bug.about, scenario, played)
    sys.stdout.write(f"{name}: NOT CAUGHT in {played} runs\n")
    return results.Catch(name, bug.about, "", played)


def report_bugs(names: list[str], file: Path | None) -> bool:
    """Plant these bugs in turn, or all; say whether any was not caught."""
    bugs = read_bugs()
    missed = False
    for name in names or bugs:
        caught = catch(name, bugs[name])
        sys.stdout.flush()
        missed |= not caught.scenario
        if file is not None:
            results.write(file, bugs=[caught])
    return missed
