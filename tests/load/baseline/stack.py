"""The baseline's servers and services on free ports, with their data below one directory."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import psycopg
from redis.asyncio import Redis as RedisClient
from redis.exceptions import RedisError

from edge.demo.electorate import SAMPLE_LAW, Electorate
from edge.errors import StartError
from shards.keys import HASH_SIZE_BYTES
from shards.ports import free_ports
from shards.process import LocalProcess
from tests.load.baseline.ledger import Ledger, Tally
from tests.load.baseline.servers import Epmd, Postgres, RabbitMq, Redis
from tests.load.baseline.settings import Settings
from tests.load.baseline.usage import RedisMemory
from tests.load.baseline.worker import VALID, VOTES_AT_ONCE

READY_TIMEOUT_S = 120.0
POLL_S = 0.1
HASHES_PER_SADD = 10_000
STARTED = b"Server startup complete"  # in RabbitMQ's log; asking it sooner fills ours
ROOT = Path(__file__).parents[3]


class BaselineStack:
    """All processes of the baseline.

    The constructor raises `MissingServer`. PostgreSQL's user must be able to enter the directory.
    """

    name = "baseline"

    def __init__(
        self, directory: Path, *, workers: int = 1, worker_batch: int = VOTES_AT_ONCE
    ) -> None:
        directory.mkdir()
        amqp, distribution, epmd, postgres, redis, http = free_ports(6)
        self._epmd = Epmd(directory, epmd)
        self._rabbitmq = RabbitMq(directory, amqp, distribution, epmd)
        self._postgres = Postgres(directory, postgres)
        self._redis = Redis(directory, redis)
        self._settings = Settings(
            amqp_url=self._rabbitmq.url,
            redis_url=self._redis.url,
            postgres_url=self._postgres.url,
            http_port=http,
            worker_batch=worker_batch,
        )
        self.url = f"http://127.0.0.1:{http}"
        self._api = self._service(directory, "api")
        self._consumers = [self._service(directory, "aggregator")]
        self._consumers += [self._service(directory, "worker", n) for n in range(workers)]

    @property
    def processes(self) -> list[LocalProcess]:
        """Every process, in the order to start them."""
        return [*self._servers, *self._consumers, self._api]

    @property
    def _servers(self) -> list[LocalProcess]:
        return [self._epmd, self._redis, self._postgres, self._rabbitmq]

    async def start_engines(self) -> None:
        """Start the servers, empty; raises `StartError`, TimeoutError."""
        await asyncio.to_thread(self._postgres.initialise)
        for server in self._servers:
            server.start()
        async with asyncio.timeout(READY_TIMEOUT_S):
            await self._wait(self._redis, self._redis_answers, RedisError, OSError)
            await self._wait(self._postgres, self._migrate, psycopg.OperationalError)
            await self._wait(self._rabbitmq, self._rabbitmq_answers, ConnectionError)

    async def load(self, electorate: Electorate) -> None:
        """Load the roll into the SET of valid hashes."""
        database = electorate.database
        async with RedisClient.from_url(self._redis.url) as redis:
            for shard in database.manifest.shards:
                hashes = database.read(shard).hex()
                step = 2 * HASH_SIZE_BYTES
                members = [hashes[at : at + step] for at in range(0, len(hashes), step)]
                for at in range(0, len(members), HASHES_PER_SADD):
                    await redis.sadd(VALID, *members[at : at + HASHES_PER_SADD])

    async def start_services(self) -> None:
        """Start API, workers and aggregator; raises `StartError`, TimeoutError."""
        for service in (*self._consumers, self._api):
            service.start()
        async with asyncio.timeout(READY_TIMEOUT_S):
            await self._wait(self._api, self._api_answers, aiohttp.ClientError)

    async def redis_memory(self) -> RedisMemory:
        """Return what Redis holds."""
        async with RedisClient.from_url(self._redis.url) as redis:
            return await RedisMemory.of(redis)

    async def tally(self) -> Tally:
        """Return the count in PostgreSQL."""
        ledger = await Ledger.connect(self._postgres.url)
        try:
            return await ledger.tally(SAMPLE_LAW)
        finally:
            await ledger.aclose()

    def stop(self) -> None:
        """Stop everything: first who takes votes, last who keeps them."""
        for process in reversed(self.processes):
            process.stop()

    def _service(self, directory: Path, module: str, number: int = 0) -> LocalProcess:
        name = f"{module}-{number}" if number else module
        argv = [sys.executable, "-m", f"tests.load.baseline.{module}"]
        env = {"PYTHONPATH": str(ROOT), **self._settings.to_env()}
        return LocalProcess(name, argv, log=directory / f"{name}.log", env=env)

    async def _wait(
        self,
        process: LocalProcess,
        answers: Callable[[], Awaitable[None]],
        *not_yet: type[Exception],
    ) -> None:
        while True:
            if not process.alive:
                raise StartError(f"{process.name} ended:\n{process.log_tail()}")
            try:
                await answers()
            except not_yet:
                await asyncio.sleep(POLL_S)
            else:
                return

    async def _redis_answers(self) -> None:
        async with RedisClient.from_url(self._redis.url) as redis:
            await redis.ping()

    async def _migrate(self) -> None:
        ledger = await Ledger.connect(self._postgres.url)
        await ledger.migrate()
        await ledger.aclose()

    async def _rabbitmq_answers(self) -> None:
        if STARTED not in self._rabbitmq.log.read_bytes():
            raise ConnectionError(f"{self._rabbitmq.name} is starting")

    async def _api_answers(self) -> None:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as http,
            http.get(f"{self.url}/api/v1/health"),
        ):
            return
