import io

import pytest
from rich.console import Console
from rich.progress import Progress

from hashgen import progress
from hashgen.bars import BarReport
from hashgen.progress import PlainReport, rate_text, reporting


def test_rates() -> None:
    assert rate_text(12_345_678, "bytes") == "12.3 MB/s"
    assert rate_text(1_234_000, "hashes") == "1,234,000 hashes/s"


def test_plain_lines_are_rare(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with reporting({"read": "bytes"}) as report:
        assert isinstance(report, PlainReport)
        for done in range(100):
            report("read", done, 100)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_S", 0.0)
    with reporting({"read": "bytes"}) as report:
        report("read", 0, 100)
        report("read", 25, 100)
    assert "25 %" in capsys.readouterr().err


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
