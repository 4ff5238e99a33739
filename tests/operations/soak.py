"""A steady load for a long time: memory and latency stay flat, and nothing is lost."""

import asyncio
import random
from collections.abc import Sequence

import msgspec

from tests.operations.deployment import Deployment
from tests.operations.electorate import Electorate
from tests.operations.openloop import OpenLoop, ballots
from tests.operations.proof import differences, verify
from tests.operations.watch import REDIS, Look, Watch

LOOKS = 120  # over the whole run, but
LOOK_EVERY_S_MIN = 1.0
WARM_UP = 1 / 3  # the share of the run after which everything should stay as it is
MEMORY_GROWTH_MAX = 0.10  # of a kind of process that keeps no votes, or
MEMORY_GROWTH_MAX_MIB = 32.0  # so many MiB, whichever is more
LATENCY_GROWTH_MAX = 2.0
LATENCY_FLOOR_MS = 50.0  # below it no growth is called one
# Redis keeps votes, and grows with them; ClickHouse keeps caches and merges.
FLAT = ("edges, each", "drainers, each")


class Part(msgspec.Struct, frozen=True):
    """A stretch of the run: votes decided, their latency from when they were due, 503s, lost."""

    from_s: float
    until_s: float
    decided: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    refused: int
    lost: int


class Soaked(msgspec.Struct, frozen=True):
    """What came of it.

    `lost` says what was not answered and counted as promised, `growth` what did not stay flat.
    """

    seconds: float
    rate_per_s: float
    answers: dict[str, int]
    looks: list[Look]
    parts: list[Part]
    voted: int
    lost: list[str]
    growth: list[str]

    @property
    def troubles(self) -> list[str]:
        """Return the promises that were not kept."""
        return [*self.lost, *self.growth]


async def soak(
    deployment: Deployment,
    electorate: Electorate,
    *,
    rate_per_s: float,
    seconds: float,
    parts: int = 10,
    seed: int = 1,
) -> Soaked:
    """Vote at a rate for so long, looking at the processes meanwhile, then prove every vote."""
    rng = random.Random(seed)
    log = deployment.directory / "answers.tsv"
    load, stop = OpenLoop(deployment.edge_urls, log, rng), asyncio.Event()
    watch = Watch(deployment, lambda: load.now_s, max(seconds / LOOKS, LOOK_EVERY_S_MIN))
    watching = asyncio.create_task(watch.run())
    ending = asyncio.get_running_loop().call_later(seconds, stop.set)
    try:
        await load.run(ballots(electorate.electors(), rng), rate_per_s, stop)
    finally:
        ending.cancel()
        watching.cancel()
        [ended] = await asyncio.gather(watching, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
    await deployment.drained()
    stretches = [_part(load, seconds * n / parts, seconds * (n + 1) / parts) for n in range(parts)]
    found = await asyncio.to_thread(differences, deployment.clickhouse.url, log)
    proof = await asyncio.to_thread(verify, deployment)
    growth = [*memory_growth(watch.looks, seconds), *latency_growth(stretches)]
    lost = [*found, *(f"answered {status}, {n} times" for status, n in load.unexpected.items())]
    lost += [f"{len(load.unanswered)} votes were never decided"] * bool(load.unanswered)
    answers, voted = dict(load.answers), proof["voted"]
    return Soaked(seconds, rate_per_s, answers, watch.looks, stretches, voted, lost, growth)


def _part(load: OpenLoop, from_s: float, until_s: float) -> Part:
    seconds = [held for at_s, held in load.seconds.items() if from_s <= at_s < until_s]
    taken_s = sorted(s for held in seconds for s in held.latencies_s) or [0.0]
    troubled = [sent.status for sent in load.troubles if from_s <= sent.at_s < until_s]
    return Part(
        round(from_s, 1),
        round(until_s, 1),
        sum(held.decided for held in seconds),
        round(1000 * taken_s[len(taken_s) // 2], 1),
        round(1000 * taken_s[len(taken_s) * 99 // 100], 1),
        round(1000 * taken_s[-1], 1),
        troubled.count(503),
        troubled.count(0),
    )


def memory_growth(looks: Sequence[Look], seconds: float) -> list[str]:
    """Return which processes took more in the last third than after the warm-up."""
    early = [look for look in looks if WARM_UP <= look.at_s / seconds < 2 * WARM_UP]
    late = [look for look in looks if look.at_s / seconds >= 2 * WARM_UP]
    assert early, "the run was too short to say anything of memory"
    assert late, "the run was too short to say anything of memory"
    found = []
    for kind in FLAT:
        before, after = (max(look.memory_mib[kind] for look in part) for part in (early, late))
        if after - before > max(MEMORY_GROWTH_MAX * before, MEMORY_GROWTH_MAX_MIB):
            found.append(f"memory of {kind}: {before:.0f} MiB, later {after:.0f} MiB")
    return found


def latency_growth(parts: Sequence[Part]) -> list[str]:
    """Return whether one vote in a hundred waited much longer in the end than in the beginning.

    Medians over the parts, so that one pause of the machine is no growth.
    """
    early, late = (
        sorted(part.p99_ms for part in half)[len(half) // 2]
        for half in (parts[: len(parts) // 2], parts[len(parts) // 2 :])
    )
    if late > max(LATENCY_GROWTH_MAX * early, LATENCY_FLOOR_MS):
        return [f"p99 latency: {early:.0f} ms, later {late:.0f} ms"]
    return []


def redis_growth_bytes(soaked: Soaked) -> float:
    """Return what a vote adds to the memory of all Redis servers together."""
    first, last = soaked.looks[0], soaked.looks[-1]
    grown = (last.memory_mib[REDIS] - first.memory_mib[REDIS]) * 2**20
    return grown / max(1, sum(soaked.answers.values()))
