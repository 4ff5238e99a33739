"""All scenarios by name, and pairs of them."""

import asyncio
import itertools
import random
from collections.abc import Sequence

from redis.exceptions import RedisError

from tests.chaos import faults_clients, faults_limits, faults_redis, faults_services
from tests.chaos.run import Fault, Overtaken, Run, Scenario

PAIRS = 20
PAIRS_SEED = 1
JOIN = "+"


async def nothing(run: Run) -> None:
    """Nothing goes wrong."""
    await run.moment()


SERVICE_FAULTS: Sequence[Fault] = (
    faults_services.edge_killed,
    faults_services.edge_killed_before_script,
    faults_services.edge_killed_after_script,
    faults_services.redis_answers_lost,
    faults_services.clickhouse_down,
    faults_services.clickhouse_slow,
    faults_services.clickhouse_answer_lost,
    faults_services.drainer_killed,
    faults_services.two_drainers,
    faults_limits.functions_flushed,
    faults_clients.slow_clients,
    faults_clients.invalid_flood,
)
SERVER_FAULTS: Sequence[Fault] = (
    faults_redis.primary_killed,
    faults_redis.shard_killed,
    faults_redis.tier_killed,
    faults_redis.replica_frozen,
    faults_redis.primary_frozen,
    faults_redis.replica_partitioned,
    faults_redis.minority_partition,
    faults_limits.memory_full,
    faults_limits.disk_full,
    faults_limits.clock_off,
)
# An operator is at work in these, who would not begin while a server is down.
OPERATED_FAULTS: Sequence[Fault] = (faults_redis.primary_disk_lost, faults_limits.slots_moved)
FAULTS = (nothing, *SERVICE_FAULTS, *SERVER_FAULTS, *OPERATED_FAULTS)
BY_NAME = {fault.__name__: fault for fault in FAULTS}


def scenario(name: str) -> Scenario:
    """Return the scenario of a fault, or of two whose names are joined; raises KeyError."""
    first, _, second = name.partition(JOIN)
    if not second:
        return Scenario(name, BY_NAME[first])
    return Scenario(name, both(BY_NAME[first], BY_NAME[second]))


def names() -> list[str]:
    """Return the names of all single faults."""
    return list(BY_NAME)


def pair_names() -> list[str]:
    """Return the drawn pairs: any two faults but those that an operator would not let meet."""
    possible = [
        (first.__name__, second.__name__)
        for first, second in itertools.combinations(FAULTS[1:], 2)
        if second not in OPERATED_FAULTS or first in SERVICE_FAULTS
    ]
    drawn = random.Random(PAIRS_SEED).sample(possible, PAIRS)
    return [JOIN.join(pair) for pair in drawn]


def both(first: Fault, second: Fault) -> Fault:
    """Return a fault that is two at once, each at moments of its own."""

    async def pair(run: Run) -> None:
        runs = [
            Run(run.stack, random.Random(run.rng.random()), run.sending, run.attempts)
            for _ in range(2)
        ]
        await asyncio.gather(_unless_overtaken(first, runs[0]), _unless_overtaken(second, runs[1]))

    return pair


async def _unless_overtaken(fault: Fault, run: Run) -> None:
    try:
        await fault(run)
    except (Overtaken, RedisError):
        return  # the other fault has taken down what this one would break
