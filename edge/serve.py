"""`scrutin serve`: an edge in this process, with a drainer if asked for.

One process, one event loop: more edges are more processes, and kill -9 leaves no orphan.
"""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Mapping

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from edge import collector
from edge.app import EdgeApp, make_app
from edge.backend import Backend
from edge.cautions import roll_without_key
from edge.draining import DrainKeeper, DrainMetrics
from edge.errors import StartError
from edge.metrics import make_registry
from edge.settings import Settings
from edge.tracing import tracing, wanted
from hashgen import VERSION
from shards.election import load_election

FIRST_LOOK_S = 5.0
HEADERS_BYTES_MAX = 16_384
BACKLOG = 4096
FILES_BESIDES_CONNECTIONS = 256
logger = logging.getLogger(__name__)


async def serve(settings: Settings, env: Mapping[str, str], *, drain: bool) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight and return.

    Votes are traced if OpenTelemetry's variables in `env` say whereto.

    Raises `StartError`, `SettingsError`, and `ConfigurationError` at any time that the roll in
    Redis turns out not to be the one that the settings describe.
    """
    election = load_election(settings.election_file())
    registry = make_registry()
    keeper = DrainKeeper(settings, DrainMetrics(registry)) if drain else None
    with tracing(env) if wanted(env) else contextlib.nullcontext(EdgeApp) as make_edge:
        app, backend = make_app(
            settings, election, registry, lambda: keeper.state if keeper else None, make_edge
        )
        await serve_app(app, backend, keeper, settings)


async def serve_app(
    app: EdgeApp, backend: Backend, keeper: DrainKeeper | None, settings: Settings
) -> None:
    """Serve an application; raises as `serve` does."""
    settings.check_shutdown()
    settings.check_tls()
    address = await _address(settings)
    _allow_connections(settings.connections_max)
    try:
        # A roll that is not ours must show before the first request, one that is late need not.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(backend.look(), FIRST_LOOK_S)
        if backend.refusal is not None:
            raise backend.refusal
        await _run(_server(app, address, settings), app, backend, keeper, settings)
    finally:
        await backend.aclose()


async def _run(
    server: Server,
    app: EdgeApp,
    backend: Backend,
    keeper: DrainKeeper | None,
    settings: Settings,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    collector.settle()
    serving = asyncio.create_task(server.serve())
    watching = asyncio.create_task(backend.watch())
    stopping = asyncio.create_task(stop.wait())
    draining = asyncio.create_task(keeper.run(stop)) if keeper else None
    logger.info(
        "scrutin %s serves on %s://%s:%d, durability %s, %s",
        VERSION,
        "https" if settings.tls_cert_file else "http",
        settings.host,
        settings.port,
        settings.durability,
        "ready" if backend.ready else "not ready yet",
    )
    if settings.durability == "memory":
        logger.warning("durability is memory: votes answered 202 can be lost, for benchmarks only")
    if caution := roll_without_key(settings):
        logger.warning("%s", caution)
    await asyncio.wait({serving, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    logger.info("stopping: answering %d votes in flight", app.desk.in_flight)
    app.stop_being_ready()
    if stop.is_set() and settings.shutdown_delay_s:
        await asyncio.sleep(settings.shutdown_delay_s)
    stop.set()
    server.stop()  # type: ignore[no-untyped-call]
    tasks = [serving, *([draining] if draining else [])]
    _, late = await asyncio.wait(tasks, timeout=settings.shutdown_timeout_s)
    if late:
        logger.error("gave up on %d votes in flight", app.desk.in_flight)
    for task in (watching, stopping, *late):
        task.cancel()
    ended = await asyncio.gather(serving, watching, stopping, *tasks, return_exceptions=True)
    if backend.refusal is not None:
        raise backend.refusal
    for result in ended:
        if isinstance(result, Exception):
            raise result


def _server(app: EdgeApp, address: str, settings: Settings) -> Server:
    return Server(
        app,
        address=address,
        port=settings.port,
        interface=Interfaces.ASGINL,  # what a lifespan would do, `serve` does
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=settings.connections_max,
        http1_settings=HTTP1Settings(
            header_read_timeout=round(settings.header_timeout_s * 1000),
            max_buffer_size=HEADERS_BYTES_MAX,
        ),
        ssl_cert=settings.tls_cert_file,
        ssl_key=settings.tls_key_file,
        ssl_protocol_min=SSLProtocols.tls12,
        log_level=LogLevels.error,
        log_dictconfig={
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {},
            "handlers": {},
            "loggers": {},
        },
    )


async def _address(settings: Settings) -> str:
    """Return the address to listen on, and make sure that the port is free.

    Granian shares a port with whoever else shares it, which would hide a second edge.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StartError(f"SCRUTIN_HOST: {settings.host} is no address of ours") from error
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise StartError(
                f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
                "choose another with --port or SCRUTIN_PORT"
            ) from error
    return str(address[0])


def _allow_connections(connections_max: int) -> None:
    """Raise the limit of open files so that every connection may have one."""
    needed = connections_max + FILES_BESIDES_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        logger.warning(
            "only %d files may be open: SCRUTIN_CONNECTIONS_MAX is %d", allowed, connections_max
        )
