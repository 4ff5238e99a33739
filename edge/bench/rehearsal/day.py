"""A rehearsal from the first elector to the reconciliation."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.tally import read_tallies
from clickhouse.verify import Verifier, readings
from edge.bench.rehearsal.attempts import Expected, write_attempts
from edge.bench.rehearsal.casting import POLL_S, STALLED_S, THREADS, Cast, Generator
from edge.bench.rehearsal.freshness import Ages, watch_ages
from edge.bench.rehearsal.phases import Phases
from edge.bench.rehearsal.reconciling import Check, Ended, reconcile
from edge.bench.rehearsal.watching import Watch, size_bytes
from edge.bench.serving import VOTE_PATH
from edge.commands.running import in_thread
from edge.demo.electorate import Electorate, prepare, read_cards
from edge.demo.stack import Ports, Stack
from edge.errors import RehearsalFailed
from edge.results import LawResults
from hashgen.progress import Report, accumulating
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.options import Durability, DurabilityMode, RedisOptions
from shards.ports import free_ports

PATIENCE_S = 60.0  # of the loader and of the watch, on a machine that is kept busy
READY_TIMEOUT_S = 120.0
FINAL_TIMEOUT_S = 60.0
CLOSING_AHEAD_S = 2.0  # besides the time that a load takes
PREPARING = {"write": "rows", "read": "bytes", "sort": "steps", "ballots": "electors"}
COMPARING = {"comparing": "shards"}
TABLES = Path(__file__).with_name("tables.sql")


class Options(msgspec.Struct, frozen=True):
    """What was asked for."""

    electors: int
    durability: DurabilityMode
    replicas: int
    drainers: int
    connections: int
    seed: int


class Found(msgspec.Struct, frozen=True):
    """All that a rehearsal found.

    Redis' memory is without what it uses when empty; `log_bytes`: its files; `tables_bytes`:
    ClickHouse's; `missed`: looks at the outbox that Redis did not answer; `ages`: how old the
    results were that voters saw.
    """

    expected: Expected
    cast: Cast
    checks: list[Check]
    memory_bytes: dict[str, int]
    disk_bytes: dict[str, int]
    outbox: list[tuple[float, int]]
    redis_loaded_bytes: int
    redis_voted_bytes: int
    log_bytes: int
    tables_bytes: int
    clickhouse_version: str
    missed: int
    ages: Ages

    @property
    def reconciled(self) -> bool:
        """Whether everything is as it must be."""
        return all(check.holds for check in self.checks)

    @property
    def votes_per_s(self) -> float:
        """Ballots decided a second, over the whole day."""
        return sum(self.cast.decisions.values()) / self.cast.took_s


class Day:
    """One rehearsal with its data below a directory; for one use."""

    def __init__(self, options: Options, data: Path, phases: Phases) -> None:
        self._options = options
        self._data = data
        self._phases = phases
        self._stack = Stack(
            data,
            Ports(*free_ports(2)),
            options.durability,
            replicas=options.replicas,
            drainers=options.drainers,
            appendonly=options.durability != "memory",
        )
        self._generator = Generator(data, options.connections)

    async def run(self) -> Found:
        """Rehearse, and stop every process whatever happens.

        Raises `RehearsalFailed`, `StartError`, and the errors of the stores.
        """
        electorate, expected = await self._prepare()
        try:
            with self._phases.phase("start Redis and ClickHouse"):
                await self._stack.start_engines()
            async with self._client() as client:
                return await self._vote(electorate, expected, client)
        finally:
            await asyncio.to_thread(self._stack.stop)

    async def _prepare(self) -> tuple[Electorate, Expected]:
        electors, seed = self._options.electors, self._options.seed
        with self._phases.phase("electors and hash database", "electors", PREPARING) as (
            phase,
            report,
        ):
            electorate = await in_thread(
                lambda: prepare(self._data, electors, None, report, seed=seed)
            )
            phase.count = electors
        with self._phases.phase("ballots written ahead", "ballots") as (phase, report):
            expected = await in_thread(lambda: self._write_attempts(electorate, report))
            phase.count = expected.attempts
        return electorate, expected

    def _write_attempts(self, electorate: Electorate, report: Report) -> Expected:
        return write_attempts(
            electorate.csv_file,
            self._prefix,
            parts=THREADS,
            electors=self._options.electors,
            seed=self._options.seed,
            report=report,
        )

    @property
    def _prefix(self) -> Path:
        return self._data / "ballots.jsonl."

    async def _vote(self, electorate: Electorate, expected: Expected, client: ShardClient) -> Found:
        """Everything that needs the engines."""
        watch = Watch(self._stack, self._data, client)
        empty_bytes = await watch.redis_bytes()
        load_s = await self._load("roll loaded", electorate, client)
        loaded_bytes = await watch.redis_bytes() - empty_bytes
        with self._phases.phase("start edge and drainers"):
            await self._start_services()
        ages = Ages()
        async with _meanwhile(
            watch.run(), watch_ages(self._stack.url, expected.tallies[0].law_id, ages)
        ):
            cast = await self._cast(expected)
            await self._drain(watch)
        await watch.look()
        voted_bytes = await watch.redis_bytes() - empty_bytes
        await self._close(electorate, client, ahead_s=load_s + CLOSING_AHEAD_S)
        async with connected(
            self._stack.clickhouse.url, timeout_s=WHOLE_TABLES_TIMEOUT_S
        ) as clickhouse:
            with self._phases.phase("late vote and final results"):
                late = await self._vote_late(electorate)
                published = await self._final_results(expected)
            with self._phases.phase("verified", "electors", COMPARING) as (phase, report):
                compared = accumulating(report, "comparing", readings(electorate.database))
                compared(0)
                verifier = Verifier(client, clickhouse, database=electorate.database, settled=True)
                proof = await verifier.run(compared)
                phase.count = proof.electors
            await watch.look()
            ended = Ended(late, await read_tallies(clickhouse), published, proof)
            [[tables_bytes]] = (await clickhouse.query(TABLES.read_text())).result_rows
            version = str(clickhouse.server_version)
        return Found(
            expected,
            cast,
            reconcile(expected, cast, ended),
            watch.memory_bytes,
            watch.disk_bytes,
            watch.outbox,
            loaded_bytes,
            voted_bytes,
            size_bytes(self._data / "redis"),
            tables_bytes,
            version,
            watch.missed,
            ages,
        )

    async def _start_services(self) -> None:
        try:
            await self._stack.start_services(READY_TIMEOUT_S)
        except TimeoutError as error:
            raise RehearsalFailed(
                f"edge and drainers were not ready within {READY_TIMEOUT_S:.0f} s: "
                "is the machine busy with something else? --keep keeps their logs"
            ) from error

    async def _load(self, name: str, electorate: Electorate, client: ShardClient) -> float:
        """Load the roll as the election file has its laws; return the seconds that took."""
        electors = electorate.database.manifest.total
        with self._phases.phase(name, "electors") as (phase, report):

            def filled(count: int) -> None:
                phase.count += count
                report(name, phase.count, electors)

            report(name, 0, electors)
            election = load_election(electorate.election_file)
            await load_roll(client, electorate.database, election, filled)
        return phase.seconds

    async def _cast(self, expected: Expected) -> Cast:
        with self._phases.phase("votes cast", "ballots") as (phase, report):
            cast = await self._generator.cast(
                self._stack.url, self._prefix, expected.attempts, self._stack.processes, report
            )
            phase.count = sum(cast.decisions.values())
        return cast

    async def _drain(self, watch: Watch) -> None:
        """Wait until every event is in ClickHouse; raises `RehearsalFailed` when none moves."""
        with self._phases.phase("outbox drained after the last vote", "events") as (phase, report):
            phase.count = waiting = await watch.waiting()
            moved_s = time.monotonic()
            while waiting:
                await asyncio.sleep(POLL_S)
                still = await watch.waiting()
                now_s = time.monotonic()
                if still < waiting:
                    waiting, moved_s = still, now_s
                    report("drained", phase.count - waiting, phase.count)
                elif now_s - moved_s > STALLED_S:
                    log = self._stack.drainer.log_tail()
                    raise RehearsalFailed(f"{waiting:,} events wait and none is drained:\n{log}")

    async def _close(self, electorate: Electorate, client: ShardClient, ahead_s: float) -> None:
        """Close the laws as an operator does: edit the election file and load the roll again.

        `ahead_s`: how far ahead they close, which is more than the shards need to hear of it.
        """
        election = load_election(electorate.election_file)
        closes_at = datetime.now(UTC) + timedelta(seconds=ahead_s)
        text = electorate.election_file.read_text()
        for law in election.laws:
            text = text.replace(
                f"closes_at = {law.closes_at.isoformat()}", f"closes_at = {closes_at.isoformat()}"
            )
        electorate.election_file.write_text(text)
        await self._load("hours changed, roll loaded again", electorate, client)
        with self._phases.phase("closing time awaited"):
            await asyncio.sleep((closes_at - datetime.now(UTC)).total_seconds())

    async def _vote_late(self, electorate: Electorate) -> str:
        """Vote as an elector of the roll; return the answer's status and decision."""
        [card] = read_cards(electorate.csv_file, 1)
        async with (
            aiohttp.ClientSession() as http,
            http.post(self._stack.url + VOTE_PATH, json=card._asdict() | {"vote": "oui"}) as answer,
        ):
            decision = (await answer.json(content_type=None)).get("status")
            return f"{answer.status} {decision}"

    async def _final_results(self, expected: Expected) -> list[LawResults]:
        """Ask the edge until it calls every law's results final, or for a minute."""
        deadline_s = time.monotonic() + FINAL_TIMEOUT_S
        async with aiohttp.ClientSession() as http:
            while True:
                laws = []
                for tally in expected.tallies:
                    url = f"{self._stack.url}/api/v1/results/{tally.law_id}"
                    async with http.get(url, raise_for_status=True) as answer:
                        laws.append(msgspec.json.decode(await answer.read(), type=LawResults))
                if all(law.final for law in laws) or time.monotonic() > deadline_s:
                    return laws
                await asyncio.sleep(POLL_S)

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[ShardClient]:
        """Connect as a loader that has time."""
        durability = Durability(self._options.durability, timeout_ms=int(PATIENCE_S * 1000))
        options = RedisOptions(self._stack.cluster.url, durability, timeout_s=PATIENCE_S)
        async with await ShardClient.connect(options) as client:
            yield client


@contextlib.asynccontextmanager
async def _meanwhile(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do endless works in the background until the block ends; raises what one of them raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()
