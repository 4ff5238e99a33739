"""What the cluster holds of the roll, complete or not."""

from collections.abc import Sequence
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
    metas = await client.call_each(
        lambda shard: pack("HMGET", keys.meta_key(shard), "info", "ready")
    )
    begun = [info for info, _ in metas if info is not None]
    if not begun:
        raise RollMissing("no roll is loaded; run `scrutin roll load`")
    info = msgspec.json.decode(begun[0], type=RollInfo)
    lengths = await client.call_each(lambda shard: pack("XLEN", keys.outbox_key(shard)))
    return RollStatus(
        info=info,
        electors_loaded=sum(await count_electors(client, info.buckets_per_shard)),
        shards_ready=sum(roll_id == info.roll_id.encode() for _, roll_id in metas),
        windows=await read_windows(client, list(info.laws)),
        outbox_events=sum(lengths),
        nodes=await client.node_memory(),
    )


async def read_windows(client: ShardClient, law_ids: Sequence[str]) -> dict[str, Window]:
    """Read the laws' windows as the shards that answer know them; raises `Unavailable`.

    While a load that changes a window goes on, shards differ: from the first opening to the last
    closing, ballots are taken somewhere. A law that no shard knows is left out.
    """
    fields = [f"{edge}:{law_id}" for law_id in law_ids for edge in ("opens", "closes")]
    answers = await client.call_reachable(
        (shard, pack("HMGET", keys.meta_key(shard), *fields)) for shard in range(keys.SHARDS)
    )
    windows = {}
    for place, law_id in enumerate(law_ids):
        known = [
            (int(times[2 * place]), int(times[2 * place + 1]))
            for times in answers.values()
            if None not in times[2 * place : 2 * place + 2]
        ]
        if known:
            opens_ms, closes_ms = min(known)[0], max(closes_ms for _, closes_ms in known)
            windows[law_id] = Window(_moment(opens_ms), _moment(closes_ms))
    return windows


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
