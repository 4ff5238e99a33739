"""Votes a second through one edge: `python -m tests.load.throughput --durability memory fsync`.

Closed loop: wrk keeps its connections busy, so the figure is the most that the edge takes on this
machine with generator and Redis beside it, and the latency is that of a full queue. The same run
measures the health endpoint of the same edge, as a baseline for the machine's mood; of several
durabilities, each is compared with the first.
"""

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import uvloop

from shards.options import DurabilityMode
from tests.load.serving import Target, serving
from tests.support.machine import machine


class Measured(msgspec.Struct):
    """What wrk and the edge said."""

    requests_per_s: float
    p50: str
    p99: str
    not_2xx: int


def wrk(url: str, *, connections: int, duration_s: int, script: list[str]) -> Measured:
    """Run wrk with one thread and read its report."""
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is not installed: apt-get install wrk (or your system's package)")
    flags = ["-t1", f"-c{connections}", f"-d{duration_s}", "--latency"]
    said = subprocess.run(
        [program, *flags, *script[:2], url, *script[2:]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Measured(
        float(_find(r"Requests/sec:\s+([\d.]+)", said)),
        _find(r"50%\s+(\S+)", said),
        _find(r"99%\s+(\S+)", said),
        int(failed[1]) if failed else 0,
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        sys.exit(f"wrk's report has no {pattern}:\n{text}")
    return found[1]


async def measure(given: argparse.Namespace, durability: DurabilityMode) -> Measured:
    """Start everything, measure votes and the baseline, print both."""
    async with serving(durability, given.electors) as target:
        return await asyncio.to_thread(_measure, target, durability, given)


def _measure(target: Target, durability: DurabilityMode, given: argparse.Namespace) -> Measured:
    script = ["-s", str(Path(__file__).with_name("vote.lua")), "--", str(target.ballots)]
    votes = wrk(target.url, connections=given.connections, duration_s=given.seconds, script=script)
    health = wrk(
        f"{target.url}/api/v1/health", connections=given.connections, duration_s=3, script=[]
    )
    for name, measured in ((f"votes, {durability}", votes), ("health (baseline)", health)):
        sys.stdout.write(
            f"{name:<18} {measured.requests_per_s:>9,.0f}/s  "
            f"p50 {measured.p50} p99 {measured.p99}\n"
        )
    sys.stdout.write(f"{'ratio':<18} {votes.requests_per_s / health.requests_per_s:>9.2f}\n")
    sys.stdout.flush()
    return votes


def main() -> None:
    """Read the arguments and measure; exits 1 when an answer was not 202."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = ("memory", "fsync", "replicated")
    parser.add_argument("--durability", choices=modes, nargs="+", default=["memory", "replicated"])
    parser.add_argument("--electors", type=int, default=600_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=10)
    given = parser.parse_args()
    sys.stdout.write(f"{machine()}; {given.connections} connections, closed loop\n")
    measured = {mode: uvloop.run(measure(given, mode)) for mode in given.durability}
    first, *others = measured
    for mode in others:
        ratio = measured[mode].requests_per_s / measured[first].requests_per_s
        sys.stdout.write(f"{mode} takes {ratio:.2f} of the votes of {first}\n")
    failed = sum(votes.not_2xx for votes in measured.values())
    if failed:
        sys.exit(f"{failed} answers were not 202")


if __name__ == "__main__":
    main()
