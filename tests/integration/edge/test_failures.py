"""What an edge answers, logs and counts when it is itself at fault."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from hashgen import ballot_hash
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.results import LawTally, ResultsSnapshot, publish_results
from shards.roll import read_roll_info
from tests.integration.edge.conftest import OPEN, Documented, Elections, ballot, new_id
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector

NO_SUCH_TIME_MS = 10**18  # further than a date can be


@pytest.fixture
async def client(loaded: LocalCluster) -> AsyncIterator[ShardClient]:
    client = await ShardClient.connect(RedisOptions(loaded.url))
    yield client
    await client.aclose()


@pytest.fixture
async def own_edge(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> AsyncIterator[EdgeProcess]:
    """An edge that may fail."""
    settings = {"redis_url": loaded.url, "election": elections.live}
    async with EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge:
        yield edge


@pytest.fixture
async def own_api(own_edge: EdgeProcess) -> AsyncIterator[Documented]:
    async with httpx.AsyncClient(base_url=own_edge.url) as http:
        yield Documented(http, (await http.get("/openapi.json")).json())


@pytest.fixture
async def bad_snapshot(loaded: LocalCluster, client: ShardClient) -> AsyncIterator[None]:
    """Results that can be read and not be shown."""
    snapshot = ResultsSnapshot([LawTally(OPEN, 1, 1)], NO_SUCH_TIME_MS, 0)
    await client.call(0, pack("DEL", keys.results_key()))
    await publish_results(client, snapshot)
    yield
    await client.call(0, pack("DEL", keys.results_key()))


@pytest.fixture
async def bucket(client: ShardClient, elector: Elector) -> AsyncIterator[bytes]:
    """The key of the elector's bucket, which is put back afterwards."""
    hashed = ballot_hash(*elector)
    shard = keys.shard_of(hashed)
    number = keys.bucket_of(hashed, (await read_roll_info(client)).buckets_per_shard)
    key = keys.bucket_key(shard, number)
    await client.call(shard, pack("COPY", key, key + b":kept"))
    yield key
    await client.call(shard, pack("DEL", key))
    await client.call(shard, pack("RENAME", key + b":kept", key))


async def answers_counted(api: Documented, route: str, status: int) -> float:
    """Return how many answers of that route and status the metrics count."""
    name = f'api_request_duration_seconds_count{{route="{route}",status="{status}"}} '
    text = (await api.get("/metrics")).text
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if name in line)


def logged(edge: EdgeProcess, event: str) -> list[dict[str, str]]:
    """Return the records whose event begins like that."""
    records = [json.loads(line) for line in edge.log.splitlines()]
    return [record for record in records if record["event"].startswith(event)]


@pytest.mark.usefixtures("bad_snapshot")
async def test_a_failure_is_a_problem_and_is_counted(
    own_edge: EdgeProcess, own_api: Documented
) -> None:
    answer = await own_api.get(f"/api/v1/results/{OPEN}", "/api/v1/results/{law_id}")
    assert (answer.status_code, answer.json()["type"]) == (500, "/docs#internal")
    assert await answers_counted(own_api, "/api/v1/results/{law_id}", 500) == 1
    page = await own_api.http.get("/fr/results")
    assert (page.status_code, "Le service a échoué" in page.text) == (500, True)
    assert page.headers["content-security-policy"]
    assert await answers_counted(own_api, "/fr/results", 500) == 1
    first, second = logged(own_edge, "a request failed with ValueError")
    assert first["request_id"] == answer.json()["request_id"] != second["request_id"]


async def test_a_vote_that_fails_is_a_problem_and_is_counted(
    own_edge: EdgeProcess, own_api: Documented, client: ShardClient, elector: Elector, bucket: bytes
) -> None:
    """A retry is answered with a count of attempts that no program of ours writes."""
    hashed, request_id = ballot_hash(*elector), uuid4()
    shard, field = keys.shard_of(hashed), keys.field_of(hashed)
    await client.call(shard, pack("HSET", bucket, field, b"o" + bytes(16) + b"-100"))
    repeats = keys.repeats_key(shard, field)
    await client.call(shard, pack("SET", repeats, request_id.bytes + b"o"))
    answer = await own_api.vote(ballot(elector, request_id=str(request_id)))
    await client.call(shard, pack("DEL", repeats))
    assert (answer.status_code, answer.json()["type"]) == (500, "/docs#internal")
    assert await answers_counted(own_api, "/api/v1/vote", 500) == 1
    [line] = logged(own_edge, "a request failed with KeyError")
    assert line["request_id"] == answer.json()["request_id"] == str(request_id)
    assert elector.nas not in own_edge.log


async def test_a_refused_command_is_our_mistake_and_nothing_to_send_again(
    own_edge: EdgeProcess, own_api: Documented, client: ShardClient, elector: Elector, bucket: bytes
) -> None:
    await client.call(keys.shard_of(ballot_hash(*elector)), pack("SET", bucket, "no hash"))
    ids = [new_id() for _ in range(3)]
    for request_id in ids:
        body = ballot(elector, request_id=request_id)
        answer = await own_api.vote(body)
        assert (answer.status_code, answer.json()["type"]) == (500, "/docs#internal")
        assert answer.json()["request_id"] == body["request_id"]
        assert "retry-after" not in answer.headers
    page = await own_api.http.post("/en/vote", data=body)
    assert (page.status_code, "The service failed" in page.text) == (500, True)
    assert "<form" not in page.text
    [complaint] = logged(own_edge, "votes fail")
    assert "ShardsError: Redis refused a command: WRONGTYPE" in complaint["event"]
    assert complaint["request_id"] == ids[0]
    assert "a request failed" not in own_edge.log
