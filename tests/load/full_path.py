"""The whole vote path at full size: `python -m tests.load.full_path --electors 1000000`.

Makes the electors' CSV, hashes, loads, votes over HTTP from many connections and compares every
answer with the tables. Prints each step's time; exits 1 when anything differs.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import uvloop

from edge.demo.electorate import SAMPLE_LAW, prepare
from edge.demo.stack import Ports, Stack
from shards.ports import free_ports
from tests.support.campaign import Stored, differences, plan, read_stored, send, wait_counted
from tests.support.rolls import read_electors

DIFFERENCES_SHOWN = 20


class Clock:
    """Prints how long each step took."""

    def __init__(self) -> None:
        self._at_s = time.monotonic()

    def done(self, step: str, count: int) -> None:
        """Print the step's time and rate."""
        now_s = time.monotonic()
        took_s = now_s - self._at_s
        self._at_s = now_s
        sys.stdout.write(f"{step:<28} {count:>10,}  {took_s:7.2f} s  {count / took_s:>12,.0f}/s\n")
        sys.stdout.flush()


async def run(electors: int, votes: int, connections: int, seed: int, data: Path) -> int:
    """Run the path once; return the exit code."""
    stack = Stack(data, Ports(*free_ports(2)))
    clock = Clock()
    try:
        await stack.start_engines()
        clock.done("start engines", 1)
        electorate = prepare(data, electors, None, lambda *_: None)
        clock.done("sample, hash, check", electors)
        await stack.load(electorate)
        clock.done("load", electors)
        await stack.start_services()
        clock.done("start services", 1)
        attempts = plan(read_electors(electorate.csv_file), attempts=votes, seed=seed)
        clock.done("plan", votes)
        log = await send(stack.url, attempts, connections=connections)
        clock.done("vote over HTTP", votes)
        answered = Counter(answer.status for answer in log)
        await wait_counted(stack.url, SAMPLE_LAW, answered["accepted"])
        clock.done("until all are counted", answered["accepted"])
        found = differences(log, await _settled(stack, votes))
    finally:
        await asyncio.to_thread(stack.stop)
    sys.stdout.write(f"answers: {dict(answered)}, seed {seed}\n")
    sys.stdout.write("".join(f"  {line}\n" for line in found[:DIFFERENCES_SHOWN]))
    sys.stdout.write(f"differences from the client's log: {len(found)}\n")
    return 1 if found else 0


async def _settled(stack: Stack, votes: int) -> Stored:
    async with asyncio.timeout(60):
        while True:
            stored = await read_stored(stack.clickhouse.url, stack.url, SAMPLE_LAW)
            if len(stored.audit) >= votes:
                return stored
            await asyncio.sleep(0.2)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--electors", type=int, default=1_000_000)
    parser.add_argument("--votes", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scrutin-full-path-") as data:
        code = uvloop.run(
            run(given.electors, given.votes, given.connections, given.seed, Path(data))
        )
    sys.exit(code)


if __name__ == "__main__":
    main()
