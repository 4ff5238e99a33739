"""The election file."""

from pathlib import Path

import pytest

from shards.election import load_election
from shards.errors import ElectionError

GOOD = """
title_fr = "Référendum"
title_en = "Referendum"
results = "live"

[[laws]]
id = "L2025-001"
title_fr = "Loi"
title_en = "Law"
opens_at = 2026-11-24T08:00:00-05:00
closes_at = 2026-11-25T08:00:00-05:00
"""


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "election.toml"
    path.write_text(GOOD)
    election = load_election(path)
    law = election.law("L2025-001")
    assert law is not None
    assert law.closes_at_ms - law.opens_at_ms == 24 * 3600 * 1000
    assert election.results == "live"
    assert election.law("L2") is None


@pytest.mark.parametrize(
    ("found", "replacement", "complaint"),
    [
        ('id = "L2025-001"', 'id = "L 1"', r"letters, digits.*laws\[0\]"),
        ('id = "L2025-001"', 'id = "election"', "stands for all laws"),
        ("2026-11-24T08:00:00-05:00", "2026-11-24T08:00:00", "time zone"),
        ("2026-11-25", "2026-11-23", "opens_at must be before"),
        ('"live"', '"sometimes"', "results"),
        ('title_en = "Referendum"', "", "title_en"),
        ("results", "result", "unknown field `result`"),
        ("[[laws]]", "[laws]", "laws"),
        ('title_fr = "Référendum"', 'title_fr = "', "line 2"),
    ],
)
def test_a_bad_file_names_what_is_wrong(
    tmp_path: Path, found: str, replacement: str, complaint: str
) -> None:
    assert found in GOOD
    path = tmp_path / "election.toml"
    path.write_text(GOOD.replace(found, replacement, 1))
    with pytest.raises(ElectionError, match=complaint) as raised:
        load_election(path)
    assert str(path) in str(raised.value)


def test_two_laws_of_one_id(tmp_path: Path) -> None:
    path = tmp_path / "election.toml"
    path.write_text(GOOD + GOOD[GOOD.index("[[laws]]") :])
    with pytest.raises(ElectionError, match="twice"):
        load_election(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ElectionError, match="cannot read election file"):
        load_election(tmp_path / "none.toml")
