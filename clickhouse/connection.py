"""The connection to ClickHouse, with the settings that we rely on."""

import clickhouse_connect
from clickhouse_connect.driver import AsyncClient

from clickhouse.retry import classified

CONNECT_TIMEOUT_S = 5


async def connect(url: str, *, timeout_s: float = 30.0) -> AsyncClient:
    """Connect to `http[s]://user:password@host:port`.

    `timeout_s` bounds the wait for any answer. Statements name their database themselves, which
    may not exist yet. Raises ClickHouseUnavailable, ClickHouseRejected.
    """
    with classified():
        return await clickhouse_connect.get_async_client(
            dsn=url,
            compress="lz4",
            connect_timeout=min(CONNECT_TIMEOUT_S, timeout_s),
            send_receive_timeout=timeout_s,
            # Retries are ours: they have to know what is safe to repeat.
            query_retries=0,
            # A session would allow one statement at a time.
            autogenerate_session_id=False,
        )
