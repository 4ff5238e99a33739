"""What an edge depends on, watched: Redis, the roll in it, and the published results.

The watch connects, and connects again; nothing else ever waits for it. Health, readiness and
results are answered from what it saw last.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Literal

from edge.metrics import EdgeMetrics
from edge.networks import NetworkCounts
from edge.settings import Settings
from edge.watch_metrics import RedisState
from edge.windows import changed, decided_by, window_of
from shards.client import ShardClient
from shards.election import Election
from shards.errors import ConfigurationError, RollIncomplete, RollMissing, ShardsError, Unavailable
from shards.results import ResultsSnapshot, read_results
from shards.roll import RollStore, check_laws
from shards.status import read_windows

LOOK_PAUSE_S = 1.0
RECONNECT_PAUSE_S = 0.25  # while there is no roll: a new edge should be ready at once
ROLL_CHECK_LOOKS = 5  # the roll, its windows and the cluster's map change rarely
logger = logging.getLogger(__name__)

RollState = Literal["unknown", "missing", "incomplete", "loaded"]
_WRITABLE = frozenset({"partly_writable", "writable"})


class Backend:
    """Holds the cluster client, the open roll, its windows and the latest results.

    `election` is the election file's with the windows of the shards, once these were read: last
    at `windows_read_at`, and hours may have been extended since.
    `refusal` is set when an operator has to change something: the service must then end.
    """

    def __init__(self, settings: Settings, election: Election, metrics: EdgeMetrics) -> None:
        self.redis_state: RedisState = "unreachable"
        self.roll_state: RollState = "unknown"
        self.roll: RollStore | None = None
        self.results: ResultsSnapshot | None = None
        self.client: ShardClient | None = None
        self.election = election
        self.windows_read_at = datetime.min.replace(tzinfo=UTC)
        self.refusal: ConfigurationError | None = None
        self.networks = NetworkCounts()
        self._options = settings.redis_options()
        hasher = settings.hasher()
        self._scheme = hasher.scheme
        self._key_fingerprint = hasher.key_fingerprint
        self._election_file = election
        self._metrics = metrics
        self._watched = metrics.watched
        self._watched.redis_is(self.redis_state)
        self._watched.needs_replicas(self._options.durability.replicas_needed)
        self._watched.laws_are(election.laws)
        self._looks = 0
        self._decided_before = 0
        self._looked_at_s = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether votes can be taken."""
        return not self.missing()

    def missing(self) -> list[str]:
        """Say what keeps votes from being taken.

        Part of the cluster is enough: the other shards' electors can vote, and as every edge sees
        the same cluster, not being ready would turn everybody away.
        """
        return [
            *([] if self.roll is not None else [f"the roll is {self.roll_state}"]),
            *([] if self.redis_state in _WRITABLE else [f"Redis is {self.redis_state}"]),
        ]

    async def watch(self) -> None:
        """Look again and again, at results twice as often; until cancelled or refused."""
        while self.refusal is None:
            pause_s = LOOK_PAUSE_S if self.roll is not None else RECONNECT_PAUSE_S
            await asyncio.sleep(pause_s / 2)
            if self.client is not None:
                await self._guard(self._tolerate(self._look_at_results(self.client)))
            await asyncio.sleep(pause_s / 2)
            await self.look()

    async def look(self) -> None:
        """Connect where needed and take note of everything once."""
        self._measure_rate()
        await self._guard(self._look_at_redis())
        self._looks += 1

    async def _guard(self, look: Coroutine[None, None, None]) -> None:
        """Take note of a look's failure."""
        try:
            await look
        except ConfigurationError as error:
            self.refusal = error
        except ShardsError as error:
            self._redis_is(self._state_of_failure(), str(error))
        except Exception:
            # A snapshot that cannot be read, say: what is watched must never stop the voting.
            logger.exception("looking at Redis failed")

    def _state_of_failure(self) -> RedisState:
        """Return what a failed look says of Redis.

        While votes are decided it can be written to, and it is this instance that is too busy to
        look: taken out of service it would leave its voters to others that are as busy.
        """
        if self.client is None:
            return "unreachable"
        decided = self._metrics.decided_count > self._decided_before
        return "partly_writable" if decided else "not_writable"

    async def aclose(self) -> None:
        """Close the connections."""
        if self.client is not None:
            await self.client.aclose()

    async def _look_at_redis(self) -> None:
        if self.client is None:
            client = await ShardClient.connect(self._options, self._metrics)
            try:
                await client.check_servers()
            except BaseException:
                await client.aclose()
                raise
            self.client = client
        await self._tolerate(self._look_at_primaries(self.client))
        if self._looks % ROLL_CHECK_LOOKS == 0:
            await self._tolerate(self._look_at_members(self.client))
        troubles = await self.client.ping()
        self._redis_is("partly_writable" if troubles else "writable", "; ".join(troubles))
        if self.roll is None or self._looks % ROLL_CHECK_LOOKS == 0:
            # A replica that came back counts again: votes wait for every replica there is.
            await self._tolerate(self.client.refresh())
            await self._tolerate(self._look_at_roll(self.client))
            await self._tolerate(self._look_at_windows(self.client))
        elif self._closed_since_windows_were_read():
            await self._tolerate(self._look_at_windows(self.client))
        await self._tolerate(self._look_at_results(self.client))
        if self._looks % ROLL_CHECK_LOOKS == 0:
            await self.networks.flush(self.client)

    async def _tolerate(self, look: Coroutine[None, None, None]) -> None:
        """Keep what was seen before when a look fails for what passes."""
        try:
            await look
        except Unavailable as error:
            logger.debug("not seen this time: %s", error)

    async def _look_at_primaries(self, client: ShardClient) -> None:
        try:
            self._watched.primaries_are(await client.primaries())
        except Unavailable:
            self._watched.nobody_answers()
            raise

    async def _look_at_members(self, client: ShardClient) -> None:
        self._watched.members_are(await client.members())

    async def _look_at_results(self, client: ShardClient) -> None:
        self.results = await read_results(client) or self.results
        if self.results is not None:
            self._watched.results_are(self.results, self.election)

    async def _look_at_roll(self, client: ShardClient) -> None:
        try:
            roll = await RollStore.open(
                client, scheme=self._scheme, key_fingerprint=self._key_fingerprint
            )
        except RollIncomplete as error:  # the shards that have it go on
            self._roll_is("incomplete", str(error))
            return
        except RollMissing as error:
            self.roll = None
            self._roll_is("missing", str(error))
            return
        check_laws(roll.info, self.election)
        self.roll = roll
        self._watched.roll_is(roll.info.laws)
        self._roll_is("loaded", f"{roll.info.electors} electors, roll {roll.info.roll_id[:16]}")

    def _closed_since_windows_were_read(self) -> bool:
        now = datetime.now(UTC)
        return any(self.windows_read_at < law.closes_at <= now for law in self.election.laws)

    async def _look_at_windows(self, client: ShardClient) -> None:
        laws, began_at = self._election_file.laws, datetime.now(UTC)
        windows = await read_windows(client, [law.id for law in laws])
        self.windows_read_at = began_at
        before, self.election = self.election, decided_by(windows, self._election_file)
        self._watched.laws_are(self.election.laws)
        news = {law.id for law, _ in changed(before, self.election)}
        for ours, decided in changed(self._election_file, self.election):
            if ours.id in news:
                logger.warning(
                    "votes on %s are taken from %s as Redis has it; the election file says %s",
                    ours.id,
                    window_of(decided),
                    window_of(ours),
                )

    def _redis_is(self, state: RedisState, why: str = "") -> None:
        if state != self.redis_state:
            self.redis_state = state
            self._watched.redis_is(state)
            level = logging.INFO if state == "writable" else logging.WARNING
            logger.log(level, "Redis is %s%s", state.replace("_", " "), why and f": {why}")

    def _roll_is(self, state: RollState, why: str) -> None:
        if state != self.roll_state:
            self.roll_state = state
            level = logging.INFO if state == "loaded" else logging.WARNING
            logger.log(level, "roll %s: %s", state, why)

    def _measure_rate(self) -> None:
        now_s = time.monotonic()
        decided = self._metrics.decided_count
        elapsed_s = max(now_s - self._looked_at_s, 1e-3)
        self._watched.votes_per_second.set((decided - self._decided_before) / elapsed_s)
        self._decided_before, self._looked_at_s = decided, now_s
