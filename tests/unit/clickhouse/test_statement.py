"""What is read off a statement before the engine sees it."""

import pytest

from clickhouse.local.statement import (
    Insert,
    needs_session,
    output_format,
    returns_rows,
    split_insert,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"INSERT INTO t FORMAT Native\n\n\x01", Insert("INSERT INTO t ", "Native", b"\n\x01")),
        (b"INSERT INTO t FORMAT CSV 1,2", Insert("INSERT INTO t ", "CSV", b"1,2")),
        (b"insert into t (a) values (1)", Insert("insert into t (a) ", "Values", b" (1)")),
        (b"INSERT INTO t FORMAT RowBinary", Insert("INSERT INTO t ", "RowBinary", b"")),
        (
            b"-- FORMAT\nINSERT /*VALUES*/ INTO `FORMAT` SETTINGS x='FORMAT \\'' FORMAT TSV \n\t1",
            Insert(
                "-- FORMAT\nINSERT /*VALUES*/ INTO `FORMAT` SETTINGS x='FORMAT \\'' ",
                "TSV",
                b"\t1",
            ),
        ),
        (
            b"INSERT INTO FUNCTION remote('h', format(a, b)) FORMAT CSV\n1",
            Insert("INSERT INTO FUNCTION remote('h', format(a, b)) ", "CSV", b"1"),
        ),
        (b"INSERT INTO t SELECT 1 FORMAT CSV", None),
        (b"INSERT INTO t WITH 1 AS a SELECT a", None),
        (b"SELECT 'INSERT INTO t FORMAT CSV'", None),
        (b"SELECT 1 FORMAT Native", None),
        (b"", None),
    ],
)
def test_split_insert(text: bytes, expected: Insert | None) -> None:
    assert split_insert(text) == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", True),
        ("  -- why\n/* and */ ( (SELECT 1))", True),
        ("with 1 AS a SELECT a", True),
        ("SHOW TABLES", True),
        ("INSERT INTO t SELECT 1", False),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", False),
        ("", False),
    ],
)
def test_returns_rows(statement: str, *, expected: bool) -> None:
    assert returns_rows(statement) is expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SET max_threads = 1", True),
        ("USE scrutin", True),
        ("CREATE TEMPORARY TABLE t (a Int8)", True),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", False),
        ("SELECT 'SET'", False),
    ],
)
def test_needs_session(statement: str, *, expected: bool) -> None:
    assert needs_session(statement) is expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", "TSV"),
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1\nformat Native ; ", "Native"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1, x = 'y'", "CSV"),
        ("SELECT 'a FORMAT b'", "TSV"),
    ],
)
def test_output_format(statement: str, expected: str) -> None:
    assert output_format(statement, "TSV") == expected
