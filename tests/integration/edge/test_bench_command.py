"""`scrutin bench` at small sizes, on real engines."""

import os
import re
import subprocess
from pathlib import Path

from edge.bench.command import BENCHMARKS
from edge.bench.outcome import read_results
from edge.bench.structures.candidates import CANDIDATES
from tests.support.edges import SCRUTIN


def bench(
    *arguments: str, path: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRUTIN, "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env=os.environ | ({} if path is None else {"PATH": path}),
    )


def test_the_list_names_all() -> None:
    listed = bench("list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(BENCHMARKS)


def test_figures_are_kept_and_shown_and_size_a_deployment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = str(out / "results.json")
    missing = bench("capacity", "--results", results)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "cannot be read" in missing.stderr

    names = ["costs", "roll", "drain", "tally"]
    ran = bench("run", *names, "--quick", "--out", str(out))
    assert ran.returncode == 0, ran.stderr
    outcomes = read_results(out / "results.json").outcomes
    assert [outcome.benchmark for outcome in outcomes] == names
    for outcome in outcomes:
        assert all(figure.value > 0 for figure in outcome.figures)
        assert outcome.benchmark in (out / "report.html").read_text()

    again = bench("run", "costs", "--quick", "--out", str(out), "--against", results)
    assert again.returncode == 0, again.stderr
    assert re.search("as before|better|worse", again.stdout)

    sized = bench(
        "capacity", "--results", results, "--electors", "5000000", "--votes-per-s", "2000"
    )
    assert sized.returncode == 0, sized.stderr
    [row] = [line for line in sized.stdout.splitlines() if line.startswith("| 5,000,000 |")]
    assert row.startswith("| 5,000,000 | 2,000 |")


def test_structures_are_shown_as_a_table(tmp_path: Path) -> None:
    ran = bench("run", "structures", "--quick", "--electors", "5000", "--out", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    [outcome] = read_results(tmp_path / "results.json").outcomes
    assert list(outcome.cases) == [structure.name for structure in CANDIDATES]
    assert all(figure.value > 0 for figure in outcome.figures)
    assert len({tuple(measures) for measures in outcome.cases.values()}) == 1
    assert "<td>replication, a vote</td>" in (tmp_path / "report.html").read_text()


def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    unknown = bench("run", "sped")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no benchmark is named sped; there are hashing," in unknown.stderr
    out = tmp_path / "out"
    missing = bench("run", "tally", "latency", "--quick", "--out", str(out), path=str(tmp_path))
    assert missing.returncode == 2
    assert "oha is not installed: cargo install oha" in missing.stderr
    assert not out.exists(), "it said so after the other benchmark"


def test_quick_results_take_nobody_s_place(tmp_path: Path) -> None:
    ran = bench("run", "hashing", "--quick", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert [file.name for file in (tmp_path / "bench-results").iterdir()] == ["quick"]
    assert read_results(tmp_path / "bench-results/quick/results.json").outcome("hashing")


def test_results_that_cannot_be_kept_are_said_before_the_benchmark(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_bytes(b"{")
    for command in (["run", "hashing"], ["rehearsal", "--electors", "100"]):
        broken = bench(*command, "--out", str(tmp_path))
        assert (broken.returncode, broken.stdout) == (2, "")
        assert "results.json holds no benchmark results" in broken.stderr
        no_directory = bench(*command, "--out", str(tmp_path / "results.json"))
        assert (no_directory.returncode, no_directory.stdout) == (2, "")
        assert "results.json cannot be written" in no_directory.stderr
