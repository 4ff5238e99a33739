"""The whole system with TLS on every connection, and who is turned away by it.

Redis' servers speak TLS to clients, to their replicas and on the cluster's bus, ClickHouse serves
HTTPS, and both want a certificate of their clients; the edge serves HTTPS, the drainer its metrics.
"""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from clickhouse.connection import connect
from clickhouse.errors import ClickHouseError
from shards.certificates import Certificate
from shards.client import ShardClient
from shards.errors import Unavailable
from shards.options import RedisOptions
from tests.integration.edge.conftest import OPEN, ballot, new_id, write_election
from tests.integration.edge.test_commands import scrutin
from tests.support.edges import until
from tests.support.rolls import Roll, make_roll
from tests.support.tls import (
    HOST,
    PASSWORD,
    Authority,
    TlsStack,
    clickhouse_url,
    client_context,
    redis_url,
    running,
)

ELECTORS = 300
VOTERS = 100
PLAIN = {"redis": b"PING\r\n", "http": b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"}


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Roll:
    return make_roll(tmp_path_factory.mktemp("roll"), ELECTORS)


@pytest.fixture(scope="module")
async def stack(roll: Roll, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TlsStack]:
    directory = tmp_path_factory.mktemp("tls")
    election = write_election(directory / "election.toml", "live", {OPEN: (-1, 1)})
    async with running(directory, election) as started:
        database = str(roll.database.directory)
        code, _, errors = await scrutin(
            "roll", "load", database, election=election, **started.stores
        )
        assert code == 0, errors
        await started.start_services()
        yield started


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody here has heard of."""
    return Authority(tmp_path_factory.mktemp("elsewhere") / "authority")


async def test_votes_are_taken_counted_proven_and_measured(stack: TlsStack, roll: Roll) -> None:
    rng = random.Random(5)
    votes = [
        ballot(elector, rng.choice(("oui", "non")), request_id=new_id())
        for elector in rng.sample(roll.electors, VOTERS)
    ]
    trusting = client_context(None, stack.authority.file)
    async with httpx.AsyncClient(base_url=stack.edge_url, verify=trusting) as http:
        answers = await asyncio.gather(*(http.post("/api/v1/vote", json=vote) for vote in votes))
        assert {answer.status_code for answer in answers} == {202}
        again = await http.post("/api/v1/vote", json=votes[0] | {"request_id": new_id()})
        assert (again.status_code, again.json()["attempt_count"]) == (409, 1)
        expected = tuple(sum(v["vote"] == choice for v in votes) for choice in ("oui", "non"))

        async def counted() -> bool:
            result = (await http.get(f"/api/v1/results/{OPEN}")).json()
            return (result.get("oui_count"), result.get("non_count")) == expected

        await until(counted, f"results {expected}")
        edge_metrics = (await http.get("/metrics")).text
        assert f'votes_validated_total{{status="accepted"}} {VOTERS}.0' in edge_metrics

        async def inserted() -> bool:  # the attempt that did not count perhaps after the others
            metrics = (await http.get(stack.metrics_url)).text
            return {
                f"clickhouse_insert_rows_total {VOTERS + 1}.0", "clickhouse_up 1.0",
            } <= set(metrics.splitlines())  # fmt: skip

        await until(inserted, "every attempt in the drainer's metrics")
    code, out, errors = await scrutin("verify", "--settled", **stack.stores)
    assert code == 0, out + errors


async def test_the_cluster_itself_speaks_tls(stack: TlsStack) -> None:
    """Replicas follow, and servers see each other, where only TLS is spoken."""
    for node in stack.cluster.nodes:
        async with node.client() as redis:
            settings = await redis.config_get("tls-*")
            assert (await redis.config_get("port"))["port"] == "0"
            assert settings["tls-cluster"] == settings["tls-replication"] == "yes"
            assert settings["tls-auth-clients"] == "yes"
            assert (await redis.cluster("INFO"))["cluster_state"] == "ok"


async def test_plain_clients_get_no_answer(stack: TlsStack) -> None:
    for name, port in stack.ports.items():
        said = PLAIN["redis" if name.startswith("redis") else "http"]
        answer = await asyncio.to_thread(answer_to, port, said)
        assert b"PONG" not in answer, name
        assert not answer.startswith(b"HTTP/1.1 200"), name
        assert b"votes_" not in answer, name


def answer_to(port: int, request: bytes) -> bytes:
    """Return all that a server says to a client that speaks no TLS, until it hangs up."""
    with socket.create_connection((HOST, port), timeout=10) as plain:
        plain.sendall(request)
        answer = b""
        try:
            while part := plain.recv(4096):
                answer += part
        except ConnectionResetError:
            pass
        return answer


async def test_a_client_of_another_authority_trusts_no_server(
    stack: TlsStack, stranger: Authority
) -> None:
    for name, port in stack.ports.items():
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(shake_hands, port, client_context(stack.client, stranger.file))
        version = await asyncio.to_thread(
            shake_hands, port, client_context(stack.client, stack.authority.file)
        )
        assert version in ("TLSv1.2", "TLSv1.3"), name


def shake_hands(port: int, context: ssl.SSLContext) -> str | None:
    """Connect by TLS and return its version."""
    with (
        socket.create_connection((HOST, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secure,
    ):
        return secure.version()


@pytest.mark.parametrize("shown", ["none", "of another authority"])
async def test_stores_turn_away_who_shows_no_certificate_of_ours(
    stack: TlsStack, stranger: Authority, shown: str
) -> None:
    """The client trusts the servers; it is the servers that do not trust the client."""
    own = None
    if shown != "none":
        own = stranger.issue(f"intruder-{new_id()}", stack.authority.file)
    context = client_context(own, stack.authority.file)
    for name, port in stack.ports.items():
        if name in ("edge", "drainer"):
            continue
        said = PLAIN["redis" if name.startswith("redis") else "http"]
        assert await asyncio.to_thread(answer_by_tls, port, context, said) == b"", name
    good = client_context(stack.client, stack.authority.file)
    port = stack.cluster.nodes[0].port
    assert await asyncio.to_thread(answer_by_tls, port, good, PLAIN["redis"]) == b"+PONG\r\n"


def answer_by_tls(port: int, context: ssl.SSLContext, request: bytes) -> bytes:
    """Return the first that a server says by TLS, nothing if it ends the connection instead."""
    try:
        with (
            socket.create_connection((HOST, port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            secure.sendall(request)
            return secure.recv(4096)
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        return b""


async def test_our_own_clients_say_why_they_cannot_connect(
    stack: TlsStack, stranger: Authority
) -> None:
    distrustful = Certificate(stack.client.chain, stack.client.key, stranger.file)
    for url, reason in (
        (redis_url(stack.cluster, distrustful), "CERTIFICATE_VERIFY_FAILED"),
        (stack.cluster.url.replace("rediss", "redis"), "no Redis node answers"),
    ):
        with pytest.raises(Unavailable, match=reason):
            await ShardClient.connect(RedisOptions(url))
        code, _, errors = await scrutin("roll", "status", redis_url=url)
        assert (code, reason in errors) == (1, True), errors
    trusted = clickhouse_url(stack.clickhouse, stack.client)
    for url, reason in (
        (clickhouse_url(stack.clickhouse, distrustful), "CERTIFICATE_VERIFY_FAILED"),
        (trusted.partition("?")[0].replace("https", "http"), "Server disconnected"),
        (trusted.replace(PASSWORD, "another"), "AUTHENTICATION_FAILED"),
    ):
        with pytest.raises(ClickHouseError):
            await connect(url, timeout_s=5)
        code, _, errors = await scrutin("export", "/nowhere/day", clickhouse_url=url)
        assert (code, reason in errors) == (1, True), errors
        assert PASSWORD not in errors


async def test_voters_clients_of_another_authority_are_told_before_a_vote_leaves_them(
    stack: TlsStack, stranger: Authority, roll: Roll
) -> None:
    """A vote is not sent to a server that cannot prove who it is."""
    vote = ballot(roll.electors[0])
    async with httpx.AsyncClient(verify=client_context(None, stranger.file)) as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.post(f"{stack.edge_url}/api/v1/vote", json=vote)
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.TransportError):
            await http.post(f"http://{HOST}:{stack.edge_port}/api/v1/vote", json=vote)
