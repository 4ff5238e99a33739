"""`python -m clickhouse.local --data DIR --port N`: serve a data directory until told to stop."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from clickhouse.local.engine import Engine, Limits
from clickhouse.local.server import Server


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clickhouse.local", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of the tables")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--database", default="scrutin", help="for requests that name none")
    parser.add_argument(
        "--password-file", type=Path, help="file with the password that clients must give"
    )
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    password = None
    if arguments.password_file:
        password = arguments.password_file.read_text().strip()
    limits = Limits()
    engine = Engine(arguments.data, limits, arguments.database)
    try:
        runner = Server(engine, limits, password).runner()
        await runner.setup()
        try:
            await _listen(runner, arguments.host, arguments.port)
            await stop.wait()
        finally:
            await runner.cleanup()
    finally:
        engine.close()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    await web.TCPSite(runner, host, port).start()
    bound = runner.addresses[0]
    print(f"ready http://{bound[0]}:{bound[1]}", flush=True)


def main() -> None:
    """Run the server; exit 1 with a line on standard error if it cannot start."""
    arguments = _arguments()
    try:
        asyncio.run(_serve(arguments))
    except (OSError, RuntimeError) as error:
        sys.exit(f"clickhouse.local: {error}")


if __name__ == "__main__":
    main()
