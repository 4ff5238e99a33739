"""The baseline that we are compared with decides votes as its documentation says."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotListening

from shards.ports import free_ports
from tests.load.baseline import servers
from tests.load.baseline.ledger import Decision
from tests.load.baseline.worker import DUPLICATES, VALID, VOTED, Validator

ON_ROLL = [sha256(b"%d" % number).hexdigest() for number in range(300)]
STRANGER = sha256(b"stranger").hexdigest()
WORKERS = 4


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    """The baseline's Redis, with a roll."""
    server = servers.Redis(tmp_path, free_ports(1)[0])
    server.start()
    try:
        async with Redis.from_url(server.url, decode_responses=True) as client:
            async with asyncio.timeout(30):
                while True:
                    assert server.alive, server.log_tail()
                    try:
                        await client.sadd(VALID, *ON_ROLL)
                    except NotListening:
                        await asyncio.sleep(0.05)
                    else:
                        break
            yield client
    finally:
        server.stop()


async def test_decides_valid_duplicate_and_invalid(redis: Redis) -> None:
    validator = Validator(redis)
    first, second = ON_ROLL[:2]

    assert await validator.decide([first, STRANGER, first, second]) == [
        Decision("accepted"),
        Decision("invalid"),
        Decision("duplicate", 1),
        Decision("accepted"),
    ]
    assert await validator.decide([first, STRANGER]) == [
        Decision("duplicate", 2),
        Decision("invalid"),
    ]
    assert await redis.smembers(VOTED) == {first, second}
    assert await redis.get(DUPLICATES + first) == "2"
    assert not await redis.exists(DUPLICATES + STRANGER)


async def test_of_workers_with_the_same_votes_one_accepts_each(redis: Redis) -> None:
    async def decide_at_once(hashes: list[str]) -> list[Decision]:
        deciding = (Validator(redis).decide(hashes) for _ in range(WORKERS))
        return [decision for decisions in await asyncio.gather(*deciding) for decision in decisions]

    await decide_at_once([STRANGER])  # connects: or the first would be done before the others begin
    found = await decide_at_once(ON_ROLL)

    assert Counter(decision.status for decision in found) == {
        "accepted": len(ON_ROLL),
        "duplicate": len(ON_ROLL) * (WORKERS - 1),
    }
