"""The electors of a campaign: one roll for all runs, each run with a slice of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.support.rolls import LAW, Elector, make_roll

SLICES = 64  # a stack takes at most this many runs
SLICE_ELECTORS = 1400  # 2,000 votes with 30 % duplicates
ROLL_SEED = 1

ELECTION = """
title_fr = "Référendum d'essai"
title_en = "Test referendum"
results = "live"

[[laws]]
id = "{law}"
title_fr = "Loi {law}"
title_en = "Law {law}"
text_fr = "Approuvez-vous cette loi ?"
text_en = "Do you approve of this law?"
opens_at = {opens_at}
closes_at = {closes_at}
"""


class Electorate(NamedTuple):
    """Files for the loader and the edges, and the electors themselves."""

    database: Path
    election: Path
    electors: Sequence[Elector]

    def slice_of(self, seed: int) -> Sequence[Elector]:
        """Return the electors of a run: the same for the same seed, never those of a neighbour."""
        first = (seed % SLICES) * SLICE_ELECTORS
        return self.electors[first : first + SLICE_ELECTORS]


def prepare(directory: Path) -> Electorate:
    """Make the roll and the election file."""
    directory.mkdir(parents=True, exist_ok=True)
    roll = make_roll(directory, SLICES * SLICE_ELECTORS, seed=ROLL_SEED)
    now, day = datetime.now(UTC), timedelta(days=1)
    election = directory / "election.toml"
    election.write_text(
        ELECTION.format(
            law=LAW, opens_at=(now - day).isoformat(), closes_at=(now + day).isoformat()
        )
    )
    return Electorate(directory / "hash-database", election, roll.electors)
