"""The electors of a deck: synthetic ones, out of the CSV that `scrutin hashgen` takes."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge.errors import AccuracyRefused
from hashgen import BallotHasher, FieldError

ELECTORS_MAX = 20_000
LAW_ELECTORS_MIN = 8
COLUMNS = ("nas", "code", "law_id")


class Card(NamedTuple):
    """What an elector has in hand, and its ballot hash. Never shows the first two."""

    nas: str
    code: str
    law_id: str
    ballot_hash: bytes

    def __repr__(self) -> str:
        return f"Card(…, {self.law_id})"


def read_cards(path: Path, hasher: BallotHasher) -> list[Card]:
    """Read the electors; raises `AccuracyRefused`, which names lines and never what is in them.

    A NAS that does not begin with 0 may be somebody's and is refused, as is what hashgen refuses.
    """
    cards = []
    for line, card in _rows(path, hasher):
        if not card.nas.lstrip(" -").startswith("0"):
            raise AccuracyRefused(
                f"{path}, line {line}: a NAS that does not begin with 0 may be somebody's; the deck"
                " takes synthetic electors only: make some with `scrutin hashgen sample`"
            )
        cards.append(card)
        if len(cards) > ELECTORS_MAX:
            raise AccuracyRefused(f"{path} has more than {ELECTORS_MAX:,} electors: give fewer")
    if len({card.ballot_hash for card in cards}) < len(cards):
        raise AccuracyRefused(f"{path} has an elector twice")
    return cards


def _rows(path: Path, hasher: BallotHasher) -> Iterator[tuple[int, Card]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, restval="")
            rows.fieldnames = [name.strip(" ").lower() for name in rows.fieldnames or ()]
            if not set(COLUMNS) <= set(rows.fieldnames):
                raise AccuracyRefused(f"{path} has no columns nas, code and law_id")
            for row in rows:
                fields = row["nas"], row["code"], row["law_id"]
                try:
                    yield rows.line_num, Card(*fields, hasher.hash(*fields))
                except FieldError as error:
                    raise AccuracyRefused(
                        f"{path}, line {rows.line_num}: {error.field}: {error.reason}"
                    ) from None
    except OSError as error:
        raise AccuracyRefused(f"{path} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError):
        raise AccuracyRefused(f"{path} is no CSV file in UTF-8") from None
