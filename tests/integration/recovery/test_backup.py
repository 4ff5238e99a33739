"""Copies of the tables: whole or not at all, checked, restored into empty tables only."""

import gzip
import json
from pathlib import Path

import msgspec
import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse import backup
from clickhouse.backup import CopiedFile, back_up, complete, restore
from clickhouse.connection import connect, connected
from clickhouse.errors import BackupError, ClickHouseUnavailable
from clickhouse.history import History, Rows, Table
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.sink import VoteSink
from clickhouse.verify import Verifier
from hashgen.errors import UsageError
from shards.events import OutboxEvent
from tests.integration.recovery.conftest import Day, emptied
from tests.support.clickhouse import assert_agrees, batch_of
from tests.support.liar import PAGE, Liar


async def test_restored_tables_say_the_same(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent]
) -> None:
    """Law ids with quotes, tabs and line breaks among them."""
    await VoteSink(clickhouse).store(batch_of(events))
    copied = 0

    def count(rows: int) -> None:
        nonlocal copied
        copied += rows

    manifest = await back_up(clickhouse, tmp_path / "copy", count)
    accepted = sum(event.status == "accepted" for event in events)
    assert manifest.rows == {"ballots": accepted, "vote_audit": 3000}
    assert copied == 3000 + accepted
    await emptied(clickhouse)
    assert await restore(clickhouse, tmp_path / "copy") == manifest
    await assert_agrees(clickhouse, events)


async def test_rows_stored_twice_are_copied_once_and_equal_tables_give_equal_files(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent]
) -> None:
    sink = VoteSink(clickhouse)
    await clickhouse.command("SYSTEM STOP MERGES scrutin.vote_audit")
    await sink.store(batch_of(events))
    first = await back_up(clickhouse, tmp_path / "first")
    await sink.store(batch_of(events[:1000]))
    assert (await History(clickhouse).rows()).vote_audit == 4000
    second = await back_up(clickhouse, tmp_path / "second")
    assert second.files == first.files


async def test_a_copy_is_readable_without_us(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent]
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    await back_up(clickhouse, tmp_path / "copy")
    with gzip.open(tmp_path / "copy" / "ballots-00.tsv.gz", "rt", encoding="utf-8") as lines:
        header, *rows = lines
    assert header.rstrip("\n").split("\t")[3:6] == ["vote_hash", "law_id", "vote"]
    assert {row.split("\t")[5] for row in rows} == {"oui", "non"}


async def test_tables_with_rows_are_refused_and_left_alone(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent]
) -> None:
    await VoteSink(clickhouse).store(batch_of(events[:10]))
    await back_up(clickhouse, tmp_path / "copy")
    before = await History(clickhouse).rows()
    with pytest.raises(BackupError, match="hold rows"):
        await restore(clickhouse, tmp_path / "copy")
    assert await History(clickhouse).rows() == before


async def test_a_copy_is_added_to_what_was_stored_meanwhile(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent]
) -> None:
    """As when a drainer began before the restore; both have some of the rows."""
    await VoteSink(clickhouse).store(batch_of(events[:20]))
    await back_up(clickhouse, tmp_path / "copy")
    await VoteSink(clickhouse).store(batch_of(events))
    whole = await back_up(clickhouse, tmp_path / "whole")
    await emptied(clickhouse)
    await migrate(clickhouse)
    await VoteSink(clickhouse).store(batch_of(events[10:]))
    await restore(clickhouse, tmp_path / "copy", add=True)
    again = await back_up(clickhouse, tmp_path / "again")
    assert (again.rows, again.files) == (whole.rows, whole.files)


