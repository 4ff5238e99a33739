"""Benchmark of structures: other ways to keep the roll, and who has voted, beside the shipped."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge.bench.outcome import Figure, Outcome
from edge.bench.size import Size
from edge.bench.structures.candidates import CANDIDATES, Structure
from edge.bench.structures.checking import check
from edge.bench.structures.server import serving
from edge.bench.structures.trial import CALLS_A_BATCH, Costs, measure, random_roll

ELECTORS_MAX = 1_000_000

RULES = (
    "Every structure keeps the choice and the request id of each voter, so that a request that "
    "comes again is answered as before, and was checked for that first. Outbox and law windows "
    "are left out: they cost all of them the same."
)
MEASURES = (
    "log: the append-only file, appendfsync everysec; votes are logged onto a rewritten roll. "
    "restart: from the start of the process until the log is read, as after a crash. "
    "replication: what is sent to each replica, of a roll of its own."
)


async def structures(size: Size) -> Outcome:
    """Keep the roll as hashes, packed strings or sets: memory, log, speed, restart."""
    ballots = random_roll(min(size.electors, ELECTORS_MAX))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        async with serving(data / "checked", replicated=True) as server:
            sent_bytes = [await check(each, server) for each in CANDIDATES]
        for number, (each, sent) in enumerate(zip(CANDIDATES, sent_bytes, strict=True)):
            costs = await measure(each, ballots, data / str(number))
            figures += _figures(each, costs, sent, len(ballots))
    return Outcome(
        "structures",
        "Ways to keep the roll, and who has voted, in Redis.",
        f"{len(ballots):,} electors, one primary, {CALLS_A_BATCH} calls a batch",
        figures,
        notes=[RULES, MEASURES],
        by_case=True,
    )


def _figures(
    structure: Structure, costs: Costs, sent_bytes: float, electors: int
) -> Iterator[Figure]:
    """Yield the figures of one structure."""
    for what, value, unit in (
        ("loaded", costs.loaded_bytes / electors, "B/elector"),
        ("voted", costs.voted_bytes / electors, "B/elector"),
        ("load", costs.load_s / electors * 1e6, "s/million"),
        ("votes", electors / costs.cast_s, "calls/s"),
        ("processor, a vote", costs.cast_cpu_s / electors * 1e6, "µs"),
        ("log, loaded", costs.log_loaded_bytes / electors, "B/elector"),
        ("log, loaded and rewritten", costs.log_loaded_rewritten_bytes / electors, "B/elector"),
        ("log, a vote", costs.log_votes_bytes / electors, "B"),
        ("log, voted and rewritten", costs.log_voted_rewritten_bytes / electors, "B/elector"),
        ("restart, as written", costs.restart_s / electors * 1e6, "s/million"),
        ("restart, rewritten", costs.restart_rewritten_s / electors * 1e6, "s/million"),
        ("replication, a vote", sent_bytes, "B"),
    ):
        name = f"{structure.name}, {what}"
        yield Figure(name, value, unit, "higher" if what == "votes" else "lower")
