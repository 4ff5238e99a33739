"""The commands of recovery as an operator runs them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickhouse.local.process import LocalClickHouse
from shards import keys
from shards.command import pack
from shards.localcluster import LocalCluster
from tests.integration.edge.conftest import LAW_TOML, TOML
from tests.integration.edge.test_commands import scrutin
from tests.integration.recovery.conftest import LAWS, VOTERS, Day
from tests.support.rolls import Roll, empty


@pytest.fixture
def election(tmp_path: Path) -> Path:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    laws = "".join(
        LAW_TOML.format(
            id=law_id, opens_at=(now - hour).isoformat(), closes_at=(now + hour).isoformat()
        )
        for law_id in LAWS
    )
    path = tmp_path / "election.toml"
    path.write_text(TOML.format(results="live") + laws)
    return path


async def test_everything_lost_but_copy_and_hash_database(
    day: Day,
    roll: Roll,
    cluster: LocalCluster,
    clickhouse_server: LocalClickHouse,
    election: Path,
    tmp_path: Path,
) -> None:
    stores = {"redis_url": cluster.url, "clickhouse_url": clickhouse_server.url}
    code, out, errors = await scrutin("verify", "--settled", "--json", **stores)
    assert code == 0, out + errors
    before = json.loads(out)
    assert (before["voted"], before["differences_total"]) == (VOTERS, 0)

    copy = str(tmp_path / "copy")
    code, out, errors = await scrutin("backup", copy, **stores)
    assert (code, f"{VOTERS} rows" in out) == (0, True), errors
    assert (await scrutin("backup", copy, **stores))[0] == 1
    await day.clickhouse.command("DROP DATABASE scrutin SYNC")
    await empty(cluster)

    code, _, errors = await scrutin("restore", copy, **stores)
    assert code == 0, errors
    code, _, errors = await scrutin("restore", copy, **stores)
    assert (code, "--add" in errors) == (1, True)
    code, _, errors = await scrutin("restore", copy, "--add", **stores)
    assert code == 0, errors
    code, _, errors = await scrutin("verify", **stores)
    assert (code, "no roll is loaded" in errors) == (1, True)

    database = str(roll.database.directory)
    code, out, errors = await scrutin("replay", database, election=election, **stores)
    assert (code, f"{VOTERS} written now" in out) == (0, True), errors
    code, out, errors = await scrutin("verify", "--settled", "--json", **stores)
    assert (code, json.loads(out)) == (0, before), out + errors


async def test_verify_names_each_difference_and_exits_1(
    day: Day, cluster: LocalCluster, clickhouse_server: LocalClickHouse
) -> None:
    accepted = [a.vote for a in day.log if a.cast.status == "accepted"][:30]
    for vote in accepted:
        bucket = keys.bucket_of(vote.ballot, day.store.info.buckets_per_shard)
        command = pack(
            "HSET", keys.bucket_key(vote.ballot[0], bucket), keys.field_of(vote.ballot), "0"
        )
        await day.redis.call(vote.ballot[0], command)
    stores = {"redis_url": cluster.url, "clickhouse_url": clickhouse_server.url}
    code, out, _ = await scrutin("verify", "--limit", "10", **stores)
    assert code == 1
    listed = [line.split()[1] for line in out.splitlines() if line.startswith("not-voted")]
    assert len(listed) == 10
    assert set(listed) <= {vote.ballot.hex() for vote in accepted}
    assert "and 20 more" in out
    assert "differences  30" in out


async def test_replay_into_a_cluster_in_use_is_exit_code_2(
    day: Day,
    roll: Roll,
    cluster: LocalCluster,
    clickhouse_server: LocalClickHouse,
    election: Path,
) -> None:
    code, _, errors = await scrutin(
        "replay",
        str(roll.database.directory),
        election=election,
        redis_url=cluster.url,
        clickhouse_url=clickhouse_server.url,
    )
    assert (code, "empty cluster" in errors) == (2, True)
