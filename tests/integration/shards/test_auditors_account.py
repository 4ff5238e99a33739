"""What the Redis user `auditor` of `users.acl` can do by hand: nothing but work on cases.

That `scrutin review` needs no more is tried in tests/integration/edge/test_review_commands.py.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import RedisCluster

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.errors import ShardsError
from shards.functions import fcall, qualified, sources
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from shards.review import ReviewCase, ReviewDesk
from shards.roll import RollStore
from tests.support.accounts import give_account
from tests.support.rolls import LAW

CASE = "0d" * 32
HISTORY, TRAIL = keys.review_history_key(CASE), keys.review_trail_key()


@pytest.fixture
async def auditor(cluster: LocalCluster, store: RollStore) -> AsyncIterator[ShardClient]:
    """The account, on a cluster with a roll; waits for replicas as in production."""
    url = await give_account(cluster, "auditor")
    client = await ShardClient.connect(RedisOptions(url, Durability("replicated")))
    yield client
    await client.aclose()


async def test_it_takes_and_decides_cases(client: ShardClient, auditor: ShardClient) -> None:
    await ReviewDesk(client).take_turn("a drainer", 1)  # loads the functions, as edges do
    desk, case = ReviewDesk(auditor), ReviewCase(CASE, "duplicate", LAW, 1, 1, 0, 0)
    assert (await desk.claim(case, "Aude", uuid4())).done
    assert (await desk.resolve(CASE, "Aude", "harmless", "Two phones.", uuid4())).done
    assert (await desk.reopen(CASE, "Aude", "One of many.", uuid4())).done
    actions = [entry.action for entry in await desk.history(CASE)]
    assert (
        actions
        == ["claim", "resolve", "reopen"]
        == [entry.action for entry in await desk.trail((0, 0), 10)]
    )
    assert (await desk.standings([case]))[CASE].state == "open"


REFUSED: dict[str, tuple[str | bytes | int, ...]] = {
    "what was chosen": ("GET", keys.results_key()),
    "a ballot": ("HGETALL", keys.bucket_key(0, 0)),
    "a record": ("HMGET", keys.bucket_key(0, 0), "x"),
    "attempts": ("XRANGE", keys.outbox_key(0), "-", "+"),
    "the roll": ("HGETALL", keys.meta_key(0)),
    "networks": ("HGETALL", keys.networks_key("2026112507")),
    "the secret of networks": ("GET", keys.network_secret_key("20261125")),
    "the published cases": ("SET", keys.review_cases_key(), "[]"),
    "another ballot": ("HSET", keys.bucket_key(0, 0), "x", "1"),
    "another attempt": ("XADD", keys.outbox_key(0), "*", "x", "1"),
    "a case gone": ("DEL", keys.review_case_key(CASE)),
    "a trail gone": ("DEL", TRAIL),
    "a trail shortened": ("XTRIM", TRAIL, "MAXLEN", 0),
    "an entry gone": ("XDEL", HISTORY, "1-1"),
    "a case elsewhere": ("COPY", keys.review_case_key(CASE), keys.review_case_key("x")),
    "code": ("FUNCTION", "LOAD", "REPLACE", sources()[0]),
    "no code": ("FUNCTION", "FLUSH"),
    "code of the moment": ("EVAL", "return redis.call('TIME')", 0),
    "everything gone": ("FLUSHALL",),
    "keys": ("SCAN", 0),
    "keys by name": ("KEYS", "*"),
    "others' commands": ("MONITOR",),
    "settings": ("CONFIG", "GET", "*"),
    "users": ("ACL", "LIST"),
    "the cluster": ("CLUSTER", "RESET"),
    "all at once": ("MULTI",),
    "news": ("SUBSCRIBE", "x"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_it_does_nothing_else(auditor: ShardClient, what: str) -> None:
    with pytest.raises(ShardsError, match="NOPERM"):
        await auditor.call(0, pack(*REFUSED[what]))


@pytest.mark.parametrize("what", REFUSED)
async def test_the_server_says_so_when_asked(
    cluster: LocalCluster, auditor: ShardClient, what: str
) -> None:
    async with RedisCluster.from_url(cluster.url) as redis:
        node = redis.get_node_from_key(keys.tag(0).decode())
        assert node is not None
        said = await node.execute_command("ACL", "DRYRUN", "auditor", *REFUSED[what])
    assert b"no permissions" in said


async def test_no_function_of_ours_gets_it_further(
    client: ShardClient, auditor: ShardClient
) -> None:
    """Any may be called, but with these keys alone, and with no command in it but these."""
    await ReviewDesk(client).take_turn("a drainer", 1)  # loads them
    libraries = await client.call(0, pack("FUNCTION", "LIST"))
    names = {
        _field(function, b"name")
        for library in libraries
        for function in _field(library, b"functions")
    }
    assert {qualified("claim"), qualified("cast"), qualified("publish")} <= names
    others = (keys.bucket_key(0, 0), keys.outbox_key(0), keys.meta_key(0), keys.results_key())
    for name in names:
        for other in others:
            for given in ((other,), (keys.review_case_key(CASE), other, HISTORY)):
                call = pack("FCALL", name, len(given), *given, CASE, "Aude", "1", "1", "1")
                with pytest.raises(ShardsError, match="NOPERM"):
                    await auditor.call(0, call)
    turn = fcall("take_turn", (keys.review_case_key(CASE),), "Aude", 1)
    with pytest.raises(ShardsError, match="ACL failure in script"):
        await auditor.call(0, turn)


def _field(described: list[Any], name: bytes) -> Any:
    return described[described.index(name) + 1]
