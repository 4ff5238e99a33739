"""A drainer alone in a process."""

import asyncio
import contextlib
from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server

from clickhouse.errors import ClickHouseUnavailable
from edge.draining import RETRY_PAUSE_S, DrainKeeper, DrainMetrics
from edge.errors import StartError
from edge.settings import Settings
from shards.errors import Unavailable


async def drain_until_stopped(
    settings: Settings, stop: asyncio.Event, metrics_port: int | None
) -> None:
    """Drain until `stop` is set.

    Raises `StartError` when the metrics' port is taken, and what `DrainKeeper.drain` raises
    unless it passes by itself.
    """
    registry = CollectorRegistry()
    keeper = DrainKeeper(settings, DrainMetrics(registry))
    with contextlib.ExitStack() as stack:
        if metrics_port is not None:
            stack.callback(_serve_metrics(metrics_port, registry))
        while not stop.is_set():
            try:
                await keeper.drain(stop)
            except (ClickHouseUnavailable, Unavailable) as error:
                keeper.waits(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_PAUSE_S)


def _serve_metrics(port: int, registry: CollectorRegistry) -> Callable[[], None]:
    try:
        server, _ = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise StartError(f"--metrics-port {port}: {error.strerror}") from error

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close
