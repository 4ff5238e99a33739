"""The election file: laws, texts in both languages, opening and closing times, results policy."""

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from shards.errors import ElectionError

LAW_ID = re.compile(r"[A-Za-z0-9._-]{1,50}\Z")
ALL_LAWS = "election"  # what the record of a closing calls all of them


class Law(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One law on the ballot; votes are taken from `opens_at` until just before `closes_at`."""

    id: str
    title_fr: str
    title_en: str
    opens_at: datetime
    closes_at: datetime
    text_fr: str = ""
    text_en: str = ""

    def __post_init__(self) -> None:
        if not LAW_ID.match(self.id):
            raise ValueError("id: 1 to 50 letters, digits, dots, underscores or hyphens")
        if self.id == ALL_LAWS:
            raise ValueError(f"id: {ALL_LAWS} stands for all laws; choose another")
        if self.opens_at.tzinfo is None or self.closes_at.tzinfo is None:
            raise ValueError("opens_at and closes_at need a time zone, e.g. 2026-11-24T08:00:00Z")
        if self.opens_at >= self.closes_at:
            raise ValueError("opens_at must be before closes_at")

    @property
    def opens_at_ms(self) -> int:
        """Opening time in ms since the epoch."""
        return round(self.opens_at.timestamp() * 1000)

    @property
    def closes_at_ms(self) -> int:
        """Closing time in ms since the epoch."""
        return round(self.closes_at.timestamp() * 1000)


class Election(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An election: its laws, and when results may be seen."""

    title_fr: str
    title_en: str
    laws: list[Law]
    results: Literal["live", "after_close"] = "after_close"

    def __post_init__(self) -> None:
        if not self.laws:
            raise ValueError("laws: at least one law is needed")
        ids = [law.id for law in self.laws]
        if len(set(ids)) != len(ids):
            raise ValueError("laws: a law id appears twice")

    def law(self, law_id: str) -> Law | None:
        """Return the law with that id, or None."""
        return next((law for law in self.laws if law.id == law_id), None)


def load_election(path: Path) -> Election:
    """Read an election from a TOML file.

    Raises `ElectionError`, which names the file and the key at fault.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Election)
    except OSError as error:
        raise ElectionError(f"cannot read election file {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ElectionError(f"election file {path}: {error}") from error
