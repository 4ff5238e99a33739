"""The auditors' commands on votes that an edge took, and a drainer that keeps their queue."""

import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connect
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.review import read_cases
from clickhouse.review_keeper import ReviewKeeper
from hashgen import BallotHasher
from shards.client import ShardClient
from shards.localcluster import LocalCluster
from shards.review import ReviewCase, ReviewDesk
from tests.integration.clickhouse.conftest import clickhouse_server
from tests.integration.edge.conftest import Elections, ballot
from tests.integration.edge.test_commands import scrutin
from tests.support.accounts import give_account
from tests.support.draining import drain
from tests.support.edges import EdgeProcess, until
from tests.support.rolls import Elector

__all__ = ["clickhouse_server"]


@pytest.fixture
async def clickhouse(clickhouse_server: LocalClickHouse) -> AsyncIterator[AsyncClient]:
    client = await connect(clickhouse_server.url)
    await migrate(client)
    yield client
    await client.close()


def read_sheet(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


async def test_from_votes_to_an_export(
    edge: EdgeProcess,
    loaded: LocalCluster,
    redis: ShardClient,
    clickhouse: AsyncClient,
    clickhouse_server: LocalClickHouse,
    elector: Elector,
    tmp_path: Path,
) -> None:
    """Everything that a person does, by command, in the accounts that auditors have."""
    stores = {
        "redis_url": await give_account(loaded, "auditor"),
        "clickhouse_url": clickhouse_server.url.replace("://", "://auditor@"),
        "auditor": "Aude",
    }
    formula = '=HYPERLINK("http://example.org")'
    async with httpx.AsyncClient(base_url=edge.url) as http:
        for _ in range(4):
            await http.post("/api/v1/vote", json=ballot(elector))
        wrong = {**ballot(elector), "law_id": formula}
        assert (await http.post("/api/v1/vote", json=wrong)).status_code in (400, 403)
    await drain(redis, clickhouse)
    code, out, errors = await scrutin("review", "list", "--json", **stores)
    assert code == 0, errors
    listed = {each["case"]["case_id"]: each for each in json.loads(out)}
    (ours,) = [name for name, each in listed.items() if each["case"]["attempts"] == 3]
    assert listed[ours]["standing"]["state"] == "open"
    decide = ("review", "resolve", ours, "--decision", "harmless", "--why")
    unclaimed = "scrutin: nobody has this case: claim it first\n"
    assert await scrutin(*decide, "x", **stores) == (1, "", unclaimed)
    code, out, errors = await scrutin("review", "claim", ours, "--minutes", "0.00001", **stores)
    assert (code, out, "for a second or more" in errors) == (2, "", True)
    assert (await scrutin("review", "claim", ours, **stores))[0] == 0
    code, _, errors = await scrutin("review", "claim", ours, **{**stores, "auditor": "Béa"})
    assert (code, errors) == (1, "scrutin: Aude has this case\n")
    code, out, _ = await scrutin("review", "list", "--state", "claimed", **stores)
    assert "claimed by Aude" in out
    why = "=1+1, said the voter; « déjà »"
    code, out, errors = await scrutin(*decide, why, **stores)
    assert (code, out) == (0, "resolved by Aude\n"), errors
    code, out, _ = await scrutin("review", "show", ours, "--json", **stores)
    shown = json.loads(out)
    assert [attempt[1] for attempt in shown["attempts"]] == ["accepted", *["duplicate"] * 3]
    assert [entry["action"] for entry in shown["trail"]] == ["claim", "resolve"]
    assert '"oui"' not in out
    assert (await scrutin("review", "show", ours, **stores))[0] == 0
    code, out, _ = await scrutin("review", "list", "--state", "resolved", "--json", **stores)
    assert ours in {each["case"]["case_id"] for each in json.loads(out)}
    await ReviewKeeper(redis, clickhouse, owner="test").keep()
    assert [case.case_id for case in await read_cases(clickhouse, decided=True)] == [ours]

    code, out, errors = await scrutin("review", "export", str(tmp_path / "out"), **stores)
    assert code == 0, errors
    for name in ("cases.csv", "trail.csv"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\xef\xbb\xbf")
    sheets = {name: read_sheet(tmp_path / "out" / name) for name in ("cases.csv", "trail.csv")}
    (row,) = [row for row in sheets["cases.csv"] if row["case"] == ours]
    assert (row["state"], row["auditor"], row["why"]) == (
        "resolved",
        "Aude",
        f"'{why}",
    )
    for sheet in sheets.values():
        for each in sheet:
            assert not [cell for cell in each.values() if cell.startswith(("=", "+", "-", "@"))]
    of_ours = [row for row in sheets["trail.csv"] if row["case"] == ours]
    assert [row["action"] for row in of_ours] == ["claim", "resolve"]
    lines = (tmp_path / "out" / "trail.jsonl").read_text().splitlines()
    assert len(lines) == len(sheets["trail.csv"])
    assert (await scrutin("review", "export", str(tmp_path / "out"), **stores))[0] == 1
    text = "".join(file.read_text() for file in (tmp_path / "out").iterdir())
    assert elector.nas not in text
    assert elector.code not in text

    code, out, _ = await scrutin("review", "reopen", ours, "--why", "More is known.", **stores)
    assert (code, out) == (0, "reopened by Aude\n")
    assert (await scrutin("review", "claim", ours, **{**stores, "auditor": "Béa"}))[0] == 0


async def test_a_drainer_keeps_the_queue_current(
    loaded: LocalCluster,
    elections: Elections,
    redis: ShardClient,
    clickhouse: AsyncClient,
    clickhouse_server: LocalClickHouse,
    elector: Elector,
    tmp_path: Path,
) -> None:
    """From a vote to the published list and from a decision to ClickHouse, by `serve --drain`."""
    desk, ours = ReviewDesk(redis), BallotHasher().hash(*elector).hex()
    stores = {"redis_url": loaded.url, "clickhouse_url": clickhouse_server.url}
    async with EdgeProcess(
        tmp_path, "--drain", election=elections.live, exempt_loopback=True, **stores
    ) as running:
        async with httpx.AsyncClient(base_url=running.url) as http:
            for _ in range(3):
                await http.post("/api/v1/vote", json=ballot(elector))

        async def listed() -> ReviewCase | None:
            snapshot = await desk.published()
            cases = {case.case_id: case for case in snapshot.cases} if snapshot else {}
            return cases.get(ours)

        async def whole() -> bool:
            case = await listed()
            return case is not None and case.attempts == 2

        await until(whole, "the case on the list", timeout_s=60)
        case = await listed()
        assert case is not None
        await desk.claim(case, "Aude", uuid4())
        await desk.resolve(ours, "Aude", "harmless", "Two phones.", uuid4())

        async def copied() -> bool:
            return await listed() is None

        await until(copied, "the decision in ClickHouse", timeout_s=60)
    assert ours in {case.case_id for case in await read_cases(clickhouse, decided=True, limit=1000)}


async def test_what_is_missing_or_wrong_is_said(loaded: LocalCluster) -> None:
    stores = {"redis_url": loaded.url}
    case_id = "0d" * 32
    decide = ("--decision", "fault", "--why")
    code, _, errors = await scrutin("review", "resolve", case_id, *decide, "x", **stores)
    assert code == 2
    assert "SCRUTIN_AUDITOR" in errors
    code, _, errors = await scrutin(
        "review", "resolve", case_id, *decide, "NAS 046454286", "--auditor", "Aude", **stores
    )
    assert code == 2
    assert "046454286" not in errors
    code, _, errors = await scrutin(
        "review", "resolve", "x", *decide, "why", "--auditor", "Aude", **stores
    )
    assert (code, "named by its ballot hash" in errors) == (2, True)
