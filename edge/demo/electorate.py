"""The demo's electors: a sample or the user's own CSV, its hash database and its election file."""

import csv
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.errors import StartError
from hashgen import BallotHasher
from hashgen.database import HashDatabase
from hashgen.generate import Options, generate
from hashgen.progress import Report
from hashgen.sample import write_sample

SAMPLE_LAW = "L2025-001"
SAMPLE_ELECTORS = 100_000
ORIGIN_FILE = "origin.json"
OPEN_DAYS = 7
CARDS = 3


class Card(NamedTuple):
    """What a voter has in hand."""

    nas: str
    code: str
    law_id: str


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose electors a data directory holds: so many sample electors, or a CSV of the user's."""

    electors: int | None = None
    csv_file: str | None = None
    csv_sha256: str = ""


class Electorate(NamedTuple):
    """The files of a demo's electors."""

    csv_file: Path
    sample: bool
    database: HashDatabase
    election_file: Path


def prepare(
    data: Path,
    electors: int | None,
    csv_file: Path | None,
    report: Report,
    *,
    seed: int | None = None,
) -> Electorate:
    """Make what is not in `data` yet: sample electors, hash database, election file.

    `seed` names the sample (default: another one each time).
    Raises `StartError` if `data` holds other electors than those asked for, hashgen's errors for
    a CSV that is not as it should be, and what `report` raises.
    """
    directory = data / "hash-database"
    asked = _asked(electors, csv_file)
    origin = _kept(data, asked) if directory.exists() else _keep(data, asked)
    csv_file = Path(origin.csv_file or data / "electors.csv")
    if not directory.exists():
        if origin.electors is not None:
            seed = secrets.randbits(64) if seed is None else seed
            write_sample(
                csv_file, origin.electors, [SAMPLE_LAW], seed=seed, force=True, report=report
            )
        generate(csv_file, directory, BallotHasher(), Options(format="binary"), report)
    database = HashDatabase.open(directory)
    database.check()
    election_file = data / "election.toml"
    if not election_file.exists():
        election_file.write_text(_election(list(database.manifest.laws)))
    return Electorate(csv_file, origin.csv_file is None, database, election_file)


def _asked(electors: int | None, csv_file: Path | None) -> Origin:
    """Return what the user asks for; an empty origin takes what is there."""
    if csv_file is None:
        return Origin(electors)
    return Origin(None, str(csv_file.resolve()), _digest(csv_file))


def _keep(data: Path, asked: Origin) -> Origin:
    """Write down where the electors of a new data directory come from."""
    origin = Origin(SAMPLE_ELECTORS) if asked == Origin() else asked
    (data / ORIGIN_FILE).write_bytes(msgspec.json.encode(origin))
    return origin


def _kept(data: Path, asked: Origin) -> Origin:
    """Return the origin of the electors in `data`, if they are those asked for."""
    kept = msgspec.json.decode((data / ORIGIN_FILE).read_bytes(), type=Origin)
    if asked == Origin() and kept.csv_file is not None:
        asked = _asked(None, Path(kept.csv_file))
    if asked != Origin() and (asked.electors, asked.csv_sha256) != (kept.electors, kept.csv_sha256):
        raise StartError(f"{data} holds other electors than those asked for: give another --data")
    return kept if asked == Origin() else asked


def _digest(csv_file: Path) -> str:
    if csv_file.exists() and not csv_file.is_file():
        raise StartError(f"{csv_file} is not a file, which can be read more than once: make it one")
    try:
        with csv_file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise StartError(f"{csv_file} cannot be read: {error.strerror}") from error


def read_cards(csv_file: Path, count: int | None = None) -> list[Card]:
    """Read the first `count` electors of the CSV, or all of them."""
    with csv_file.open(encoding="utf-8-sig", newline="") as lines:
        cards = []
        rows = csv.DictReader(lines)
        rows.fieldnames = [name.strip(" ").lower() for name in rows.fieldnames or ()]
        for row in rows:
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
        'text_fr = "Approuvez-vous cette loi?"\n'
        'text_en = "Do you approve of this law?"\n'
        f"opens_at = {opens.isoformat()}\n"
        f"closes_at = {closes.isoformat()}\n"
        for law_id in laws
    )
    return head + "".join(tables)
