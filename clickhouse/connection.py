"""The connection to ClickHouse, with the settings that we rely on."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

import clickhouse_connect
from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseRejected
from clickhouse.retry import classified

Connection: TypeAlias = AsyncClient  # the name for packages that do not know the driver
CONNECT_TIMEOUT_S = 5
FILE_OPTIONS = frozenset({"ca_cert", "client_cert", "client_cert_key"})
WHOLE_TABLES_TIMEOUT_S = 600.0  # for what reads or writes whole tables


async def connect(url: str, *, timeout_s: float = 30.0) -> AsyncClient:
    """Connect to `http[s]://user:password@host:port`.

    `timeout_s` bounds the wait for any answer. Statements name their database themselves, which
    may not exist yet. A client's certificate in the URL proves who the user is only where it has no
    password. Raises ClickHouseUnavailable, ClickHouseRejected.
    """
    # What it logs it also raises, and a row that it cannot encode is in both.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    parts = urlsplit(url)
    _check_files(parts.query)
    try:
        with classified():
            return await clickhouse_connect.get_async_client(
                dsn=url,
                # By itself the driver goes by the port, and would speak plain HTTP on all but two.
                interface=parts.scheme,
                # Else it would send the certificate's name in place of the password.
                tls_mode="strict" if parts.password else "mutual",
                compress="lz4",
                connect_timeout=min(CONNECT_TIMEOUT_S, timeout_s),
                send_receive_timeout=timeout_s,
                # Retries are ours: they have to know what is safe to repeat.
                query_retries=0,
                # A session would allow one statement at a time.
                autogenerate_session_id=False,
            )
    except TypeError as error:  # the driver's, of what it takes by name
        options = ", ".join(sorted({option for option, _ in parse_qsl(parts.query)}))
        raise ClickHouseRejected(
            f"ClickHouse: its URL has an option that the driver does not know, among {options}"
        ) from error


def _check_files(query: str) -> None:
    """Name the file of the URL that cannot be read: the driver's error does not."""
    for option, value in parse_qsl(query):
        if option in FILE_OPTIONS:
            try:
                Path(value).open("rb").close()
            except OSError as error:
                reason = f"{value} cannot be read: {error.strerror}"
                raise ClickHouseRejected(f"{option} of the ClickHouse URL: {reason}") from error


@asynccontextmanager
async def connected(url: str, *, timeout_s: float = 30.0) -> AsyncIterator[AsyncClient]:
    """Yield a client as `connect` makes it, and close it after; raises as `connect`."""
    client = await connect(url, timeout_s=timeout_s)
    try:
        yield client
    finally:
        await client.close()
