"""PostgreSQL: the count, the audit of every attempt, the duplicates."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, Self

from psycopg import AsyncConnection

from tests.load.baseline.broker import Vote

_ADD = """
INSERT INTO vote_results (law_id, oui_count, non_count) VALUES (%s, %s, %s)
ON CONFLICT (law_id) DO UPDATE SET oui_count = vote_results.oui_count + excluded.oui_count,
    non_count = vote_results.non_count + excluded.non_count, updated_at = NOW()
"""
_AUDIT = "COPY vote_audit (vote_hash, law_id, vote, status, timestamp) FROM STDIN"
_DUPLICATE = """
INSERT INTO duplicate_attempts (vote_hash, attempt_count) VALUES (%s, %s)
ON CONFLICT (vote_hash) DO UPDATE SET last_attempt = NOW(),
    attempt_count = GREATEST(duplicate_attempts.attempt_count, excluded.attempt_count)
"""
_TALLY = "SELECT oui_count, non_count FROM vote_results WHERE law_id = %s"

Status = Literal["accepted", "duplicate", "invalid"]


class Decision(NamedTuple):
    """What a worker found; `attempt_count` is of duplicates, 1 for the first."""

    status: Status
    attempt_count: int = 0


class Tally(NamedTuple):
    """Votes counted."""

    oui_count: int
    non_count: int


class Ledger:
    """One connection to the baseline's database."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect; raises psycopg.OperationalError."""
        return cls(await AsyncConnection.connect(url, autocommit=True))

    async def migrate(self) -> None:
        """Create the tables."""
        await self._connection.execute(Path(__file__).with_name("schema.sql").read_bytes())

    async def count(self, votes: Sequence[Vote]) -> None:
        """Add accepted votes to the count and to the audit, in one transaction."""
        counts = Counter((vote.law_id, vote.vote) for vote in votes)
        async with self._connection.transaction():
            for law_id in {vote.law_id for vote in votes}:
                added = law_id, counts[law_id, "oui"], counts[law_id, "non"]
                await self._connection.execute(_ADD, added)
            await self._audit([(vote, "accepted") for vote in votes])

    async def refuse(self, refused: Sequence[tuple[Vote, Decision]]) -> None:
        """Record duplicate and invalid attempts, in one transaction."""
        async with self._connection.transaction():
            for vote, decision in refused:
                if decision.status == "duplicate":
                    duplicate = vote.hash, decision.attempt_count
                    await self._connection.execute(_DUPLICATE, duplicate)
            await self._audit([(vote, decision.status) for vote, decision in refused])

    async def tally(self, law_id: str) -> Tally:
        """Return a law's count, zero before its first vote."""
        cursor = await self._connection.execute(_TALLY, (law_id,))
        row = await cursor.fetchone()
        return Tally(*row) if row else Tally(0, 0)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _audit(self, attempts: Sequence[tuple[Vote, Status]]) -> None:
        async with self._connection.cursor() as cursor, cursor.copy(_AUDIT) as copy:
            for vote, status in attempts:
                at = datetime.fromtimestamp(vote.timestamp, UTC).replace(tzinfo=None)
                await copy.write_row((vote.hash, vote.law_id, vote.vote, status, at))
