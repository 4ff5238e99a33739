"""docs/analysts.md says what schema, queries, roles and kept figures say, and all is described."""

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.migrations import migrate
from tests.analysts import figures, page
from tests.analysts.dictionary import Relation, describe, read_relations
from tests.analysts.queries import read_queries


@pytest.fixture
async def relations(client: AsyncClient) -> list[Relation]:
    await client.command("DROP DATABASE scrutin SYNC")  # and what other tests made in it
    await migrate(client)
    return await read_relations(client)


def test_the_page_is_as_it_would_be_written_now(relations: list[Relation]) -> None:
    text = page.PAGE.read_text()
    assert text == page.render(text, relations, figures.read(page.FIGURES)), "make analysts"


def test_every_table_and_view_is_described_once(relations: list[Relation]) -> None:
    lines = list(describe(relations))
    for relation in relations:
        assert relation.comment
        assert sum(line.startswith(f"`{relation.name}`, ") for line in lines) == 1
        assert all(column.comment for column in relation.columns)


def test_every_query_was_measured_at_full_size() -> None:
    kept = figures.read(page.FIGURES)
    assert (kept.ballots, kept.audit_rows) == (8_000_000, 10_000_000)
    assert list(kept.queries) == [query.name for query in read_queries()]
