"""The cluster and the hash database for the length of a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from edge.settings import Settings
from hashgen.database import HashDatabase
from hashgen.progress import reporting
from shards.client import ShardClient
from shards.options import Durability


@asynccontextmanager
async def redis_of(settings: Settings, *, reading: bool = False) -> AsyncIterator[ShardClient]:
    """Yield a client of the cluster; raises `Unavailable`.

    One for `reading` waits for no disks.
    """
    options = settings.redis_options()
    if reading:
        durability = Durability("memory", timeout_ms=options.durability.timeout_ms)
        options = msgspec.structs.replace(options, durability=durability)
    async with await ShardClient.connect(options) as client:
        yield client


def open_checked(directory: Path) -> HashDatabase:
    """Open a hash database and check every file of it, showing progress; raises DatabaseError."""
    database = HashDatabase.open(directory)
    total = database.manifest.total
    with reporting({"checking": "hashes"}) as report:
        database.check(lambda checked: report("checking", checked, total))
    return database
