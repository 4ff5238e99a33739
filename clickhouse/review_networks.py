"""Networks whose votes were refused often in an hour, copied from Redis to ClickHouse."""

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver import AsyncClient

from clickhouse.retry import classified
from shards.client import ShardClient
from shards.networks import NetworkCount, read_counts

REFUSED_MIN = 30  # in an hour: with fewer a network is never stored, and forgotten in two days
HOUR_FORMAT = "%Y%m%dT%H"
_COLUMNS = {
    "hour": "DateTime('UTC')",
    "network": "String",
    "duplicates": "UInt64",
    "invalid": "UInt64",
    "refused": "UInt64",
}


async def copy_networks(redis: ShardClient, clickhouse: AsyncClient, now: datetime) -> None:
    """Copy the counts of this hour and the one before; safe to repeat.

    Raises ClickHouseUnavailable, ClickHouseRejected, or shards' Unavailable.
    """
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    rows: list[list[object]] = []
    for hour in (this_hour - timedelta(hours=1), this_hour):
        counts = await read_counts(redis, hour.strftime(HOUR_FORMAT))
        rows += [_row(hour, count) for count in counts if _refused(count) >= REFUSED_MIN]
    if not rows:
        return
    with classified():
        await clickhouse.insert(
            "scrutin.review_networks",
            rows,
            column_names=list(_COLUMNS),
            column_type_names=list(_COLUMNS.values()),
            settings={"async_insert": 0},
        )


def _refused(count: NetworkCount) -> int:
    return count.duplicates + count.invalid


def _row(hour: datetime, count: NetworkCount) -> list[object]:
    return [hour, count.tag, count.duplicates, count.invalid, _refused(count)]
