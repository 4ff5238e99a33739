"""`python -m clickhouse.local --data DIR --port N`: serve a data directory until told to stop."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from clickhouse.local.engine import Engine, Limits
from clickhouse.local.server import Server
from shards.certificates import Certificate

TLS_FILES = ("tls_cert_file", "tls_key_file", "tls_authority_file")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clickhouse.local", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of the tables")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--database", default="scrutin", help="for requests that name none")
    parser.add_argument(
        "--password-file", type=Path, help="file with the password that clients must give"
    )
    parser.add_argument("--access-file", type=Path, help="rights, in place of the demo's own")
    parser.add_argument("--tls-cert-file", type=Path, help="certificate chain (PEM): serve HTTPS")
    parser.add_argument("--tls-key-file", type=Path, help="its private key (PEM)")
    parser.add_argument(
        "--tls-authority-file", type=Path, help="authority that clients' certificates are of (PEM)"
    )
    arguments = parser.parse_args()
    if len({getattr(arguments, name) is None for name in TLS_FILES}) != 1:
        parser.error("the three --tls files come together or not at all")
    return arguments


async def _serve(arguments: argparse.Namespace) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    password = None
    if arguments.password_file:
        password = arguments.password_file.read_text().strip()
    limits = Limits()
    engine = Engine(arguments.data, limits, arguments.database, arguments.access_file)
    try:
        runner = Server(engine, limits, password).runner()
        await runner.setup()
        try:
            await _listen(runner, arguments.host, arguments.port, _certificate(arguments))
            await stop.wait()
        finally:
            await runner.cleanup()
    finally:
        engine.close()


def _certificate(arguments: argparse.Namespace) -> Certificate | None:
    files = [getattr(arguments, name) for name in TLS_FILES]
    return None if None in files else Certificate(*files)


async def _listen(
    runner: web.AppRunner, host: str, port: int, certificate: Certificate | None
) -> None:
    tls = certificate.server_context() if certificate else None
    await web.TCPSite(runner, host, port, ssl_context=tls).start()
    bound = runner.addresses[0]
    print(f"ready {'https' if tls else 'http'}://{bound[0]}:{bound[1]}", flush=True)


def main() -> None:
    """Run the server; exit 1 with a line on standard error if it cannot start."""
    arguments = _arguments()
    try:
        asyncio.run(_serve(arguments))
    except (OSError, RuntimeError) as error:
        sys.exit(f"clickhouse.local: {error}")


if __name__ == "__main__":
    main()
