"""Voters: each casts a ballot under one request id until it is answered, as a page does.

Some are impatient and turn to the other edge with the same id before the first has answered, some
give up when something goes wrong. Which they are is drawn from the seed.
"""

import asyncio
import random
import ssl
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple

import aiohttp

from tests.chaos.clientlog import ClientLog, Event, Line
from tests.support.campaign import STATUS_BY_CODE, Attempt

VOTERS = 96
PATIENCE_S = 5.0
IMPATIENCE_S = (0.005, 0.3)
IMPATIENT_SHARE = 0.15
GIVES_UP_SHARE = 0.05
RETRY_PAUSE_S = (0.03, 0.12)
STALL_S = 0.8
UNDECIDED = (429, 502, 503, 504)  # 502 and 504 are a balancer's, whose edge went away
POLL_S = 0.01


class Temper(Enum):
    """How a voter takes it when no answer comes."""

    PATIENT = auto()
    IMPATIENT = auto()
    GIVES_UP = auto()


class Unexpected(Exception):
    """An answer that no fault explains."""


class Progress:
    """How far the voting is. `refused` counts 429 and 50x, `lost` connections without an answer."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        self.answered = 0
        self.refused = 0
        self.lost = 0
        self.over = 0
        self._loop = asyncio.get_running_loop()
        self.began_s = self._loop.time()
        self.answered_at_s = self.began_s

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return self._loop.time() - self.began_s

    @property
    def stalled(self) -> bool:
        """Whether nobody was answered for a while, or nobody waits any more."""
        quiet_s = self._loop.time() - self.answered_at_s
        return quiet_s > STALL_S or self.over >= self.attempts

    def answer(self) -> None:
        """Count an answer."""
        self.answered += 1
        self.answered_at_s = self._loop.time()

    async def until_answered(self, count: int) -> None:
        """Wait for the count-th answer, or until the voting has come to a halt."""
        while self.answered < count and not self.stalled:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    async def until_troubled(self, more: int) -> None:
        """Wait until so many more sendings got no decision, or the voting has come to a halt."""
        goal = self.refused + self.lost + more
        while self.refused + self.lost < goal and not self.stalled:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


class Sending(NamedTuple):
    """Where and how the voters send. `tls` is whom they trust: by default whom everybody trusts."""

    urls: Sequence[str]
    log: ClientLog
    progress: Progress
    rng: random.Random
    tls: ssl.SSLContext | bool = True


async def vote(sending: Sending, attempts: Sequence[Attempt], *, voters: int = VOTERS) -> None:
    """Send all attempts; raises `Unexpected`."""
    rng = sending.rng
    queue = iter(
        [(attempt, _temper(rng), rng.randrange(len(sending.urls))) for attempt in attempts]
    )
    connector = aiohttp.TCPConnector(limit=0, ssl=sending.tls)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as tasks:
        for number in range(voters):
            own = random.Random(f"{rng.random()} {number}")
            tasks.create_task(_Voter(http, sending, own).run(queue))


def _temper(rng: random.Random) -> Temper:
    draw = rng.random()
    if draw < GIVES_UP_SHARE:
        return Temper.GIVES_UP
    return Temper.IMPATIENT if draw < GIVES_UP_SHARE + IMPATIENT_SHARE else Temper.PATIENT


class _Voter:
    def __init__(self, http: aiohttp.ClientSession, sending: Sending, rng: random.Random) -> None:
        self._http = http
        self._sending = sending
        self._rng = rng

    async def run(self, queue: Iterator[tuple[Attempt, Temper, int]]) -> None:
        for attempt, temper, edge in queue:
            await self._cast(attempt, temper, edge)
            self._sending.progress.over += 1

    async def _cast(self, attempt: Attempt, temper: Temper, edge: int) -> None:
        """Send until answered, or given up."""
        self._note("sent", attempt)
        progress, urls = self._sending.progress, self._sending.urls
        tries = 0
        while True:
            tries += 1
            hasty = temper is Temper.IMPATIENT and tries <= 2
            patience_s = self._rng.uniform(*IMPATIENCE_S) if hasty else PATIENCE_S
            if await self._send(attempt, urls[edge], patience_s, tries):
                progress.answer()
                return
            if temper is Temper.GIVES_UP:
                self._note("gave_up", attempt, tries=tries)
                return
            if hasty or tries % 4 == 0:
                edge = (edge + 1) % len(urls)
            await asyncio.sleep(0 if hasty else self._rng.uniform(*RETRY_PAUSE_S))

    async def _send(self, attempt: Attempt, url: str, patience_s: float, tries: int) -> bool:
        """Send once; say whether a decision came back, which is logged at once."""
        body = attempt.elector._asdict() | {"vote": attempt.vote, "request_id": attempt.request_id}
        progress = self._sending.progress
        try:
            async with (
                asyncio.timeout(patience_s),
                self._http.post(f"{url}/api/v1/vote", json=body) as response,
            ):
                code = response.status
                if code in UNDECIDED:
                    progress.refused += 1
                    return False
                said = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError):
            progress.lost += 1
            return False
        status, request_id = said.get("status"), said.get("request_id")
        if STATUS_BY_CODE.get(code) != status or request_id != attempt.request_id:
            raise Unexpected(f"{attempt.vote_hash[:8]}: {code} {status} for request {request_id}")
        count = said.get("attempt_count", 0)
        self._note("answered", attempt, status=status, attempt_count=count, tries=tries)
        return True

    def _note(
        self,
        event: Event,
        attempt: Attempt,
        *,
        status: str = "",
        attempt_count: int = 0,
        tries: int = 0,
    ) -> None:
        at_s = round(self._sending.progress.now_s, 4)
        line = Line(
            event, attempt.request_id, attempt.vote_hash, attempt.vote, at_s,
            status, attempt_count, tries,
        )  # fmt: skip
        self._sending.log.write(line)
