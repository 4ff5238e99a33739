"""Under `after_close` nobody can tell the choices before the close: two elections look the same.

The same attempts are cast twice, with other choices. All that a role can fetch from the one must be
what it fetches from the other, whatever it is: no list of things that must not leak is needed.
"""

import asyncio
import difflib
import shutil
from collections.abc import AsyncIterator, Sequence
from importlib import resources
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from clickhouse.connection import connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.roles import read_grants, roles_xml
from edge.app import make_app
from edge.settings import Settings
from shards.client import ShardClient
from shards.election import load_election
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.ports import free_ports
from tests.integration.edge.conftest import OPEN, Elections
from tests.support import onlookers
from tests.support.edges import EdgeProcess, drainer_process, until
from tests.support.rolls import Elector, Roll, empty, load

TOKEN = "a-token-of-the-tests-alone"
VOTERS = 24
Seen = dict[str, str]


@pytest.fixture(scope="module")
async def before_closing(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LocalClickHouse]:
    """ClickHouse with the roles as they are while votes are taken."""
    directory = tmp_path_factory.mktemp("before-closing")
    rights = directory / "access.xml"
    shutil.copy(str(resources.files("clickhouse") / "local" / "access.xml"), rights)
    (directory / "access.d").mkdir()
    roles = f"<clickhouse>\n{roles_xml(with_results=False)}</clickhouse>\n"
    (directory / "access.d" / "roles.xml").write_text(roles)
    server = LocalClickHouse(directory / "clickhouse", access_file=rights)
    await server.astart()
    yield server
    await asyncio.to_thread(server.stop)


async def cast(http: httpx.AsyncClient, electors: Sequence[Elector], oui: frozenset[int]) -> Seen:
    """Send everybody's vote, some of them again and in vain; return what voters were answered."""
    seen = {}
    for number, elector in enumerate(electors):
        choice, other = ("oui", "non") if number in oui else ("non", "oui")
        request_id = f"00000000-0000-4000-8000-{number:012}"
        vote = {**elector._asdict(), "vote": choice, "request_id": request_id}
        sent = [vote, vote, vote | {"vote": other}]  # once more, and otherwise: not a duplicate
        if number % 3 == 0:
            sent.append(vote | {"request_id": request_id.replace("4000", "4001")})
        if number % 6 == 0:
            sent.append(
                vote | {"code": "NOBODY1", "request_id": f"{request_id[:-12]}{number:x>12}"}
            )
        for again, body in enumerate(sent):
            answer = await http.post("/api/v1/vote", json=body)
            seen[f"vote {number}.{again}"] = onlookers.settled(
                f"{answer.status_code} {answer.text}"
            )
        page = await http.post("/en/vote", data=vote | {"request_id": request_id})
        seen[f"page {number}"] = onlookers.settled(f"{page.status_code}")
    return seen


