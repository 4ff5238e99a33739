"""Benchmarks of voting: how many votes an edge takes, and how long voters wait."""

import asyncio
import itertools
from collections.abc import Sequence

from edge.bench.generators import Load, oha, wrk
from edge.bench.outcome import Figure, Outcome, Plot, Series
from edge.bench.serving import VOTE_PATH, Target, hollow, serving
from edge.bench.size import Size
from edge.errors import StartError
from shards.options import DurabilityMode

ELECTORS_A_SECOND = 40_000  # more ballots than any edge takes in that time
CONNECTIONS = 256
RATE_PER_S = 1000
OPEN_ELECTORS_MIN = 200_000
OPEN_LOOP_TIMES = 2  # a rate is kept up longer than a full load
MODES: Sequence[DurabilityMode] = ("memory", "fsync", "replicated")
GOALS_S = {"p50": 0.003, "p95": 0.010, "p99": 0.025, "p99.9": 0.100}
CURVE = (0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)


async def throughput(size: Size) -> Outcome:
    """Votes accepted in every durability, against the same edge with Redis taken out."""
    electors = ELECTORS_A_SECOND * size.seconds
    async with hollow(electors) as target:
        bare = await closed_loop(target, size)
    loads = {}
    for mode in MODES:
        async with serving(mode, electors) as target:
            loads[mode] = await closed_loop(target, size)
    figures = [Figure("without Redis", bare.requests_per_s, "votes/s")]
    for mode, load in loads.items():
        goal = 15_000 if mode == "memory" else None
        figures += [
            Figure(mode, load.requests_per_s, "votes/s", goal=goal),
            Figure(f"{mode}, p99", load.latency_s["p99"] * 1000, "ms", "lower"),
        ]
    memory, replicated = loads["memory"].requests_per_s, loads["replicated"].requests_per_s
    figures += [
        Figure("memory, against without Redis", memory / bare.requests_per_s, "x", goal=0.7),
        Figure(
            "replicated, against without Redis", replicated / bare.requests_per_s, "x", goal=0.5
        ),
        Figure("replicated, against memory", replicated / memory, "x", goal=0.6),
    ]
    return Outcome(
        "throughput",
        "Votes that one edge accepts, generator and Redis on the same cores.",
        f"{CONNECTIONS} connections, {size.seconds} s each, 3 primaries, replicas if replicated",
        figures,
        loop="closed",
    )


async def closed_loop(target: Target, size: Size) -> Load:
    """Keep one edge busy with ballots; raises `StartError` when one is not accepted."""
    url = target.urls[0] + VOTE_PATH
    load = await asyncio.to_thread(
        wrk, url, target.ballots, connections=CONNECTIONS, seconds=size.seconds
    )
    if load.failed:
        raise StartError(f"{load.failed} ballots were not accepted")
    return load


async def latency(size: Size) -> Outcome:
    """How long voters wait at a steady rate of arrivals, replicated."""
    seconds = OPEN_LOOP_TIMES * size.seconds
    electors = max(OPEN_ELECTORS_MIN, RATE_PER_S * seconds * 4)
    async with serving("replicated", electors) as target:
        load = await asyncio.to_thread(
            oha,
            target.urls[0] + VOTE_PATH,
            target.ballots,
            rate_per_s=RATE_PER_S,
            connections=CONNECTIONS,
            seconds=seconds,
        )
    figures = [
        Figure(name, load.latency_s[name] * 1000, "ms", "lower", goal=goal_s * 1000)
        for name, goal_s in GOALS_S.items()
    ]
    figures += [
        Figure("answered", load.requests_per_s, "votes/s", goal=0.99 * RATE_PER_S),
        Figure("answers other than a decision", load.failed, "answers", "lower", goal=0),
    ]
    return Outcome(
        "latency",
        "Waiting for the answer, counted from when the vote was due to be sent.",
        f"{RATE_PER_S:,} votes/s for {seconds} s, replicated, 3 primaries and 3 replicas",
        figures,
        plots_of(load),
        loop="open",
    )


def plots_of(load: Load) -> list[Plot]:
    """Draw the distribution of the waiting, and what was answered in every second."""
    waits_ms = sorted(1000 * latency_s for _, latency_s in load.samples)
    last = len(waits_ms) - 1
    curve = [(1 / (1 - share), waits_ms[round(share * last)]) for share in CURVE]
    by_second = itertools.groupby(load.samples, key=lambda sample: int(sample[0]))
    counts = [(float(second), float(sum(1 for _ in votes))) for second, votes in by_second]
    return [
        Plot(
            "Waiting: one voter in so many waits longer",
            "voters",
            "ms",
            [Series("wait", curve)],
            logarithmic=True,
        ),
        Plot("Votes due in each second", "s", "votes", [Series("votes", counts)]),
    ]
