"""Small rolls of synthetic electors, through the real pipeline."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from hashgen import BallotHasher
from hashgen.database import HashDatabase
from hashgen.generate import Options, generate
from hashgen.sample import write_sample
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.election import Election, Law
from shards.load import load_roll
from shards.localcluster import LocalCluster

LAW = "L2025-001"


class Elector(NamedTuple):
    """One row of the electors' CSV."""

    nas: str
    code: str
    law_id: str


class Roll(NamedTuple):
    """A hash database and the electors it was made of."""

    database: HashDatabase
    electors: list[Elector]


def read_electors(csv_file: Path) -> list[Elector]:
    """Read back the electors that `write_sample` made."""
    lines = csv_file.read_text().splitlines()[1:]
    return [Elector(*line.split(",")) for line in lines]


def make_roll(
    directory: Path,
    electors: int,
    *,
    laws: tuple[str, ...] = (LAW,),
    seed: int = 0,
    options: Options | None = None,
    hasher: BallotHasher | None = None,
) -> Roll:
    """Sample electors and make their hash database below `directory`."""
    csv_file = directory / "electors.csv"
    write_sample(csv_file, electors, laws, seed=seed)
    database_directory = directory / "hash-database"
    options = options or Options(format="binary")
    generate(csv_file, database_directory, hasher or BallotHasher(), options)
    return Roll(HashDatabase.open(database_directory), read_electors(csv_file))


def electors_by_law(roll: Roll, laws: Iterable[str]) -> dict[str, Iterator[Elector]]:
    """Return the electors of each law, to be taken one by one."""
    return {
        law_id: iter([elector for elector in roll.electors if elector.law_id == law_id])
        for law_id in laws
    }


def open_election(*laws: str, hours: float = 1) -> Election:
    """Return an election whose laws are open now."""
    now = datetime.now(UTC)
    window = now - timedelta(hours=hours), now + timedelta(hours=hours)
    return Election(
        title_fr="Référendum d'essai",
        title_en="Test referendum",
        results="live",
        laws=[Law(law_id, f"Loi {law_id}", f"Law {law_id}", *window) for law_id in laws],
    )


async def empty(cluster: LocalCluster) -> None:
    """Remove every key of the cluster; the functions stay."""
    for node in cluster.nodes:
        async with node.client() as redis:
            if (await redis.info("replication"))["role"] == "master":
                await redis.flushall()


async def load(client: ShardClient, roll: Roll, election: Election) -> None:
    """Load a roll the way `scrutin roll load` does."""
    roll.database.check()
    await load_roll(client, roll.database, election)


async def close_at(client: ShardClient, closes_at: datetime, *law_ids: str) -> None:
    """Give laws a closing time, in every shard: no load gives one that is past.

    As if the hours had always been so; votes of before may be late by them.
    """
    closes_ms = round(closes_at.timestamp() * 1000)
    hours = [word for law_id in law_ids for word in (f"closes:{law_id}", closes_ms)]
    await client.call_each(lambda shard: pack("HSET", keys.meta_key(shard), *hours))
