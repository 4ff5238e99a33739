"""What was measured at scale, as it is kept in docs/analysts-results.json."""

from pathlib import Path

import msgspec


class Took(msgspec.Struct, frozen=True):
    """A query's median: with many parts, as while votes come in, and with those merged."""

    voting_ms: float
    merged_ms: float


class Choice(msgspec.Struct, frozen=True):
    """Another way to lay out a table, and what became of it. Written by hand."""

    tried: str
    found: str
    kept: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `python -m tests.analysts --measure`."""

    date: str
    machine: str
    engine: str
    ballots: int
    audit_rows: int
    parts: int
    repeats: int
    queries: dict[str, Took]
    bytes_a_row: dict[str, dict[str, float]]
    choices: list[Choice]


def read(path: Path) -> Figures:
    """Read the figures that were kept."""
    return msgspec.json.decode(path.read_bytes(), type=Figures)


def write(path: Path, figures: Figures) -> None:
    """Keep figures in place of those before."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
