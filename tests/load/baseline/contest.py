"""One contender measured: votes sent, counted, and what that cost."""

import asyncio
import time
from pathlib import Path
from typing import NamedTuple, Protocol

import aiohttp
import msgspec

from edge.demo.electorate import SAMPLE_LAW, Electorate, read_cards
from shards.process import LocalProcess
from tests.load.baseline.generator import Generator, Sent
from tests.load.baseline.ledger import Tally
from tests.load.baseline.usage import RedisMemory, cpu_seconds

POLL_S = 0.05
STALLED_S = 60.0
CHOICES = ("oui", "non")


class Contender(Protocol):
    """Servers and services that take votes at `url` and count them."""

    name: str
    url: str

    @property
    def processes(self) -> list[LocalProcess]: ...
    async def start_engines(self) -> None: ...
    async def load(self, electorate: Electorate) -> None: ...
    async def start_services(self) -> None: ...
    async def redis_memory(self) -> RedisMemory: ...
    async def tally(self) -> Tally: ...
    def stop(self) -> None: ...


class Miscounted(Exception):
    """The count is not what was accepted."""


class Ballots(NamedTuple):
    """A file with a ballot a line, each of another elector, and what it must come to."""

    file: Path
    tally: Tally

    @property
    def votes(self) -> int:
        """Ballots in the file."""
        return sum(self.tally)


class Figures(msgspec.Struct, frozen=True):
    """What a contender took and used.

    Memory is that of Redis's primaries, in bytes, above what they use when empty;
    `used_memory_per_elector_voted` with, the other two without buffers of a fixed size.
    """

    name: str
    votes: int
    answered_per_s: float
    counted_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_s_per_million: float
    votes_per_cpu_second: float
    cpu_s_by_process: dict[str, float]
    bytes_per_elector_loaded: float
    bytes_per_elector_voted: float
    used_memory_per_elector_voted: float


def write_ballots(electorate: Electorate, timed: int, directory: Path) -> tuple[Ballots, Ballots]:
    """Write the ballots that are timed, and those of all other electors."""
    cards = read_cards(electorate.csv_file)
    written = []
    for name, part in (("timed", cards[:timed]), ("rest", cards[timed:])):
        file = directory / f"{name}.jsonl"
        with file.open("wb") as lines:
            for number, card in enumerate(part):
                choice = CHOICES[number % 2]
                lines.write(msgspec.json.encode(card._asdict() | {"vote": choice}) + b"\n")
        written.append(Ballots(file, Tally((len(part) + 1) // 2, len(part) // 2)))
    return written[0], written[1]


async def measure(
    contender: Contender,
    electorate: Electorate,
    ballots: tuple[Ballots, Ballots],
    generator: Generator,
) -> Figures:
    """Start a contender, let every elector vote, stop it.

    Raises `Miscounted` when an answer was not 202 or the count is not that of the ballots.
    """
    timed, rest = ballots
    try:
        await contender.start_engines()
        empty = await contender.redis_memory()
        await contender.load(electorate)
        loaded = await contender.redis_memory()
        await contender.start_services()
        used_before_s = cpu_seconds(contender.processes)
        sent, counted_s = await _vote(contender, timed, Tally(0, 0), generator)
        used_s = cpu_seconds(contender.processes)
        await _vote(contender, rest, timed.tally, generator)
        voted = await contender.redis_memory()
    finally:
        await asyncio.to_thread(contender.stop)
    by_process = {name: used_s[name] - used_before_s[name] for name in used_s}
    cpu_s = sum(by_process.values())
    electors = timed.votes + rest.votes
    return Figures(
        name=contender.name,
        votes=timed.votes,
        answered_per_s=timed.votes / (sent.ended_s - sent.began_s),
        counted_per_s=timed.votes / (counted_s - sent.began_s),
        p50_ms=sent.p50_us / 1000,
        p95_ms=sent.p95_us / 1000,
        p99_ms=sent.p99_us / 1000,
        cpu_s_per_million=cpu_s / timed.votes * 1e6,
        votes_per_cpu_second=timed.votes / cpu_s,
        cpu_s_by_process=by_process,
        bytes_per_elector_loaded=(loaded.data - empty.data) / electors,
        bytes_per_elector_voted=(voted.data - empty.data) / electors,
        used_memory_per_elector_voted=(voted.used - empty.used) / electors,
    )


async def _vote(
    contender: Contender, ballots: Ballots, before: Tally, generator: Generator
) -> tuple[Sent, float]:
    """Send ballots, wait until they are counted, check; return when (monotonic) that was."""
    sent = await asyncio.to_thread(generator.send, contender.url, ballots.file)
    if (sent.answered, sent.refused, sent.broken) != (ballots.votes, 0, 0):
        raise Miscounted(f"{contender.name}: of {ballots.votes} votes: {sent}")
    counted_s = await _counted(contender, sum(before) + ballots.votes)
    expected = Tally(*(old + new for old, new in zip(before, ballots.tally, strict=True)))
    stored = await contender.tally()
    if stored != expected:
        raise Miscounted(f"{contender.name}: stored {stored}, accepted {expected}")
    return sent, counted_s


async def _counted(contender: Contender, votes: int) -> float:
    """Wait until the public results reach a number of votes; raises `Miscounted`."""
    results = f"{contender.url}/api/v1/results/{SAMPLE_LAW}"
    seen, moved_s = -1, time.monotonic()
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        while seen != votes:
            async with http.get(results) as answer:
                said = await answer.json()
            now_s = time.monotonic()
            count = said["oui_count"] + said["non_count"]
            if count > votes:
                raise Miscounted(f"{contender.name}: counted {count} of {votes} accepted votes")
            if count != seen:
                seen, moved_s = count, now_s
            elif now_s - moved_s > STALLED_S:
                ended = [p.name for p in contender.processes if not p.alive]
                raise Miscounted(f"{contender.name}: stays at {seen} of {votes}; ended: {ended}")
            await asyncio.sleep(0 if seen == votes else POLL_S)
    return now_s
