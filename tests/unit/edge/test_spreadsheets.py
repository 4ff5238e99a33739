"""What is exported opens in a spreadsheet, and does nothing there."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.spreadsheets import Spreadsheet, inert

FORMULAS = [
    '=HYPERLINK("http://example.org","Open")',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1",
    "\r=1",
    " =1+1",
    "\u00a0=1+1",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text(text: str) -> None:
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "L2025-001", "é", "a=b", "2026-11-25 07:00:00.000", "0af3"])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


@given(st.text())
def test_no_cell_begins_a_formula(text: str) -> None:
    assert not inert(text).lstrip().startswith(("=", "+", "-", "@"))


def test_the_file_has_its_mark_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    rows = [["1", 'Loi «\u00a0é\u00a0», "x"'], ["=1", "two\nlines, and a comma"]]
    with Spreadsheet(file, ["n", "text"]) as sheet:
        for row in rows:
            sheet.write(row)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as read:
        assert list(csv.reader(read)) == [["n", "text"], rows[0], ["'=1", rows[1][1]]]
