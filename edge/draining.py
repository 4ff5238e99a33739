"""A drainer that is kept going: connected, migrated, and started again after whatever stops it."""

import asyncio
import contextlib
import logging
import math
import os
import socket
from collections import defaultdict
from collections.abc import Callable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from clickhouse.connection import connected
from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.errors import ClickHouseError, ClickHouseUnavailable
from clickhouse.migrations import migrate
from clickhouse.review_keeper import ReviewKeeper
from edge.depth import depth_measured
from edge.settings import Settings
from shards.client import ShardClient
from shards.errors import ShardsError, Unavailable
from shards.outbox import Outbox, ShardDepth

RETRY_PAUSE_S = 1.0
REFUSED_PAUSE_S = 15.0  # somebody has to act: do not fill the log meanwhile
INSERT_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
logger = logging.getLogger(__name__)

DrainState = Literal["starting", "running", "waiting", "failed", "stopped"]


class DrainMetrics:
    """The metrics of a drainer; also its observer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._depth = Gauge(
            "outbox_depth", "Attempts not yet in ClickHouse", ["shard_group"], registry=registry
        )
        self._oldest_age = Gauge(
            "outbox_oldest_age_seconds", "Age of the oldest of them", registry=registry
        )
        self._oldest_age.set(math.nan)  # nobody has looked yet
        self._depths: dict[int, ShardDepth] = {}
        self._insert = Histogram(
            "clickhouse_insert_seconds",
            "Time of a batch's insert",
            buckets=INSERT_BUCKETS_S,
            registry=registry,
        )
        self._rows = Counter("clickhouse_insert_rows", "Rows inserted", registry=registry)
        self._running = Gauge(
            "drainer_running", "Whether it is connected and drains", registry=registry
        )
        self._up = Gauge("clickhouse_up", "Whether ClickHouse answered last", registry=registry)
        self._up.set(math.nan)  # nobody has asked it yet

    def lives(self, running: Callable[[], bool]) -> None:
        """Take whether it drains only when somebody asks."""
        self._running.set_function(running)

    def inserted(self, rows: int, seconds: float) -> None:
        """Count a batch."""
        self._rows.inc(rows)
        self._insert.observe(seconds)

    def depth(self, depths: dict[int, ShardDepth]) -> None:
        """Publish what waits in the outbox; of a shard that did not answer, what it said last."""
        self._depths |= depths
        groups: dict[str, int] = defaultdict(int)
        for shard, depth in self._depths.items():
            groups[f"{shard:02x}"[0]] += depth.events
        for group, events in groups.items():
            self._depth.labels(shard_group=group).set(events)
        self._oldest_age.set(max(depth.oldest_age_s for depth in self._depths.values()))

    def clickhouse_up(self, up: bool) -> None:
        """Publish whether ClickHouse answers."""
        self._up.set(up)


class DrainKeeper:
    """Runs a drainer with connections of its own, so that votes never queue behind its reads."""

    def __init__(self, settings: Settings, metrics: DrainMetrics) -> None:
        self.state: DrainState = "starting"
        self._settings = settings
        self._metrics = metrics
        metrics.lives(lambda: self.state == "running")
        self._owner = f"{socket.gethostname()}:{os.getpid()}"

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until `stop` is set. Never raises: a failure is logged and shows in `state`."""
        async with depth_measured(self._settings.redis_options(), self._metrics.depth):
            await self._keep_draining(stop)
        self.state = "stopped"

    async def _keep_draining(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            pause_s = REFUSED_PAUSE_S
            try:
                await self.drain(stop)
                break
            except (ClickHouseUnavailable, Unavailable) as error:
                self.waits(error)
                pause_s = RETRY_PAUSE_S
            except (ClickHouseError, ShardsError) as error:
                self._is("failed", error)
            except Exception:
                # Votes must go on whatever this is; it is loud here, in health and in metrics.
                self.state = "failed"
                logger.exception("the drainer failed; it starts again in %g s", pause_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)

    async def drain(self, stop: asyncio.Event) -> None:
        """Connect, migrate and drain until `stop` is set.

        Raises the errors of `clickhouse` and `shards`.
        """
        async with (
            await ShardClient.connect(self._settings.redis_options()) as redis,
            connected(self._settings.clickhouse_url) as clickhouse,
        ):
            for name in await migrate(clickhouse):
                logger.info("ClickHouse migration applied: %s", name)
            outbox = Outbox(redis, owner=self._owner)
            drainer = Drainer(outbox, redis, clickhouse, DrainOptions(), self._metrics)
            keeper = ReviewKeeper(redis, clickhouse, owner=self._owner)
            self.state = "running"
            logger.info("draining the outbox to ClickHouse")
            reviewing = asyncio.create_task(keeper.run(stop))
            try:
                await drainer.run(stop)
            finally:
                reviewing.cancel()
                await asyncio.wait({reviewing})

    def waits(self, error: Exception) -> None:
        """Take note that something is away that will come back."""
        self._is("waiting", error)

    def _is(self, state: DrainState, error: Exception) -> None:
        if isinstance(error, ClickHouseError):
            self._metrics.clickhouse_up(up=False)
        if state != self.state:
            self.state = state
            logger.warning("the drainer is %s: %s", state, error)
