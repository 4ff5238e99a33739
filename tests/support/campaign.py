"""Votes over HTTP with a log of every answer, and the proof that all of them were counted.

The log is the client's own: what it says was answered is what the stores must hold.
"""

import asyncio
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import aiohttp

from hashgen import ballot_hash
from tests.support.rolls import Elector

RETRY_PAUSE_S = 0.1
RETRIES_MAX = 600
STATUS_BY_CODE = {202: "accepted", 409: "duplicate", 403: "invalid"}


class Attempt(NamedTuple):
    """A ballot to send, under one request id however often it takes."""

    elector: Elector
    vote: str
    request_id: str

    @property
    def vote_hash(self) -> str:
        """The ballot hash in hex."""
        return ballot_hash(*self.elector).hex()


class Answer(NamedTuple):
    """What the service finally said to an attempt."""

    attempt: Attempt
    status: str
    attempt_count: int


def plan(
    electors: Sequence[Elector],
    *,
    attempts: int,
    seed: int,
    duplicate_share: float = 0.2,
    invalid_share: float = 0.05,
) -> list[Attempt]:
    """Draw attempts in random order: first ballots, further ones by the same electors, strangers.

    Strangers have the NAS of an elector and a code nobody has.
    """
    rng = random.Random(seed)
    duplicates, invalid = int(attempts * duplicate_share), int(attempts * invalid_share)
    firsts = attempts - duplicates - invalid
    voters = rng.sample(list(electors), firsts)
    cast = voters + rng.choices(voters, k=duplicates)
    cast += [
        voter._replace(code=f"NOBODY{number}")
        for number, voter in enumerate(rng.choices(voters, k=invalid))
    ]
    rng.shuffle(cast)
    return [
        Attempt(elector, rng.choice(("oui", "non")), str(uuid.UUID(bytes=rng.randbytes(16))))
        for elector in cast
    ]


async def send(url: str, attempts: Sequence[Attempt], *, connections: int) -> list[Answer]:
    """Send all attempts over many connections; each is repeated until it is answered.

    Only 503, 429 and lost connections are repeated, as a voter's page would.
    """
    queue = iter(attempts)
    log: list[Answer] = []
    connector = aiohttp.TCPConnector(limit=connections)
    timeout = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:

        async def voter() -> None:
            log.extend([await _send_one(http, url, attempt) for attempt in queue])

        async with asyncio.TaskGroup() as voters:
            for _ in range(connections):
                voters.create_task(voter())
    return log


async def _send_one(http: aiohttp.ClientSession, url: str, attempt: Attempt) -> Answer:
    body = attempt.elector._asdict() | {"vote": attempt.vote, "request_id": attempt.request_id}
    for _ in range(RETRIES_MAX):
        try:
            async with http.post(f"{url}/api/v1/vote", json=body) as response:
                if response.status in STATUS_BY_CODE:
                    said = await response.json(content_type=None)
                    assert said["request_id"] == attempt.request_id
                    assert said["status"] == STATUS_BY_CODE[response.status]
                    return Answer(attempt, said["status"], said.get("attempt_count", 0))
                assert response.status in (429, 503), f"answer {response.status}"
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            pass  # the edge is gone; it is asked again
        await asyncio.sleep(RETRY_PAUSE_S)
    raise AssertionError("an attempt was never answered")


class Stored(NamedTuple):
    """What ClickHouse and the results endpoint hold, as read by `read_stored`."""

    ballots: list[tuple[str, str, str]]  # hash, vote, request id
    audit: list[tuple[str, str, str, str]]  # hash, vote, status, request id
    duplicates: dict[str, int]  # hash: attempt count
    results: tuple[int, int]  # oui, non


