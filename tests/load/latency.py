"""How long voters wait at a given rate of arrivals: `python -m tests.load.latency --rate 1000`.

Open loop: oha sends at the rate whatever the answers take, and counts a request's time from the
moment it was due, so that a stall shows in all who came meanwhile (Tene, "How NOT to measure
latency"). Needs oha: cargo install oha.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys

import msgspec
import uvloop

from shards.options import DurabilityMode
from tests.load.serving import Target, serving
from tests.support.machine import machine

PERCENTILES = ("p50", "p90", "p95", "p99", "p99.9")


class Latency(msgspec.Struct):
    """Seconds by percentile, requests a second that were answered, answers by status code."""

    seconds: dict[str, float]
    requests_per_s: float
    statuses: dict[str, int]
    errors: dict[str, int]


def oha(target: Target, rate_per_s: int, connections: int, duration_s: int) -> Latency:
    """Run oha and read its report."""
    program = shutil.which("oha")
    if program is None:
        sys.exit("oha is not installed: cargo install oha")
    command = [program, "--no-tui", "--output-format", "json", "--latency-correction"]
    command += ["-q", str(rate_per_s), "-c", str(connections), "-z", f"{duration_s}s"]
    command += ["-m", "POST", "-T", "application/json", "-Z", str(target.ballots)]
    command += [f"{target.url}/api/v1/vote"]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return Latency(
        {name: said["latencyPercentiles"][name] for name in PERCENTILES},
        said["summary"]["requestsPerSec"],
        said["statusCodeDistribution"],
        said["errorDistribution"],
    )


async def measure(given: argparse.Namespace, durability: DurabilityMode) -> None:
    """Start everything, measure, print."""
    async with serving(durability, given.electors) as target:
        found = await asyncio.to_thread(oha, target, given.rate, given.connections, given.seconds)
    times = "  ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in found.seconds.items())
    sys.stdout.write(
        f"{durability:<10} {found.requests_per_s:,.0f}/s answered; ms: {times}; "
        f"answers {found.statuses}, errors {found.errors}\n"
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = ("memory", "fsync", "replicated")
    parser.add_argument("--durability", choices=modes, nargs="+", default=["memory", "replicated"])
    parser.add_argument("--electors", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=1000, help="votes a second")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    sys.stdout.write(
        f"{machine()}; {given.rate:,} votes/s due, {given.connections} connections, open loop\n"
    )
    for durability in given.durability:
        uvloop.run(measure(given, durability))


if __name__ == "__main__":
    main()