async def test_a_copy_made_while_votes_come_in_is_completed(
    clickhouse: AsyncClient,
    tmp_path: Path,
    events: list[OutboxEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is stored between the copies of a part's two tables is in the second alone."""
    sink, later = VoteSink(clickhouse), events[100:]
    await sink.store(batch_of(events[:100]))
    copy = backup._copy

    async def copied_meanwhile(
        client: AsyncClient, table: Table, shards: range, path: Path
    ) -> CopiedFile:
        if table == "vote_audit":
            await sink.store(batch_of(later))
        return await copy(client, table, shards, path)

    monkeypatch.setattr(backup, "_copy", copied_meanwhile)
    manifest = await back_up(clickhouse, tmp_path / "copy")
    assert manifest.rows["vote_audit"] == len(events)
    assert manifest.rows["ballots"] < sum(event.status == "accepted" for event in events)
    await emptied(clickhouse)
    await restore(clickhouse, tmp_path / "copy")
    await assert_agrees(clickhouse, events)


async def test_ballots_are_completed_without_a_copy(
    clickhouse: AsyncClient, events: list[OutboxEvent]
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    await clickhouse.command("TRUNCATE TABLE scrutin.ballots")
    for _ in range(2):
        await complete(clickhouse)
        await assert_agrees(clickhouse, events)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["flipped bit", "file gone", "no manifest", "rows", "total"])
async def test_a_damaged_copy_is_refused_before_anything_is_written(
    clickhouse: AsyncClient, tmp_path: Path, events: list[OutboxEvent], what: str
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    copy = tmp_path / "copy"
    manifest = await back_up(clickhouse, copy)
    last = copy / manifest.files[-1].file
    listed = msgspec.to_builtins(manifest)
    if what == "flipped bit":
        damage(last)
    elif what == "file gone":
        last.unlink()
    elif what == "no manifest":
        (copy / "manifest.json").unlink()
    else:
        if what == "rows":  # of one file, and the sum with it
            listed["files"][-1]["rows"] += 1
        listed["rows"]["vote_audit"] += 1
        (copy / "manifest.json").write_text(json.dumps(listed))
    await emptied(clickhouse)
    await migrate(clickhouse)
    with pytest.raises(BackupError, match=r"copy|manifest"):
        await restore(clickhouse, copy)
    assert await History(clickhouse).rows() == Rows(0, 0)


HEADER = b"shard\tstream_ms\tstream_seq\tvote_hash\tlaw_id\tvote\trequest_id\n"


@pytest.mark.parametrize("asked", [b"law_id, vote, request_id", b"law_id, vote, status"])
@pytest.mark.parametrize("body", [b"", PAGE, PAGE + b"\n" * 5000, HEADER])
async def test_what_is_no_whole_answer_is_no_copy(
    clickhouse_server: LocalClickHouse,
    clickhouse: AsyncClient,
    tmp_path: Path,
    events: list[OutboxEvent],
    asked: bytes,
    body: bytes,
) -> None:
    """Of either table, which are asked for by these columns."""
    await VoteSink(clickhouse).store(batch_of(events))
    async with (
        Liar(clickhouse_server.url, body=body, only=asked).running() as liar,
        connected(liar.url) as through,
    ):
        with pytest.raises(ClickHouseUnavailable):
            await back_up(through, tmp_path / "copy")
    assert liar.told == 1
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("table", ["ballots", "events"])
async def test_what_is_no_whole_answer_is_no_history(
    clickhouse_server: LocalClickHouse,
    clickhouse: AsyncClient,
    events: list[OutboxEvent],
    table: str,
) -> None:
    await VoteSink(clickhouse).store(batch_of(events))
    async with (
        Liar(clickhouse_server.url, body=b"", only=b"toFixedString").running() as liar,
        connected(liar.url) as through,
    ):
        with pytest.raises(ClickHouseUnavailable):
            await getattr(History(through), table)(range(256))
    assert liar.told == 1


async def test_a_place_in_use_is_refused(clickhouse: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    for place in (tmp_path, tmp_path / "mine"):
        with pytest.raises(UsageError, match="new directory"):
            await back_up(clickhouse, place)
    assert (tmp_path / "mine").exists()


async def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with LocalClickHouse(tmp_path / "data") as server:
        client = await connect(server.url, timeout_s=5)
        await migrate(client)

        def stop_server(_rows: int) -> None:
            server.kill()

        with pytest.raises(ClickHouseUnavailable):
            await back_up(client, tmp_path / "copy", stop_server)
        await client.close()
    assert not (tmp_path / "copy").exists()
    assert not (tmp_path / ".copy.partial").exists()


async def test_a_restored_system_verifies(day: Day, tmp_path: Path) -> None:
    await back_up(day.clickhouse, tmp_path / "copy")
    await emptied(day.clickhouse)
    await restore(day.clickhouse, tmp_path / "copy")
    found = await Verifier(day.redis, day.clickhouse, settled=True).run()
    assert found.differences == []
