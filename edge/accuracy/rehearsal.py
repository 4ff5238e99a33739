"""One rehearsal: refused where it must not be, then cast, drained, compared and perhaps wiped."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from clickhouse.closing import drain_until
from clickhouse.connection import Connection
from clickhouse.errors import ClickHouseError, Unreconciled
from clickhouse.migrations import migrate
from edge.accuracy.casting import cast, check_edges
from edge.accuracy.comparing import LawFound, compare
from edge.accuracy.deck import Deck, make_deck
from edge.accuracy.electors import read_cards
from edge.accuracy.report import DIFFERENCES_MAX, AccuracyReport
from edge.accuracy.wiping import SETTLE_S, check_untouched, now_ms, wipe
from edge.errors import AccuracyRefused
from hashgen import VERSION, BallotHasher
from hashgen.progress import Report, accumulating
from shards.beliefs import ElectionStatus, read_beliefs
from shards.census import on_roll
from shards.client import ShardClient
from shards.errors import ShardsError
from shards.keys import SHARDS
from shards.roll import RollInfo


class Plan(msgspec.Struct, frozen=True):
    """What was asked for. `wipe`: the roll id given for it, None for no wiping."""

    electors: Path
    urls: Sequence[str]
    seed: int
    wipe: str | None
    wipe_only: bool
    drain_timeout_s: float
    settle_s: float = SETTLE_S


async def rehearse(
    redis: ShardClient, clickhouse: Connection, hasher: BallotHasher, plan: Plan, report: Report
) -> AccuracyReport:
    """Rehearse, or only wipe; raises `AccuracyRefused` before the first vote, and stores' errors.

    What is refused after the first vote is in the report.
    """
    status = await read_beliefs(redis)
    _check_roll(status, hasher, plan)
    deck = make_deck(read_cards(plan.electors, hasher), hasher, plan.seed)
    await migrate(clickhouse)
    if plan.wipe_only:
        assert plan.wipe is not None
        await wipe(redis, clickhouse, plan.wipe, deck, settle_s=plan.settle_s)
        return _report(status, deck, plan, wiped=True)
    _check_laws(status, deck)
    await _check_on_roll(redis, status.info, deck)
    await check_edges(plan.urls)
    await check_untouched(redis, clickhouse, status.info)
    report("casting", 0, len(deck.attempts))
    answers, differences = await cast(
        plan.urls, deck, lambda done, total: report("casting", done, total)
    )
    found, more = await _compare(redis, clickhouse, deck, plan, report)
    differences += more
    wiped, refused = False, ""
    if plan.wipe is not None and differences:
        refused = "there are differences, whose traces stay to be looked at"
    elif plan.wipe is not None:
        try:
            await wipe(redis, clickhouse, plan.wipe, deck, settle_s=plan.settle_s)
            wiped = True
        except (AccuracyRefused, ClickHouseError, ShardsError) as error:  # the report is due
            refused = str(error)
    result = _report(status, deck, plan, wiped=wiped)
    return msgspec.structs.replace(
        result,
        answers={str(http): count for http, count in sorted(answers.items())},
        found=found,
        differences_total=len(differences),
        differences=differences[:DIFFERENCES_MAX],
        passed=not differences,
        not_wiped_because=refused,
    )


async def _compare(
    redis: ShardClient, clickhouse: Connection, deck: Deck, plan: Plan, report: Report
) -> tuple[list[LawFound], list[str]]:
    """Drain as a closing does, and compare; an outbox that does not drain is a difference."""
    late: list[str] = []
    try:
        await drain_until(
            redis,
            clickhouse,
            now_ms(await read_beliefs(redis)),
            timeout_s=plan.drain_timeout_s,
            waiting=lambda done, total: report("draining", done, total),
        )
    except Unreconciled as error:
        late = [str(error)]
    compared = accumulating(report, "comparing", SHARDS)
    found, differences = await compare(redis, clickhouse, deck, compared)
    return found, late + differences


def _check_roll(status: ElectionStatus, hasher: BallotHasher, plan: Plan) -> None:
    info = status.info
    if plan.wipe not in (None, info.roll_id):
        raise AccuracyRefused(f"--wipe names another roll: the one loaded is {info.roll_id}")
    if (info.scheme, info.key_fingerprint) != (hasher.scheme, hasher.key_fingerprint):
        raise AccuracyRefused(
            f"the roll was hashed with {info.scheme}, key {info.key_fingerprint or '-'}: give its"
            " --hash-scheme and --hash-key-file"
        )


def _check_laws(status: ElectionStatus, deck: Deck) -> None:
    """Raise `AccuracyRefused` unless every law of the roll is open everywhere and in the deck."""
    if status.faults:
        raise AccuracyRefused(f"the nodes do not agree: {'; '.join(status.faults)}")
    decked = {card.law_id for card in deck.cards}
    if missing := sorted(set(status.info.laws) - decked):
        raise AccuracyRefused(f"the deck has no electors for law {', '.join(missing)}")
    for law_id in sorted(status.info.laws):
        if any(law.state != "open" for law in status.laws(law_id)):
            raise AccuracyRefused(
                f"law {law_id} is not open: load the roll with hours that are, and after the wipe"
                " with the right ones"
            )


async def _check_on_roll(redis: ShardClient, info: RollInfo, deck: Deck) -> None:
    hashes = {card.ballot_hash for card in deck.cards}
    unknown = {attempt.ballot_hash for attempt in deck.later if attempt.kind == "unknown"}
    found = await on_roll(redis, hashes | unknown, info.buckets_per_shard)
    if missing := len(hashes - found):
        raise AccuracyRefused(
            f"{missing:,} of the deck's {len(hashes):,} electors are not on the roll loaded"
        )
    if unknown & found:
        raise AccuracyRefused("an unknown elector of the deck is on the roll: give another --seed")


def _report(status: ElectionStatus, deck: Deck, plan: Plan, *, wiped: bool) -> AccuracyReport:
    """Return the report of a run that cast nothing."""
    return AccuracyReport(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        software=f"scrutin {VERSION}",
        roll=status.info,
        seed=plan.seed,
        deck=deck.laws(),
        wiped=wiped,
    )
