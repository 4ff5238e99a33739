"""One vote, from its fields to the roll's decision: shared by the API and the pages."""

import logging
import time
from collections.abc import Callable
from time import perf_counter
from uuid import UUID

from edge.logs import Sparingly
from edge.metrics import EdgeMetrics
from edge.problems import (
    INTERNAL,
    NOT_CONFIRMED,
    NOT_READY,
    OVERLOADED,
    UNAVAILABLE,
    ProblemKind,
)
from hashgen import BallotHasher, normalise_vote
from shards.errors import NotConfirmed, Overloaded, RollMissing, ShardsError, Unavailable
from shards.roll import Cast, RollStore

COMPLAINT_PAUSE_S = 5.0  # a mistake of ours may come with every vote
logger = logging.getLogger(__name__)


class VotingDesk:
    """Casts votes against whichever roll is open at the moment, so many at once."""

    def __init__(
        self,
        hasher: BallotHasher,
        roll: Callable[[], RollStore | None],
        metrics: EdgeMetrics,
        in_flight_max: int,
    ) -> None:
        self.in_flight = 0  # votes whose request is whole and that are not decided yet
        self._in_flight_max = in_flight_max
        self._hash = hasher.hash
        self._roll = roll
        self._metrics = metrics
        self._complaints = Sparingly(COMPLAINT_PAUSE_S, time.monotonic)

    async def cast(self, nas: str, code: str, law_id: str, vote: str, request_id: UUID) -> Cast:
        """Decide a vote.

        Raises `FieldError` for a malformed field, `Overloaded` when too many votes are in flight,
        `Unavailable` and its other kinds, `ShardsError`.
        """
        started = perf_counter()
        ballot_hash = self._hash(nas, code, law_id)
        choice = normalise_vote(vote)
        metrics = self._metrics
        metrics.submitted()
        roll = self._roll()
        if roll is None:
            raise RollMissing("no roll is open")
        if self.in_flight >= self._in_flight_max:
            raise Overloaded(f"{self.in_flight} votes are in flight already")
        self.in_flight += 1
        try:
            cast = await roll.cast(ballot_hash, law_id, choice, request_id.bytes)
        finally:
            self.in_flight -= 1
        metrics.validation_took(perf_counter() - started)
        metrics.decided(cast)
        return cast

    def problem_of(self, error: ShardsError, request_id: UUID) -> ProblemKind:
        """Return what a voter is told when the roll gave no decision.

        What does not pass by itself is somebody's mistake: it is logged, and no voter is told to
        send the vote again.
        """
        match error:
            case NotConfirmed():
                return NOT_CONFIRMED
            case Overloaded():
                return OVERLOADED
            case RollMissing():
                return NOT_READY
            case Unavailable():
                return UNAVAILABLE
        if self._complaints.may_say(type(error)):
            # Redis repeats the arguments of a command that it does not know: a ballot's hash
            reason = str(error).partition(", with args")[0]
            logger.error(
                "votes fail: %s: %s",
                type(error).__name__,
                reason,
                extra={"request_id": str(request_id)},
            )
        return INTERNAL
