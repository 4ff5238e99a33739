import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from hashgen import progress
from hashgen.bars import BarReport
from hashgen.progress import PlainReport, accumulating, rate_text, reporting


def test_rates() -> None:
    assert rate_text(12_345_678, "bytes") == "12.3 MB/s"
    assert rate_text(1_234_000, "hashes") == "1,234,000 hashes/s"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that is moved by hand."""
    clock = SimpleNamespace(now_s=1000.0)
    clock.monotonic = lambda: clock.now_s
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_plain_lines_are_rare(capsys: pytest.CaptureFixture[str], clock: SimpleNamespace) -> None:
    with reporting({"read": "bytes"}) as report:
        assert isinstance(report, PlainReport)
        for done in range(100):
            report("read", done, 100)
        assert capsys.readouterr().err == ""
        for _ in range(10):
            clock.now_s += 1
            report("read", 25, 100)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("25 %" in line for line in lines)


def test_a_first_report_is_of_the_time_since_the_reporting_began(
    capsys: pytest.CaptureFixture[str], clock: SimpleNamespace
) -> None:
    with reporting({"copying": "rows"}) as report:
        clock.now_s += 10
        report("copying", 20_000, 40_000)
    assert capsys.readouterr().err == "copying: 2,000 rows/s, 50 %, 10 s left\n"


def test_a_phase_begins_when_the_one_before_ends(
    capsys: pytest.CaptureFixture[str], clock: SimpleNamespace
) -> None:
    with reporting({"checking": "hashes", "loading": "hashes"}) as report:
        report("checking", 100, 100)
        clock.now_s += 4
        report("checking", 100, 100)
        clock.now_s += 10
        report("loading", 20_000, 0)
    assert capsys.readouterr().err == "loading: 2,000 hashes/s\n"


def test_next_to_no_time_has_no_rate(
    capsys: pytest.CaptureFixture[str], clock: SimpleNamespace
) -> None:
    with reporting({"read": "bytes", "sort": "steps"}) as report:
        clock.now_s += 4.5
        report("read", 100, 100)
        clock.now_s += 0.5
        report("sort", 1_000_000, 2_000_000)
        assert capsys.readouterr().err == ""
        clock.now_s += 0.5
        report("sort", 2_000_000, 2_000_000)
    assert capsys.readouterr().err == "sort: 2,000,000 steps/s, 100 %, 0 s left\n"


def test_a_bar_shows_rate_and_ends_full() -> None:
    console = Console(force_terminal=True, file=io.StringIO(), width=100)
    with Progress(console=console) as bars:
        report = BarReport({"read": "bytes", "sort": "steps"}, bars)
        report("read", 0, 2_000)
        report("read", 1_000, 2_000)
        report("sort", 5, 512)
        read, sort = bars.tasks
    assert (read.completed, sort.completed) == (2_000, 5)
    assert read.fields["rate"].endswith(" MB/s")
    assert sort.fields["rate"].endswith(" steps/s")


def test_what_is_told_piece_by_piece_is_reported_in_all() -> None:
    reported: list[tuple[str, int, int]] = []
    told = accumulating(lambda *what: reported.append(what), "copying", 9)
    told(4)
    told(5)
    assert reported == [("copying", 4, 9), ("copying", 9, 9)]
