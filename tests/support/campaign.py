"""Votes over HTTP with a log of every answer, and the proof that all of them were counted.

The log is the client's own: what it says was answered is what the stores must hold.
"""

import asyncio
import random
import ssl
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


class AuditRow(NamedTuple):
    """One row of `vote_audit`."""

    vote_hash: str
    vote: str
    status: str
    request_id: str
    attempt: int


class Stored(NamedTuple):
    """What ClickHouse and the results endpoint hold, as read by `read_stored`."""

    ballots: list[tuple[str, str, str]]  # hash, vote, request id
    audit: list[AuditRow]
    duplicates: dict[str, int]  # hash: attempt count
    results: tuple[int, int]  # oui, non


async def read_tables(
    clickhouse_url: str,
    hashes: Sequence[str] = (),
    results: tuple[int, int] = (0, 0),
    *,
    tls: ssl.SSLContext | bool = True,
) -> Stored:
    """Read the tables (rows stored twice collapsed, as every view does), of these hashes if any."""
    only = " WHERE vote_hash IN ({})".format(", ".join(f"'{h}'" for h in hashes)) if hashes else ""

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:

        async def rows(sql: str) -> list[list[str]]:
            query = f"{sql}{only} FORMAT JSONCompactStrings"
            size = {"max_query_size": str(len(query) + 1)}
            async with http.post(clickhouse_url, params=size, data=query) as response:
                said = await response.json(content_type=None)
                return list(said["data"])

        ballots = await rows("SELECT vote_hash, vote, request_id FROM scrutin.ballots FINAL")
        audit = await rows(
            "SELECT vote_hash, vote, status, request_id, attempt FROM scrutin.vote_audit FINAL"
        )
        duplicates = await rows("SELECT vote_hash, attempt_count FROM scrutin.duplicate_attempts")
        return Stored(
            [(row[0], row[1], row[2]) for row in ballots],
            [AuditRow(row[0], row[1], row[2], row[3], int(row[4])) for row in audit],
            {row[0]: int(row[1]) for row in duplicates},
            results,
        )


async def read_results(
    edge_url: str, law_id: str, *, tls: ssl.SSLContext | bool = True
) -> tuple[int, int]:
    """Read oui and non from the results endpoint; zeros before the first count."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{edge_url}/api/v1/results/{law_id}", ssl=tls) as response,
    ):
        if response.status == 503:
            return 0, 0
        result = await response.json()
    return int(result["oui_count"]), int(result["non_count"])


async def read_stored(clickhouse_url: str, edge_url: str, law_id: str) -> Stored:
    """Read the whole tables and the results."""
    return await read_tables(clickhouse_url, results=await read_results(edge_url, law_id))


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


def differences(
    log: Sequence[Answer], stored: Stored, unanswered: Sequence[Attempt] = ()
) -> list[str]:
    """Compare the client's log with the stores; empty when they agree to the last vote.

    `unanswered` were sent but never answered: each may or may not have been decided, once at
    most, and whatever it was decided as must fit with the answers that others got.

    An attempt that had to be repeated may stand in the audit more than once when it was refused
    as invalid (nothing is kept of a stranger), never when it was accepted or a duplicate.
    """
    hashes = {answer.attempt.vote_hash for answer in log} | {a.vote_hash for a in unanswered}
    answers: dict[str, list[Answer]] = {vote_hash: [] for vote_hash in hashes}
    for answer in log:
        answers[answer.attempt.vote_hash].append(answer)
    silent: dict[str, list[Attempt]] = {vote_hash: [] for vote_hash in hashes}
    for attempt in unanswered:
        silent[attempt.vote_hash].append(attempt)
    ballots: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for ballot in stored.ballots:
        ballots[ballot[0]].append(ballot)
    audit: dict[str, list[AuditRow]] = defaultdict(list)
    for row in stored.audit:
        audit[row.vote_hash].append(row)

    found = [f"ballots has {row}" for h in ballots.keys() - hashes for row in ballots[h]]
    found += [f"vote_audit has {row}" for h in audit.keys() - hashes for row in audit[h]]
    for vote_hash in sorted(hashes):
        said = _contradictions(answers[vote_hash])
        said += _ballot_differences(answers[vote_hash], silent[vote_hash], ballots[vote_hash])
        said += _audit_differences(
            answers[vote_hash], silent[vote_hash], ballots[vote_hash], audit[vote_hash]
        )
        counted = sum(row.status == "duplicate" for row in audit[vote_hash])
        if stored.duplicates.get(vote_hash, 0) != counted:
            said.append(f"duplicate_attempts says {stored.duplicates.get(vote_hash, 0)}")
        found += [f"{vote_hash[:8]}: {difference}" for difference in said]
    votes = Counter(vote for _, vote, _ in stored.ballots)
    if (votes["oui"], votes["non"]) != stored.results:
        found.append(f"results are {stored.results}, ballots {votes['oui'], votes['non']}")
    return found


def _contradictions(answers: list[Answer]) -> list[str]:
    """Compare the answers about one hash with each other."""
    found = []
    kinds = Counter(answer.status for answer in answers)
    if kinds["invalid"] and len(kinds) > 1:
        found.append("answered invalid and otherwise")
    if kinds["accepted"] > 1:
        found.append(f"{kinds['accepted']} attempts answered accepted")
    return found


def _ballot_differences(
    answers: list[Answer], silent: list[Attempt], ballots: list[tuple[str, str, str]]
) -> list[str]:
    """Compare one hash's ballots with who may have cast it: one of `silent` if no answer says."""
    cast = [answer.attempt for answer in answers if answer.status == "accepted"]
    must_be = any(answer.status != "invalid" for answer in answers)
    if len(ballots) > 1:
        return [f"{len(ballots)} ballots"]
    if not ballots:
        return ["no ballot"] if must_be else []
    candidates = cast or silent
    if any(ballots[0][1:] == (attempt.vote, attempt.request_id) for attempt in candidates):
        return []
    return [f"ballot {ballots[0][1:]} is of nobody who may have cast it"]


def _audit_differences(
    answers: list[Answer],
    silent: list[Attempt],
    ballots: list[tuple[str, str, str]],
    audit: list[AuditRow],
) -> list[str]:
    """Compare one hash's audit rows with the answers, and see that the attempts are numbered."""
    found = []
    rows = Counter(audit)
    for (_, vote, status, request_id, attempt), times in rows.items():
        if status != "invalid" and times > 1:
            found.append(f"{status} {request_id} stands {times} times in vote_audit")
        if status == "accepted" and not any(b[1:] == (vote, request_id) for b in ballots):
            found.append(f"accepted {request_id} (attempt {attempt}) is not the ballot")
    by_request = Counter(row.request_id for row in rows)
    found += [f"{r} was decided in {n} ways" for r, n in by_request.items() if n > 1]
    for answer in answers:
        vote_hash, sent = answer.attempt.vote_hash, answer.attempt
        row = AuditRow(vote_hash, sent.vote, answer.status, sent.request_id, answer.attempt_count)
        if row not in rows:
            found.append(f"vote_audit lacks {tuple(row)[1:]}")
    known = {(a.attempt.vote, a.attempt.request_id) for a in answers}
    known |= {(attempt.vote, attempt.request_id) for attempt in silent}
    found += [f"vote_audit has {tuple(r)[1:]}" for r in rows if (r.vote, r.request_id) not in known]
    numbers = sorted(row.attempt for row in audit if row.status == "duplicate")
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"duplicates are numbered {numbers}")
    return found
