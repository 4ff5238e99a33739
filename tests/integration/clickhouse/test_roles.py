"""Roles: what each may do and what it may not, by the engine's own access control.

The local engine takes roles from a file of users, and `CREATE ROLE` from nobody: that a server
takes the statements is tried as far as the engine reads them.
"""

import random
import re
from pathlib import Path

import pytest
from clickhouse_connect.driver import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from clickhouse.backup import back_up
from clickhouse.errors import ClickHouseRejected
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.replication import on_cluster
from clickhouse.roles import apply_roles, read_grants, role_statements, roles_xml
from clickhouse.running_count import RunningCount
from clickhouse.sink import VoteSink
from clickhouse.sql import Script
from clickhouse.tally import read_corrections, read_tallies
from clickhouse.totals import read_totals
from tests.integration.clickhouse.conftest import AT_MS, As
from tests.support.clickhouse import assert_agrees, batch_of, denied, random_events, rows, send

ROLES = ("analyst", "auditor", "drainer", "backup", "verifier")
ROOT = Path(__file__).parents[3]
OURS = "database = 'scrutin'"


async def objects(client: AsyncClient) -> set[str]:
    found = await rows(client, f"SELECT name FROM system.tables WHERE {OURS}")
    return {str(row[0]) for row in found}


def read_columns(role: str) -> dict[str, set[str]]:
    """Return the columns that a role may read, by table or view; "*" where it is all of them."""
    readable: dict[str, set[str]] = {}
    for name, right in read_grants(with_results=True):
        if name == role and right.startswith("SELECT"):
            verb, _, table = right.partition(" ON scrutin.")
            columns = verb.rstrip(")").partition("(")[2] if "(" in verb else "*"
            readable.setdefault(table, set()).update(columns.split(", "))
    return readable


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reads_what_it_was_granted_and_nothing_else(
    stored: AsyncClient, client_of: As, role: str
) -> None:
    readable = read_columns(role)
    async with client_of(role) as client:
        for name in await objects(stored):
            asked = f"SELECT name FROM system.columns WHERE {OURS} AND table = '{name}'"
            for (column,) in await rows(stored, asked):
                statement = f"SELECT {column} FROM scrutin.{name} LIMIT 1"
                if readable.get(name, set()) & {"*", column}:
                    await client.raw_query(statement)
                else:
                    await denied(client, statement)
        assert await objects(client) == readable.keys()
    assert readable.keys() <= await objects(stored)


CHANGES = [
    "INSERT INTO scrutin.vote_audit (vote_hash) VALUES ('a')",
    "INSERT INTO scrutin.ballots (vote_hash) VALUES ('a')",
    "ALTER TABLE scrutin.ballots UPDATE vote = 'oui' WHERE 1",
    "ALTER TABLE scrutin.ballots DELETE WHERE 1",
    "DELETE FROM scrutin.ballots WHERE 1",
    "ALTER TABLE scrutin.vote_audit DROP PARTITION 20260921",
    "TRUNCATE TABLE scrutin.vote_audit",
    "DROP TABLE scrutin.vote_audit",
    "DROP VIEW scrutin.vote_results",
    "RENAME TABLE scrutin.ballots TO scrutin.others",
    "CREATE VIEW scrutin.another AS SELECT * FROM scrutin.ballots",
    "CREATE TABLE scrutin.another (n UInt8) ENGINE = MergeTree ORDER BY n",
    "OPTIMIZE TABLE scrutin.ballots FINAL",
    "GRANT SELECT ON scrutin.ballots TO analyst",
]


@pytest.mark.parametrize("role", ROLES)
async def test_nobody_changes_what_is_stored(stored: AsyncClient, client_of: As, role: str) -> None:
    async with client_of(role) as client:
        for statement in CHANGES[2 if role == "drainer" else 0 :]:
            await denied(client, statement)


