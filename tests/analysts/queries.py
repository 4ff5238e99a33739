"""The documented queries, from `docs/queries/<role>/<number>-<name>.sql`."""

from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path(__file__).parents[2] / "docs" / "queries"


class Query(NamedTuple):
    """A query as it is documented; `role` is the narrowest that may run it."""

    role: str
    name: str
    about: str
    statement: str


def read_queries() -> list[Query]:
    """Read all, those for analysts first, in the order of their numbers."""
    return [_read(path) for path in sorted(DIRECTORY.glob("*/*.sql"))]


def _read(path: Path) -> Query:
    lines = path.read_text().splitlines()
    about = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    statement = "\n".join(lines[len(about) :])
    assert about, f"{path} does not begin with what it is for"
    assert "--" not in statement, path
    return Query(path.parent.name, path.stem, " ".join(about), statement)
