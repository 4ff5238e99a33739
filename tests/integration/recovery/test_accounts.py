"""Programs come to ClickHouse as a user with the role of their work alone, as in `k8s/`.

A user of a role's name has that role in the local engine.
"""

import asyncio
import random
from pathlib import Path
from uuid import uuid4

from prometheus_client import CollectorRegistry

from clickhouse.connection import connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.sql import read_migrations
from edge.draining import DrainKeeper, DrainMetrics
from edge.settings import Settings
from shards.localcluster import LocalCluster
from shards.review import ReviewCase, ReviewDesk
from tests.integration.edge.test_commands import scrutin
from tests.integration.recovery.conftest import VOTERS, Day
from tests.support.ballots import cast_all, draw
from tests.support.edges import until
from tests.support.rolls import Roll


def url_of(server: LocalClickHouse, user: str) -> str:
    return server.url.replace("://", f"://{user}@")


async def test_a_drainer_stores_votes_and_decisions_as_drainer(
    day: Day, roll: Roll, cluster: LocalCluster, clickhouse_server: LocalClickHouse
) -> None:
    settings = Settings(redis_url=cluster.url, clickhouse_url=url_of(clickhouse_server, "drainer"))
    keeper, stop = DrainKeeper(settings, DrainMetrics(CollectorRegistry())), asyncio.Event()
    draining = asyncio.create_task(keeper.drain(stop))
    again = await cast_all(day.store, draw(roll, random.Random(18), VOTERS))
    case = ReviewCase("0d" * 32, "duplicate", "L1", 1, 1, 0, 0)
    assert (await ReviewDesk(day.redis).claim(case, "Aude", uuid4())).done

    async def stored() -> bool:
        attempts = await day.clickhouse.command("SELECT count() FROM scrutin.vote_audit FINAL")
        decided = await day.clickhouse.command("SELECT count() FROM scrutin.review_decisions")
        return (attempts, decided) == (len(day.log) + len(again), 1)

    await until(stored, "all attempts and the claim in ClickHouse")
    assert keeper.state == "running"
    stop.set()
    await draining


async def test_a_copy_is_made_as_backup_and_compared_as_verifier(
    day: Day, cluster: LocalCluster, clickhouse_server: LocalClickHouse, tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy")
    code, _, errors = await scrutin(
        "backup", copy, clickhouse_url=url_of(clickhouse_server, "backup")
    )
    assert code == 0, errors
    as_verifier = {
        "redis_url": cluster.url, "clickhouse_url": url_of(clickhouse_server, "verifier"),
    }  # fmt: skip
    code, out, errors = await scrutin("verify", "--settled", **as_verifier)
    assert code == 0, out + errors
    for user in ("verifier", "backup", "auditor"):
        url = url_of(clickhouse_server, user)
        assert (await scrutin("restore", copy, "--add", clickhouse_url=url))[0] == 1


async def test_a_drainer_waits_for_whoever_may_make_the_schema(
    cluster: LocalCluster, clickhouse_server: LocalClickHouse
) -> None:
    async with connected(clickhouse_server.url) as admin:
        await admin.command("DROP DATABASE IF EXISTS scrutin SYNC")
    as_drainer = {
        "redis_url": cluster.url, "clickhouse_url": url_of(clickhouse_server, "drainer"),
    }  # fmt: skip
    code, _, errors = await scrutin("drain", **as_drainer)
    assert (code, errors.count("\n")) == (1, 1)
    assert "lacks 0001_votes.sql" in errors
    assert "scrutin migrate" in errors
    code, out, errors = await scrutin("migrate", clickhouse_url=clickhouse_server.url)
    assert (code, out.count("migration applied")) == (0, len(read_migrations())), errors
    code, out, _ = await scrutin("migrate", clickhouse_url=clickhouse_server.url)
    assert (code, out) == (0, "the schema is this release's\n")
    # Of a schema that is ready it only reads.
    code, out, _ = await scrutin("migrate", clickhouse_url=as_drainer["clickhouse_url"])
    assert (code, out) == (0, "the schema is this release's\n")
