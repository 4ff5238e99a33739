"""What there is to read, as the engine itself tells of the schema that the migrations made."""

from collections.abc import Callable, Iterator

from clickhouse_connect.driver import AsyncClient
from msgspec import Struct

from clickhouse.roles import read_grants
from tests.support.clickhouse import rows

HEADINGS = {
    "analyst": "Counts, for analysts",
    "auditor": "Ballots and attempts, for auditors",
}
Reads = Callable[[str], bool]


class Column(Struct, frozen=True):
    name: str
    type: str
    comment: str


class Relation(Struct, frozen=True):
    """A table or a view."""

    name: str
    kind: str
    comment: str
    columns: list[Column]


async def read_relations(client: AsyncClient) -> list[Relation]:
    """Read every table and view of a migrated database, by name."""
    columns = await rows(
        client,
        "SELECT table, name, type, comment FROM system.columns WHERE database = 'scrutin'"
        " ORDER BY table, position",
    )
    relations = await rows(
        client,
        "SELECT name, if(engine = 'View', 'view', 'table'), comment FROM system.tables"
        " WHERE database = 'scrutin' ORDER BY name",
    )
    return [
        Relation(
            str(name),
            str(kind),
            str(comment),
            [Column(*map(str, column)) for table, *column in columns if table == name],
        )
        for name, kind, comment in relations
    ]


def describe(relations: list[Relation]) -> Iterator[str]:
    """Write them as Markdown, those first that the fewest rights are needed for."""
    for heading, reads in _groups():
        yield f"### {heading}"
        for relation in relations:
            if reads(relation.name):
                yield from ("", f"`{relation.name}`, {relation.kind}: {relation.comment}.")
                yield from ("", "| column | type | is |", "|---|---|---|")
                for column in relation.columns:
                    kind = column.type.replace("|", "\\|")
                    yield f"| `{column.name}` | `{kind}` | {column.comment} |"
        yield ""


def _groups() -> Iterator[tuple[str, Reads]]:
    of_analysts = _readable("analyst")
    yield HEADINGS["analyst"], of_analysts.__contains__
    yield HEADINGS["auditor"], lambda name: name in _readable("auditor") - of_analysts


def _readable(role: str) -> set[str]:
    granted = read_grants(with_results=True)
    return {right.rpartition(".")[2] for name, right in granted if name == role}
