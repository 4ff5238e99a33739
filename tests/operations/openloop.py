"""Votes at a rate whatever the answers take, through a balancer, each sent until it is decided.

A voter keeps the request id and sends again after 503 or a lost connection. The log on disk is the
client's own: what it says was answered is what the stores must hold.
"""

import asyncio
import random
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec

from hashgen import ballot_hash
from tests.operations.posting import PostPool, Target
from tests.support.campaign import STATUS_BY_CODE
from tests.support.rolls import Elector

DUPLICATE_SHARE = 0.1
INVALID_SHARE = 0.01
REMEMBERED_VOTERS = 5000  # among whom the duplicates are drawn
LOOK_EVERY_S = 0.05
LOOK_TIMEOUT_S = 1.0
REQUEST_TIMEOUT_S = 10.0
RETRY_PAUSE_S = 0.25
DEADLINE_S = 60.0
CONNECTIONS = 256
LATENCIES_KEPT = 2000  # a second, drawn evenly


class Ballot(NamedTuple):
    """A vote to send. The code of strangers is nobody's."""

    elector: Elector
    vote: str
    request_id: str


class Sent(NamedTuple):
    """One sending: from when to when, since the beginning; its status, 0 for a lost connection."""

    at_s: float
    answered_s: float
    status: int


def ballots(electors: Iterator[Elector], rng: random.Random) -> Iterator[Ballot]:
    """Draw ballots: first ones in the order given, some again, a few with a wrong code.

    Ends with the electors.
    """
    voted: deque[Elector] = deque(maxlen=REMEMBERED_VOTERS)
    while True:
        draw = rng.random()
        if voted and draw < DUPLICATE_SHARE:
            elector = voted[rng.randrange(len(voted))]
        else:
            following = next(electors, None)
            if following is None:
                return
            elector = following
            if draw < DUPLICATE_SHARE + INVALID_SHARE:
                elector = elector._replace(code="NOBODY99")
            else:
                voted.append(elector)
        request_id = str(uuid.UUID(bytes=rng.randbytes(16)))
        yield Ballot(elector, rng.choice(("oui", "non")), request_id)


class Second(NamedTuple):
    """What was decided in one second: how many, and a sample of how long they took, from due."""

    decided: int
    latencies_s: list[float]


class OpenLoop:
    """The load and what came of it.

    `answers` counts decisions by status, `unexpected` holds statuses that no voter should see,
    `troubles` every sending that got no decision, `unanswered` request ids given up.
    """

    def __init__(self, urls: Sequence[str], log: Path, rng: random.Random) -> None:
        self.answers: Counter[str] = Counter()
        self.troubles: list[Sent] = []
        self.unexpected: Counter[int] = Counter()
        self.unanswered: list[str] = []
        self.sendings = 0
        self.seconds: dict[int, Second] = {}
        self._urls = list(urls)
        self._targets = {url: _target(url) for url in urls}
        self._in_rotation = list(urls)
        self._log = log
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()

    @property
    def now_s(self) -> float:
        """Seconds since the beginning."""
        return self._loop.time() - self._began_s

    async def run(self, votes: Iterator[Ballot], rate_per_s: float, stop: asyncio.Event) -> None:
        """Send until `stop` is set, then wait for the last answers; fail when ballots run out."""
        self._began_s = self._loop.time()
        async with PostPool(connections=CONNECTIONS, timeout_s=REQUEST_TIMEOUT_S) as pool:
            balancing = asyncio.create_task(self._balance())
            try:
                with self._log.open("w", buffering=1 << 16) as log:
                    async with asyncio.TaskGroup() as voters:
                        sent = 0
                        while not stop.is_set():
                            while sent < self.now_s * rate_per_s:
                                ballot = next(votes, None)
                                assert ballot is not None, "the electors have all voted"
                                due_s = sent / rate_per_s
                                voters.create_task(self._vote(pool, ballot, due_s, log.write))
                                sent += 1
                            await asyncio.sleep(max(0.0, sent / rate_per_s - self.now_s))
            finally:
                balancing.cancel()
                await asyncio.gather(balancing, return_exceptions=True)

    async def _balance(self) -> None:
        """Send to those edges that say they are ready, as a load balancer does."""
        timeout = aiohttp.ClientTimeout(total=LOOK_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                ready = await asyncio.gather(*(_ready(http, url) for url in self._urls))
                self._in_rotation = [url for url, up in zip(self._urls, ready, strict=True) if up]
                await asyncio.sleep(LOOK_EVERY_S)

    async def _vote(
        self,
        pool: PostPool,
        ballot: Ballot,
        due_s: float,
        write: Callable[[str], object],
    ) -> None:
        fields = ballot.elector._asdict() | {"vote": ballot.vote, "request_id": ballot.request_id}
        body = msgspec.json.encode(fields)
        while self.now_s - due_s < DEADLINE_S:
            at_s = self.now_s
            status, said = await self._send(pool, body)
            self.sendings += 1
            if status in STATUS_BY_CODE and said.get("status") == STATUS_BY_CODE[status]:
                self._decided(due_s, STATUS_BY_CODE[status])
                write(_line(ballot, STATUS_BY_CODE[status], int(str(said.get("attempt_count", 0)))))
                return
            self.troubles.append(Sent(at_s, self.now_s, status))
            if status not in (0, 503):
                self.unexpected[status] += 1
            await asyncio.sleep(RETRY_PAUSE_S * (0.5 + self._rng.random()))
        self.unanswered.append(ballot.request_id)
        write(_line(ballot, "unanswered", 0))

    async def _send(self, pool: PostPool, body: bytes) -> tuple[int, dict[str, object]]:
        """Send once; return status and body, 0 when there was no answer."""
        url = self._rng.choice(self._in_rotation or self._urls)
        try:
            status, said = await pool.post(self._targets[url], body)
            return status, msgspec.json.decode(said, type=dict[str, object])
        except (OSError, msgspec.DecodeError):
            return 0, {}

    def _decided(self, due_s: float, status: str) -> None:
        self.answers[status] += 1
        now_s = self.now_s
        held = self.seconds.get(int(now_s), Second(0, []))
        if len(held.latencies_s) < LATENCIES_KEPT:
            held.latencies_s.append(now_s - due_s)
        self.seconds[int(now_s)] = held._replace(decided=held.decided + 1)


def _line(ballot: Ballot, status: str, attempt: int) -> str:
    """Return a row of the client's log: nothing of it tells who the elector is."""
    vote_hash = ballot_hash(*ballot.elector).hex()
    return f"{vote_hash}\t{ballot.request_id}\t{ballot.vote}\t{status}\t{attempt}\n"


def _target(url: str) -> Target:
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    return Target(where.hostname, where.port, "/api/v1/vote")


async def _ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/api/v1/ready") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
