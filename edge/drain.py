"""A drainer alone in a process."""

import asyncio
import contextlib
from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server

from clickhouse.errors import ClickHouseUnavailable
from edge import collector
from edge.depth import depth_measured
from edge.draining import RETRY_PAUSE_S, DrainKeeper, DrainMetrics
from edge.errors import StartError
from edge.metrics import make_registry
from edge.settings import Settings
from shards.errors import Unavailable


async def drain_until_stopped(
    settings: Settings, stop: asyncio.Event, metrics_port: int | None, metrics_host: str
) -> None:
    """Drain until `stop` is set.

    Raises `SettingsError`, `StartError` when the metrics' port is taken, and what
    `DrainKeeper.drain` raises unless it passes by itself.
    """
    settings.check_tls()
    registry = make_registry()
    metrics = DrainMetrics(registry)
    keeper = DrainKeeper(settings, metrics)
    async with contextlib.AsyncExitStack() as stack:
        if metrics_port is not None:
            stack.callback(_serve_metrics(metrics_host, metrics_port, settings, registry))
        await stack.enter_async_context(depth_measured(settings.redis_options(), metrics.depth))
        collector.settle()
        while not stop.is_set():
            try:
                await keeper.drain(stop)
            except (ClickHouseUnavailable, Unavailable) as error:
                keeper.waits(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_PAUSE_S)


def _serve_metrics(
    host: str, port: int, settings: Settings, registry: CollectorRegistry
) -> Callable[[], None]:
    cert, key = settings.tls_cert_file, settings.tls_key_file
    try:
        server, _ = start_http_server(
            port,
            addr=host,
            registry=registry,
            certfile=str(cert) if cert else None,
            keyfile=str(key) if key else None,
        )
    except OSError as error:
        where = f"--metrics-host {host}, --metrics-port {port}"
        raise StartError(f"{where}: {error.strerror}") from error

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close
