"""`scrutin doctor` finds what keeps edges and drainers from working, and says what helps."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.readiness import DRAINED
from shards.localcluster import LocalCluster
from shards.ports import free_ports
from tests.integration.clickhouse.conftest import clickhouse_server
from tests.integration.edge.conftest import OPEN, Elections, write_election
from tests.integration.edge.test_commands import scrutin

__all__ = ["clickhouse_server"]


@pytest.fixture
async def bare(clickhouse_server: LocalClickHouse) -> AsyncIterator[AsyncClient]:
    """A ClickHouse in which no drainer was yet."""
    async with connected(clickhouse_server.url) as client:
        await client.command("DROP DATABASE IF EXISTS scrutin SYNC")
        yield client
        await client.command("DROP DATABASE IF EXISTS scrutin SYNC")


@pytest.fixture
def settings(
    loaded: LocalCluster, elections: Elections, clickhouse_server: LocalClickHouse
) -> dict[str, object]:
    return {
        "redis_url": loaded.url,
        "election": elections.live,
        "clickhouse_url": clickhouse_server.url,
    }


async def lines(settings: dict[str, object]) -> tuple[int, dict[str, str]]:
    """Return the exit code, and by check what was found and what is advised."""
    code, out, errors = await scrutin("doctor", **settings)
    assert errors == ""
    found: dict[str, str] = {}
    check = ""
    for line in out.splitlines():
        if not line.startswith("      "):
            check = line.split()[1]
        found[check] = found.get(check, "") + line + "\n"
    return code, found


async def test_a_misspelt_variable(settings: dict[str, object]) -> None:
    code, found = await lines(settings | {"redis_uri": "redis://x"})
    assert code == 1
    assert "did you mean SCRUTIN_REDIS_URL?" in found["environment"]


async def test_an_election_of_other_laws_than_the_rolls(
    settings: dict[str, object], bare: AsyncClient, tmp_path: Path
) -> None:
    """`serve` would refuse it, too."""
    other = write_election(tmp_path / "other.toml", "live", {OPEN: (-1, 1), "L2031-001": (1, 2)})
    code, found = await lines(settings | {"election": other})
    assert code == 1
    assert found["election"].startswith("ok")
    assert found["roll"].startswith("wrong")
    assert "which the election file lacks" in found["roll"]
    assert "--election" in found["roll"]
    code, found = await lines({**settings, "election": tmp_path / "nowhere.toml"})
    assert code == 1
    assert found["election"].startswith("wrong")
    assert found["roll"].startswith("ok")


async def test_a_roll_of_another_scheme(settings: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "key").chmod(0o600)
    keyed = {"hash_scheme": "hmac-sha256", "hash_key_file": tmp_path / "key"}
    code, found = await lines(settings | keyed)
    assert code == 1
    assert "SCRUTIN_HASH_KEY_FILE" in found["roll"]


async def test_without_redis_nothing_is_said_of_the_roll(settings: dict[str, object]) -> None:
    nowhere = f"redis://127.0.0.1:{free_ports(1)[0]}"
    code, found = await lines(settings | {"redis_url": nowhere})
    assert code == 1
    assert "SCRUTIN_REDIS_URL" in found["Redis"]
    assert "not looked at" in found["roll"]
    assert "scrutin roll load" not in found["roll"]


async def test_a_server_that_may_forget(settings: dict[str, object], loaded: LocalCluster) -> None:
    async with loaded.nodes[0].client() as redis:
        await redis.config_set("appendfsync", "everysec")
        try:
            code, found = await lines(settings)
        finally:
            await redis.config_set("appendfsync", "always")
    assert code == 1
    assert "appendfsync everysec, needed is always" in found["Redis"]
    assert "CONFIG SET" in found["Redis"]
    assert "start the cluster" not in found["Redis"]


async def test_before_the_first_drainer(settings: dict[str, object], bare: AsyncClient) -> None:
    url = str(settings["clickhouse_url"])
    for as_user in (url, url.replace("://", "://drainer@")):
        code, found = await lines(settings | {"clickhouse_url": as_user})
        assert code == 0, found
        assert found["ClickHouse"].startswith("weak")
        assert "scrutin migrate" in found["ClickHouse"]
    await migrate(bare)
    code, found = await lines(settings)
    assert code == 0, found
    assert found["ClickHouse"].startswith("ok")


@pytest.mark.parametrize("table", DRAINED)
async def test_a_table_that_was_dropped(
    settings: dict[str, object], bare: AsyncClient, table: str
) -> None:
    await migrate(bare)
    await bare.command(f"DROP TABLE scrutin.{table} SYNC")
    code, found = await lines(settings)
    assert code == 1
    assert f"{table}: " in found["ClickHouse"]
    assert "UNKNOWN_TABLE" in found["ClickHouse"]
    assert "comes from a copy" in found["ClickHouse"]


async def test_a_schema_of_an_earlier_release(
    settings: dict[str, object], bare: AsyncClient
) -> None:
    """A drainer brings it up to date, unless its user may not."""
    await migrate(bare)
    await bare.command("DELETE FROM scrutin.schema_migrations WHERE name LIKE '0008%'")
    code, found = await lines(settings)
    assert code == 0, found
    assert found["ClickHouse"].startswith("weak")
    assert "the schema lacks 0008_no_law.sql" in found["ClickHouse"]
    url = str(settings["clickhouse_url"]).replace("://", "://drainer@")
    code, found = await lines(settings | {"clickhouse_url": url})
    assert code == 1
    assert "may not change it" in found["ClickHouse"]
    assert "as a user who may, `scrutin migrate`" in found["ClickHouse"]
