"""The decision on a ballot, against a plain model of the rules."""

import random
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import pytest

from hashgen import ballot_hash
from shards import keys
from shards.client import ShardClient
from shards.errors import NotConfirmed, RollMissing, SchemeMismatch, ShardsError
from shards.functions import fcall
from shards.outbox import Outbox
from shards.roll import Cast, RollStore
from tests.support.casting import cast_keys
from tests.support.rolls import LAW, Roll, close_at, load, open_election

REPEATS_KEPT = 32


class Model:
    """The rules of casting in a dozen lines of Python: the oracle."""

    def __init__(self, roll: set[bytes]) -> None:
        self._roll = roll
        self._first: dict[bytes, tuple[bytes, str]] = {}
        self._repeats: dict[bytes, list[tuple[bytes, str]]] = {}
        self.events: list[tuple[bytes, str, str, bytes, int]] = []

    def cast(self, ballot: bytes, vote: str, request_id: bytes) -> Cast:
        if ballot not in self._roll:
            self.events.append((ballot, vote, "invalid", request_id, 0))
            return Cast("invalid")
        if ballot not in self._first:
            self._first[ballot] = (request_id, vote)
            self.events.append((ballot, vote, "accepted", request_id, 0))
            return Cast("accepted")
        first_id, first_vote = self._first[ballot]
        if request_id == first_id:
            return Cast("accepted") if vote == first_vote else Cast("conflict")
        repeats = self._repeats.setdefault(ballot, [])
        for number, (repeat_id, repeat_vote) in reversed(list(enumerate(repeats, 1))):
            if number > len(repeats) - REPEATS_KEPT and repeat_id == request_id:
                return Cast("duplicate", number) if vote == repeat_vote else Cast("conflict")
        repeats.append((request_id, vote))
        self.events.append((ballot, vote, "duplicate", request_id, len(repeats)))
        return Cast("duplicate", len(repeats))


class Attempt(NamedTuple):
    ballot: bytes
    vote: str
    request_id: bytes


def attempts(roll: Roll, seed: int, count: int) -> list[Attempt]:
    """Make a mix of first votes, repeats, conflicts, duplicates and strangers."""
    rng = random.Random(seed)
    ballots = [ballot_hash(*elector) for elector in rng.sample(roll.electors, 20)]
    ballots += [rng.randbytes(32) for _ in range(4)]
    made: list[Attempt] = []
    for _ in range(count):
        if made and rng.random() < 0.4:
            again = rng.choice(made)
            vote = again.vote if rng.random() < 0.7 else rng.choice(["oui", "non"])
            made.append(Attempt(again.ballot, vote, again.request_id))
        else:
            vote = rng.choice(["oui", "non"])
            made.append(Attempt(rng.choice(ballots), vote, rng.randbytes(16)))
    return made


@pytest.mark.parametrize("seed", range(4))
async def test_decisions_and_events_follow_the_model(
    store: RollStore, client: ShardClient, roll: Roll, seed: int
) -> None:
    model = Model({ballot_hash(*elector) for elector in roll.electors})
    for attempt in attempts(roll, seed, 1200):
        expected = model.cast(*attempt)
        got = await store.cast(attempt.ballot, LAW, attempt.vote, attempt.request_id)
        assert got == expected, f"seed {seed}"
    batch = await Outbox(client, owner="test").read(100_000)
    events = [(e.vote_hash, e.vote, e.status, e.request_id, e.attempt) for e in batch.events]
    by_shard = sorted(model.events, key=lambda event: event[0][0])  # stable: order within a shard
    assert events == by_shard


async def test_more_repeats_than_are_kept_are_counted_anew(store: RollStore, roll: Roll) -> None:
    ballot = ballot_hash(*roll.electors[0])
    ids = [uuid.uuid4().bytes for _ in range(REPEATS_KEPT + 2)]
    assert await store.cast(ballot, LAW, "oui", ids[0]) == Cast("accepted")
    for number, request_id in enumerate(ids[1:], 1):
        assert await store.cast(ballot, LAW, "non", request_id) == Cast("duplicate", number)
    assert await store.cast(ballot, LAW, "non", ids[2]) == Cast("duplicate", 2)
    assert await store.cast(ballot, LAW, "non", ids[1]) == Cast("duplicate", REPEATS_KEPT + 2)
    assert await store.cast(ballot, LAW, "oui", ids[0]) == Cast("accepted")


