"""Health, readiness, laws, results, metrics and the documents, from a real edge."""

import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.results import LawTally, ResultsSnapshot, publish_results
from tests.integration.edge.conftest import (
    CLOSED,
    COMING,
    ELECTORS,
    OPEN,
    Documented,
    Elections,
    ballot,
)
from tests.support.edges import EdgeProcess, until
from tests.support.rolls import Elector

DOCUMENTS = ("/api/v1/health", "/api/v1/ready", "/api/v1/laws", "/openapi.json", "/docs")
RESULTS = "/api/v1/results/{law_id}"


@pytest.fixture
async def client(loaded: LocalCluster) -> AsyncIterator[ShardClient]:
    client = await ShardClient.connect(RedisOptions(loaded.url))
    yield client
    await client.aclose()


async def results_when(api: Documented, law_id: str, updated_at_ms: int) -> dict[str, object]:
    """Return a law's results once they are those of that snapshot."""
    expected = datetime.fromtimestamp(updated_at_ms / 1000, UTC)
    results: dict[str, object] = {}

    async def updated() -> bool:
        answer = await api.get(f"/api/v1/results/{law_id}", RESULTS)
        results.update(answer.json())
        updated_at = str(results.get("updated_at", "1970-01-01T00:00:00Z"))
        return datetime.fromisoformat(updated_at) == expected

    await until(updated, "the published results")
    return results


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_documents_are_as_documented(api: Documented, path: str) -> None:
    assert (await api.get(path)).status_code == 200


async def test_the_openapi_document_has_every_route(api: Documented, edge: EdgeProcess) -> None:
    for path, methods in api.document["paths"].items():  # type: ignore[attr-defined]
        for method in methods:
            answer = await api.http.request(method, path.format(law_id=OPEN))
            assert answer.status_code not in {404, 405}, path


async def test_health_tells_each_dependency(api: Documented) -> None:
    health = (await api.get("/api/v1/health")).json()
    assert health["ready"] is True
    dependencies = health["dependencies"]
    assert dependencies["redis"] == "writable"
    assert dependencies["drainer"] == "elsewhere"
    assert dependencies["roll"]["electors"] == ELECTORS * 3


async def publish_anew(client: ShardClient, snapshot: ResultsSnapshot) -> None:
    """Publish over whatever an earlier test counted: fewer ballots would not replace more."""
    await client.call(0, pack("DEL", keys.results_key()))
    await publish_results(client, snapshot)


async def test_results_live(api: Documented, client: ShardClient) -> None:
    laws = {law["id"]: law for law in (await api.get("/api/v1/laws")).json()["laws"]}
    closed_ms = round(datetime.fromisoformat(laws[CLOSED]["closes_at"]).timestamp() * 1000)
    now_ms = time.time_ns() // 1_000_000
    tallies = [LawTally(OPEN, 7, 5), LawTally(CLOSED, 3, 2)]
    await publish_anew(client, ResultsSnapshot(tallies, now_ms, closed_ms - 1))
    counted = await results_when(api, OPEN, now_ms)
    assert (counted["oui_count"], counted["non_count"], counted["final"]) == (7, 5, False)
    counted = await results_when(api, CLOSED, now_ms)
    assert (counted["oui_count"], counted["final"]) == (3, False), "closed, but not all counted"
    counted = await results_when(api, COMING, now_ms)
    assert (counted["oui_count"], counted["non_count"]) == (0, 0)

    await publish_results(client, ResultsSnapshot(tallies, now_ms + 1, closed_ms))
    assert (await results_when(api, CLOSED, now_ms + 1))["final"] is True
    assert (await results_when(api, OPEN, now_ms + 1))["final"] is False
    assert f'votes_by_law{{choice="oui",law_id="{OPEN}"}} 7.0' in (await api.get("/metrics")).text
    page = (await api.http.get("/fr/results")).text
    assert '<td class="number">7</td>' in page
    assert "Résultats finaux" in page


