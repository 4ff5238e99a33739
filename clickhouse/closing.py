"""After the last vote: the outbox drained, and every store held to the same counts."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec
from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.errors import Unreconciled
from clickhouse.migrations import migrate
from clickhouse.tally import read_tallies
from clickhouse.verify import Progress, Verification, Verifier
from hashgen.database import HashDatabase
from shards.census import last_events, read_waiting
from shards.client import ShardClient
from shards.errors import Unavailable
from shards.keys import SHARDS
from shards.outbox import Outbox
from shards.results import LawTally, ResultsSnapshot, read_results

LOOK_S = 0.2
OWNER = "scrutin close"

Waiting = Callable[[int, int], None]  # told how many attempts of how many are drained


class LawCounts(msgspec.Struct, frozen=True):
    """A law's counts.

    `invalid`: of its hours; `late`: decided after closing, 0 unless a clock was set back.
    """

    law_id: str
    electors: int
    accepted: int
    duplicates: int
    invalid: int
    late: int
    ballots: int
    oui: int
    non: int


async def drain_until(
    redis: ShardClient,
    clickhouse: AsyncClient,
    until_ms: int,
    *,
    timeout_s: float,
    waiting: Waiting | None = None,
) -> ResultsSnapshot:
    """Drain, with other drainers or alone, until results hold all that was decided by `until_ms`.

    Nothing may be left in the outbox that was decided before this server time. Returns the results
    as published. Raises Unreconciled after `timeout_s`, and what a drainer raises.
    """
    await migrate(clickhouse)
    outbox = Outbox(redis, owner=OWNER)
    drainer = Drainer(outbox, redis, clickhouse, DrainOptions(publish_ms=0))
    deadline_s = time.monotonic() + timeout_s
    most = 0
    try:
        while True:
            await drainer.run_once()
            published = await read_results(redis)
            if published is not None and published.complete_until_ms > until_ms:
                return published
            depths = await outbox.depth()
            left = sum(depth.events for depth in depths.values())
            most = max(most, left)
            if waiting is not None:
                waiting(most - left, most)
            if time.monotonic() > deadline_s:
                raise Unreconciled(_why_not(left, SHARDS - len(depths), timeout_s))
            await asyncio.sleep(LOOK_S)
    finally:
        with contextlib.suppress(Unavailable):  # the leases then expire by themselves
            await outbox.release()


def _why_not(left: int, silent: int, timeout_s: float) -> str:
    if silent:
        return (
            f"{silent} shards do not answer after {timeout_s:g} s, and what waits there is not"
            " known: see `scrutin doctor`, and try again"
        )
    if left:
        why = f"the outbox is not drained after {timeout_s:g} s, {left:,} attempts wait"
        return f"{why}: see whether drainers run, and try again"
    return (
        f"the outbox is empty, and after {timeout_s:g} s results do not say so: perhaps those that"
        " are published count ballots that the tables lack, as after the restore of a copy; see"
        " `scrutin verify`, and ClickHouse in docs/recovery.md"
    )


async def reconcile(
    redis: ShardClient,
    clickhouse: AsyncClient,
    electors: Mapping[str, int],
    closes_ms: Mapping[str, int],
    progress: Progress | None = None,
    *,
    database: HashDatabase | None = None,
) -> tuple[Verification, list[LawCounts]]:
    """Compare all stores, and count the laws in `closes_ms`, which must be frozen and drained.

    `electors`: on the roll, by law; `closes_ms`: when each law closed; `database`: checked, to look
    for every elector in. Raises what a `Verifier` raises, and Unreconciled when
    accepted attempts, ballots, tally and published results of a law differ or anything else does,
    and when votes of a law still wait in the outbox.
    """
    waiting = await _waiting(redis, closes_ms)
    found = await Verifier(redis, clickhouse, database=database).run(progress)
    faults = [f"{kind}: {count}" for kind, count in sorted(found.differences_by_kind.items())]
    faults += [f"law {law_id}: {count:,} votes wait in the outbox" for law_id, count in waiting]
    tallies = {tally.law_id: tally for tally in await read_tallies(clickhouse)}
    snapshot = await read_results(redis)
    published = {tally.law_id: tally for tally in (snapshot.tallies if snapshot else [])}
    counts = []
    for law_id, closed_ms in sorted(closes_ms.items()):
        none = LawTally(law_id, 0, 0)
        tally, shown = tallies.get(law_id, none), published.get(law_id, none)
        law = await _count(clickhouse, law_id, electors[law_id], closed_ms, tally)
        counts.append(law)
        if shown != tally:
            faults.append(f"law {law_id}: the results published are not the tally")
        if law.accepted != law.ballots:
            faults.append(f"law {law_id}: {law.accepted:,} accepted, {law.ballots:,} ballots")
        if law.ballots > law.electors:
            faults.append(f"law {law_id}: {law.ballots:,} ballots, {law.electors:,} electors")
    if faults:
        raise Unreconciled(
            f"the stores do not say the same, nothing is certified: {'; '.join(faults)}."
            " `scrutin verify` lists each difference"
        )
    return found, counts


async def _waiting(redis: ShardClient, law_ids: Iterable[str]) -> list[tuple[str, int]]:
    """Count what waits in the outbox of votes that were taken, by law, those without any left out.

    Frozen laws take none any more: what waits now was not drained, whatever was published.
    """
    counts: Counter[str] = Counter()
    for shard, last in (await last_events(redis, range(SHARDS))).items():
        counts.update(
            event.law_id
            for event in await read_waiting(redis, shard, last)
            if event.status in {"accepted", "duplicate"}
        )
    return sorted((law_id, counts[law_id]) for law_id in law_ids if counts[law_id])


async def _count(
    clickhouse: AsyncClient, law_id: str, electors: int, closes_ms: int, tally: LawTally
) -> LawCounts:
    parameters = {"law_id": law_id, "closes_ms": closes_ms}
    [(accepted, duplicates, invalid, late)] = await read_rows(
        clickhouse, "law_attempts", tuple[int, int, int, int], parameters
    )
    return LawCounts(
        law_id=law_id,
        electors=electors,
        accepted=accepted,
        duplicates=duplicates,
        invalid=invalid,
        late=late,
        ballots=tally.oui_count + tally.non_count,
        oui=tally.oui_count,
        non=tally.non_count,
    )