async def open_later(client: ShardClient, roll: Roll) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    hours = {"opens_at": soon, "closes_at": soon + timedelta(seconds=100)}
    election = open_election(LAW)
    laws = [msgspec.structs.replace(law, **hours) for law in election.laws]
    await load(client, roll, msgspec.structs.replace(election, laws=laws))


async def close_already(client: ShardClient, _: Roll) -> None:
    await close_at(client, datetime.now(UTC), LAW)


@pytest.mark.parametrize("move", [open_later, close_already])
async def test_outside_the_window(
    store: RollStore,
    client: ShardClient,
    roll: Roll,
    move: Callable[[ShardClient, Roll], Awaitable[None]],
) -> None:
    voted, waiting = (ballot_hash(*elector) for elector in roll.electors[:2])
    assert (await store.cast(voted, LAW, "oui", b"a" * 16)).status == "accepted"
    await move(client, roll)
    assert (await store.cast(waiting, LAW, "oui", b"b" * 16)).status == "closed"
    assert (await store.cast(voted, LAW, "oui", b"c" * 16)).status == "closed"
    # A voter whose answer was lost gets it even after closing.
    assert (await store.cast(voted, LAW, "oui", b"a" * 16)).status == "accepted"
    assert (await store.cast(b"z" * 32, LAW, "oui", b"d" * 16)).status == "invalid"
    batch = await Outbox(client, owner="test").read(100)
    assert sorted(event.status for event in batch.events) == ["accepted", "invalid"]


async def test_the_name_of_no_law_is_not_kept(store: RollStore, client: ShardClient) -> None:
    """A client that mixes up its fields sends a NAS or a code there."""
    for law_id in (LAW, "012345678-ABC123"):
        assert (await store.cast(b"z" * 32, law_id, "oui", b"d" * 16)).status == "invalid"
    batch = await Outbox(client, owner="test").read(100)
    assert [event.law_id for event in batch.events] == [LAW, ""]


async def test_no_ballot_is_decided_before_the_roll_is_complete(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballot = ballot_hash(*roll.electors[0])
    other = RollStore(client, msgspec.structs.replace(store.info, roll_id="f" * 64))
    with pytest.raises(RollMissing):
        await other.cast(ballot, LAW, "oui", b"a" * 16)
    assert (await store.cast(ballot, LAW, "oui", b"a" * 16)).status == "accepted"


async def test_a_primary_confirms_nothing_before_its_replicas_are_counted(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """As one that a call was sent on to, and that the map did not have yet."""
    ballot = ballot_hash(*roll.electors[0])
    for lane in client._lanes.values():
        lane.replicas = None
    with pytest.raises(NotConfirmed, match="how many replicas"):
        await store.cast(ballot, LAW, "oui", b"a" * 16)
    await client.refresh()
    assert (await store.cast(ballot, LAW, "oui", b"a" * 16)).status == "accepted"


async def test_another_scheme_is_refused(store: RollStore, client: ShardClient) -> None:
    with pytest.raises(SchemeMismatch, match="hmac-sha256"):
        await RollStore.open(client, scheme="hmac-sha256", key_fingerprint="0123")


@pytest.mark.parametrize(
    ("place", "bad"),
    [(1, b"f" * 11), (2, b"h" * 31), (4, b"maybe"), (4, b"OUI"), (5, b"short"), (5, b"r" * 17)],
)
async def test_malformed_arguments_write_nothing(
    store: RollStore, client: ShardClient, roll: Roll, place: int, bad: bytes
) -> None:
    """As no edge sends them."""
    ballot = ballot_hash(*roll.electors[0])
    shard, field = keys.shard_of(ballot), keys.field_of(ballot)
    names = cast_keys(ballot, store.info.buckets_per_shard)
    arguments = [store.info.roll_id.encode(), field, ballot, LAW.encode(), b"oui", b"a" * 16]
    arguments[place] = bad
    with pytest.raises(ShardsError, match="malformed"):
        await client.call(shard, fcall("cast", names, *arguments))
    assert (await Outbox(client, owner="test").read(10)).events == []
