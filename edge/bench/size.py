"""How large a benchmark is."""

import msgspec


class Size(msgspec.Struct, frozen=True):
    """Electors of the roll, ballots counted, and seconds a load is kept up."""

    electors: int
    ballots: int
    seconds: int


FULL = Size(electors=8_000_000, ballots=1_000_000, seconds=15)
QUICK = Size(electors=20_000, ballots=5_000, seconds=1)
