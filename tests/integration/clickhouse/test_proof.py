"""Nothing leaves the outbox on another's word: a batch is trimmed once ClickHouse shows it."""

import random
from collections.abc import AsyncIterator

import msgspec
import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.connection import connect
from clickhouse.errors import ClickHouseUnavailable
from clickhouse.local.process import LocalClickHouse
from clickhouse.proof import BALLOTS_ASKED_MAX, table_lacking
from clickhouse.sink import VoteSink
from clickhouse.tally import read_tallies
from shards.events import OutboxEvent
from shards.outbox import OutboxBatch
from tests.support.clickhouse import assert_agrees, batch_of, random_events
from tests.support.liar import PAGE, Liar

FIRST_MS = 1_790_000_000_000


@pytest.fixture
async def liar(clickhouse_server: LocalClickHouse) -> AsyncIterator[Liar]:
    async with Liar(clickhouse_server.url).running() as liar:
        yield liar


@pytest.fixture
async def through(liar: Liar, client: AsyncClient) -> AsyncIterator[AsyncClient]:
    through = await connect(liar.url)
    yield through
    await through.close()


@pytest.fixture
def rng() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def made(rng: random.Random, count: int = 300) -> list[OutboxEvent]:
    return sorted(random_events(rng, count, first_ms=FIRST_MS))


async def lacking(client: AsyncClient, batch: OutboxBatch) -> str | None:
    accepted = [event for event in batch.events if event.status == "accepted"]
    return await table_lacking(client, batch, accepted)


@pytest.mark.parametrize("body", [b"", PAGE, b"{}", b'{"data":[[300]],"rows":1'])
@pytest.mark.parametrize("only", [b"", b"INSERT"])
async def test_a_200_from_somebody_else_is_no_proof(
    liar: Liar,
    through: AsyncClient,
    client: AsyncClient,
    rng: random.Random,
    body: bytes,
    only: bytes,
) -> None:
    batch = batch_of(made(rng))
    sink = VoteSink(through)
    liar.body, liar.only = body, only
    with pytest.raises(ClickHouseUnavailable):
        await sink.store(batch)
    assert liar.told > 0
    assert await client.command("SELECT count() FROM scrutin.vote_audit") == 0
    liar.body = None
    await sink.store(batch)
    await assert_agrees(client, batch.events)


async def test_ballots_are_proven_too(
    liar: Liar, through: AsyncClient, client: AsyncClient, rng: random.Random
) -> None:
    batch = batch_of(made(rng))
    sink = VoteSink(through)
    liar.body, liar.only = PAGE, b"INSERT INTO scrutin.ballots"
    with pytest.raises(ClickHouseUnavailable, match="ballots lacks"):
        await sink.store(batch)
    assert liar.told == 1
    liar.body = None
    await sink.store(batch)
    await assert_agrees(client, batch.events)


async def test_an_insert_dropped_for_its_token_is_sent_without_it(
    client: AsyncClient, rng: random.Random
) -> None:
    """The server has seen the token, but the rows were lost or were others."""
    batch = batch_of(made(rng))
    other = batch_of(random_events(rng, 10, first_ms=FIRST_MS + 10_000))
    forged = msgspec.structs.replace(other, token=batch.token)
    await VoteSink(client).store(forged)
    sink = VoteSink(client)
    with pytest.raises(ClickHouseUnavailable, match="vote_audit lacks"):
        await sink.store(batch)
    await sink.store(batch)
    await assert_agrees(client, [*batch.events, *other.events])


@pytest.mark.parametrize("table", ["vote_audit", "ballots"])
async def test_one_row_less_is_noticed(client: AsyncClient, rng: random.Random, table: str) -> None:
    batch = batch_of(made(rng))
    await VoteSink(client).store(batch)
    assert await lacking(client, batch) is None
    gone = rng.choice([event for event in batch.events if event.status == "accepted"])
    await client.command(
        f"DELETE FROM scrutin.{table} WHERE (shard, stream_ms, stream_seq) = {gone[:3]}"
    )
    assert await lacking(client, batch) == table


async def test_events_of_others_between_neither_help_nor_harm(
    client: AsyncClient, rng: random.Random
) -> None:
    """As after a failover that undid events which were stored: more than the batch has."""
    events = made(rng)
    ours = [event for number, event in enumerate(events) if number % 3]
    await VoteSink(client).store(batch_of(events))
    assert await lacking(client, batch_of(ours)) is None
    gone = rng.choice([event for event in ours if event.status != "accepted"])
    await client.command(
        f"DELETE FROM scrutin.vote_audit WHERE (shard, stream_ms, stream_seq) = {gone[:3]}"
    )
    assert await lacking(client, batch_of(ours)) == "vote_audit"


async def test_ballots_accepted_twice_do_not_hold_up_the_outbox(
    client: AsyncClient, rng: random.Random
) -> None:
    """The table keeps the earlier event of each, so the later one is not to be found there."""
    first = [event for event in made(rng, 3000) if event.status == "accepted"]
    assert len(first) > BALLOTS_ASKED_MAX
    again = [event._replace(stream_ms=event.stream_ms + 10**6) for event in first]
    await VoteSink(client).store(batch_of(first))
    await VoteSink(client).store(batch_of(again))
    await client.command("OPTIMIZE TABLE scrutin.ballots FINAL")
    assert await lacking(client, batch_of(again)) is None
    await assert_agrees(client, [*first, *again])


@pytest.mark.parametrize("body", [b"", PAGE, b'{"data":[],"rows":1}', b'{"data":[["a"]],"rows":1}'])
async def test_rubbish_is_no_tally(liar: Liar, through: AsyncClient, body: bytes) -> None:
    liar.body = body
    with pytest.raises(ClickHouseUnavailable):
        await read_tallies(through)
    liar.body = None
    assert await read_rows(through, "tallies", tuple[str, int, int]) == []
