"""An entry that somebody wrote into the outbox by hand: said, kept, and in nobody's way."""

import asyncio
import re
from pathlib import Path

import httpx

from clickhouse.local.process import LocalClickHouse
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.ports import free_ports
from tests.integration.edge.conftest import Elections
from tests.integration.edge.test_commands import scrutin
from tests.support.edges import drainer_process, until

STRANGE, SOUND = 0, 255


async def test_it_is_one_line_and_holds_up_its_own_shard_alone(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> None:
    clickhouse = LocalClickHouse(tmp_path / "clickhouse")
    await clickhouse.astart()
    settings = {
        "redis_url": loaded.url,
        "clickhouse_url": clickhouse.url,
        "election": elections.live,
    }
    port = free_ports(1)[0]
    drainer = drainer_process(tmp_path, port, **settings)
    redis = await ShardClient.connect(RedisOptions(loaded.url))

    async def add(shard: int, *fields: bytes | str | int) -> bytes:
        reply = await redis.call(shard, pack("XADD", keys.outbox_key(shard), "*", *fields))
        assert isinstance(reply, bytes)
        return reply

    async def guess(shard: int) -> None:
        ballot = bytes([shard]) + bytes(31)
        await add(
            shard, "h", ballot, "l", "L2025-001", "v", "oui", "s", "invalid", "r", bytes(16), "n", 0
        )

    async def depth(group: str) -> float:
        assert drainer.alive, drainer.log_tail()
        async with httpx.AsyncClient() as http:
            try:
                metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
            except httpx.TransportError:
                return -1
        found = re.search(rf'outbox_depth{{shard_group="{group}"}} (\S+)', metrics)
        return float(found[1]) if found else -1

    async def drained_but_for(strange: float) -> bool:
        return (await depth("0"), await depth("f")) == (strange, 0.0)

    try:
        entry = await add(STRANGE, "note", "operator test")
        await guess(STRANGE)
        await guess(SOUND)
        drainer.start()
        await until(lambda: drained_but_for(2), "all but one shard drained")
        code, _, errors = await scrutin("verify", **settings)
        assert (code, len(errors.splitlines())) == (1, 1), errors
        assert f"XDEL {{00}}:out {entry.decode()}" in errors
        assert drainer.log.read_text().count("A shard is not drained") in (1, 2)
        assert "Traceback" not in drainer.log.read_text()
        await redis.call(STRANGE, pack("XDEL", keys.outbox_key(STRANGE), entry))
        await until(lambda: drained_but_for(0), "all drained")
        assert (await scrutin("verify", **settings))[0] == 0
        assert drainer.stop() == 0, drainer.log_tail()
    finally:
        drainer.stop()
        await redis.aclose()
        await asyncio.to_thread(clickhouse.stop)
