"""What a seed decides before the day begins: sizes, settings, who votes when, what breaks."""

import random
from typing import NamedTuple

import msgspec

from clickhouse.drainer import DrainOptions
from shards.options import Durability, RedisOptions

LAWS = ("L2025-001", "L2025-002")
DAY_S = 2.5
CHOICES = ("oui", "non")


class Request(NamedTuple):
    """One thing a voter wants, whichever times it is sent."""

    ballot: bytes
    law: str
    vote: str
    request_id: bytes
    at_s: float
    tries_max: int  # 0: until answered


class Plan(msgspec.Struct, frozen=True):
    """A world."""

    seed: int
    shards: int
    groups: int
    replicas: int
    edges: int
    drainers: int
    faults: int
    kinds: tuple[str, ...]  # of faults; empty: the seed draws them
    redis: RedisOptions
    drain: DrainOptions
    lease_ms: int
    roll: list[tuple[bytes, str]]  # ballot hashes and their laws
    requests: list[Request]
    patience_s: float
    answer_lost: float  # how often an answer does not reach the voter


def draw(seed: int, kinds: tuple[str, ...] = ()) -> Plan:
    """Draw a world; most are small, one in two hundred has a roll's real 256 shards."""
    rng = random.Random(seed)
    shards = 256 if seed % 200 == 199 else rng.choice([2, 3, 4])
    replicas = rng.choice([1, 1, 1, 2])
    timeout_ms = rng.choice([20, 30, 60])
    roll = [
        (bytes([rng.randrange(shards)]) + rng.randbytes(31), rng.choice(LAWS))
        for _ in range(rng.randint(6, 20))
    ]
    return Plan(
        seed=seed,
        shards=shards,
        groups=rng.randint(1, 3),
        replicas=replicas,
        edges=rng.choice([1, 2, 3, 5]),
        drainers=rng.choice([1, 1, 2, 3]),
        faults=rng.choice([3, 5, 8] if kinds else [0, 1, 2, 3, 5, 8]),
        kinds=kinds,
        redis=RedisOptions(
            url="redis://n00:7000",
            durability=Durability(min_replicas=replicas, timeout_ms=timeout_ms),
            timeout_s=rng.choice([0.2, 0.5, 1.0]),
        ),
        drain=DrainOptions(
            rows_max=rng.choice([3, 10, 1000]),
            pace_ms=rng.choice([200, 400, 800]),
            publish_ms=rng.choice([300, 500]),
            settle_ms=200,  # days last seconds
            backoff_ms_min=rng.choice([50, 100]),
            backoff_ms_max=400,
        ),
        lease_ms=rng.choice([50, 300, 1000]),
        roll=roll,
        requests=list(_requests(rng, roll, shards)),
        patience_s=rng.choice([0.05, 0.3, 2.0]),
        answer_lost=rng.choice([0.0, 0.05, 0.3]),
    )


def _requests(rng: random.Random, roll: list[tuple[bytes, str]], shards: int) -> list[Request]:
    requests = []

    def ask(
        ballot: bytes, law: str, vote: str, request_id: bytes, at_s: float, insists: float = 0.8
    ) -> None:
        tries_max = 0 if rng.random() < insists else rng.randint(1, 3)
        requests.append(Request(ballot, law, vote, request_id, at_s, tries_max))

    for ballot, law in roll:
        if rng.random() < 0.1:
            continue  # stays at home
        vote, request_id, at_s = rng.choice(CHOICES), rng.randbytes(16), rng.uniform(0, DAY_S)
        changes = rng.random() < 0.4  # the choice, under the same id
        ask(ballot, law, vote, request_id, at_s, insists=0.2 if changes else 0.8)
        if rng.random() < 0.15:  # a proxy sends it twice
            ask(ballot, law, vote, request_id, at_s + rng.choice([0, rng.random()]))
        if changes:
            other = CHOICES[vote == "oui"]
            ask(ballot, law, other, request_id, at_s + rng.choice([0, 0.001, 0.3 * rng.random()]))
        for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 2, 4])):  # votes again
            again_s = at_s + rng.choice([0, 0.001, rng.random()])
            ask(ballot, law, rng.choice(CHOICES), rng.randbytes(16), again_s)
    for _ in range(rng.randint(0, 3)):
        stranger = bytes([rng.randrange(shards)]) + rng.randbytes(31)
        ask(stranger, LAWS[0], rng.choice(CHOICES), rng.randbytes(16), rng.uniform(0, DAY_S))
    return requests
