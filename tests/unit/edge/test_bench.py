"""Benchmark results: kept, compared and shown."""

import os
import random
import resource
from pathlib import Path

import msgspec
import pytest

from edge.bench.command import BENCHMARKS
from edge.bench.online import drawn
from edge.bench.outcome import (
    Figure,
    Outcome,
    Plot,
    Results,
    Series,
    Share,
    keep,
    machine,
    read_results,
)
from edge.bench.plain import plain_hash
from edge.bench.profiling import shares
from edge.bench.report import change, number, render
from edge.bench.structures.candidates import CANDIDATES
from edge.errors import StartError
from hashgen import ballot_hash

FAST = Figure("rate", 110.0, "votes/s", goal=100)
SLOW = Figure("wait", 12.0, "ms", "lower", goal=10)


def outcome(*figures: Figure, size: str = "8 electors") -> Outcome:
    plot = Plot("a <plot>", "x", "y", [Series("a", [(1, 2), (2, 3)]), Series("b", [(1, 1)])])
    return Outcome("speed", "How <fast>.", size, list(figures), [plot], loop="open")


def test_a_goal_is_met_the_better_way() -> None:
    assert FAST.met
    assert SLOW.met is False
    assert Figure("x", 1, "s").met is None


def test_results_are_kept_by_benchmark(tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.json"
    keep(file, outcome(SLOW))
    keep(file, msgspec.structs.replace(outcome(SLOW), benchmark="other"))
    results = keep(file, outcome(FAST))
    assert read_results(file) == results
    assert {o.benchmark: o.figures for o in results.outcomes} == {"other": [SLOW], "speed": [FAST]}


def test_results_outlast_a_write_that_fails(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results = keep(file, outcome(SLOW))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # as a full disk
    try:
        with pytest.raises(OSError, match="too large"):
            keep(file, outcome(FAST))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_results(file) == results


def test_cores_are_those_to_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert machine().startswith("1 x ")
    finally:
        os.sched_setaffinity(0, allowed)


def test_results_of_another_machine_do_not_stay(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    other = Results("64 x other", "scrutin", [outcome(SLOW)])
    file.write_bytes(msgspec.json.encode(other))
    kept = keep(file, msgspec.structs.replace(outcome(FAST), benchmark="mine"))
    assert [o.benchmark for o in kept.outcomes] == ["mine"]


@pytest.mark.parametrize("content", [None, b"{", b"[]"])
def test_a_file_that_holds_no_results(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "results.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartError, match=str(file)):
        read_results(file)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (FAST, "as before"),
        (Figure("rate", 220.0, "votes/s"), "+100%, better"),
        (Figure("rate", 55.0, "votes/s"), "-50%, worse"),
        (Figure("rate", 55.0, "ms", "lower"), "-50%, better"),
        (Figure("new", 55.0, "ms"), ""),
    ],
)
def test_change(now: Figure, said: str) -> None:
    before = Results("m", "s", [outcome(FAST)])
    assert change(outcome(now), now, before) == said
    assert change(outcome(now, size="9 electors"), now, before) == ""
    assert change(outcome(now), now, None) == ""


def test_a_change_from_nothing_is_said() -> None:
    none, some = (Figure("failures", value, "answers", "lower") for value in (0, 120))
    before = Results("m", "s", [outcome(none)])
    assert change(outcome(none), none, before) == "as before"
    assert change(outcome(some), some, before) == "120 more, worse"


def test_the_report_stands_alone() -> None:
    results = Results("2 x <cpu>", "scrutin", [outcome(FAST, SLOW)])
    page = render(results, results)
    assert "at least 100:\nmet" in page
    assert "at most 10.0:\nmissed" in page
    assert "2 x &lt;cpu&gt;" in page
    assert "How &lt;fast&gt;." in page
    assert page.count("<svg") == 1
    assert "<script" not in page
    assert 'src="http' not in page


def test_figures_by_case() -> None:
    figures = [
        Figure("a, x", 1, "B"),
        Figure("a, y, z", 2, "s"),
        Figure("b <c>, x", 3, "B"),
        Figure("b <c>, y, z", 4, "s"),
    ]
    shown = msgspec.structs.replace(outcome(*figures), by_case=True)
    values = {case: [f.value for f in by.values()] for case, by in shown.cases.items()}
    assert values == {"a": [1, 2], "b <c>": [3, 4]}
    page = render(Results("m", "s", [shown]), None)
    assert "<tr><th></th><th>a</th><th>b &lt;c&gt;</th><th>unit</th></tr>" in page
    cells = '<td class="number">2</td><td class="number">4</td><td>s</td>'
    assert f"<tr><td>y, z</td>{cells}</tr>" in page
    assert "<th>figure</th>" not in page


def test_every_benchmark_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/benchmarks.md").read_text()
    for name in BENCHMARKS:
        assert f"| `{name}` |" in page
    for structure in CANDIDATES:
        assert f"\n| {structure.name} |" in page


def test_votes_that_come_again_are_said() -> None:
    ballots = range(60_000)
    rng = random.Random(1)
    again = 1 - len({rng.choice(ballots) for _ in range(30_000)}) / 30_000
    assert f"about {again:.0%} of the votes" in drawn(30_000, len(ballots))


def test_numbers() -> None:
    assert [number(value) for value in (0.0, 0.1234, 12.34, 1234.5)] == [
        "0.0", "0.123", "12.3", "1,234",
    ]  # fmt: skip


def test_plain_python_hashes_alike() -> None:
    for fields in (("012-345 678", " abcd-2345", "L1"), ("012345678", "ABCD2345", "L1")):
        assert plain_hash(*fields) == ballot_hash(*fields)


def test_a_profile_is_summed_up_by_place() -> None:
    stacks = """main (edge/__main__.py:5);cast (shards/roll.py:77) 2
main (edge/__main__.py:5);call (shards/roll.py:99);uuid4 (uuid.py:721) 1
main (edge/__main__.py:5);send (shards/connection.py:58);cast (shards/roll.py:80) 1
0x7f00 (libc.so.6) 4
"""
    assert shares(stacks) == [
        Share("libc.so.6 (0x7f00)", 0.5),
        Share("shards/roll.py", 0.375),
        Share("uuid.py (uuid4)", 0.125),
    ]
