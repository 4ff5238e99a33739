"""Benchmarks of voting: how many votes an edge takes, and how long voters wait."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from math import exp
from pathlib import Path
from statistics import median
from typing import NamedTuple

from edge.bench.generators import Load, oha, wrk
from edge.bench.outcome import Figure, Outcome, Plot, Series, Share
from edge.bench.profiling import profile
from edge.bench.serving import VOTE_PATH, Target, hollow, serving
from edge.bench.size import Size
from edge.errors import StartError
from shards.options import DurabilityMode

ELECTORS_A_SECOND = 40_000  # more ballots than any edge takes in that time
BARE_ELECTORS_A_SECOND = 100_000  # more than wrk sends to one without Redis
CONNECTIONS = 256
RATE_PER_S = 1000
OPEN_ELECTORS_MIN = 200_000
OPEN_LOOP_TIMES = 2  # a rate is kept up longer than a full load
ROUNDS_MIN = 5
TURN_S_MAX = 3  # servers that sleep for longer miss each other
PROFILE_SHOWN = 25
MODES: Sequence[DurabilityMode] = ("memory", "fsync", "replicated")
RATIO_GOALS: Mapping[DurabilityMode, float | None] = {
    "memory": 0.7, "fsync": None, "replicated": 0.5
}  # fmt: skip
GOALS_S = {"p50": 0.003, "p95": 0.010, "p99": 0.025, "p99.9": 0.100}
CURVE = (0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)


async def throughput(size: Size) -> Outcome:
    """Votes accepted in every durability, against the same edge with Redis taken out."""
    contests = {mode: await _contest(mode, size) for mode in MODES}
    figures = []
    for mode, contest in contests.items():
        goal = 15_000 if mode == "memory" else None
        rate = median(load.requests_per_s for load in contest.ours)
        p99_ms = median(load.latency_s["p99"] for load in contest.ours) * 1000
        figures += [
            Figure(mode, rate, "votes/s", goal=goal),
            Figure(f"{mode}, p99", p99_ms, "ms", "lower"),
            Figure(f"{mode}, against without Redis", contest.ratio, "x", goal=RATIO_GOALS[mode]),
        ]
    bare = [load.requests_per_s for contest in contests.values() for load in contest.bare]
    figures.append(Figure("without Redis", median(bare), "votes/s"))
    replicated = contests["replicated"].ratio / contests["memory"].ratio
    figures.append(Figure("replicated, against memory", replicated, "x", goal=0.6))
    return Outcome(
        "throughput",
        "Votes that one edge accepts, generator and Redis on the same cores. In turns with an "
        "edge without Redis: medians of the rates, and of the ratios of neighbouring turns.",
        f"{CONNECTIONS} connections, {_rounds(size)} turns of {_turn_s(size)} s each, 3 primaries, "
        "replicas if replicated",
        figures,
        [_turns(contests)],
        contests["memory"].profile[:PROFILE_SHOWN],
        loop="closed",
    )


class Contest(NamedTuple):
    """What an edge and one without Redis took, turn by turn, and a profile of the edge."""

    ours: list[Load]
    bare: list[Load]
    profile: list[Share]

    @property
    def ratio(self) -> float:
        """How many votes the edge takes for each that the other takes."""
        turns = zip(self.ours, self.bare, strict=True)
        return median(ours.requests_per_s / bare.requests_per_s for ours, bare in turns)


async def _contest(mode: DurabilityMode, size: Size) -> Contest:
    """Keep an edge and one without Redis busy in turns: a machine's mood changes by the minute."""
    loads = _rounds(size) + 1
    electors = ELECTORS_A_SECOND * _turn_s(size) * loads
    bare_electors = BARE_ELECTORS_A_SECOND * _turn_s(size)
    contest = Contest([], [], [])
    async with serving(mode, electors) as target, hollow(bare_electors) as other:
        *turns, last = target.split(loads)
        for ballots in turns:
            with target.asleep():
                contest.bare.append(await closed_loop(other, other.ballots, size))
            with other.asleep():
                contest.ours.append(await closed_loop(target, ballots, size))
        watched, _ = await asyncio.gather(
            profile(target.edges[0], _turn_s(size)), closed_loop(target, last, size)
        )
        contest.profile.extend(watched)
    return contest


async def closed_loop(target: Target, ballots: Path, size: Size) -> Load:
    """Keep one edge busy with ballots; raises `StartError` when one is not accepted."""
    url = target.urls[0] + VOTE_PATH
    load = await asyncio.to_thread(
        wrk, url, ballots, connections=CONNECTIONS, seconds=_turn_s(size)
    )
    if load.failed:
        raise StartError(f"{load.failed} ballots were not accepted")
    return load


def _turn_s(size: Size) -> int:
    return max(1, min(size.seconds // ROUNDS_MIN, TURN_S_MAX))


def _rounds(size: Size) -> int:
    return max(ROUNDS_MIN, size.seconds // TURN_S_MAX)


def _turns(contests: dict[DurabilityMode, Contest]) -> Plot:
    rates: dict[str, list[Load]] = {mode: contest.ours for mode, contest in contests.items()}
    rates |= {f"without Redis, beside {mode}": contest.bare for mode, contest in contests.items()}
    lines = [
        Series(name, [(float(turn), load.requests_per_s) for turn, load in enumerate(loads, 1)])
        for name, loads in rates.items()
    ]
    return Plot("Votes in each turn", "turn", "votes/s", lines)


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
        notes=[drawn(RATE_PER_S * seconds, electors)],
        loop="open",
    )


def drawn(votes: int, ballots: int) -> str:
    """Say how many votes repeat an earlier one: oha draws each from all ballots, at random."""
    again = 1 - ballots / votes * (1 - exp(-votes / ballots))
    return (
        f"Drawn at random from {ballots:,} ballots: about {again:.0%} of the votes come again "
        "under their request id, and are answered as before."
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
