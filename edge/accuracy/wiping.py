"""Wipes what a deck left, once it is proven that nothing else is there, and proves it gone.

A roll that nobody has tried to vote on is unloaded in the same way, with a deck of nothing.
"""

import asyncio
import time

from clickhouse.closing import drain_until
from clickhouse.connection import Connection
from clickhouse.emptying import empty_tables, rows_by_table
from edge.accuracy.comparing import read_tables
from edge.accuracy.deck import Deck
from edge.errors import AccuracyRefused
from shards import keys
from shards.beliefs import ElectionStatus, read_beliefs
from shards.client import ShardClient
from shards.errors import RollConflict
from shards.roll import RollInfo
from shards.wiping import (
    Mark,
    drainer_seen,
    keys_left,
    let_load,
    read_marks,
    remove_all,
    remove_strays,
    stop_taking,
    take_again,
)

NOTHING = Deck([], [], [])
SETTLE_S = 6.0  # within it a running edge hands over what it still has of networks
SETTLE_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 60.0


async def check_untouched(redis: ShardClient, clickhouse: Connection, info: RollInfo) -> None:
    """Raise `AccuracyRefused` unless nobody has tried to vote and no table has a row."""
    if marks := await read_marks(redis, info):
        raise AccuracyRefused(
            f"Redis holds {len(marks):,} attempts to vote: accuracy is rehearsed before the first."
            " If an earlier rehearsal left them: --wipe-only, with its --seed"
        )
    await check_tables_empty(clickhouse)


async def check_tables_empty(clickhouse: Connection) -> None:
    """Raise `AccuracyRefused` when a table that votes fill has rows."""
    held = {name: rows for name, rows in (await rows_by_table(clickhouse)).items() if rows}
    if held:
        names = ", ".join(f"{name} has {rows:,} rows" for name, rows in held.items())
        raise AccuracyRefused(
            f"the tables are not empty: {names}. Are these the stores of an election? If an earlier"
            " rehearsal left them: --wipe-only, with its --seed"
        )


async def wipe(
    redis: ShardClient,
    clickhouse: Connection,
    roll_id: str,
    deck: Deck,
    *,
    settle_s: float = SETTLE_S,
) -> None:
    """Remove roll, votes and rows, if all votes are the deck's; may be killed and run again.

    `settle_s`: how long nothing may come back. Raises `AccuracyRefused`, after which nothing is
    removed and ballots are taken as before, unless it says that something came back or was loaded;
    and the errors of the stores.
    """
    status = await read_beliefs(redis)
    if status.info.roll_id != roll_id:
        raise AccuracyRefused(f"the roll loaded is another one, {status.info.roll_id}")
    taking = _shards_taking(status) == keys.SHARDS  # else an earlier wipe was cut short
    try:
        await check_all_of_deck(redis, clickhouse, status.info, deck)  # first without disturbing
        await stop_taking(redis)
        await check_at_rest(redis, clickhouse, deck)
    except BaseException:
        await (take_again(redis, roll_id) if taking else let_load(redis))
        raise
    await empty_tables(clickhouse)
    await _remove_for_good(redis, settle_s)
    await check_tables_empty(clickhouse)


async def check_at_rest(redis: ShardClient, clickhouse: Connection, deck: Deck) -> None:
    """Check again, now that nothing is decided any more: what is not there never comes."""
    status = await read_beliefs(redis)
    await drain_until(redis, clickhouse, now_ms(status), timeout_s=DRAIN_TIMEOUT_S)
    await check_all_of_deck(redis, clickhouse, status.info, deck)
    if await drainer_seen(redis):
        raise AccuracyRefused("a drainer runs: stop drainers, also edges with --drain, to wipe")


def now_ms(status: ElectionStatus) -> int:
    """Return the time of the servers, by the clock furthest ahead, in ms since 1970."""
    return max(node.clock_ms for node in status.nodes)


def _shards_taking(status: ElectionStatus) -> int:
    rolls = [roll for node in status.nodes for roll in node.rolls.items()]
    return sum(shards for roll, shards in rolls if roll.startswith(status.info.roll_id))


async def check_all_of_deck(
    redis: ShardClient, clickhouse: Connection, info: RollInfo, deck: Deck
) -> None:
    """Raise `AccuracyRefused` when anything is there that the deck did not send."""
    known = {
        Mark(attempt.ballot_hash[0], keys.field_of(attempt.ballot_hash), attempt.request_id.bytes)
        for attempt in deck.attempts
    }
    strange = len(await read_marks(redis, info) - known)
    strange += (await read_tables(clickhouse)).strange(deck)
    if strange and deck == NOTHING:
        raise AccuracyRefused(
            f"there are {strange:,} votes or attempts to vote: nothing is removed. What a rehearsal"
            " left is wiped with `scrutin rehearse-accuracy --wipe-only`"
        )
    if strange:
        raise AccuracyRefused(
            f"{strange:,} votes or attempts are not of this deck: nothing is wiped. If it is an"
            " earlier rehearsal's, give its --electors and --seed; else these are somebody's votes"
        )


async def _remove_for_good(redis: ShardClient, settle_s: float) -> None:
    """Remove every key until none comes back."""
    deadline_s = time.monotonic() + SETTLE_TIMEOUT_S
    await remove_all(redis)
    while True:
        await asyncio.sleep(settle_s)
        left = await keys_left(redis)
        if not left:
            return
        try:
            await remove_strays(redis, left)
        except RollConflict as error:
            raise AccuracyRefused(str(error)) from error
        if time.monotonic() > deadline_s:
            raise AccuracyRefused(
                f"{len(left):,} keys came back to Redis: something still writes. Stop drainers and"
                " edges, and wipe again with --wipe-only"
            )
