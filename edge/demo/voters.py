"""`python -m edge.demo.voters URL CSV`: sample electors who vote at a steady rate, until stopped.

They are those of compose's profile `load`. Python trusts the authority in SSL_CERT_FILE.
"""

import argparse
import asyncio
import random
import signal
import sys
from pathlib import Path

from edge.demo.electorate import read_cards
from edge.demo.simulation import VOTES_PER_S, Simulation


async def _vote(arguments: argparse.Namespace) -> None:
    cards = await asyncio.to_thread(read_cards, arguments.csv_file)
    if not cards:
        sys.exit(f"voters: {arguments.csv_file} has no electors")
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print(
        f"{len(cards):,} electors, {arguments.votes_per_s:g} votes/s to {arguments.url}", flush=True
    )
    simulation = Simulation(arguments.url, cards, random.Random(), arguments.votes_per_s)  # noqa: S311
    await simulation.run(stop)


def main() -> None:
    """Vote until SIGTERM or Ctrl-C; exit 1 with a line on standard error without electors."""
    parser = argparse.ArgumentParser(prog="python -m edge.demo.voters", description=__doc__)
    parser.add_argument("url", help="base URL of the service")
    parser.add_argument("csv_file", type=Path, help="the electors, as `hashgen sample` writes them")
    parser.add_argument("--votes-per-s", type=float, default=VOTES_PER_S)
    try:
        asyncio.run(_vote(parser.parse_args()))
    except OSError as error:
        sys.exit(f"voters: {error}")


if __name__ == "__main__":
    main()
