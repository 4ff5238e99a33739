"""What the stores hold, held against the deck: every row, every count, and what is published."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from clickhouse.connection import Connection
from clickhouse.history import History, shard_ranges
from clickhouse.tally import read_tallies
from clickhouse.totals import AGAIN, ATTEMPTS, AUDIT, read_totals
from clickhouse.verify import Verifier
from edge.accuracy.deck import Deck, Event
from shards.client import ShardClient
from shards.results import LawTally, read_results

STATUSES = ("accepted", "duplicate", "invalid")
Progress = Callable[[int], None]  # told how many shards were compared since the last call


class LawFound(msgspec.Struct, frozen=True):
    """What was found of a law: attempts in `vote_audit` by status, the count, what is published."""

    law_id: str
    accepted: int
    duplicate: int
    invalid: int
    oui: int
    non: int
    published_oui: int
    published_non: int


class BallotRow(NamedTuple):
    """What must be in `ballots` of a ballot; ids and hashes as bytes."""

    ballot_hash: bytes
    law_id: str
    vote: str
    request_id: bytes


Row = TypeVar("Row", Event, BallotRow)


class Rows(NamedTuple):
    """What the tables hold, how many times each."""

    events: Counter[Event]
    ballots: Counter[BallotRow]

    def strange(self, deck: Deck) -> int:
        """Count the rows whose request is none of the deck's."""
        known = {(attempt.request_id.bytes, attempt.ballot_hash) for attempt in deck.attempts}
        rows: list[Event | BallotRow] = [*self.events, *self.ballots]
        return sum((row.request_id, row.ballot_hash) not in known for row in rows)


async def read_tables(clickhouse: Connection) -> Rows:
    """Read both tables whole; raises ClickHouseUnavailable, ClickHouseRejected."""
    history = History(clickhouse)
    rows = Rows(Counter(), Counter())
    for shards in shard_ranges(max(await history.rows())):
        for event in await history.events(shards):
            rows.events[Event(*event[3:])] += 1
        for ballot in await history.ballots(shards):
            rows.ballots[BallotRow(*ballot[3:])] += 1
    return rows


async def compare(
    redis: ShardClient, clickhouse: Connection, deck: Deck, progress: Progress | None = None
) -> tuple[list[LawFound], list[str]]:
    """Return what is found of each law, and each difference, of a system that is at rest.

    Raises what a `Verifier` raises.
    """
    rows = await read_tables(clickhouse)
    counted = {tally.law_id: tally for tally in await read_tallies(clickhouse)}
    snapshot = await read_results(redis)
    published = {tally.law_id: tally for tally in (snapshot.tallies if snapshot else [])}
    verification = await Verifier(redis, clickhouse, settled=True).run(progress)
    faults = _rows_of("vote_audit", rows.events, deck.events)
    ballots = [
        BallotRow(*event[:3], event.request_id)
        for event in deck.events
        if event.status == "accepted"
    ]
    faults += _rows_of("ballots", rows.ballots, ballots)
    faults += _counts_of(deck, rows, await read_totals(clickhouse))
    for name, tallies in (("counted", counted), ("published", published)):
        faults += _tallies_of(name, tallies, deck.tallies)
    faults += [
        f"verify: {kind}: {count}"
        for kind, count in sorted(verification.differences_by_kind.items())
    ]
    laws = sorted({*counted, *published, *(law.law_id for law in deck.laws())})
    return [_found(law_id, rows, counted, published) for law_id in laws], faults


def _rows_of(table: str, found: Counter[Row], expected: Iterable[Row]) -> list[str]:
    """Name the requests whose rows differ; what else is in a row stays unsaid."""
    right = Counter(expected)
    faults = [
        f"{table}: request {UUID(bytes=row.request_id)}: not the deck's" for row in found - right
    ]
    faults += [f"{table}: request {UUID(bytes=row.request_id)}: missing" for row in right - found]
    return sorted(faults)


def _counts_of(deck: Deck, rows: Rows, totals: Counter[str]) -> list[str]:
    """Hold the attempts by status, and the views that count them, against the deck."""
    events = deck.events
    again = [event for event in events if event.status == "duplicate"]
    right = {AUDIT: len(events), AGAIN: len({e.ballot_hash for e in again}), ATTEMPTS: len(again)}
    faults = [_differs(name, totals[name], count) for name, count in right.items()]
    for status in STATUSES:
        found, should = _having(rows.events.elements(), status), _having(events, status)
        faults.append(_differs(f"{status} attempts", found, should))
    return [fault for fault in faults if fault]


def _having(events: Iterable[Event], status: str) -> int:
    return sum(event.status == status for event in events)


def _tallies_of(name: str, found: dict[str, LawTally], right: list[LawTally]) -> list[str]:
    expected = {tally.law_id: tally for tally in right}
    faults = []
    for law_id in sorted({*found, *expected}):
        none = LawTally(law_id, 0, 0)
        was, should = found.get(law_id, none), expected.get(law_id, none)
        label = f"law {law_id}, {name}"
        faults.append(_differs(f"{label} oui", was.oui_count, should.oui_count))
        faults.append(_differs(f"{label} non", was.non_count, should.non_count))
    return [fault for fault in faults if fault]


def _found(
    law_id: str, rows: Rows, counted: dict[str, LawTally], published: dict[str, LawTally]
) -> LawFound:
    none = LawTally(law_id, 0, 0)
    mine = Counter(event.status for event in rows.events.elements() if event.law_id == law_id)
    count, shown = counted.get(law_id, none), published.get(law_id, none)
    return LawFound(
        law_id,
        mine["accepted"],
        mine["duplicate"],
        mine["invalid"],
        count.oui_count,
        count.non_count,
        shown.oui_count,
        shown.non_count,
    )


def _differs(name: str, found: int, right: int) -> str:
    return "" if found == right else f"{name}: {found:,} found, {right:,} in the deck"
