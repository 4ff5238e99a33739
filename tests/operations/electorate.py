"""A roll for a load of some length, and its electors one by one: there may be millions."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hashgen import BallotHasher
from hashgen.database import HashDatabase
from hashgen.generate import Options, generate
from hashgen.sample import write_sample
from tests.integration.edge.conftest import OPEN, write_election
from tests.support.rolls import Elector

SPARE = 1.05


class Electorate(NamedTuple):
    """Files for the loader and the edges, and the electors' own."""

    database: HashDatabase
    election: Path
    csv_file: Path

    def electors(self) -> Iterator[Elector]:
        """Read the electors as they are in the file."""
        with self.csv_file.open() as lines:
            next(lines)
            for line in lines:
                yield Elector(*line.rstrip("\n").split(","))


def prepare(directory: Path, votes: float, *, seed: int = 1) -> Electorate:
    """Make electors enough for so many votes, their hash database, and an election of today."""
    directory.mkdir(parents=True, exist_ok=True)
    csv_file, database = directory / "electors.csv", directory / "hash-database"
    write_sample(csv_file, int(votes * SPARE) + 100, (OPEN,), seed=seed)
    generate(csv_file, database, BallotHasher(), Options(format="binary"))
    election = write_election(directory / "election.toml", "live", {OPEN: (-1, 1)})
    return Electorate(HashDatabase.open(database), election, csv_file)
