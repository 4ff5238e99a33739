"""Benchmark of the roll in Redis: time to load it, and memory an elector."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from edge.bench.outcome import Figure, Outcome
from edge.bench.serving import patient
from edge.bench.size import Size
from edge.demo.electorate import SAMPLE_LAW, prepare
from hashgen.database import HashDatabase
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.election import load_election
from shards.load import load_roll
from shards.localcluster import LocalCluster
from shards.roll import RollStore

VOTERS = 512
SETS_SAMPLE = 200_000
SADD_MEMBERS = 500
LOAD_GOAL_S_A_MILLION = 45 / 8


class Measured(NamedTuple):
    """A roll of so many electors, its load in seconds, its memory in bytes, votes a second."""

    electors: int
    load_s: float
    loaded_bytes: int
    voted_bytes: int
    waiting_bytes: int
    casts_per_s: float


async def roll(size: Size) -> Outcome:
    """Load, have everyone vote, and weigh the roll; the same as SETs of hex beside it."""
    measured = await measure(size.electors)
    sets_loaded, sets_voted = await _weigh_sets(min(size.electors, SETS_SAMPLE))
    return Outcome(
        "roll",
        "The electors in Redis: loaded from binary files, then all voted, outbox drained.",
        f"{size.electors:,} electors, 3 primaries",
        [
            Figure(
                "load", measured.load_s, "s", "lower",
                goal=LOAD_GOAL_S_A_MILLION * size.electors / 1e6,
            ),
            Figure("load, a million electors", measured.load_s / size.electors * 1e6, "s", "lower"),
            Figure("loaded", measured.loaded_bytes / size.electors, "bytes/elector", "lower", 26),
            Figure("all voted", measured.voted_bytes / size.electors, "bytes/elector", "lower", 40),
            Figure(
                "an event waiting to be drained",
                measured.waiting_bytes / size.electors, "bytes", "lower",
            ),
            Figure("casts by the script alone", measured.casts_per_s, "votes/s"),
            Figure("as SETs of hex, loaded", sets_loaded, "bytes/elector", "lower"),
            Figure("as SETs of hex, all voted", sets_voted, "bytes/elector", "lower"),
        ],
        notes=["The SETs of hex, without request ids, are of a sample, on the same servers."],
    )  # fmt: skip


async def measure(electors: int, *, primaries: int = 3) -> Measured:
    """Load a roll, cast everyone's ballot and drop the outbox, weighing at each step."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        electorate = prepare(data, electors, None, lambda *_: None)
        cluster = LocalCluster(
            data / "redis", primaries=primaries, replicas_per_primary=0, appendonly=False
        )
        async with cluster, await ShardClient.connect(patient(cluster)) as client:
            empty = await _used_bytes(client)
            began_s = time.perf_counter()
            await load_roll(client, electorate.database, load_election(electorate.election_file))
            load_s = time.perf_counter() - began_s
            loaded = await _used_bytes(client)
            began_s = time.perf_counter()
            await all_vote(client, electorate.database)
            cast_s = time.perf_counter() - began_s
            waiting = await _used_bytes(client)
            await client.call_each(lambda shard: pack("XTRIM", keys.outbox_key(shard), "MAXLEN", 0))
            voted = await _used_bytes(client)
    return Measured(
        electors, load_s, loaded - empty, voted - empty, waiting - voted, electors / cast_s
    )


def ballots_of(database: HashDatabase) -> Iterator[bytes]:
    """Yield every ballot hash of a database."""
    for entry in database.manifest.shards:
        hashes = database.read(entry)
        for start in range(0, len(hashes), keys.HASH_SIZE_BYTES):
            yield hashes[start : start + keys.HASH_SIZE_BYTES]


async def all_vote(client: ShardClient, database: HashDatabase) -> None:
    """Cast the ballot of every elector, many at once."""
    store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
    ballots = ballots_of(database)

    async def voter() -> None:
        for ballot in ballots:
            await store.cast(ballot, SAMPLE_LAW, "oui", ballot[:16])

    async with asyncio.TaskGroup() as voters:
        for _ in range(VOTERS):
            voters.create_task(voter())


async def _weigh_sets(electors: int) -> tuple[float, float]:
    """Return bytes an elector of a SET of valid hex hashes, and with a SET of those who voted."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        electorate = prepare(data, electors, None, lambda *_: None)
        async with (
            LocalCluster(data / "redis", replicas_per_primary=0, appendonly=False) as cluster,
            await ShardClient.connect(patient(cluster)) as client,
        ):
            empty = await _used_bytes(client)
            weights = []
            for key in (b"{00}:valid", b"{00}:voted"):
                ballots = ballots_of(electorate.database)
                while members := [ballot.hex() for ballot in islice(ballots, SADD_MEMBERS)]:
                    await client.call(0, pack("SADD", key, *members))
                weights.append((await _used_bytes(client) - empty) / electors)
    return weights[0], weights[1]


async def _used_bytes(client: ShardClient) -> int:
    return sum(node.used_bytes for node in (await client.node_memory()).values())
