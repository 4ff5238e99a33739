"""Removes all that we keep in Redis: a roll, what was voted, and what was published of it.

Whoever calls this makes sure that nothing of it is anybody's vote. In this order: `stop_taking`,
then the proof that nothing else is there, `drainer_seen`, `remove_all`, and at last `keys_left` and
`remove_strays` until there are none. No roll can be loaded from the first step until the last key
that names one is gone; whatever is of a roll afterwards is another's.
"""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from shards import keys
from shards.census import last_events, read_census, read_waiting
from shards.client import ShardClient
from shards.command import pack
from shards.errors import RollConflict, Unavailable
from shards.functions import fcall
from shards.records import ONCE_BYTES
from shards.roll import RollInfo

OURS = "{[0-9a-f][0-9a-f]}:*"
PING = b":ping"  # of edges and `scrutin doctor`, gone within a second: says nothing of anybody
OF_ROLL = (b"meta", b"b:", b"r:", b"out")
OF_ROLL_FROM = len(b"{xx}:")
SCAN_COUNT = 1000
KEYS_A_CALL = 500
DRAINER_LOOK_S = 2.0  # a drainer writes every token some twice a second, unless it is held up


class Mark(NamedTuple):
    """A request that Redis remembers: 16-byte id, and shard and field of its ballot's hash."""

    shard: int
    field: bytes
    request_id: bytes


async def read_marks(client: ShardClient, info: RollInfo) -> set[Mark]:
    """Return every request that voted, tried again or waits; raises `Unavailable`."""
    marks = set()
    census = await read_census(client, range(keys.SHARDS), info.buckets_per_shard)
    lasts = await last_events(client, range(keys.SHARDS))
    for shard, read in census.items():
        for field, record in read.records.items():
            marks.add(Mark(shard, field, record[1:ONCE_BYTES]))
        for field, kept in read.repeats.items():
            for first in range(0, len(kept), ONCE_BYTES):
                marks.add(Mark(shard, field, kept[first : first + ONCE_BYTES - 1]))
        for event in await read_waiting(client, shard, lasts[shard]):
            marks.add(Mark(shard, keys.field_of(event.vote_hash), event.request_id))
    return marks


async def stop_taking(client: ShardClient) -> None:
    """Have no shard take ballots any more, nor a roll; raises `Unavailable`."""
    await client.call_each(lambda shard: fcall("roll_stop", (keys.meta_key(shard),)))


async def let_load(client: ShardClient) -> None:
    """Let rolls be loaded again, of what `stop_taking` stopped; raises `Unavailable`."""
    await client.call_each(lambda shard: pack("HDEL", keys.meta_key(shard), "removing"))


async def take_again(client: ShardClient, roll_id: str) -> None:
    """Undo `stop_taking`; raises `Unavailable`, `ShardsError` when the roll is not there."""
    await let_load(client)
    await client.call_each(lambda shard: fcall("roll_finish", (keys.meta_key(shard),), roll_id))


async def drainer_seen(client: ShardClient) -> bool:
    """Say whether a drainer runs; the outbox must be empty. Raises `Unavailable`."""
    await client.call_each(lambda shard: pack("UNLINK", keys.token_key(shard)))
    await asyncio.sleep(DRAINER_LOOK_S)
    return any(await client.call_each(lambda shard: pack("EXISTS", keys.token_key(shard))))


async def remove_all(client: ShardClient) -> None:
    """Remove every key of ours, what names the roll last; safe to repeat; raises `Unavailable`."""
    found = await keys_left(client)
    metas = {keys.meta_key(shard) for shard in range(keys.SHARDS)}
    await _remove(client, (key for key in found if key not in metas))
    await _remove(client, (key for key in found if key in metas))


async def remove_strays(client: ShardClient, left: Iterable[bytes]) -> None:
    """Remove keys that came back, of `keys_left`.

    Raises `RollConflict` when any is of a roll, and then removes none: somebody loaded it
    meanwhile, and may vote on it. Raises `Unavailable`.
    """
    left = list(left)
    if any(key[OF_ROLL_FROM:].startswith(OF_ROLL) for key in left):
        raise RollConflict(
            "the roll is removed, and one was loaded meanwhile, which is left as it is"
        )
    await _remove(client, left)


async def keys_left(client: ShardClient) -> list[bytes]:
    """Return the keys of ours on all primaries, but for pings; raises `Unavailable`."""
    await client.refresh()
    nodes: dict[str, int] = {}
    for shard, node in enumerate(client.routes()):
        if node is None:
            raise Unavailable(f"no primary serves shard {shard:02x}")
        nodes.setdefault(node, shard)
    found: set[bytes] = set()
    for shard in nodes.values():
        cursor = b"0"
        while True:
            scan = pack("SCAN", cursor, "MATCH", OURS, "COUNT", SCAN_COUNT)
            cursor, some = await client.call(shard, scan)
            found.update(key for key in some if not key.endswith(PING))
            if cursor == b"0":
                break
    return sorted(found)


async def _remove(client: ShardClient, names: Iterable[bytes]) -> None:
    by_shard: dict[int, list[bytes]] = {}
    for name in names:
        by_shard.setdefault(int(name[1:3], 16), []).append(name)
    for shard, held in by_shard.items():
        for first in range(0, len(held), KEYS_A_CALL):
            await client.call(shard, pack("UNLINK", *held[first : first + KEYS_A_CALL]))
