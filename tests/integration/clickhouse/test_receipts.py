"""Receipts as an auditor has them after closing: found, and of no help in finding a choice.

Whoever is shown a receipt and knows an auditor must not learn how its voter voted.
"""

import random
import re
from pathlib import Path
from uuid import UUID

import pytest
from clickhouse_connect.driver import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from edge.receipts import receipt_number
from tests.integration.clickhouse.conftest import AT_MS, As
from tests.support.clickhouse import denied, random_events, rows

ROOT = Path(__file__).parents[3]
EVENTS = random_events(random.Random(3), 300, first_ms=AT_MS)  # those of the fixture `stored`
COUNTED = sorted(
    (receipt_number(UUID(bytes=event.request_id)), event.law_id)
    for event in EVENTS
    if event.status == "accepted"
)


async def test_an_auditor_finds_what_was_counted_and_nothing_else(
    stored: AsyncClient, client_of: As
) -> None:
    """By the statement of docs/auditors.md."""
    text = (ROOT / "docs" / "auditors.md").read_text()
    (statement,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    async with client_of("auditor") as auditor:
        for event in EVENTS[:30]:
            number = receipt_number(UUID(bytes=event.request_id))
            found = await rows(auditor, statement.replace("NUMBER", number))
            assert found == [(event.law_id,)] * (event.status == "accepted")


async def test_no_request_id_is_an_auditors(stored: AsyncClient, client_of: As) -> None:
    asked = "SELECT table FROM system.columns WHERE database = 'scrutin' AND name = 'request_id'"
    tables = {str(row[0]) for row in await rows(stored, asked)}
    assert tables == {"vote_audit", "ballots", "review_queue"}
    async with client_of("auditor") as auditor:
        for table in tables:
            await auditor.raw_query(f"SELECT vote, vote_hash FROM scrutin.{table} LIMIT 1")
            for ask in (
                "SELECT request_id FROM scrutin.{}",
                "SELECT * FROM scrutin.{}",
                "SELECT COLUMNS('request') FROM scrutin.{}",
                "SELECT count(request_id) FROM scrutin.{}",
                "SELECT vote FROM scrutin.{} WHERE notEmpty(toString(request_id))",
                "SELECT vote FROM scrutin.{} ORDER BY request_id",
                "SELECT vote FROM scrutin.{} GROUP BY vote, request_id",
                "SELECT row_number() OVER (ORDER BY request_id), vote FROM scrutin.{}",
                "SELECT a.vote FROM scrutin.{} a JOIN scrutin.review_queue b USING request_id",
                "SELECT vote FROM merge('scrutin', '^{}$') WHERE notEmpty(toString(request_id))",
                "SELECT vote FROM view(SELECT vote, request_id FROM scrutin.{})",
            ):
                await denied(auditor, ask.format(table))


ORDERS = [
    "",
    "LIMIT 5",
    "LIMIT 1 BY law_id",
    "ORDER BY law_id",
    "ORDER BY 1 = 1",
    "WHERE rowNumberInAllBlocks() < 5",
    "SETTINGS max_threads = 1, max_block_size = 1",
    "SETTINGS query_plan_remove_redundant_sorting = 1",
]


@pytest.mark.parametrize("order", ORDERS)
async def test_rows_come_by_number_and_not_as_they_lie(
    stored: AsyncClient, client_of: As, order: str
) -> None:
    """In the order of the table a receipt's place would be its attempt's place there."""
    async with client_of("auditor") as auditor:
        found = await rows(auditor, f"SELECT law_id, number FROM scrutin.receipts {order}")
    for law_id in {row[0] for row in found}:
        numbers = [str(number) for law, number in found if law == law_id]
        assert numbers == sorted(numbers)
    whole = [number for number, _ in COUNTED]
    assert {str(number) for _, number in found} <= set(whole)


async def test_whatever_is_asked_of_rows_places_goes_by_number(
    stored: AsyncClient, client_of: As
) -> None:
    (first, _), (last, _) = COUNTED[0], COUNTED[-1]
    async with client_of("auditor") as auditor:
        for ask, expected in {
            "any(number)": first,
            "anyLast(number)": last,
            "argMax(number, rowNumberInAllBlocks())": last,
            "groupArray(1)(number)[1]": first,
            "argMin(number, 1)": first,
        }.items():
            assert await rows(auditor, f"SELECT {ask} FROM scrutin.receipts") == [(expected,)]


@pytest.mark.parametrize("what", ["read", "sort"])
async def test_a_limit_of_the_readers_leaves_nothing_out(
    stored: AsyncClient, client_of: As, what: str
) -> None:
    """Those left in would be the first of the table."""
    limit = f"max_rows_to_{what} = 1, {what}_overflow_mode = 'break', max_block_size = 1"
    asked = f"SELECT number, law_id FROM scrutin.receipts SETTINGS {limit}"
    async with client_of("auditor") as auditor:
        assert await rows(auditor, asked) == COUNTED


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        (
            """parallel_replicas_count = 2, parallel_replica_offset = 1,
            parallel_replicas_mode = 'custom_key_sampling', enable_parallel_replicas = 1,
            parallel_replicas_custom_key = 'cityHash64(vote)'""",
            "UNKNOWN_IDENTIFIER",
        ),
        (
            "additional_table_filters = {'scrutin.vote_audit': 'vote = 1'}",
            "SETTING_CONSTRAINT_VIOLATION",
        ),
    ],
)
async def test_no_setting_picks_receipts_by_what_stands_behind_them(
    stored: AsyncClient, client_of: As, settings: str, refusal: str
) -> None:
    async with client_of("auditor") as auditor:
        with pytest.raises(DatabaseError, match=refusal):
            await auditor.raw_query(f"SELECT number FROM scrutin.receipts SETTINGS {settings}")


async def test_nothing_of_a_receipt_is_in_a_row_with_a_choice(
    stored: AsyncClient, client_of: As
) -> None:
    """Only the law is, and of every law there are many: no value leads to one row."""
    async with client_of("auditor") as auditor:
        asked = "SELECT name FROM system.columns WHERE database = 'scrutin' AND table = 'receipts'"
        assert await rows(auditor, asked) == [("number",), ("law_id",)]
        for hidden in ("_part", "_part_offset", "_part_index", "_block_number", "_row_exists"):
            with pytest.raises(DatabaseError, match="UNKNOWN_IDENTIFIER"):
                await auditor.raw_query(f"SELECT {hidden} FROM scrutin.receipts")
        for table in ("vote_audit", "ballots", "review_queue"):
            asked = f"SELECT name FROM system.columns WHERE table = '{table}'"
            columns = [str(row[0]) for row in await rows(stored, asked)]
            for column in {*columns} - {"law_id", "request_id"}:
                joined = (
                    f"SELECT count() FROM scrutin.{table} AS t, scrutin.receipts AS r"
                    f" WHERE toString(t.{column}) IN (r.number, replaceAll(r.number, '-', ''))"
                )
                assert await rows(auditor, joined) == [(0,)]


async def test_receipts_come_with_the_choices_and_no_sooner(client: AsyncClient) -> None:
    """Whoever could watch them come would see which attempt comes with which."""
    text = (ROOT / "clickhouse" / "grants" / "roles.sql").read_text()
    assert "receipts" not in text
    assert "receipts" not in (ROOT / "k8s/clickhouse/config/users.xml").read_text()
