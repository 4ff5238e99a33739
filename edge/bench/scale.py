"""Benchmark of growth: what more electors, more primaries and more edges cost and bring."""

import asyncio

from edge.bench.generators import wrk
from edge.bench.online import CONNECTIONS, ELECTORS_A_SECOND
from edge.bench.outcome import Figure, Outcome, Plot, Series
from edge.bench.roll import Measured, measure
from edge.bench.serving import VOTE_PATH, serving
from edge.bench.size import Size
from edge.errors import StartError

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of the roll's full size
PRIMARIES = (1, 2, 3, 6)
EDGES = (1, 2)


async def scale(size: Size) -> Outcome:
    """Grow the roll from an eighth to all of its size, and add primaries and edges."""
    rolls = [await measure(int(size.electors * share)) for share in SHARES]
    by_primaries = {n: await _votes_per_s(size, primaries=n, edges=1) for n in PRIMARIES}
    by_edges = {n: await _votes_per_s(size, primaries=3, edges=n) for n in EDGES}
    smallest, largest = rolls[0], rolls[-1]
    span = f"{smallest.electors:,} to {largest.electors:,} electors"
    return Outcome(
        "scale",
        "How cost grows with the work, and speed with the servers, all on this machine.",
        f"{span}, {CONNECTIONS} connections, memory",
        [
            Figure(
                "load an elector, whole roll against an eighth",
                _load_us(largest) / _load_us(smallest), "x", "lower",
            ),
            Figure(
                "memory an elector, whole roll against an eighth",
                _voted(largest) / _voted(smallest), "x", "lower",
            ),
            Figure("votes, six primaries against one", by_primaries[6] / by_primaries[1], "x"),
            Figure("votes, two edges against one", by_edges[2] / by_edges[1], "x"),
        ],
        [
            Plot(
                "Load", "electors", "s",
                [Series("load", [(float(r.electors), r.load_s) for r in rolls])],
            ),
            Plot(
                "Memory an elector", "electors", "bytes",
                [
                    Series("loaded", [(float(r.electors), _loaded(r)) for r in rolls]),
                    Series("all voted", [(float(r.electors), _voted(r)) for r in rolls]),
                ],
            ),
            Plot("Votes by primaries, one edge", "primaries", "votes/s", [_series(by_primaries)]),
            Plot("Votes by edges, three primaries", "edges", "votes/s", [_series(by_edges)]),
        ],
        notes=["Servers share the machine's cores: what more of them bring here is a lower bound."],
        loop="closed",
    )  # fmt: skip


async def _votes_per_s(size: Size, *, primaries: int, edges: int) -> float:
    """Keep every edge busy at once; return the votes that all of them accept."""
    electors = ELECTORS_A_SECOND * size.seconds * edges
    async with serving("memory", electors, primaries=primaries, edges=edges) as target:
        loads = await asyncio.gather(
            *(
                asyncio.to_thread(
                    wrk, url + VOTE_PATH, ballots, connections=CONNECTIONS, seconds=size.seconds
                )
                for url, ballots in zip(target.urls, target.split(edges), strict=True)
            )
        )
    failed = sum(load.failed for load in loads)
    if failed:
        raise StartError(f"{failed} ballots were not accepted")
    return sum(load.requests_per_s for load in loads)


def _series(votes_per_s: dict[int, float]) -> Series:
    return Series("votes", [(float(number), rate) for number, rate in votes_per_s.items()])


def _load_us(roll: Measured) -> float:
    return roll.load_s / roll.electors * 1e6


def _voted(roll: Measured) -> float:
    return roll.voted_bytes / roll.electors


def _loaded(roll: Measured) -> float:
    return roll.loaded_bytes / roll.electors
