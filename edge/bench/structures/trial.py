"""One structure on one primary: that it decides rightly, and what it costs."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from edge.bench.structures.candidates import Structure
from edge.bench.structures.server import Server, serving
from edge.errors import StartError
from shards import keys
from shards.connection import PipelinedConnection, Reply

CALLS_A_BATCH = 128
FILLS_A_BATCH = 16
BATCHES_IN_FLIGHT = 4
CONNECT_TIMEOUT_S = 10.0
REWRITE_TIMEOUT_S = 600.0
POLL_S = 0.02
SAMPLED = 1000
ACCEPTED, INVALID, CONFLICT = 0, -1, -3  # as in `attempts.lua`


class Vote(NamedTuple):
    """A ballot hash (32 bytes), a request id (16 bytes), a choice (`o` or `n`)."""

    ballot: bytes
    request_id: bytes
    choice: str = "o"


class Costs(NamedTuple):
    """What all electors cost: memory and log in bytes, times in seconds.

    Votes are logged onto a rewritten roll, as on the day; `restart_s` is from that log.
    """

    loaded_bytes: int
    voted_bytes: int
    load_s: float
    cast_s: float
    cast_cpu_s: float  # of the server
    log_loaded_bytes: int
    log_loaded_rewritten_bytes: int
    log_votes_bytes: int
    log_voted_rewritten_bytes: int
    restart_s: float
    restart_rewritten_s: float


def random_roll(electors: int, *, seed: int = 1) -> list[bytes]:
    """Return ballot hashes, sorted, the same for a seed."""
    source = random.Random(seed)  # noqa: S311 - not for secrets
    return sorted(source.randbytes(keys.HASH_SIZE_BYTES) for _ in range(electors))


def votes_of(ballots: Iterable[bytes]) -> Iterator[Vote]:
    """Yield a vote of each; its request id is made of the hash, so that it can be made again."""
    return (Vote(ballot, ballot[keys.HASH_SIZE_BYTES // 2 :]) for ballot in ballots)


class Trial:
    """A structure on a server, which runs and is empty at first."""

    def __init__(self, structure: Structure, ballots: Sequence[bytes], server: Server) -> None:
        self.structure = structure
        self.ballots = ballots
        self._server = server
        self._buckets_per_shard = structure.buckets_per_shard(len(ballots))

    async def prepare(self) -> None:
        """Load the structure's script."""
        async with self._server.client() as redis:
            await redis.function_load(self.structure.source.decode(), replace=True)

    async def fill(self) -> float:
        """Load the roll; return the seconds it took, its commands being ready."""
        commands = list(self.structure.fill_commands(self.ballots))
        return (await self._exchange(commands, FILLS_A_BATCH))[1]

    async def cast(self, votes: Iterable[Vote]) -> tuple[list[int], float]:
        """Cast votes; return the answers, and the seconds it took, the calls being ready."""
        calls = [
            self.structure.cast_command(*vote, buckets_per_shard=self._buckets_per_shard)
            for vote in votes
        ]
        return await self._exchange(calls, CALLS_A_BATCH)

    async def expect(self, votes: Iterable[Vote], answer: int, what: str) -> float:
        """Cast votes that must all be answered so; return the seconds. Raises `StartError`."""
        answers, took_s = await self.cast(votes)
        wrong = [given for given in answers if given != answer]
        if wrong:
            raise StartError(
                f"{self.structure.name}: {what} must be answered {answer}, and {len(wrong):,} of "
                f"{len(answers):,} were not: the first is {wrong[0]}"
            )
        return took_s

    async def info(self, section: str, name: str) -> int:
        """Return a number that the server says of itself."""
        async with self._server.client() as redis:
            return int((await redis.info(section))[name])

    async def cpu_s(self) -> float:
        """Return the seconds of processor time that the server has used."""
        async with self._server.client() as redis:
            used = await redis.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    async def rewrite_log(self) -> None:
        """Have the log written anew, and wait for it."""
        async with self._server.client() as redis, asyncio.timeout(REWRITE_TIMEOUT_S):
            await redis.bgrewriteaof()
            # Servers tell nobody when they are done.
            while (state := await redis.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
        if state["aof_last_bgrewrite_status"] != "ok":
            raise StartError(f"the log cannot be rewritten:\n{self._server.log_tail()}")

    async def restart(self) -> float:
        """Stop the server and start it; return the seconds until it has read its log."""
        await asyncio.to_thread(self._server.stop)
        began_s = time.perf_counter()
        self._server.start()
        await self._server.wait_ready()
        return time.perf_counter() - began_s

    async def _exchange(self, commands: list[bytes], size: int) -> tuple[list[Reply], float]:
        """Send commands in batches, some ahead of the answers."""
        parts = iter(commands)
        batches = iter(lambda: list(islice(parts, size)), [])
        joined = [(b"".join(batch), len(batch)) for batch in batches]
        connection = await PipelinedConnection.open(
            "127.0.0.1", self._server.port, tls=None, handshake=[], timeout_s=CONNECT_TIMEOUT_S
        )
        replies: list[Reply] = []
        in_flight: deque[asyncio.Future[list[Reply]]] = deque()
        began_s = time.perf_counter()
        for batch, count in joined:
            if len(in_flight) == BATCHES_IN_FLIGHT:
                replies += await in_flight.popleft()
            in_flight.append(connection.send([batch], count))
        for answers in in_flight:
            replies += await answers
        took_s = time.perf_counter() - began_s
        connection.abort()
        await connection.closed
        for reply in replies:
            if isinstance(reply, Exception):
                raise StartError(f"{self.structure.name}: {reply}") from reply
        return replies, took_s


async def measure(structure: Structure, ballots: Sequence[bytes], directory: Path) -> Costs:
    """Load a roll, have everyone vote once in random order, and restart the server."""
    voters = random.Random(2).sample(ballots, len(ballots))  # noqa: S311 - not for secrets
    async with serving(directory) as server:
        trial = Trial(structure, ballots, server)
        await trial.prepare()
        empty = await trial.info("memory", "used_memory")
        load_s = await trial.fill()
        loaded = await trial.info("memory", "used_memory")
        log_loaded = await trial.info("persistence", "aof_current_size")
        await trial.rewrite_log()
        log_rewritten = await trial.info("persistence", "aof_current_size")
        cpu_before_s = await trial.cpu_s()
        cast_s = await trial.expect(votes_of(voters), ACCEPTED, "a first ballot")
        cast_cpu_s = await trial.cpu_s() - cpu_before_s
        voted = await trial.info("memory", "used_memory")
        log_voted = await trial.info("persistence", "aof_current_size")
        restart_s = await trial.restart()
        await trial.expect(votes_of(voters[:SAMPLED]), ACCEPTED, "the same after a restart")
        await trial.rewrite_log()
        log_voted_rewritten = await trial.info("persistence", "aof_current_size")
        restart_rewritten_s = await trial.restart()
        others = (vote._replace(choice="n") for vote in votes_of(voters[:SAMPLED]))
        await trial.expect(others, CONFLICT, "another choice after a restart")
    return Costs(
        loaded - empty,
        voted - empty,
        load_s,
        cast_s,
        cast_cpu_s,
        log_loaded,
        log_rewritten,
        log_voted - log_rewritten,
        log_voted_rewritten,
        restart_s,
        restart_rewritten_s,
    )