async def read_stored(clickhouse_url: str, edge_url: str, law_id: str) -> Stored:
    """Read the tables (rows stored twice collapsed, as every view does) and the results."""

    async with aiohttp.ClientSession() as http:

        async def rows(sql: str) -> list[list[str]]:
            query = f"{sql} FORMAT JSONCompactStrings"
            async with http.post(clickhouse_url, data=query) as response:
                said = await response.json(content_type=None)
                return list(said["data"])

        async with http.get(f"{edge_url}/api/v1/results/{law_id}") as response:
            result = await response.json()
        ballots = await rows("SELECT vote_hash, vote, request_id FROM scrutin.ballots FINAL")
        audit = await rows(
            "SELECT vote_hash, vote, status, request_id FROM scrutin.vote_audit FINAL"
        )
        duplicates = await rows("SELECT vote_hash, attempt_count FROM scrutin.duplicate_attempts")
        return Stored(
            [(row[0], row[1], row[2]) for row in ballots],
            [(row[0], row[1], row[2], row[3]) for row in audit],
            {row[0]: int(row[1]) for row in duplicates},
            (int(result["oui_count"]), int(result["non_count"])),
        )


async def wait_counted(url: str, law_id: str, ballots: int, timeout_s: float = 60) -> None:
    """Wait until the results endpoint shows that many ballots."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(timeout_s):
        while True:
            async with http.get(f"{url}/api/v1/results/{law_id}") as response:
                if response.status == 200:
                    result = await response.json()
                    if result["oui_count"] + result["non_count"] >= ballots:
                        return
            await asyncio.sleep(RETRY_PAUSE_S)


def differences(log: Sequence[Answer], stored: Stored) -> list[str]:
    """Compare the client's log with the stores; empty when they agree to the last vote.

    An attempt that had to be repeated may stand in the audit more than once when it was refused
    as invalid (nothing is kept of a stranger), never when it was accepted or a duplicate.
    """
    found: list[str] = []
    by_hash: dict[str, list[Answer]] = defaultdict(list)
    for answer in log:
        by_hash[answer.attempt.vote_hash].append(answer)

    accepted: dict[str, Attempt] = {}
    for vote_hash, answers in by_hash.items():
        kinds = Counter(answer.status for answer in answers)
        if kinds["invalid"] and len(kinds) > 1:
            found.append(f"{vote_hash[:8]}: answered invalid and otherwise")
        if not kinds["invalid"] and kinds["accepted"] != 1:
            found.append(f"{vote_hash[:8]}: {kinds['accepted']} attempts answered accepted")
        counts = sorted(a.attempt_count for a in answers if a.status == "duplicate")
        if counts != list(range(1, len(counts) + 1)):
            found.append(f"{vote_hash[:8]}: duplicates counted {counts}")
        accepted.update((vote_hash, a.attempt) for a in answers if a.status == "accepted")

    expected_ballots = sorted((h, a.vote, a.request_id) for h, a in accepted.items())
    found += _compare("ballots", expected_ballots, sorted(stored.ballots))

    expected_audit = sorted(
        (a.attempt.vote_hash, a.attempt.vote, a.status, a.attempt.request_id) for a in log
    )
    once = sorted({row for row in stored.audit if row[2] == "invalid"})
    once += [row for row in stored.audit if row[2] != "invalid"]
    found += _compare("vote_audit", expected_audit, sorted(once))

    expected_duplicates = sorted(
        (h, n)
        for h, answers in by_hash.items()
        if (n := sum(a.status == "duplicate" for a in answers))
    )
    found += _compare("duplicate_attempts", expected_duplicates, sorted(stored.duplicates.items()))

    votes = Counter(attempt.vote for attempt in accepted.values())
    found += _compare("results", [(votes["oui"], votes["non"])], [stored.results])
    return found


def _compare(
    name: str, expected: Sequence[tuple[object, ...]], held: Sequence[tuple[object, ...]]
) -> list[str]:
    missing, extra = Counter(expected) - Counter(held), Counter(held) - Counter(expected)
    return [f"{name} lacks {row}" for row in missing] + [f"{name} has {row} too" for row in extra]
