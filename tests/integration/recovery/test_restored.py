"""What was restored is looked for: an insert's answer proves nothing."""

from pathlib import Path

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.backup import back_up, complete, restore
from clickhouse.connection import connected
from clickhouse.errors import ClickHouseUnavailable
from clickhouse.history import History, Rows
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.sink import VoteSink
from shards.events import OutboxEvent
from tests.integration.recovery.conftest import emptied
from tests.support.clickhouse import accepted_twice, assert_agrees, batch_of
from tests.support.liar import Liar


@pytest.mark.parametrize("table", ["vote_audit", "ballots"])
async def test_rows_that_are_not_there_after_an_insert_are_not_restored(
    clickhouse_server: LocalClickHouse,
    clickhouse: AsyncClient,
    tmp_path: Path,
    events: list[OutboxEvent],
    table: str,
) -> None:
    """Added to other rows of the same shards, of which there are more than the copy has."""
    await VoteSink(clickhouse).store(batch_of(events[:100]))
    await back_up(clickhouse, tmp_path / "copy")
    await emptied(clickhouse)
    await migrate(clickhouse)
    await VoteSink(clickhouse).store(batch_of(events[100:]))
    insert = f"INSERT INTO scrutin.{table}".encode()
    async with (
        Liar(clickhouse_server.url, body=b"", only=insert).running() as liar,
        connected(liar.url) as through,
    ):
        with pytest.raises(ClickHouseUnavailable, match=rf"{table} lacks \d+ rows of {table}-00"):
            await restore(through, tmp_path / "copy", add=True)
        assert liar.told == 1
        liar.body = None
        await restore(through, tmp_path / "copy", add=True)
    await assert_agrees(clickhouse, events)


async def test_a_full_disk_is_no_restored_copy(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent]
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    await back_up(clickhouse, tmp_path / "copy")
    await clickhouse.command("TRUNCATE TABLE scrutin.vote_audit")
    clickhouse.set_client_setting("min_free_disk_bytes_to_perform_insert", 10**18)
    with pytest.raises(ClickHouseUnavailable):
        await restore(clickhouse, tmp_path / "copy", add=True)


async def test_of_a_ballot_accepted_twice_one_row_is_enough(
    clickhouse: AsyncClient, tmp_path: Path
) -> None:
    """The table keeps the earlier of the two that the copy has."""
    await clickhouse.command("SYSTEM STOP MERGES scrutin.ballots")
    for event in accepted_twice(1_790_000_000_000):
        await VoteSink(clickhouse).store(batch_of([event]))
    assert (await back_up(clickhouse, tmp_path / "copy")).rows == {"ballots": 2, "vote_audit": 2}
    await emptied(clickhouse)
    await restore(clickhouse, tmp_path / "copy")
    assert await History(clickhouse).rows() == Rows(2, 1)


async def test_ballots_that_are_not_there_after_an_insert_are_not_completed(
    clickhouse_server: LocalClickHouse, clickhouse: AsyncClient, events: list[OutboxEvent]
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    await clickhouse.command("TRUNCATE TABLE scrutin.ballots")
    async with (
        Liar(clickhouse_server.url, body=b"", only=b"INSERT INTO").running() as liar,
        connected(liar.url) as through,
    ):
        with pytest.raises(ClickHouseUnavailable, match="ballots lacks"):
            await complete(through)
        assert liar.told == 1
    await complete(clickhouse)
    await assert_agrees(clickhouse, events)


async def test_a_ballot_that_a_drainer_is_about_to_store_is_no_fault(
    clickhouse: AsyncClient, events: list[OutboxEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its attempt comes right after the ballots before it were completed."""
    await VoteSink(clickhouse).store(batch_of(events[:999]))
    await clickhouse.command("TRUNCATE TABLE scrutin.ballots")
    ask = History._ballots_missing
    asked = 0

    async def asked_meanwhile(history: History, shards: range) -> set[tuple[str, str]]:
        nonlocal asked
        asked += 1
        if asked == 2:
            await VoteSink(clickhouse).store(batch_of(events[999:]))
            await clickhouse.command(
                "DELETE FROM scrutin.ballots WHERE stream_ms >= {ms:UInt64}",
                parameters={"ms": events[999].stream_ms},
            )
        return await ask(history, shards)

    monkeypatch.setattr(History, "_ballots_missing", asked_meanwhile)
    await complete(clickhouse)
    assert asked == 2
    assert await ask(History(clickhouse), range(256))
    await complete(clickhouse)
    await assert_agrees(clickhouse, events)


@pytest.mark.parametrize("table", ["vote_audit", "ballots"])
async def test_a_table_that_was_dropped_comes_back(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent], table: str
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    await back_up(clickhouse, tmp_path / "copy")
    await clickhouse.command(f"DROP TABLE scrutin.{table} SYNC")
    await restore(clickhouse, tmp_path / "copy", add=True)
    await assert_agrees(clickhouse, events)


async def test_a_table_that_was_dropped_just_now_is_undropped(
    clickhouse: AsyncClient, events: list[OutboxEvent]
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    await clickhouse.command("DROP TABLE scrutin.vote_audit")
    await clickhouse.command("UNDROP TABLE scrutin.vote_audit")
    await assert_agrees(clickhouse, events)
