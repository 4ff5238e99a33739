"""Voting through the balancer while containers die, and what must be true afterwards."""

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp

from tests.chaos.clientlog import Account, ClientLog, read_account
from tests.chaos.voters import Progress, Sending, vote
from tests.compose.engine import EngineError, Project, docker
from tests.compose.images import Say
from tests.support.campaign import Attempt, differences, plan, read_results, read_tables
from tests.support.rolls import LAW, Elector

ATTEMPTS = 6000
VOTERS = 24
VOTING_TIMEOUT_S = 420.0
SETTLE_TIMEOUT_S = 180.0
LOOK_EVERY_S = 1.0


class Turn(NamedTuple):
    """A container of a service is sent a signal, and started again when it was away so long."""

    service: str
    signal: str
    away_s: float = 0.0


TURNS = (
    Turn("edge", "KILL"),
    Turn("redis-a-0", "KILL", 10.0),  # its replica takes over after 5 s
    Turn("drainer", "KILL"),
    Turn("balancer", "KILL"),
    Turn("clickhouse", "KILL", 3.0),
    Turn("redis-b-0", "TERM"),  # hands over before it ends
    Turn("edge", "TERM"),
    Turn("redis-c-1", "KILL"),
)


class Day:
    """One project that is up, and where it is reached from outside."""

    def __init__(
        self, project: Project, voters_url: str, clickhouse_url: str, tls: ssl.SSLContext, say: Say
    ) -> None:
        self._project = project
        self._voters_url = voters_url
        self._clickhouse_url = clickhouse_url
        self._tls = tls
        self._say = say

    async def run(self, electors: Sequence[Elector], log: Path, seed: int) -> list[str]:
        """Vote, kill meanwhile, and return what is wrong afterwards."""
        rng = random.Random(seed)
        attempts = plan(electors, attempts=ATTEMPTS, seed=rng.getrandbits(32))
        progress = Progress(len(attempts))
        with ClientLog(log) as writing:
            sending = Sending(
                [self._voters_url], writing, progress, random.Random(rng.random()), self._tls
            )
            async with asyncio.timeout(VOTING_TIMEOUT_S), asyncio.TaskGroup() as tasks:
                tasks.create_task(vote(sending, attempts, voters=VOTERS))
                tasks.create_task(self._kill_in_turn(progress))
        account = read_account(log, attempts)
        by_status = Counter(answer.status for answer in account.answers)
        self._say(
            f"{len(attempts):,} attempts: {dict(by_status)}, {len(account.unanswered)} given up, "
            f"{progress.refused + progress.lost:,} sent again, "
            f"longest wait {account.longest_wait_s:.1f} s"
        )
        if not by_status["accepted"]:
            return ["nobody's vote was accepted"]
        found = account.contradictions + await self._settle()
        return found + await self._compare(account) + self._told(attempts)

    async def _kill_in_turn(self, progress: Progress) -> None:
        """Kill a container of each kind as the voting goes on, and start it again."""
        for number, turn in enumerate(TURNS, 1):
            await until_answered(progress, number * progress.attempts // (len(TURNS) + 2))
            await asyncio.to_thread(self._kill, turn)
        await until_answered(progress, progress.attempts * 9 // 10)
        await asyncio.to_thread(self._lose_all_redis)

    def _kill(self, turn: Turn) -> None:
        container = self._project.containers(turn.service)[0]
        self._say(f"SIG{turn.signal} to a container of {turn.service}, away for {turn.away_s:g} s")
        docker("kill", "--signal", turn.signal, container)
        docker("wait", container)
        time.sleep(turn.away_s)
        docker("start", container)

    def _lose_all_redis(self) -> None:
        """Kill every Redis server at once; they come back at whatever addresses are free."""
        servers = [
            container
            for shard in "abc"
            for number in range(2)
            for container in self._project.containers(f"redis-{shard}-{number}")
        ]
        self._say("SIGKILL to all six Redis servers")
        docker("kill", *servers)
        docker("start", *reversed(servers))

    async def _settle(self) -> list[str]:
        """Wait until `scrutin verify --settled` finds nothing; return what it finds to the end."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + SETTLE_TIMEOUT_S
        while True:
            try:
                said = await asyncio.to_thread(self._project.tool, "verify", "--settled")
            except EngineError as error:
                if loop.time() > deadline_s:
                    return [str(error)]
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                self._say("scrutin verify --settled: " + " ".join(said.split()[-2:]))
                return []

    async def _compare(self, account: Account) -> list[str]:
        """Hold the tables and the published results against what voters were answered."""
        stored = await read_tables(self._clickhouse_url, tls=self._tls)
        results = await read_results(self._voters_url, LAW, tls=self._tls)
        stored = stored._replace(results=results)
        self._say(f"{len(stored.ballots):,} ballots, published {results[0]:,} : {results[1]:,}")
        return differences(account.answers, stored, account.unanswered)

    def _told(self, attempts: Sequence[Attempt]) -> list[str]:
        """Search what containers said for any NAS or code that was sent."""
        secrets = {attempt.elector.nas for attempt in attempts}
        secrets |= {attempt.elector.code for attempt in attempts}
        said = self._project("logs", "--no-color", "--no-log-prefix")
        told = sum(secret in said for secret in secrets)
        return [f"containers' logs hold {told} NAS or codes"] if told else []


async def until_answered(progress: Progress, count: int) -> None:
    """Wait for the count-th answer; a halt of the voting is waited out."""
    while progress.answered < count and progress.over < progress.attempts:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def shown(url: str, tls: ssl.SSLContext | bool) -> tuple[int, str]:
    """Return status and body of a page."""
    async with aiohttp.ClientSession() as http, http.get(url, ssl=tls) as answer:
        return answer.status, await answer.text()
