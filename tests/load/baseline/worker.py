"""A validation worker: `python -m tests.load.baseline.worker`.

Each vote gets the documented commands. Those of votes decided together leave as one pipeline.
"""

import asyncio
from collections.abc import Sequence

import uvloop
from redis.asyncio import Redis

from tests.load.baseline.broker import Broker, Inbox, RoutingKey, Vote, acknowledge, decode
from tests.load.baseline.ledger import Decision, Ledger, Status
from tests.load.baseline.settings import Settings, from_env

VALID = "valid_hashes"
VOTED = "voted_hashes"
DUPLICATES = "duplicate_count:"
VOTES_AT_ONCE = 100
BATCHES = (1, VOTES_AT_ONCE)  # votes decided together: each by itself, or all
ROUTES: dict[Status, RoutingKey] = {
    "accepted": "vote.accepted",
    "duplicate": "vote.duplicate",
    "invalid": "vote.invalid",
}


class Validator:
    """Decides votes by the SETs of hashes in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def decide(self, hashes: Sequence[str]) -> list[Decision]:
        """Decide votes in their order; a hash may be among them more than once."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for ballot_hash in hashes:
                pipe.sismember(VALID, ballot_hash)
                pipe.sismember(VOTED, ballot_hash)
            found = await pipe.execute()
            decisions = [_decision(*each) for each in zip(found[::2], found[1::2], strict=True)]

            new = [at for at, decision in enumerate(decisions) if decision.status == "accepted"]
            for at in new:
                pipe.sadd(VOTED, hashes[at])
            for at, added in zip(new, await pipe.execute(), strict=True):
                # 0: the same hash came first, in this batch or at another worker
                decisions[at] = Decision("accepted" if added else "duplicate")

            again = [at for at, decision in enumerate(decisions) if decision.status == "duplicate"]
            for at in again:
                pipe.incr(DUPLICATES + hashes[at])
            for at, count in zip(again, await pipe.execute(), strict=True):
                decisions[at] = Decision("duplicate", count)
        return decisions


def _decision(valid: int, voted: int) -> Decision:
    if not valid:
        return Decision("invalid")
    return Decision("duplicate" if voted else "accepted")


class Worker:
    """Takes votes from the queue, decides, and passes them on."""

    def __init__(
        self, broker: Broker, validator: Validator, ledger: Ledger, batch_max: int
    ) -> None:
        assert batch_max in BATCHES, "batches at once would acknowledge each other's votes"
        self._broker = broker
        self._validator = validator
        self._ledger = ledger
        self._batch_max = batch_max

    async def run(self) -> None:
        """Work until cancelled."""
        inbox = await self._broker.consume("votes.validation", size_max=self._batch_max, linger_s=0)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(VOTES_AT_ONCE // self._batch_max):
                tasks.create_task(self._work(inbox))

    async def _work(self, inbox: Inbox) -> None:
        while True:
            batch = await inbox.take()
            await self._handle(decode(batch))
            await acknowledge(batch)

    async def _handle(self, votes: list[Vote]) -> None:
        decisions = await self._validator.decide([vote.hash for vote in votes])
        decided = list(zip(votes, decisions, strict=True))
        refused = [each for each in decided if each[1].status != "accepted"]
        if refused:
            await self._ledger.refuse(refused)
        publishing = [self._broker.publish(ROUTES[found.status], vote) for vote, found in decided]
        await asyncio.gather(*publishing)


async def work(settings: Settings) -> None:
    """Connect and work until told to end."""
    broker = await Broker.connect(settings.amqp_url)
    ledger = await Ledger.connect(settings.postgres_url)
    async with Redis.from_url(settings.redis_url) as redis:
        await Worker(broker, Validator(redis), ledger, settings.worker_batch).run()


if __name__ == "__main__":
    uvloop.run(work(from_env()))
