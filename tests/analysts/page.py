"""The parts of docs/analysts.md that are written from the schema, the queries and the figures."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from clickhouse.roles import read_grants
from tests.analysts.dictionary import Relation, describe
from tests.analysts.figures import Figures
from tests.analysts.queries import Query, read_queries

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "analysts.md"
FIGURES = DOCS / "analysts-results.json"
BEGIN, END = "<!-- {}: written by `make analysts` -->\n", "<!-- end -->\n"
LIMIT_MS = 2000


def render(page: str, relations: list[Relation], figures: Figures) -> str:
    """Return the page with all its parts anew."""
    parts: dict[str, Iterable[str]] = {
        "dictionary": describe(relations),
        "queries for analysts": _queries("analyst", figures),
        "queries for auditors": _queries("auditor", figures),
        "roles": _roles(),
        "figures": _figures(figures),
        "sizes": _sizes(figures),
        "choices": _choices(figures),
    }
    for name, lines in parts.items():
        begin = BEGIN.format(name)
        before, found, rest = page.partition(begin)
        assert found, f"the page has no place for {name}"
        page = before + begin + "\n" + "\n".join(lines).rstrip() + "\n\n" + END
        page += rest.partition(END)[2]
    return page


def _queries(role: str, figures: Figures) -> Iterator[str]:
    for query in read_queries():
        if query.role == role:
            yield f"**{query.about}**"
            yield from ("", "```sql", query.statement, "```", "", _took(query, figures), "")


def _took(query: Query, figures: Figures) -> str:
    took = figures.queries[query.name]
    slow = "" if took.merged_ms < LIMIT_MS else " More than 2 s: see below."
    return f"`{query.role}/{query.name}.sql`, {_s(took.merged_ms)}.{slow}"


def _roles() -> Iterator[str]:
    yield from ("| role | may, while votes are taken | besides, with results |", "|---|---|---|")
    before, after = (read_grants(with_results=with_results) for with_results in (False, True))
    for role in dict.fromkeys(role for role, _ in before):
        held = [right for name, right in before if name == role]
        more = [right for name, right in after if name == role and right not in held]
        yield f"| `{role}` | {_rights(held)} | {_rights(more)} |"


def _rights(granted: list[str]) -> str:
    rights: dict[str, list[str]] = {}
    for right in granted:
        verb, _, what = right.partition(" ON scrutin.")
        verb, _, columns = verb.rstrip(")").partition("(")
        rights.setdefault(verb, []).append(_named(what, columns))
    return "; ".join(f"{verb} on {', '.join(names)}" for verb, names in rights.items())


def _named(what: str, columns: str) -> str:
    if not columns:
        return f"`{what}`"
    if columns == "vote":
        return f"`vote` of `{what}`"
    return f"`{what}` without `vote` and `request_id`"


def _figures(figures: Figures) -> Iterator[str]:
    yield (
        f"{figures.date}, {figures.machine}, ClickHouse {figures.engine}: {figures.ballots:,} "
        f"ballots and {figures.audit_rows:,} audit rows; the median of {figures.repeats}. "
        f"While voting: in {figures.parts} parts, as batches leave them. After it: merged."
    )
    yield from ("", "| query | while voting | after it |", "|---|---|---|")
    for query in read_queries():
        took = figures.queries[query.name]
        over = " **over**" if took.voting_ms >= LIMIT_MS else ""
        yield f"| `{query.role}/{query.name}` | {_s(took.voting_ms)}{over} | {_s(took.merged_ms)} |"


def _sizes(figures: Figures) -> Iterator[str]:
    yield from ("| table | column | bytes a row |", "|---|---|---|")
    for table, columns in figures.bytes_a_row.items():
        for column, size in sorted(columns.items(), key=lambda item: -item[1]):
            yield f"| `{table}` | `{column}` | {size:.2f} |"
        yield f"| `{table}` | all | **{sum(columns.values()):.1f}** |"


def _choices(figures: Figures) -> Iterator[str]:
    yield from ("| tried | found | kept |", "|---|---|---|")
    for choice in figures.choices:
        yield f"| {choice.tried} | {choice.found} | {choice.kept} |"


def _s(ms: float) -> str:
    return f"{ms / 1000:.2f} s"
