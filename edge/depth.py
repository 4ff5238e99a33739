"""What waits in the outbox, measured with Redis alone, whatever ClickHouse and the drainer do."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from shards.client import ShardClient
from shards.errors import ShardsError
from shards.options import RedisOptions
from shards.outbox import Outbox, ShardDepth

DEPTH_S = 1.0  # from one look to the next
FAILED_PAUSE_S = 15.0

logger = logging.getLogger(__name__)

Told = Callable[[dict[int, ShardDepth]], None]


@contextlib.asynccontextmanager
async def depth_measured(options: RedisOptions, told: Told) -> AsyncIterator[None]:
    """Tell every second what waits in the outbox, over a connection of its own.

    Nothing is told while Redis does not answer. Raises nothing: what nobody foresaw is logged, and
    measuring begins anew.
    """
    measuring = asyncio.create_task(_measure(options, told))
    try:
        yield
    finally:
        measuring.cancel()
        await asyncio.wait({measuring})


async def _measure(options: RedisOptions, told: Told) -> None:
    while True:
        try:
            await _measure_connected(options, told)
        except ShardsError:  # the drainer meets it too, and says it
            await asyncio.sleep(DEPTH_S)
        except Exception:
            # A gauge must not end what moves votes; it is loud here.
            logger.exception("the outbox is not measured; tried again in %g s", FAILED_PAUSE_S)
            await asyncio.sleep(FAILED_PAUSE_S)


async def _measure_connected(options: RedisOptions, told: Told) -> None:
    async with await ShardClient.connect(options) as redis:
        outbox = Outbox(redis, owner="depth")
        while True:
            told(await outbox.depth())
            await asyncio.sleep(DEPTH_S)
