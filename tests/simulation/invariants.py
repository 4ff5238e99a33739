"""What must hold when the day is over and the outbox is empty, from the voters' own log."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

import msgspec

from shards import keys
from shards.results import ResultsSnapshot
from tests.simulation.cluster import Cluster
from tests.simulation.plan import Plan, Request
from tests.simulation.voters import Answered
from tests.simulation.warehouse import Row, Warehouse, event_name


def violations(
    plan: Plan, answers: list[Answered], warehouse: Warehouse, cluster: Cluster, *, one_clock: bool
) -> Iterator[str]:
    """Yield every broken promise."""
    sent: dict[bytes, list[Request]] = defaultdict(list)
    for request in plan.requests:
        sent[request.request_id].append(request)
    yield from _answers_agree(answers)
    yield from _ballots(plan, answers, warehouse, sent)
    yield from _accepted_once(warehouse)
    yield from _audit(answers, warehouse, sent)
    yield from _duplicates(answers, warehouse)
    yield from _roll(plan, warehouse, cluster)
    yield from _published(warehouse, cluster, one_clock=one_clock)


def _answers_agree(answers: list[Answered]) -> Iterator[str]:
    """The same request gets the same answer, whenever and wherever it is sent again."""
    first: dict[tuple[bytes, str], Answered] = {}
    for answer in answers:
        key = answer.request.request_id, answer.request.vote
        if first.setdefault(key, answer).cast != answer.cast:
            yield f"{_name(answer.request)} got {first[key].cast} and then {answer.cast}"


def _ballots(
    plan: Plan,
    answers: list[Answered],
    warehouse: Warehouse,
    sent: dict[bytes, list[Request]],
) -> Iterator[str]:
    """Invariants 1 to 3."""
    ballots = warehouse.ballots()
    roll = {(law, ballot.hex()) for ballot, law in plan.roll}
    for key, row in ballots.items():
        if key not in roll:
            yield f"{key[1][:8]} is in ballots and not on the roll"
        if not any(_is(request, row) for request in sent[row["request_id"]]):
            yield f"{key[1][:8]} is in ballots as nobody sent it"
    for request, cast in answers:
        if cast.status == "accepted":
            kept = ballots.get((request.law, request.ballot.hex()))
            if kept is None:
                yield f"{_name(request)} was answered accepted and is not in ballots"
            elif not _is(request, kept):
                yield f"{_name(request)} was answered accepted and another ballot counts"


def _accepted_once(warehouse: Warehouse) -> Iterator[str]:
    """Invariant 2: no two events accepted one ballot, even if the table would hide the second."""
    events: dict[tuple[str, str], set[tuple[int, int, int]]] = defaultdict(set)
    for row in warehouse.tables["ballots"]:
        events[row["law_id"], row["vote_hash"]].add(event_name(row))
    for key, names in events.items():
        if len(names) > 1:
            yield f"{key[1][:8]} was accepted {len(names)} times"


def _audit(
    answers: list[Answered], warehouse: Warehouse, sent: dict[bytes, list[Request]]
) -> Iterator[str]:
    """Invariant 4."""
    by_request: dict[tuple[bytes, str], list[Row]] = defaultdict(list)
    audit = warehouse.audit()
    for row in audit.values():
        by_request[row["request_id"], row["vote"]].append(row)
        if not any(_is(request, row) for request in sent[row["request_id"]]):
            yield f"event {event_name(row)} is in vote_audit as nobody sent it"
    for row in warehouse.tables["vote_audit"]:
        if row != audit[event_name(row)]:
            yield f"event {event_name(row)} is in vote_audit with two contents"
    for request, cast in answers:
        rows = by_request[request.request_id, request.vote]
        if cast.status == "conflict":
            other = "non" if request.vote == "oui" else "oui"
            if rows or not by_request[request.request_id, other]:
                yield f"{_name(request)} was answered conflict and no other choice is recorded"
            continue
        if not rows or {(row["status"], row["attempt"]) for row in rows} != {cast}:
            yield f"{_name(request)} was answered {cast} and vote_audit has {len(rows)} rows"
        elif len(rows) > 1 and cast.status != "invalid":
            yield f"{_name(request)} is {len(rows)} times in vote_audit"


def _duplicates(answers: list[Answered], warehouse: Warehouse) -> Iterator[str]:
    """Invariant 6: the attempts of a ballot are 1, 2, 3 and so on, each one answered or unknown."""
    attempts: dict[str, list[int]] = defaultdict(list)
    for row in warehouse.audit().values():
        if row["status"] == "duplicate":
            attempts[row["vote_hash"]].append(row["attempt"])
    for vote_hash, numbers in attempts.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            yield f"{vote_hash[:8]} has the attempts {sorted(numbers)}"
    told = Counter(
        (answer.request.ballot, answer.cast.attempt_count, answer.request.request_id)
        for answer in answers
        if answer.cast.status == "duplicate"
    )
    for (ballot, number), count in Counter(key[:2] for key in told).items():
        if count > 1:
            yield f"{ballot.hex()[:8]}: {count} requests were told to be attempt {number}"


def _roll(plan: Plan, warehouse: Warehouse, cluster: Cluster) -> Iterator[str]:
    """Invariants 3 and 5: what Redis remembers is what ClickHouse counts, and no event is left."""
    ballots = warehouse.ballots()
    attempts = Counter(
        row["vote_hash"] for row in warehouse.audit().values() if row["status"] == "duplicate"
    )
    for ballot, law in plan.roll:
        shard = keys.shard_of(ballot)
        store = cluster.primary(cluster.group_of(shard)).store
        record = store.hashes[keys.bucket_key(shard, 0)][keys.field_of(ballot)]
        row = ballots.get((law, ballot.hex()))
        count = attempts[ballot.hex()]
        expected = b"0"
        if row is not None:
            number = b"%d" % count if count else b""
            expected = row["vote"][:1].encode() + row["request_id"] + number
        if record != expected:
            yield f"{ballot.hex()[:8]}: Redis and ClickHouse do not say the same"


def _published(warehouse: Warehouse, cluster: Cluster, *, one_clock: bool) -> Iterator[str]:
    """The results end true, and never claimed to be complete up to a time when they were not."""
    snapshot = published(cluster)
    if snapshot is None or not same_tally(snapshot, warehouse):
        yield f"published {snapshot}, in ballots {warehouse.tallies()}"
    decided_ms = [row["stream_ms"] for row in warehouse.ballots().values()]
    log = cluster.primary(cluster.group_of(0)).log if one_clock else []
    counted_before = 0
    for effect in chain.from_iterable(log):
        if effect[:2] == ("SET", keys.results_key()):
            claim = msgspec.json.decode(effect[2], type=ResultsSnapshot)
            counted = sum(tally.oui_count + tally.non_count for tally in claim.tallies)
            due = sum(ms < claim.complete_until_ms for ms in decided_ms)
            if counted < due:
                yield f"published {counted} ballots as complete when there were {due}"
            if counted < counted_before:
                yield f"published {counted} ballots after {counted_before}"
            counted_before = counted


def published(cluster: Cluster) -> ResultsSnapshot | None:
    """Return the tally that edges would serve."""
    value, _ = cluster.primary(cluster.group_of(0)).store.strings.get(keys.results_key(), (None, 0))
    return None if value is None else msgspec.json.decode(value, type=ResultsSnapshot)


def same_tally(snapshot: ResultsSnapshot, warehouse: Warehouse) -> bool:
    """Tell whether a published tally is the count of ballots."""
    tallies = [(tally.law_id, tally.oui_count, tally.non_count) for tally in snapshot.tallies]
    return tallies == warehouse.tallies()


def _is(request: Request, row: Row) -> bool:
    told = request.ballot.hex(), request.law, request.vote, request.request_id
    return told == (row["vote_hash"], row["law_id"], row["vote"], row["request_id"])


def _name(request: Request) -> str:
    return f"request {request.request_id.hex()[:8]}"