WAYS_TO_A_CHOICE = [
    "SELECT vote_hash, vote FROM scrutin.ballots",
    "SELECT vote FROM scrutin.ballots FINAL",
    "SELECT count() FROM scrutin.ballots",
    "SELECT vote_hash, vote FROM scrutin.review_queue",
    "SELECT vote_hash FROM scrutin.duplicate_attempts",
    "SELECT * FROM view(SELECT * FROM scrutin.ballots)",
    "SELECT * FROM merge('scrutin', 'ballots')",
    "SELECT * FROM mergeTreeIndex('scrutin', 'ballots')",
    "SELECT * FROM mergeTreeProjection('scrutin', 'ballots', 'p')",
    "SELECT * FROM remote('127.0.0.1', 'scrutin', 'ballots')",
    "SELECT dictGet('scrutin.ballots', 'vote', 1)",
    "SELECT (SELECT any(vote) FROM scrutin.ballots)",
    "SELECT * FROM scrutin.vote_results WHERE law_id IN (SELECT vote_hash FROM scrutin.ballots)",
    "SELECT r.* FROM scrutin.vote_results AS r JOIN scrutin.ballots AS b USING (law_id)",
    "WITH b AS (SELECT * FROM scrutin.ballots) SELECT * FROM b",
    "SELECT joinGet('scrutin.ballots', 'vote', 'a')",
    "EXPLAIN SELECT vote FROM scrutin.ballots",
    "EXPLAIN ESTIMATE SELECT vote FROM scrutin.ballots",
    "DESCRIBE TABLE scrutin.ballots",
    "SHOW CREATE TABLE scrutin.ballots",
    "CHECK TABLE scrutin.ballots",
    "EXECUTE AS default SELECT vote FROM scrutin.ballots",
]


@pytest.mark.parametrize("statement", WAYS_TO_A_CHOICE)
async def test_an_analyst_has_no_way_to_a_ballots_choice(
    stored: AsyncClient, client_of: As, statement: str
) -> None:
    async with client_of("analyst") as client:
        with pytest.raises(DatabaseError) as raised:
            await client.raw_query(statement)
    assert re.search(r"[0-9a-f]{64}", str(raised.value)) is None


async def test_no_view_of_analysts_has_a_hash_or_a_request_id(
    stored: AsyncClient, client_of: As
) -> None:
    async with client_of("analyst") as client:
        columns = await rows(client, "SELECT table, name FROM system.columns")
        for view in await objects(client):
            text = (await client.raw_query(f"SELECT * FROM scrutin.{view}")).decode()
            assert text
            assert not re.search(r"[0-9a-f]{16}|[0-9a-f]{8}-", text)
    ours = {(t, c) for t, c in columns if t in await objects(stored)}
    assert ours
    assert not {c for _, c in ours} & {"vote_hash", "request_id", "shard", "stream_ms", "vote"}
    # Nor a choice by time: whoever knows when somebody voted would learn what they chose.
    by_time = {t for t, c in ours if c == "minute"}
    assert by_time.isdisjoint(t for t, c in ours if c in ("oui_count", "non_count"))


async def test_what_an_analyst_may_read_is_the_same_count(
    stored: AsyncClient, client_of: As
) -> None:
    async with client_of("analyst") as client:
        assert await read_tallies(client) == await read_tallies(stored)


async def test_a_drainers_role_suffices_to_drain(client: AsyncClient, client_of: As) -> None:
    events = random_events(random.Random(4), 200, first_ms=AT_MS)
    async with client_of("drainer") as drainer:
        assert await migrate(drainer) == []
        await VoteSink(drainer).store(batch_of(events))
        await VoteSink(drainer).store(batch_of(events))
        assert await RunningCount(drainer, settle_ms=0).count(AT_MS) == await read_tallies(client)
        assert await read_corrections(drainer, AT_MS + 10**6) == []
    await assert_agrees(client, events)


async def test_a_drainer_of_a_newer_release_says_who_has_to_migrate(client_of: As) -> None:
    async with client_of("drainer") as drainer:
        with pytest.raises(ClickHouseRejected, match=r"lacks 9999_later.sql.*`scrutin migrate`"):
            await migrate(drainer, [Script("9999_later.sql", "SELECT 1;\n")])


