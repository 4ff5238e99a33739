"""The operators' page: off without a token, shut without showing it, live with it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from edge.ops import OpsState
from shards.localcluster import LocalCluster
from tests.integration.edge.conftest import Elections, ballot
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector

TOKEN = "a-token-of-the-tests-alone"


@pytest.fixture
async def own_edge(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> AsyncIterator[EdgeProcess]:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN + "\n")
    async with EdgeProcess(
        tmp_path,
        redis_url=loaded.url,
        election=elections.live,
        ops_token_file=token_file,
        client_failure_limit_per_min=6,
        trusted_proxies="127.0.0.0/8",
    ) as running:
        yield running
        assert TOKEN not in running.log


async def events(answer: httpx.Response) -> AsyncIterator[OpsState]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield msgspec.json.decode(line.removeprefix("data: "), type=OpsState)


async def test_it_is_off_without_a_token_file(edge: EdgeProcess) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        for path in ("/ops", "/ops/events"):
            assert (await http.get(path, auth=("", TOKEN))).status_code == 404


async def test_who_shows_the_token_sees_the_instance_live(
    own_edge: EdgeProcess, elector: Elector
) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=own_edge.url) as http:
        page = await http.get("/ops", auth=("operator", TOKEN), headers={"Accept-Language": "fr"})
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store, no-transform")
        assert "Pas sur la liste" in page.text
        assert 'data-path="health.dependencies.redis">writable<' in page.text
        async with asyncio.timeout(20), http.stream("GET", "/ops/events", headers=bearer) as live:
            assert live.headers["content-type"].startswith("text/event-stream")
            states = events(live)
            first = await anext(states)
            for _ in range(3):
                await http.post("/api/v1/vote", json=ballot(elector))
            async for state in states:
                if state.decided["duplicate"] == first.decided["duplicate"] + 2:
                    break
            assert state.decided["accepted"] == first.decided["accepted"] + 1
            while state.outbox is None or state.outbox.events < 3:
                state = await anext(states)
            assert state.health.ready
            assert own_edge.process.stop() == 0, "a stream keeps no instance from ending"


async def test_who_does_not_is_refused_and_held(own_edge: EdgeProcess) -> None:
    other = {"X-Forwarded-For": "203.0.113.9"}
    async with httpx.AsyncClient(base_url=own_edge.url) as http:
        for path in ("/ops", "/ops/events"):
            answer = await http.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")
        for given in (b"Basic !", b"Bearer", b"Basic QQ==", b"Basic \xe9", b"Digest x"):
            answer = await http.get("/ops", headers=[(b"authorization", given)])
            assert answer.status_code == 401
        guesses = [await http.get("/ops", auth=("", f"guess {number}")) for number in range(10)]
        assert [answer.status_code for answer in guesses][:6] == [401] * 6
        assert guesses[-1].status_code == 429
        assert (await http.get("/ops", auth=("", TOKEN))).status_code == 429
        assert (await http.get("/ops", auth=("", TOKEN), headers=other)).status_code == 200
