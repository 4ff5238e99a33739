"""What the documented queries must answer, in plain Python, from the events that were stored."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from statistics import median_high
from typing import Any
from zoneinfo import ZoneInfo

from shards.events import OutboxEvent
from tests.support.clickhouse import Oracle, as_time

MANY_ATTEMPTS, MANY_UNKNOWN = 5, 30  # a case of their own from there on
MINUTE, OTTAWA = timedelta(minutes=1), ZoneInfo("America/Toronto")


def minute_of(event: OutboxEvent) -> datetime:
    return as_time(event).replace(second=0, microsecond=0)


def hour_of(event: OutboxEvent) -> datetime:
    return as_time(event).astimezone(OTTAWA).replace(minute=0, second=0, microsecond=0)


def percent(part: int, whole: int) -> float:
    return float(round(Fraction(100 * part, whole), 2))


class Day:
    """The events, seen as the queries see them."""

    def __init__(self, events: list[OutboxEvent]) -> None:
        self.events = events
        self.ballots = list(Oracle(events).ballots.values())
        self.laws = sorted({ballot.law_id for ballot in self.ballots})
        self.minutes = Counter(map(minute_of, self.ballots))

    def of_law(self, law_id: str) -> list[OutboxEvent]:
        return [ballot for ballot in self.ballots if ballot.law_id == law_id]

    def of_status(self, status: str) -> list[OutboxEvent]:
        return [event for event in self.events if event.status == status]

    def again(self) -> dict[str, list[OutboxEvent]]:
        found: dict[str, list[OutboxEvent]] = defaultdict(list)
        for event in self.of_status("duplicate"):
            found[event.vote_hash.hex()].append(event)
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def results(day: Day) -> Iterator[tuple[Any, ...]]:
    for law in day.laws:
        votes = [ballot.vote for ballot in day.of_law(law)]
        oui, latest = votes.count("oui"), max(map(as_time, day.of_law(law)))
        yield law, oui, len(votes) - oui, len(votes), percent(oui, len(votes)), latest


def turnout(day: Day) -> Iterator[tuple[Any, ...]]:
    for law in day.laws:
        minutes = list(map(minute_of, day.of_law(law)))
        yield law, len(minutes), min(minutes), max(minutes)


def turnout_by_hour(day: Day) -> Iterable[tuple[Any, ...]]:
    return sorted(Counter(map(hour_of, day.ballots)).items())


def last_hour(day: Day) -> Iterator[tuple[Any, ...]]:
    latest = max(day.minutes)
    for back in reversed(range(60)):
        yield latest - back * MINUTE, day.minutes[latest - back * MINUTE]


def turnout_so_far(day: Day) -> Iterator[tuple[Any, ...]]:
    for law in day.laws:
        minutes = list(map(minute_of, day.of_law(law)))
        quarters = Counter(minute - minute.minute % 15 * MINUTE for minute in minutes)
        for quarter in sorted(quarters):
            yield law, quarter, sum(n for other, n in quarters.items() if other <= quarter)


def busiest_minutes(day: Day) -> Iterator[tuple[Any, ...]]:
    for minute, total in sorted(day.minutes.items(), key=lambda item: (-item[1], item[0]))[:10]:
        yield minute, total, float(round(Fraction(total, 60), 1))


def quiet_minutes(day: Day) -> Iterator[tuple[Any, ...]]:
    minute = min(day.minutes)
    while (minute := minute + MINUTE) < max(day.minutes):
        if not day.minutes[minute]:
            yield (minute,)


def half_the_ballots(day: Day) -> Iterator[tuple[Any, ...]]:
    for law in day.laws:
        minutes = sorted(map(minute_of, day.of_law(law)))
        # The earliest minute by whose end that part of the ballots is in.
        yield law, [minutes[-(-len(minutes) * part // 4) - 1] for part in (1, 2, 3)]


def attempts_by_outcome(day: Day) -> Iterator[tuple[Any, ...]]:
    for status in ("accepted", "duplicate", "invalid"):
        total = len(day.of_status(status))
        yield status, total, percent(total, len(day.events))


def bursts_of_invalid_attempts(day: Day) -> Iterator[tuple[Any, ...]]:
    invalid = Counter(map(minute_of, day.of_status("invalid")))
    usual = median_high(invalid.values())
    for minute, total in sorted(invalid.items(), key=lambda item: (-item[1], item[0]))[:20]:
        if total > 5 * usual:
            yield minute, total, usual


def tried_again(day: Day) -> Iterable[tuple[Any, ...]]:
    return sorted(Counter(map(len, day.again().values())).items())


def duplicates_by_hour(day: Day) -> Iterator[tuple[Any, ...]]:
    duplicates = Counter(map(hour_of, day.of_status("duplicate")))
    accepted = Counter(map(hour_of, day.of_status("accepted")))
    for hour in sorted(set(map(hour_of, day.events))):
        share = percent(duplicates[hour], accepted[hour]) if accepted[hour] else None
        yield hour, duplicates[hour], accepted[hour], share


def ballots_and_accepted_attempts(day: Day) -> Iterator[tuple[Any, ...]]:
    ballots = Counter(ballot.law_id for ballot in day.ballots)
    accepted = Counter(event.law_id for event in day.of_status("accepted"))
    for law in sorted(accepted):
        if accepted[law] != ballots[law]:
            yield law, accepted[law], ballots[law]


def most_tried_again(day: Day) -> Iterator[tuple[Any, ...]]:
    for vote_hash, events in list(day.again().items())[:20]:
        times = list(map(as_time, events))
        yield vote_hash, len(events), min(times), max(times)


def history_of_a_ballot(day: Day) -> Iterator[tuple[Any, ...]]:
    vote_hash = next(iter(day.again()))
    for event in sorted(day.events, key=lambda event: (event.stream_ms, *event[:3])):
        if event.vote_hash.hex() == vote_hash:
            yield as_time(event), event.law_id, event.status, event.attempt


def refused_lately(day: Day) -> Iterator[tuple[Any, ...]]:
    refused = [event for event in day.events if event.status != "accepted"]
    since = max(map(as_time, refused)) - 10 * MINUTE
    for event in sorted(refused, key=lambda event: (-event.stream_ms, event[0], -event[2])):
        if as_time(event) > since:
            yield (
                as_time(event), event.status, event.law_id, event.vote_hash.hex(), event.attempt,
            )  # fmt: skip


def cases(day: Day) -> Iterator[tuple[Any, ...]]:
    """Nobody has decided anything, and no network was counted."""
    refused = [event for event in day.events if event.status != "accepted"]
    tried = Counter(event.vote_hash for event in refused)
    found: dict[str, list[int]] = defaultdict(list)
    for vote_hash, status in {event.vote_hash: event.status for event in refused}.items():
        many = tried[vote_hash] >= MANY_ATTEMPTS
        found["many-attempts" if many else status].append(tried[vote_hash])
    hours: Counter[datetime] = Counter()
    for minute, hashes in _unknown_by_minute(day).items():
        if len(set(hashes)) >= MANY_UNKNOWN:
            hours[minute.replace(minute=0)] += len(hashes)
    found["unknown-hashes"] = list(hours.values())
    for kind, attempts in sorted(found.items()):
        if attempts:
            yield kind, "open", len(attempts), sum(attempts)


def _unknown_by_minute(day: Day) -> dict[datetime, list[bytes]]:
    found: dict[datetime, list[bytes]] = defaultdict(list)
    for event in day.of_status("invalid"):
        found[minute_of(event)].append(event.vote_hash)
    return found


ANSWERS: dict[str, Callable[[Day], Iterable[tuple[Any, ...]]]] = {
    "01-results": results,
    "02-turnout": turnout,
    "03-turnout-by-hour": turnout_by_hour,
    "04-last-hour": last_hour,
    "05-turnout-so-far": turnout_so_far,
    "06-busiest-minutes": busiest_minutes,
    "07-quiet-minutes": quiet_minutes,
    "08-half-the-ballots": half_the_ballots,
    "09-attempts-by-outcome": attempts_by_outcome,
    "10-bursts-of-invalid-attempts": bursts_of_invalid_attempts,
    "11-tried-again": tried_again,
    "12-duplicates-by-hour": duplicates_by_hour,
    "13-ballots-and-accepted-attempts": ballots_and_accepted_attempts,
    "01-most-tried-again": most_tried_again,
    "02-history-of-a-ballot": history_of_a_ballot,
    "03-refused-lately": refused_lately,
    "04-cases": cases,
}
