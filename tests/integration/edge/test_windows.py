"""The shards decide when votes are taken, and an edge says what they decide."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.election import Election, Law, load_election
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.results import LawTally, ResultsSnapshot, publish_results
from tests.integration.edge.conftest import (
    CLOSED,
    OPEN,
    WINDOWS,
    Documented,
    Elections,
    ballot,
    write_election,
)
from tests.support.edges import EdgeProcess, until
from tests.support.rolls import Elector


@pytest.fixture
async def client(loaded: LocalCluster) -> AsyncIterator[ShardClient]:
    client = await ShardClient.connect(RedisOptions(loaded.url))
    # a count that is older than the one published is not taken
    await client.call(0, pack("DEL", keys.results_key()))
    yield client
    await client.call(0, pack("DEL", keys.results_key()))
    await client.aclose()


def law_of(election: Election, law_id: str) -> Law:
    law = election.law(law_id)
    assert law is not None
    return law


def warnings(edge: EdgeProcess, law_id: str) -> list[str]:
    return [line for line in edge.log.splitlines() if f"votes on {law_id} are taken" in line]


async def windows_said(api: Documented) -> dict[str, tuple[int, int]]:
    """Return the windows of the laws' endpoint, in ms."""
    laws = (await api.get("/api/v1/laws")).json()["laws"]
    return {
        law["id"]: (
            round(datetime.fromisoformat(law["opens_at"]).timestamp() * 1000),
            round(datetime.fromisoformat(law["closes_at"]).timestamp() * 1000),
        )
        for law in laws
    }


async def test_an_election_file_with_other_hours_publishes_nothing_early(
    loaded: LocalCluster,
    elections: Elections,
    client: ShardClient,
    electors: dict[str, Iterator[Elector]],
    tmp_path: Path,
) -> None:
    """The file has the open law closed, and the closed one open: Redis knows better."""
    windows = WINDOWS | {OPEN: WINDOWS[CLOSED], CLOSED: WINDOWS[OPEN]}
    file = write_election(tmp_path / "wrong.toml", "after_close", windows)
    right, wrong = load_election(elections.live), load_election(file)
    now_ms = time.time_ns() // 1_000_000
    await client.call(0, pack("DEL", keys.results_key()))  # fewer ballots would not replace more
    await publish_results(client, ResultsSnapshot([LawTally(OPEN, 4321, 1)], now_ms, now_ms))
    settings = {"redis_url": loaded.url, "election": file}
    async with (
        EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        api = Documented(http, (await http.get("/openapi.json")).json())
        assert await windows_said(api) == {
            law.id: (law.opens_at_ms, law.closes_at_ms) for law in right.laws
        }
        assert (await api.vote(ballot(next(electors[OPEN])))).status_code == 202
        answer = await api.get(f"/api/v1/results/{OPEN}", "/api/v1/results/{law_id}")
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs#results-not-published")
        page = (await http.get("/en/results")).text
        assert "4321" not in page.replace(",", "")

        closes = law_of(right, CLOSED).closes_at
        answer = await api.vote(ballot(next(electors[CLOSED])))
        assert answer.json()["status"] == "closed"
        assert datetime.fromisoformat(answer.json()["closes_at"]) == closes
        page = (await http.post("/en/vote", data=ballot(next(electors[CLOSED])))).text
        assert f'<time datetime="{closes.isoformat(timespec="minutes")}">' in page

        for law_id in (OPEN, CLOSED):
            (warning,) = warnings(edge, law_id)
            for law in (law_of(right, law_id), law_of(wrong, law_id)):
                assert f"{law.opens_at.isoformat()} to {law.closes_at.isoformat()}" in warning


async def test_hours_extended_at_the_last_moment_publish_nothing(
    loaded: LocalCluster, client: ShardClient, tmp_path: Path
) -> None:
    """An edge that has not heard of it yet must not take the old hour for the end."""
    election = load_election(write_election(tmp_path / "hours.toml", "after_close"))
    law, soon_ms = law_of(election, OPEN), time.time_ns() // 1_000_000 + 10_000

    async def close_at(ms: int) -> None:
        await client.call_each(
            lambda shard: pack("HSET", keys.meta_key(shard), f"closes:{OPEN}", ms)
        )

    now_ms = time.time_ns() // 1_000_000
    await publish_results(client, ResultsSnapshot([LawTally(OPEN, 4321, 1)], now_ms, now_ms))
    await close_at(soon_ms)
    settings = {"redis_url": loaded.url, "election": tmp_path / "hours.toml"}
    try:
        async with (
            EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge,
            httpx.AsyncClient(base_url=edge.url) as http,
        ):
            api = Documented(http, (await http.get("/openapi.json")).json())
            assert (await windows_said(api))[OPEN][1] == soon_ms, "the edge came up in time"
            await asyncio.sleep(soon_ms / 1000 - time.time() - 0.2)
            await close_at(law.closes_at_ms)
            assert time.time() < soon_ms / 1000, "extended in time"
            while time.time() < soon_ms / 1000 + 2:
                answer = await http.get(f"/api/v1/results/{OPEN}")
                assert answer.status_code == 403, answer.text
                assert "4321" not in (await http.get("/en/results")).text.replace(",", "")
                await asyncio.sleep(0.05)
            assert (await windows_said(api))[OPEN][1] == law.closes_at_ms
    finally:
        await close_at(law.closes_at_ms)


async def test_hours_that_change_in_redis_are_followed(
    loaded: LocalCluster, elections: Elections, client: ShardClient, tmp_path: Path
) -> None:
    """One warning for a change, however often it is seen; results are final by the new hours."""
    closed = law_of(load_election(elections.live), CLOSED)
    later_ms = closed.closes_at_ms + 60_000

    async def close_at(ms: int) -> None:
        await client.call_each(
            lambda shard: pack("HSET", keys.meta_key(shard), f"closes:{CLOSED}", ms)
        )

    await client.call(0, pack("DEL", keys.results_key()))  # fewer ballots would not replace more
    await publish_results(
        client, ResultsSnapshot([], time.time_ns() // 1_000_000, closed.closes_at_ms)
    )
    settings = {"redis_url": loaded.url, "election": elections.live}
    async with (
        EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        api = Documented(http, (await http.get("/openapi.json")).json())

        async def says(closes_ms: int, *, final: bool) -> bool:
            answer = await api.get(f"/api/v1/results/{CLOSED}", "/api/v1/results/{law_id}")
            said = (await windows_said(api))[CLOSED][1]
            return (said, answer.json().get("final")) == (closes_ms, final)

        assert await says(closed.closes_at_ms, final=True)
        assert not warnings(edge, CLOSED)
        try:
            await close_at(later_ms)
            await until(lambda: says(later_ms, final=False), "the later closing")
        finally:
            await close_at(closed.closes_at_ms)
        await until(lambda: says(closed.closes_at_ms, final=True), "the closing of before")
        assert len(warnings(edge, CLOSED)) == 1, "and agreeing again needs none"
