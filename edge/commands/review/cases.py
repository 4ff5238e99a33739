"""What the commands on the review queue share: both stores open, cases found and written out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.review import Queue, read_cases
from edge.commands.stores import redis_of
from edge.errors import SettingsError
from edge.settings import Settings
from shards.errors import ReviewRefused
from shards.review import ReviewCase, ReviewDesk, Standing, checked_auditor, checked_case_id


@asynccontextmanager
async def queue_of(settings: Settings, *, reading: bool = False) -> AsyncIterator[Queue]:
    """Yield the queue; raises as `redis_of` and `connected` do."""
    async with (
        redis_of(settings, reading=reading) as redis,
        connected(settings.clickhouse_url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
    ):
        yield Queue(ReviewDesk(redis), clickhouse)


async def find_case(queue: Queue, case_id: str) -> ReviewCase:
    """Return a case by its id; raises `ReviewRefused` when there is none."""
    found = await read_cases(queue.clickhouse, case_id=checked_case_id(case_id), limit=1)
    if not found:
        raise ReviewRefused(
            "there is no such case: it may not be in ClickHouse yet, or have too few attempts"
        )
    return found[0]


def auditor_of(settings: Settings) -> str:
    """Return the auditor's name; raises `SettingsError`, `ReviewRefused`."""
    if settings.auditor is None:
        raise SettingsError("SCRUTIN_AUDITOR (or --auditor) must name the auditor")
    return checked_auditor(settings.auditor)


def written(at_ms: int) -> str:
    """Return a time in ms since 1970 as it is written out, in UTC; empty for 0."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%F %T}" if at_ms else ""


def described(standing: Standing) -> str:
    """Return how a case stands, in a few words."""
    match standing.state:
        case "claimed":
            return f"claimed by {standing.auditor} until {written(standing.until_ms)}"
        case "resolved":
            return f"resolved by {standing.auditor}: {standing.decision}"
        case "grown":
            return f"grown since {standing.auditor} decided: {standing.decision}"
    return "open"