async def test_results_after_close(
    loaded: LocalCluster, elections: Elections, client: ShardClient, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    tallies = [LawTally(OPEN, 4321, 1)]
    await publish_anew(client, ResultsSnapshot(tallies, now_ms, now_ms))
    settings = {"redis_url": loaded.url, "election": elections.after_close}
    async with (
        EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        api = Documented(http, (await http.get("/openapi.json")).json())
        answer = await api.get(f"/api/v1/results/{OPEN}", RESULTS)
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs#results-not-published")
        assert (await results_when(api, CLOSED, now_ms))["final"] is True
        metrics = (await http.get("/metrics")).text
        assert "votes_by_law{" not in metrics
        for page in ("/fr/results", "/en/results"):
            assert "4321" not in (await http.get(page)).text.replace(",", "")


async def test_a_snapshot_that_cannot_be_read_stops_nothing(
    loaded: LocalCluster,
    elections: Elections,
    client: ShardClient,
    elector: Elector,
    tmp_path: Path,
) -> None:
    settings = {"redis_url": loaded.url, "election": elections.live}
    await client.call(0, pack("SET", keys.results_key(), "rubbish"))
    try:
        async with (
            EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge,
            httpx.AsyncClient(base_url=edge.url) as http,
        ):

            async def complained() -> bool:
                return edge.log.count("looking at Redis failed") >= 2

            await until(complained, "two looks")
            assert (await http.post("/api/v1/vote", json=ballot(elector))).status_code == 202
            assert (await http.get(f"/api/v1/results/{OPEN}")).status_code == 503
    finally:
        await client.call(0, pack("DEL", keys.results_key()))


async def test_an_unknown_law(api: Documented) -> None:
    answer = await api.get("/api/v1/results/L1", RESULTS)
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs#unknown-law")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("POST", "/api/v1/laws", 405),
        ("POST", "/metrics", 405),
        ("GET", "/api/v1/vote/", 404),
    ],
)
async def test_errors_of_routing_are_problems(
    edge: EdgeProcess, method: str, path: str, status: int
) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        answer = await http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert ("allow" in answer.headers) == (status == 405)


async def test_metrics_count_what_happened(
    api: Documented, electors: dict[str, Iterator[Elector]]
) -> None:
    async def samples() -> dict[tuple[str, str], float]:
        text = (await api.get("/metrics")).text
        return {
            (sample.name, sample.labels.get("status", "")): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.labels.get("route", "/api/v1/vote") == "/api/v1/vote"
        }

    before = await samples()
    elector = next(electors[OPEN])
    for vote in ("oui", "oui", "non"):
        await api.vote(ballot(elector, vote))
    await api.vote(ballot(elector._replace(code="NOTMINE")))
    await api.vote(ballot(elector._replace(nas="1")))
    after = await samples()
    grown = {
        key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key)
    }
    assert grown["votes_submitted_total", ""] == 4
    assert grown["votes_validated_total", "accepted"] == 1
    assert grown["votes_validated_total", "duplicate"] == 2
    assert grown["votes_validated_total", "invalid"] == 1
    assert grown["duplicate_attempts_total", ""] == 2
    assert grown["validation_latency_seconds_count", ""] == 4
    assert grown["api_request_duration_seconds_count", "202"] == 1
    assert grown["api_request_duration_seconds_count", "400"] == 1
    assert grown["durability_wait_seconds_count", ""] >= 4
    assert sum(1 for name, _ in after if name == "redis_memory_used_bytes") == 1


async def results_page_with(api: Documented, text: str) -> httpx.Response:
    """Return the English page of the results once it has that text."""

    async def has_it() -> bool:
        return text in (await api.http.get("/en/results")).text

    await until(has_it, text)
    return await api.http.get("/en/results")


async def test_the_results_page_is_made_once_a_second(api: Documented, client: ShardClient) -> None:
    now_ms = time.time_ns() // 1_000_000
    await publish_anew(client, ResultsSnapshot([LawTally(OPEN, 1200, 300)], now_ms, now_ms))
    page = await results_page_with(api, "1,500 votes from 600 registered electors")
    assert page.headers["cache-control"] == "public, max-age=1"
    assert "80.0%" in page.text
    assert "1 200" in (await api.http.get("/fr/results")).text.replace("\N{NO-BREAK SPACE}", " ")
    known = {"If-None-Match": page.headers["etag"]}
    again = await api.http.get("/en/results", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert (await api.http.get("/fr/results", headers=known)).status_code == 200
    reloading = await api.http.get("/en/results?every=30")
    assert reloading.headers["refresh"] == "30"
    await publish_results(client, ResultsSnapshot([LawTally(OPEN, 1201, 300)], now_ms + 1, now_ms))
    await results_page_with(api, "1,501 votes from 600 registered electors")
    assert (await api.http.get("/en/results", headers=known)).status_code == 200


async def test_turnout_is_shown_while_the_count_is_closed(
    loaded: LocalCluster, elections: Elections, client: ShardClient, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    await publish_anew(client, ResultsSnapshot([LawTally(OPEN, 111, 222)], now_ms, now_ms))
    settings = {"redis_url": loaded.url, "election": elections.after_close}
    async with (
        EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        page = (await http.get("/en/results")).text
        open_law = page[: page.index(CLOSED)]
        assert "333 votes from 600 registered electors" in open_law
        assert "published after voting closes" in open_law
        assert "111" not in open_law
        assert "222" not in open_law
