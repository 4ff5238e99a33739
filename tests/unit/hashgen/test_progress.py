import pytest

from hashgen import progress
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
