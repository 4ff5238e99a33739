"""Votes cast straight into the roll, with a log of every answer."""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

from hashgen import ballot_hash
from shards.roll import Cast, RollStore
from tests.support.rolls import Elector, Roll

AT_ONCE = 200


class Vote(NamedTuple):
    """A vote to send; `ballot` is its 32-byte hash."""

    ballot: bytes
    law_id: str
    vote: str
    request_id: bytes


class Answered(NamedTuple):
    """A vote and what the roll decided."""

    vote: Vote
    cast: Cast


def vote_of(elector: Elector, rng: random.Random) -> Vote:
    """Fill in an elector's ballot at random."""
    ballot = ballot_hash(*elector)
    return Vote(ballot, elector.law_id, rng.choice(("oui", "non")), rng.randbytes(16))


def stranger(law_id: str, rng: random.Random) -> Vote:
    """Fill in the ballot of somebody who is not on the roll."""
    return Vote(rng.randbytes(32), law_id, "oui", rng.randbytes(16))


def draw(roll: Roll, rng: random.Random, voters: int) -> list[Vote]:
    """Draw a day: so many voters, a third as many further attempts, one voter's forty, strangers.

    The further attempts of a voter come after the first.
    """
    electors = rng.sample(roll.electors, voters)
    again = rng.choices(electors, k=voters // 3) + electors[:1] * 40
    strangers = [stranger(elector.law_id, rng) for elector in electors[: voters // 20]]
    return [vote_of(elector, rng) for elector in (*electors, *again)] + strangers


async def cast_all(store: RollStore, votes: Sequence[Vote]) -> list[Answered]:
    """Cast votes, many at once but in order, and return what was answered."""
    log: list[Answered] = []
    for first in range(0, len(votes), AT_ONCE):
        part = votes[first : first + AT_ONCE]
        casts = await asyncio.gather(*(store.cast(*vote) for vote in part))
        log += [Answered(vote, cast) for vote, cast in zip(part, casts, strict=True)]
    return log
