"""`scrutin bench` at small sizes, on real engines."""

import os
import subprocess
from pathlib import Path

from edge.bench.command import BENCHMARKS
from edge.bench.outcome import read_results
from edge.bench.structures.candidates import CANDIDATES
from tests.support.edges import SCRUTIN


def bench(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRUTIN, "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | ({} if path is None else {"PATH": path}),
    )


def test_the_list_names_all() -> None:
    listed = bench("list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(BENCHMARKS)


def test_a_deployment_is_sized_by_what_was_measured(tmp_path: Path) -> None:
    results = str(tmp_path / "results.json")
    missing = bench("capacity", "--results", results)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "cannot be read" in missing.stderr
    ran = bench("run", "costs", "roll", "tally", "--quick", "--out", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    costs = next(o for o in read_results(tmp_path / "results.json").outcomes)
    assert costs.benchmark == "costs"
    assert all(figure.value > 0 for figure in costs.figures)
    sized = bench(
        "capacity", "--results", results, "--electors", "5000000", "--votes-per-s", "2000"
    )
    assert sized.returncode == 0, sized.stderr
    [row] = [line for line in sized.stdout.splitlines() if line.startswith("| 5,000,000 |")]
    assert row.startswith("| 5,000,000 | 2,000 |")


def test_figures_are_kept_and_shown(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = bench("run", "roll", "drain", "tally", "--quick", "--out", str(out))
    assert ran.returncode == 0, ran.stderr
    outcomes = {o.benchmark: o for o in read_results(out / "results.json").outcomes}
    assert list(outcomes) == ["roll", "drain", "tally"]
    for outcome in outcomes.values():
        assert all(figure.value > 0 for figure in outcome.figures)
        assert outcome.benchmark in (out / "report.html").read_text()

    again = bench(
        "run", "tally", "--quick", "--out", str(out), "--against", str(out / "results.json")
    )
    assert again.returncode == 0, again.stderr


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
    missing = bench("run", "latency", "--quick", "--out", str(tmp_path / "out"), path=str(tmp_path))
    assert missing.returncode == 2
    assert "oha is not installed: cargo install oha" in missing.stderr
