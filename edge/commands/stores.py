"""The cluster for the length of a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from edge.settings import Settings
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
    client = await ShardClient.connect(options)
    try:
        yield client
    finally:
        await client.aclose()