async def test_backups_role_suffices_to_copy(
    stored: AsyncClient, client_of: As, tmp_path: Path
) -> None:
    async with client_of("backup") as client:
        manifest = await back_up(client, tmp_path / "copy")
    assert manifest.rows["vote_audit"] == 300


async def test_an_auditors_role_suffices_to_count_everything(
    stored: AsyncClient, client_of: As
) -> None:
    async with client_of("auditor") as client:
        assert await read_totals(client) == await read_totals(stored)


async def test_roles_can_be_asked_for_as_on_a_server(
    stored: AsyncClient, clickhouse_server: LocalClickHouse
) -> None:
    url, choices = clickhouse_server.url, b"SELECT count(vote) FROM scrutin.ballots"
    assert send(f"{url}/?user=default", choices).status == 200
    for refused in ("?role=analyst", "?user=analyst", "?user=analyst&role=auditor", "?role=nobody"):
        answer = send(f"{url}/{refused}", choices)
        assert answer.status == 403, refused
        assert answer.headers["X-ClickHouse-Exception-Code"] in ("497", "512")
    assert send(f"{url}/?role=analyst&role=auditor", choices).status == 200
    assert send(f"{url}/?user=auditor&role=auditor", choices).status == 200
    turnout = b"SELECT sum(ballots) > 0 FROM turnout_by_minute"
    assert send(f"{url}/?user=analyst", turnout).body == b"1\n"


@pytest.mark.parametrize("with_results", [True, False])
async def test_the_engine_reads_every_statement_alone_and_for_replicas(
    client: AsyncClient, *, with_results: bool
) -> None:
    statements = role_statements(with_results=with_results)
    kinds = {"CREATE ROLE": "CreateRoleQuery", "GRANT": "GrantQuery"}
    for statement in statements:
        (kind,) = {tree for start, tree in kinds.items() if statement.startswith(start)}
        for form in (statement, on_cluster(statement)):
            tree = (await client.raw_query(f"EXPLAIN AST {form}")).decode()
            assert tree.startswith(kind)
    assert {role for role, _ in read_grants(with_results=with_results)} == set(ROLES)
    (created,) = (text for text in statements if text.startswith("CREATE ROLE"))
    assert created == f"CREATE ROLE IF NOT EXISTS {', '.join(ROLES)}"


async def test_no_right_is_lost_between_the_statements_and_the_engine(client: AsyncClient) -> None:
    for role in ROLES:
        shown = await rows(client, f"SHOW GRANTS FOR {role}")
        granted = [str(row[0]).removeprefix("GRANT ").removesuffix(f" TO {role}") for row in shown]
        ours = [right for name, right in read_grants(with_results=True) if name == role]
        assert by_column(granted) == by_column(ours)
    statements = " ".join(role_statements(with_results=True))
    assert len(read_grants(with_results=True)) == len(re.findall(r" ON scrutin\.", statements))


def by_column(granted: list[str]) -> set[str]:
    """Write each right to some columns as one to each of them, as they may be granted."""
    rights = (re.fullmatch(r"(\w[\w, ]*?)(?:\((.*)\))? ON (.*)", right) for right in granted)
    return {
        f"{right[1]} {column} {right[3]}"
        for right in rights
        if right
        for column in (right[2] or "*").split(", ")
    }


async def test_where_users_are_in_files_it_says_what_to_do(client: AsyncClient) -> None:
    with pytest.raises(ClickHouseRejected, match=r"scrutin roles --xml"):
        await apply_roles(client, with_results=False)


def test_files_of_users_have_the_roles() -> None:
    local = (ROOT / "clickhouse/local/access.d/roles.xml").read_text()
    assert roles_xml(with_results=True) in local
    # Its election publishes results after closing, so that analysts see turnout alone till then.
    assert roles_xml(with_results=False) in (ROOT / "k8s/clickhouse/config/users.xml").read_text()
    assert 'results = "after_close"' in (ROOT / "k8s/base/election.toml").read_text()
