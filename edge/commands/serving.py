"""`scrutin serve` and `scrutin drain`."""

import logging
import os
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from edge import logs
from edge.cautions import unknown_settings
from edge.commands.running import run, settings_of, stop_on_signals, with_settings
from edge.settings import Settings

logger = logging.getLogger(__name__)


@with_settings(*Settings.__struct_fields__)
def serve(
    *,
    drain: Annotated[
        bool, Parameter(negative="", help="Also drain the outbox to ClickHouse in this process.")
    ] = False,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Serve the API and the voters' pages until SIGTERM or Ctrl-C.

    Serves at once and is ready when Redis is writable and the roll loaded. Votes in flight are
    answered before it ends. Exits 2 when the settings, the election file or the loaded roll do
    not fit together.
    """

    async def work() -> None:
        from edge.serve import serve as serve_until_stopped

        settings = _begin(flags)
        await serve_until_stopped(settings, os.environ, drain=drain)

    return run(work)


@with_settings(
    "redis_url", "redis_timeout_s", "clickhouse_url", "durability", "min_replicas",
    "durability_timeout_ms", "tls_cert_file", "tls_key_file", "log_level", "log_format",
)  # fmt: skip
def drain(
    *,
    metrics_port: Annotated[
        int | None,
        Parameter(
            help="Serve the drainer's metrics on this port.", validator=Number(gte=1, lte=65535)
        ),
    ] = None,
    metrics_host: Annotated[
        str, Parameter(help="Address that the metrics are served on.")
    ] = "127.0.0.1",
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Move votes from the outbox to ClickHouse until SIGTERM or Ctrl-C.

    Applies missing migrations first. Any number of drainers may run; ClickHouse or Redis being
    away is waited out. Exits 1 when ClickHouse refuses for a reason that waiting does not cure.
    """

    async def work() -> None:
        from edge.drain import drain_until_stopped

        settings = _begin(flags)
        await drain_until_stopped(settings, stop_on_signals(), metrics_port, metrics_host)

    return run(work)


def _begin(flags: dict[str, Any]) -> Settings:
    """Return the settings, with logs as they say; what is none of them is logged."""
    settings = settings_of(flags)
    logs.configure(settings.log_level, settings.log_format)
    for caution in unknown_settings(os.environ):
        logger.warning("%s", caution)
    return settings
