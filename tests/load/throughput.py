"""Votes a second through one edge: `python -m tests.load.throughput [--durability memory]`.

Closed loop: wrk keeps its connections busy, so the figure is the most that the edge takes on this
machine with generator and Redis beside it, and the latency is that of a full queue. The same run
measures the health endpoint of the same edge, as a baseline for the machine's mood.
"""

import argparse
import asyncio
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import aiohttp
import msgspec
import uvloop

from edge.demo.electorate import prepare, read_cards
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.localcluster import LocalCluster, free_ports
from shards.options import Durability, DurabilityMode, RedisOptions
from shards.process import LocalProcess

PRIMARIES = 3


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


async def measure(durability: DurabilityMode, electors: int, connections: int, seconds: int) -> int:
    """Start everything, measure, print; return 1 when an answer was not 202."""
    with tempfile.TemporaryDirectory(prefix="scrutin-throughput-") as directory:
        data = Path(directory)
        electorate = prepare(data, electors, None, lambda *_: None)
        ballots = data / "ballots.jsonl"
        with ballots.open("wb") as file:
            for card in read_cards(electorate.csv_file):
                file.write(msgspec.json.encode(card._asdict() | {"vote": "oui"}) + b"\n")
        durable = durability != "memory"
        cluster = LocalCluster(
            data / "redis",
            primaries=PRIMARIES,
            replicas_per_primary=1 if durability == "replicated" else 0,
            appendonly=durable,
        )
        async with cluster:
            client = await ShardClient.connect(RedisOptions(cluster.url, Durability("memory")))
            try:
                await load_roll(
                    client, electorate.database, load_election(electorate.election_file)
                )
            finally:
                await client.aclose()
            edge = _edge(cluster, durability, electorate.election_file, data)
            edge.start()
            try:
                url = f"http://127.0.0.1:{edge.env['SCRUTIN_PORT']}"
                await _ready(url, edge)
                return await asyncio.to_thread(
                    _report, url, ballots, durability, connections, seconds
                )
            finally:
                edge.stop()


def _edge(
    cluster: LocalCluster, durability: DurabilityMode, election: Path, data: Path
) -> LocalProcess:
    env = {
        "SCRUTIN_REDIS_URL": cluster.url,
        "SCRUTIN_DURABILITY": durability,
        "SCRUTIN_ELECTION": str(election),
        "SCRUTIN_PORT": str(free_ports(1)[0]),
        "SCRUTIN_RATE_LIMIT_PER_S": "1000000",
        "SCRUTIN_EXEMPT_LOOPBACK": "true",
    }
    argv = [sys.executable, "-P", "-m", "edge", "serve"]
    return LocalProcess("edge", argv, log=data / "edge.log", env=env)


async def _ready(url: str, edge: LocalProcess) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while True:
            if not edge.alive:
                sys.exit(f"the edge ended:\n{edge.log_tail()}")
            try:
                async with http.get(f"{url}/api/v1/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # not listening yet
            await asyncio.sleep(0.05)


def _report(url: str, ballots: Path, durability: str, connections: int, seconds: int) -> int:
    script = ["-s", str(Path(__file__).with_name("vote.lua")), "--", str(ballots)]
    votes = wrk(url, connections=connections, duration_s=seconds, script=script)
    health = wrk(f"{url}/api/v1/health", connections=connections, duration_s=3, script=[])
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{connections} connections, closed loop\n"
        f"votes ({durability:<10}) {votes.requests_per_s:>9,.0f}/s  p50 {votes.p50} p99 {votes.p99}"
        f"  answers other than 202: {votes.not_2xx}\n"
        f"health (baseline)  {health.requests_per_s:>9,.0f}/s  p50 {health.p50} p99 {health.p99}\n"
        f"ratio              {votes.requests_per_s / health.requests_per_s:>9.2f}\n"
    )
    return 1 if votes.not_2xx else 0


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--durability", choices=("memory", "fsync", "replicated"), default="memory")
    parser.add_argument("--electors", type=int, default=600_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=10)
    given = parser.parse_args()
    sys.exit(
        uvloop.run(measure(given.durability, given.electors, given.connections, given.seconds))
    )


if __name__ == "__main__":
    main()
