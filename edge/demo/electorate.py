"""The demo's electors: a sample or the user's own CSV, its hash database and its election file."""

import csv
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from hashgen import BallotHasher
from hashgen.database import HashDatabase
from hashgen.generate import Options, generate
from hashgen.progress import Report
from hashgen.sample import write_sample

SAMPLE_LAW = "L2025-001"
OPEN_DAYS = 7
CARDS = 3


class Card(NamedTuple):
    """What a voter has in hand."""

    nas: str
    code: str
    law_id: str


class Electorate(NamedTuple):
    """The files of a demo's electors."""

    csv_file: Path
    database: HashDatabase
    election_file: Path


def prepare(data: Path, electors: int, csv_file: Path | None, report: Report) -> Electorate:
    """Make what is not in `data` yet: sample electors, hash database, election file.

    Raises hashgen's errors for a CSV that is not as it should be, and what `report` raises.
    """
    if csv_file is None:
        csv_file = data / "electors.csv"
        if not csv_file.exists():
            write_sample(csv_file, electors, [SAMPLE_LAW], seed=secrets.randbits(64), report=report)
    directory = data / "hash-database"
    if not directory.exists():
        generate(csv_file, directory, BallotHasher(), Options(format="binary"), report)
    database = HashDatabase.open(directory)
    database.check()
    election_file = data / "election.toml"
    if not election_file.exists():
        election_file.write_text(_election(list(database.manifest.laws)))
    return Electorate(csv_file, database, election_file)


def read_cards(csv_file: Path, count: int | None = None) -> list[Card]:
    """Read the first `count` electors of the CSV, or all of them."""
    with csv_file.open(encoding="utf-8-sig", newline="") as lines:
        cards = []
        for row in csv.DictReader(lines):
            cards.append(Card(row["nas"], row["code"], row["law_id"]))
            if len(cards) == count:
                break
        return cards


def _election(laws: list[str]) -> str:
    """Write an election whose laws are open now, results live."""
    now = datetime.now(UTC).replace(microsecond=0)
    opens, closes = now - timedelta(hours=1), now + timedelta(days=OPEN_DAYS)
    head = (
        'title_fr = "Référendum de démonstration"\n'
        'title_en = "Demonstration referendum"\n'
        'results = "live"\n'
    )
    tables = (
        "\n[[laws]]\n"
        f'id = "{law_id}"\n'
        f'title_fr = "Loi {law_id}"\n'
        f'title_en = "Law {law_id}"\n'
        'text_fr = "Approuvez-vous cette loi ?"\n'
        'text_en = "Do you approve of this law?"\n'
        f"opens_at = {opens.isoformat()}\n"
        f"closes_at = {closes.isoformat()}\n"
        for law_id in laws
    )
    return head + "".join(tables)
