"""The SQL files and how they are cut."""

import re

import pytest

from clickhouse.drainer import DrainOptions
from clickhouse.sql import read_migrations, read_query, split_statements


def test_splits_at_semicolons_that_end_a_line() -> None:
    text = "-- a; comment;\nSELECT 1;\n\nSELECT ';'\n  -- more\nFROM t ;  \n;\n"
    assert split_statements(text) == ["SELECT 1", "SELECT ';'\n\nFROM t"]


def test_migrations_are_numbered_without_gaps() -> None:
    names = [script.name for script in read_migrations()]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", name) for name in names)


def test_every_statement_of_a_migration_can_be_repeated() -> None:
    for script in read_migrations():
        for statement in split_statements(script.text):
            assert re.match(
                r"CREATE (TABLE IF NOT EXISTS|OR REPLACE VIEW) scrutin\.\w"
                r"|ALTER TABLE scrutin\.\w+\s+(ADD INDEX IF NOT EXISTS|(MODIFY|COMMENT) COLUMN) ",
                statement,
            )


def test_queries_are_one_statement() -> None:
    for name in ("applied_migrations", "create_schema_migrations", "tallies"):
        assert split_statements(read_query(name)) == [read_query(name).strip()]


@pytest.mark.parametrize(
    "options",
    [
        {"rows_max": 0},
        {"rows_max": 10_000_000},
        {"backoff_ms_min": 10, "backoff_ms_max": 9},
        {"backoff_ms_min": 0},
        {"pace_ms": -1},
    ],
)
def test_bounds_that_contradict_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must"):
        DrainOptions(**options)
