"""What the cluster holds of the roll, complete or not."""

from datetime import UTC, datetime

import msgspec

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.errors import RollMissing
from shards.load import count_electors
from shards.roll import RollInfo
from shards.servers import NodeMemory


class Window(msgspec.Struct, frozen=True):
    """When ballots on a law are taken."""

    opens_at: datetime
    closes_at: datetime


class RollStatus(msgspec.Struct, frozen=True):
    """A roll in the cluster.

    `electors_loaded` is counted, not read; `shards_ready` of 256 take ballots; `windows` are the
    laws' as the shards know them; `nodes` are the primaries' memory by "host:port".
    """

    info: RollInfo
    electors_loaded: int
    shards_ready: int
    windows: dict[str, Window]
    outbox_events: int
    nodes: dict[str, NodeMemory]

    @property
    def complete(self) -> bool:
        """Whether every elector can vote."""
        return self.shards_ready == keys.SHARDS and self.electors_loaded == self.info.electors


async def read_status(client: ShardClient) -> RollStatus:
    """Count and read what is loaded; raises `RollMissing` when nothing is, `Unavailable`."""
    metas = [
        dict(zip(pairs[::2], pairs[1::2], strict=True))
        for pairs in await client.call_each(lambda shard: pack("HGETALL", keys.meta_key(shard)))
    ]
    begun = [meta for meta in metas if b"info" in meta]
    if not begun:
        raise RollMissing("no roll is loaded; run `scrutin roll load`")
    info = msgspec.json.decode(begun[0][b"info"], type=RollInfo)
    lengths = await client.call_each(lambda shard: pack("XLEN", keys.outbox_key(shard)))
    return RollStatus(
        info=info,
        electors_loaded=sum(await count_electors(client, info.buckets_per_shard)),
        shards_ready=sum(meta.get(b"ready") == info.roll_id.encode() for meta in metas),
        windows={law_id: _window(begun[0], law_id) for law_id in info.laws},
        outbox_events=sum(lengths),
        nodes=await client.node_memory(),
    )


def _window(meta: dict[bytes, bytes], law_id: str) -> Window:
    opens_ms, closes_ms = (int(meta[f"{edge}:{law_id}".encode()]) for edge in ("opens", "closes"))
    return Window(*(datetime.fromtimestamp(ms / 1000, UTC) for ms in (opens_ms, closes_ms)))
