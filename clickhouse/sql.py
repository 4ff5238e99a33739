"""The SQL that ships in this package's files."""

import re
from functools import cache
from importlib import resources
from typing import NamedTuple

# Our files end every statement with a semicolon at the end of a line, and have none there else.
_STATEMENT_END = re.compile(r";[ \t]*$", re.MULTILINE)
_COMMENT_LINE = re.compile(r"^\s*--.*$", re.MULTILINE)


class Script(NamedTuple):
    """One numbered file of `ddl/`."""

    name: str
    text: str


@cache
def read_query(name: str) -> str:
    """Read the statement in `queries/<name>.sql`."""
    return (resources.files("clickhouse") / "queries" / f"{name}.sql").read_text()


def read_migrations() -> list[Script]:
    """Read the files of `ddl/` in the order of their numbers."""
    files = (resources.files("clickhouse") / "ddl").iterdir()
    scripts = [Script(file.name, file.read_text()) for file in files if file.name.endswith(".sql")]
    return sorted(scripts)


def split_statements(text: str) -> list[str]:
    """Split a file into its statements, which servers take one at a time, without comments."""
    statements = _STATEMENT_END.split(_COMMENT_LINE.sub("", text))
    return [statement.strip() for statement in statements if statement.strip()]
