"""Freezing a law: after closing, no shard takes ballots on it any more, whatever becomes of it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from shards import keys
from shards.beliefs import ElectionStatus, moment
from shards.client import ShardClient
from shards.command import pack
from shards.errors import LawOpen
from shards.functions import fcall


def check_closed(status: ElectionStatus, law_ids: Sequence[str]) -> None:
    """Raise `LawOpen` unless these laws are closed, by the clock of every shard's primary."""
    for law_id in law_ids:
        for law in status.laws(law_id):
            if law.state == "no window":
                raise LawOpen(f"{law.shards} shards have no window for law {law_id}")
            if law.state in ("waiting", "open"):
                what = "is still open" if law.state == "open" else "has not opened"
                raise LawOpen(f"law {law_id} {what}; it closes at {moment(law.closes_at_ms)}")


class Frozen(NamedTuple):
    """Server times in ms, by the clock furthest ahead.

    `at_ms`: when the last shard was frozen, perhaps by an earlier call. `decided_ms`: of this call;
    whatever was decided on these laws was decided before.
    """

    at_ms: int
    decided_ms: int


async def freeze(client: ShardClient, roll_id: str, law_ids: Sequence[str]) -> Frozen:
    """Freeze laws in every shard, durably; safe to repeat.

    Raises `LawOpen` when a shard's window is not over, `Unavailable`.
    """
    at_ms = decided_ms = 0
    for law_id in law_ids:
        replies = await client.call_each(partial(_freeze_command, roll_id, law_id))
        decided_ms = max(decided_ms, *(now_ms for now_ms, _ in replies))
        at_ms = max(at_ms, *(frozen_ms for _, frozen_ms in replies))
        if still_open := sum(not frozen_ms for _, frozen_ms in replies):
            raise LawOpen(
                f"law {law_id} is not closed in {still_open} shards: were its hours changed?"
                " Load the roll again with the hours as they were, then close again"
            )
    return Frozen(at_ms, decided_ms)


async def frozen_at_ms(client: ShardClient, law_ids: Sequence[str]) -> int | None:
    """Return when the last shard was frozen, as `freeze` does; None unless all laws are in all.

    Raises `Unavailable`.
    """
    fields = [f"frozen:{law_id}" for law_id in law_ids]
    replies = await client.call_each(lambda shard: pack("HMGET", keys.meta_key(shard), *fields))
    times = [time for reply in replies for time in reply]
    return None if None in times else max(map(int, times))


def _freeze_command(roll_id: str, law_id: str, shard: int) -> bytes:
    return fcall("roll_freeze", (keys.meta_key(shard),), roll_id, law_id)
