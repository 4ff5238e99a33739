"""Starting, not being ready, and stopping with votes in flight."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from clickhouse.connection import connect
from clickhouse.local.process import LocalClickHouse
from edge.backend import Backend
from edge.metrics import EdgeMetrics
from edge.settings import Settings
from shards.client import ShardClient
from shards.election import load_election
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.ports import free_ports
from shards.roll import Cast
from tests.integration.edge.conftest import OPEN, Documented, Elections, ballot, new_id
from tests.support.edges import SCRUTIN, EdgeProcess, until
from tests.support.rolls import Elector, Roll, load


async def test_votes_in_flight_are_answered_before_the_end(
    loaded: LocalCluster,
    elections: Elections,
    electors: dict[str, Iterator[Elector]],
    tmp_path: Path,
) -> None:
    """Every vote that reached the edge is answered, and every 202 is in Redis.

    A connection still in the listening queue is reset when the port closes: its vote was never
    read, which shows in that its elector can vote afterwards with another id.
    """
    settings = {"redis_url": loaded.url, "election": elections.live, "exempt_loopback": True}
    bodies = [ballot(next(electors[OPEN]), request_id=new_id()) for _ in range(120)]
    outcomes: Counter[str] = Counter()
    accepted = set()

    async def keep_voting(http: httpx.AsyncClient, mine: list[dict[str, object]]) -> None:
        """Vote, and send the same again, until the edge takes no connection any more."""
        for body in itertools.cycle(mine):
            try:
                answer = await http.post("/api/v1/vote", json=body)
            except (httpx.ConnectError, httpx.ReadError):
                outcomes["refused"] += 1
                return
            outcomes[str(answer.status_code)] += 1
            if answer.status_code == 202:
                accepted.add(body["request_id"])

    async with EdgeProcess(tmp_path, **settings, rate_limit_per_s=100_000) as edge:
        limits = httpx.Limits(max_keepalive_connections=0)  # no race with an idle connection's end
        async with httpx.AsyncClient(base_url=edge.url, limits=limits) as http:
            voters = [
                asyncio.create_task(keep_voting(http, bodies[number::8])) for number in range(8)
            ]
            await until(lambda: _at_least(outcomes, 20), "20 votes")
            edge.process.send(signal.SIGTERM)
            await asyncio.gather(*voters)
        assert await edge.ended() == 0, edge.log
    assert set(outcomes) == {"202", "refused"}, outcomes

    async with (
        EdgeProcess(tmp_path, **settings) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        for body in bodies:
            answer = await http.post("/api/v1/vote", json=body | {"request_id": new_id()})
            assert answer.status_code == (409 if body["request_id"] in accepted else 202)


async def test_only_whole_votes_are_in_flight(
    loaded: LocalCluster,
    elections: Elections,
    electors: dict[str, Iterator[Elector]],
    tmp_path: Path,
) -> None:
    """Clients that send slowly take nobody's place; of many whole votes at once some are shed."""
    settings = {"redis_url": loaded.url, "election": elections.live, "exempt_loopback": True}
    async with (
        EdgeProcess(tmp_path, **settings, in_flight_max=1) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        api = Documented(http, (await http.get("/openapi.json")).json())
        slow = []
        for path, kind in (
            ("/api/v1/vote", "application/json"),
            ("/fr/vote", "application/x-www-form-urlencoded"),
        ):
            _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n"
            writer.write(head.encode() + b"Content-Length: 100\r\n\r\n{")
            await writer.drain()
            slow.append(writer)
        await http.get("/api/v1/health")  # the slow ones came in before this
        assert (await api.vote(ballot(next(electors[OPEN])))).status_code == 202

        bodies = [ballot(next(electors[OPEN]), request_id=new_id()) for _ in range(60)]
        answers = await asyncio.gather(*(api.vote(body) for body in bodies))
        assert {answer.status_code for answer in answers} == {202, 503}
        for body, answer in zip(bodies, answers, strict=True):
            assert answer.json()["request_id"] == body["request_id"]
            if answer.status_code == 503:
                assert answer.json()["type"] == "/docs#overloaded"
                assert "not processed" in answer.json()["title_en"]
                assert (await api.vote(body)).status_code == 202, (
                    "one after the other all are taken"
                )
        for writer in slow:
            writer.close()


async def _at_least(outcomes: Counter[str], votes: int) -> bool:
    return outcomes["202"] >= votes


async def test_a_body_still_arriving_is_waited_for(
    loaded: LocalCluster, elections: Elections, elector: Elector, tmp_path: Path
) -> None:
    body = httpx.Request("POST", "http://a", json=ballot(elector)).content
    async with EdgeProcess(tmp_path, redis_url=loaded.url, election=elections.live) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        head = (
            f"POST /api/v1/vote HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[:10])
        await writer.drain()
        async with httpx.AsyncClient() as http:
            await http.get(edge.url + "/api/v1/health")  # the half vote came in before this
        edge.process.send(signal.SIGTERM)

        async def stopping() -> bool:
            return "stopping" in edge.log

        await until(stopping, "the edge to stop")
        writer.write(body[10:])
        async with asyncio.timeout(10):
            assert await reader.readline() == b"HTTP/1.1 202 Accepted\r\n"
        assert await edge.ended() == 0
        writer.close()


async def test_while_stopping_it_is_not_ready_but_serves(
    loaded: LocalCluster, elections: Elections, elector: Elector, tmp_path: Path
) -> None:
    settings = {"redis_url": loaded.url, "election": elections.live}
    async with (
        EdgeProcess(tmp_path, **settings, shutdown_delay_s=8) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        edge.process.send(signal.SIGTERM)

        async def unready() -> bool:
            return (await http.get("/api/v1/ready")).status_code == 503

        await until(unready, "not ready", timeout_s=6)
        answer = await http.get("/api/v1/ready")
        assert answer.json()["detail"] == "stopping"
        assert answer.headers["retry-after"]
        assert (await http.post("/api/v1/vote", json=ballot(elector))).status_code == 202
        assert await edge.ended() == 0


async def test_serves_before_redis_and_the_roll_are_there(
    elections: Elections, elector: Elector, roll: Roll, tmp_path: Path
) -> None:
    """Not ready, then without a roll, then ready, all in the same process."""
    ports = free_ports(4)
    edge = EdgeProcess(tmp_path, redis_url=f"redis://127.0.0.1:{ports[0]}", election=elections.live)
    edge.process.start()
    try:
        await edge.wait("/api/v1/health")
        async with httpx.AsyncClient(base_url=edge.url) as http:
            api = Documented(http, (await http.get("/openapi.json")).json())
            answer = await api.get("/api/v1/ready")
            assert answer.status_code == 503
            assert "Redis is unreachable" in answer.json()["detail"]
            answer = await api.vote(ballot(elector))
            assert (answer.status_code, answer.json()["type"]) == (503, "/docs#not-ready")
            assert answer.headers["retry-after"]
            assert answer.json()["request_id"]
            page = await http.post("/en/vote", data=ballot(elector))
            assert (page.status_code, 'name="request_id"' in page.text) == (503, True)
            answer = await api.get(f"/api/v1/results/{OPEN}", "/api/v1/results/{law_id}")
            assert (answer.status_code, answer.json()["type"]) == (503, "/docs#not-counted")
            assert "No results" in (await http.get("/en/results")).text
            cluster = LocalCluster(
                tmp_path / "cluster", primaries=1, replicas_per_primary=1, ports=ports
            )
            async with cluster:
                await until(lambda: _says(http, "the roll is missing"), "a missing roll")
                loading = await asyncio.create_subprocess_exec(
                    SCRUTIN, "roll", "load", str(roll.database.directory),
                    "--election", str(elections.live), "--redis-url", cluster.url,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                )  # fmt: skip
                out, errors = await loading.communicate()
                assert loading.returncode == 0, errors
                assert roll.database.manifest.roll_id.encode() in out
                await edge.wait()
                assert (await api.vote(ballot(elector))).status_code in {202, 409}
        assert edge.process.stop() == 0
        assert "Traceback" not in edge.log
    finally:
        edge.process.stop()


@pytest.mark.parametrize("votes", [True, False])
async def test_whoever_decides_votes_and_is_too_busy_to_look_stays_ready(
    loaded: LocalCluster, elections: Elections, *, votes: bool
) -> None:
    """All overloaded edges would be taken out of service at once."""
    settings = Settings(
        redis_url=loaded.url, redis_timeout_s=0.5, durability_timeout_ms=500, durability="fsync"
    )
    metrics = EdgeMetrics(CollectorRegistry())
    backend = Backend(settings, load_election(elections.live), metrics)
    frozen = []
    try:
        await backend.look()
        assert backend.redis_state == "writable"
        for node in loaded.nodes:
            node.send(signal.SIGSTOP)
            frozen.append(node)
        looking = asyncio.create_task(backend.look())
        await asyncio.sleep(0)
        if votes:
            metrics.decided(Cast("accepted"))
        await looking
        assert backend.ready == votes
        assert backend.redis_state == ("partly_writable" if votes else "not_writable")
    finally:
        for node in frozen:
            node.send(signal.SIGCONT)
        await backend.aclose()


async def test_what_is_not_confirmed_is_told_apart_and_sent_again(
    elections: Elections, roll: Roll, tmp_path: Path
) -> None:
    """Without its replica a vote is recorded but not durable; the same id then gets the truth."""
    directory = tmp_path / "cluster"
    async with LocalCluster(directory, primaries=1, replicas_per_primary=1) as cluster:
        client = await ShardClient.connect(RedisOptions(cluster.url))
        await load(client, roll, load_election(elections.live))
        await client.aclose()
        async with (
            EdgeProcess(tmp_path, redis_url=cluster.url, election=elections.live) as edge,
            httpx.AsyncClient(base_url=edge.url) as http,
        ):
            api = Documented(http, (await http.get("/openapi.json")).json())
            body = ballot(
                next(elector for elector in roll.electors if elector.law_id == OPEN),
                request_id=new_id(),
            )
            replica = cluster.nodes[1]
            replica.kill()
            answer = await api.vote(body)
            assert (answer.status_code, answer.json()["type"]) == (503, "/docs#not-confirmed")
            assert answer.json()["request_id"] == body["request_id"]
            assert answer.headers["retry-after"] == "1"
            page = await http.post("/en/vote", data=body)
            assert (page.status_code, "only once" in page.text) == (503, True)
            assert str(body["request_id"]) in page.text

            async def unready() -> bool:
                return (await http.get("/api/v1/ready")).status_code == 503

            await until(unready, "not ready without a replica")
            replica.start()
            await cluster.wait_healthy()
            await edge.wait()
            assert (await api.vote(body)).status_code == 202
            assert (await api.vote(body | {"request_id": new_id()})).json()["attempt_count"] == 1


async def _says(http: httpx.AsyncClient, detail: str) -> bool:
    return detail in str((await http.get("/api/v1/ready")).json().get("detail"))


async def run_scrutin(*arguments: str, **variables: object) -> tuple[int, str]:
    """Run a command to its end; return exit code and what it said on stderr."""

    environment = {f"SCRUTIN_{name.upper()}": str(value) for name, value in variables.items()}
    child = await asyncio.create_subprocess_exec(
        SCRUTIN, *arguments, env=os.environ | environment, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(20):
        _, errors = await child.communicate()
    assert child.returncode is not None
    return child.returncode, errors.decode()


async def test_a_roll_of_another_scheme_is_refused(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    settings = {"redis_url": loaded.url, "election": elections.live}
    code, said = await run_scrutin(
        "serve", **settings, hash_scheme="hmac-sha256", hash_key_file=key, port=free_ports(1)[0]
    )
    assert code == 2
    assert "hashed with sha256" in said
    assert "ab" * 8 not in said


async def test_a_roll_with_laws_that_the_election_lacks_is_refused(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> None:
    text = elections.live.read_text()
    election = tmp_path / "election.toml"
    election.write_text(text[: text.rindex("[[laws]]")])
    code, said = await run_scrutin(
        "serve", redis_url=loaded.url, election=election, port=free_ports(1)[0]
    )
    assert code == 2
    assert "L2026-001" in said


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "SCRUTIN_ELECTION"),
        ({"election": "/nowhere.toml"}, "/nowhere.toml"),
        ({"port": "many"}, "SCRUTIN_PORT"),
    ],
)
async def test_wrong_settings_are_named(settings: dict[str, str], named: str) -> None:
    code, said = await run_scrutin("serve", **settings)
    assert (code, len(said.splitlines())) == (2, 1)
    assert named in said


async def test_a_port_that_is_taken_is_said(
    edge: EdgeProcess, loaded: LocalCluster, elections: Elections
) -> None:
    settings = {"redis_url": loaded.url, "election": elections.live}
    code, said = await run_scrutin("serve", "--port", str(edge.port), **settings)
    assert code == 2
    assert "--port" in said
    with socket.create_connection(("127.0.0.1", edge.port)):
        pass


async def test_drains_beside_serving(
    loaded: LocalCluster, elections: Elections, elector: Elector, tmp_path: Path
) -> None:
    """ClickHouse comes late, and goes; voting does not mind, and the vote is counted."""
    clickhouse = LocalClickHouse(tmp_path / "clickhouse")
    settings = {
        "redis_url": loaded.url,
        "election": elections.live,
        "clickhouse_url": clickhouse.url,
    }
    async with (
        EdgeProcess(tmp_path, "--drain", **settings, exempt_loopback=True) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):

        async def drainer(state: str) -> None:
            async def reached() -> bool:
                health = (await http.get("/api/v1/health")).json()
                return bool(health["dependencies"]["drainer"] == state)

            await until(reached, f"a drainer that is {state}")

        await drainer("waiting")
        assert (await http.post("/api/v1/vote", json=ballot(elector))).status_code == 202
        assert "clickhouse_up 0.0" in (await http.get("/metrics")).text
        await clickhouse.astart()
        try:
            await drainer("running")
            query = "SELECT count() FROM scrutin.ballots WHERE law_id = {law_id:String}"
            client = await connect(clickhouse.url)

            async def counted() -> bool:
                answer = await client.query(query, {"law_id": OPEN})
                return answer.result_rows != [(0,)]

            await until(counted, "a counted ballot")
            await client.close()

            async def told() -> bool:
                return "clickhouse_up 1.0" in (await http.get("/metrics")).text

            await until(told, "a metric that says ClickHouse is up")
            metrics = (await http.get("/metrics")).text
            assert "clickhouse_insert_rows_total" in metrics
            assert 'outbox_depth{shard_group="0"}' in metrics
            edge.process.send(signal.SIGTERM)
            assert await edge.ended() == 0, edge.log
        finally:
            await asyncio.to_thread(clickhouse.stop)