async def election(
    cluster: LocalCluster,
    clickhouse: LocalClickHouse,
    roll: Roll,
    file: Path,
    oui: frozenset[int],
    directory: Path,
) -> Seen:
    """Hold an election and return all that every role sees of it while it is open."""
    await asyncio.to_thread(directory.mkdir)
    await empty(cluster)
    async with connected(clickhouse.url) as admin:
        await admin.command("DROP DATABASE IF EXISTS scrutin SYNC")
        await migrate(admin)
    client = await ShardClient.connect(RedisOptions(cluster.url))
    await load(client, roll, load_election(file))
    await client.aclose()
    token_file = directory / "token"
    await asyncio.to_thread(token_file.write_text, TOKEN)
    settings = {"redis_url": cluster.url, "clickhouse_url": clickhouse.url, "election": file}
    metrics_port = free_ports(1)[0]
    drainer = drainer_process(directory, metrics_port, **settings, log_level="debug")
    edge = EdgeProcess(
        directory, **settings, exempt_loopback=True, ops_token_file=token_file, log_level="debug"
    )
    electors = [elector for elector in roll.electors if elector.law_id == OPEN][:VOTERS]
    try:
        async with edge, httpx.AsyncClient(base_url=edge.url) as http:
            seen = await cast(http, electors, oui)
            drainer.start()  # now, to make one batch of them in both elections

            async def counted() -> bool:
                laws = (await http.get("/api/v1/laws")).json()["laws"]
                turnout = next(law["turnout"] for law in laws if law["id"] == OPEN)
                try:
                    metrics = (await http.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
                except httpx.ConnectError:  # the drainer is coming up
                    return False
                waiting = [
                    line for line in metrics.splitlines() if line.startswith("outbox_depth{")
                ]
                return bool(
                    turnout
                    and turnout["ballots"] == VOTERS
                    and all(line.endswith(" 0.0") for line in waiting)
                )

            await until(counted, "the turnout of all voters")
            asked = "/api/v1/results/" + OPEN
            assert (await http.get(asked)).json()["type"] == "/docs#results-not-published"
            app, _ = make_app(
                Settings(ops_token_file=token_file), load_election(file), CollectorRegistry(),
                lambda: None,
            )  # fmt: skip
            paths = [path.replace("{law_id}", OPEN) for path in app.route_paths()]
            assert {asked, "/metrics", "/ops", "/ops/events", "/en/results"} <= set(paths)
            for who, shown in (("voter", ""), ("ops", TOKEN)):
                fetched = await onlookers.pages(edge.url, paths, shown)
                seen |= {f"{who} {path}": text for path, text in fetched.items()}
            metrics = (await http.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
            seen["ops: drainer's metrics"] = onlookers.settled_metrics(metrics)
            for role in ("analyst", "auditor"):
                read = await asyncio.to_thread(onlookers.tables, clickhouse.url, role)
                seen |= {f"{role}: {name}": text for name, text in read.items()}
                as_role = settings | {
                    "clickhouse_url": clickhouse.url.replace("://", f"://{role}@")
                }
                exported = str(directory / f"exported-{role}")
                for arguments in (
                    ("results", "--json"), ("export", exported, "--with-results"),
                    ("roles", "--with-results"), ("roles", "--xml", "--with-results"),
                    ("verify", "--json"), ("verify", "--settled"),
                ):  # fmt: skip
                    said = await onlookers.command(*arguments, **as_role)
                    assert not said.startswith("0 "), arguments
                    seen[f"{role}: scrutin {' '.join(arguments)}".replace(exported, "DIR")] = said
            # whoever has every right is told no choice by these
            for line in ("results", "verify --settled", "roll status", "review list"):
                seen[f"ops: scrutin {line}"] = await onlookers.command(*line.split(), **settings)
    finally:
        drainer.stop()
    for log in ("drain.log", edge.process.log.name):
        assert onlookers.naming_a_choice(directory / log) == []
    seen["log of the drainer"] = onlookers.settled_log(directory / "drain.log")
    seen["log of the edge"] = onlookers.settled_log(edge.process.log)
    return seen


@pytest.mark.timeout(400)
async def test_elections_with_other_choices_look_the_same(
    cluster: LocalCluster,
    before_closing: LocalClickHouse,
    roll: Roll,
    elections: Elections,
    tmp_path: Path,
) -> None:
    """Opposite choices in other proportions: 18 oui of 24, then 3 others."""
    all_but_some = frozenset(range(18))
    seen = [
        await election(
            cluster, before_closing, roll, elections.after_close, oui, tmp_path / f"election-{n}"
        )
        for n, oui in enumerate((all_but_some, frozenset({20, 22, 23})))
    ]
    one, other = seen
    assert one.keys() == other.keys()
    differ = [
        f"{name}: {line}"
        for name in one
        if one[name] != other[name]
        for line in difflib.unified_diff(
            one[name].splitlines(), other[name].splitlines(), lineterm="", n=0
        )
    ]
    assert not differ, "\n".join(differ)


def test_auditors_lack_choices_and_request_ids_and_nothing_else(
    before_closing: LocalClickHouse,
) -> None:
    held = [right for role, right in read_grants(with_results=False) if role == "auditor"]
    for table in ("vote_audit", "ballots", "review_queue"):
        (right,) = (right for right in held if right.endswith(f"scrutin.{table}"))
        granted = set(right.partition("(")[2].partition(")")[0].split(", "))
        asked = f"SELECT name FROM system.columns WHERE table = '{table}' AND database = 'scrutin'"
        columns = set(httpx.post(before_closing.url, content=asked).text.split())
        assert columns - granted == {"vote", "request_id"}


async def test_choices_take_the_same_room_whatever_they_are(
    before_closing: LocalClickHouse,
) -> None:
    async with connected(before_closing.url) as admin:
        await migrate(admin)
    asked = "SELECT table, compression_codec FROM system.columns WHERE name = 'vote' ORDER BY table"
    async with httpx.AsyncClient() as http:
        said = (await http.post(before_closing.url, content=asked)).text.splitlines()
    assert [line for line in said if "CODEC" in line] == [
        "ballots\tCODEC(NONE)", "vote_audit\tCODEC(NONE)",
    ]  # fmt: skip
