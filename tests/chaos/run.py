"""One seeded run of one scenario: votes, faults meanwhile, then the proof."""

import asyncio
import random
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
import msgspec
from redis.exceptions import RedisError

from hashgen import ballot_hash
from shards import keys
from shards.results import ResultsSnapshot
from tests.chaos.clientlog import ClientLog, Line, read_account
from tests.chaos.stack import POLL_S, ChaosStack
from tests.chaos.voters import Progress, Sending, vote
from tests.support.campaign import Answer, Attempt, differences, plan, read_results, read_tables
from tests.support.rolls import LAW

VOTES = 2000
DUPLICATE_SHARE = 0.3
INVALID_SHARE = 0.02
VOTING_TIMEOUT_S = 90.0
DRAIN_TIMEOUT_S = 40.0
TALLY_TIMEOUT_S = 15.0
PROBES = 60


class Run:
    """What a fault gets: the stack, its own random numbers, and how far the voting is.

    A fault that sends votes of its own adds them to `attempts` and logs them.
    """

    def __init__(
        self, stack: ChaosStack, rng: random.Random, sending: Sending, attempts: list[Attempt]
    ) -> None:
        self.stack = stack
        self.rng = rng
        self.sending = sending
        self.progress = sending.progress
        self.attempts = attempts

    async def moment(self, earliest: float = 0.1, latest: float = 0.5) -> None:
        """Wait until a drawn share of the attempts is answered."""
        share = self.rng.uniform(earliest, latest)
        await self.progress.until_answered(int(share * len(self.attempts)))

    async def answers(self, least: int, most: int) -> None:
        """Wait for some more answers, their number drawn, or until the voting halts."""
        more = self.rng.randint(least, most)
        await self.progress.until_answered(self.progress.answered + more)

    async def troubles(self, least: int, most: int) -> None:
        """Wait until some sendings got no decision, their number drawn."""
        await self.progress.until_troubled(self.rng.randint(least, most))

    async def drained(self, timeout_s: float) -> None:
        """Wait until the outbox is empty; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    if not await self.stack.outbox_events():
                        return
                except RedisError:
                    pass  # a primary is away; it is asked again
                await asyncio.sleep(POLL_S)


class Overtaken(Exception):
    """A fault found nothing to break: alone that is a mistake, in a pair the other was quicker."""


Fault = Callable[[Run], Awaitable[None]]


class Scenario(msgspec.Struct, frozen=True):
    """A named fault. `votes` multiplies the attempts, `invalid_share` of them are strangers'."""

    name: str
    fault: Fault
    invalid_share: float = INVALID_SHARE
    votes: float = 1.0


class Report(msgspec.Struct, frozen=True):
    """What came of a run. `undecided` counts answers 503, 429 and lost connections."""

    scenario: str
    seed: int
    votes: int
    answers: int
    undecided: int
    unanswered: int
    longest_wait_s: float
    seconds: float
    violations: list[str]


class Player:
    """Plays runs on one stack, one after the other, and keeps its tally meanwhile."""

    def __init__(self, stack: ChaosStack) -> None:
        self._stack = stack
        self._tally: Counter[str] = Counter()

    async def play(self, scenario: Scenario, seed: int, votes: int = VOTES) -> Report:
        """Play a run; whatever goes wrong stands in the report."""
        began_s = time.monotonic()
        rng = random.Random(f"{scenario.name} {seed}")
        attempts = plan(
            self._stack.electorate.slice_of(seed),
            attempts=int(votes * scenario.votes),
            seed=rng.getrandbits(32),
            duplicate_share=DUPLICATE_SHARE,
            invalid_share=scenario.invalid_share,
        )
        path = self._stack.directory / f"{scenario.name}-{seed}.jsonl"
        path.unlink(missing_ok=True)
        progress = Progress(len(attempts))
        with ClientLog(path) as log:
            sending = Sending(self._stack.edge_urls, log, progress, random.Random(rng.random()))
            run = Run(self._stack, random.Random(rng.random()), sending, attempts)
            violations = await self._vote(scenario, run)
            if not violations:
                attempts += await self._probe(sending, path, attempts)
        account = read_account(path, attempts)
        violations += account.contradictions
        violations += await self._check(run, account.answers, account.unanswered)
        return Report(
            scenario.name,
            seed,
            len(attempts),
            len(account.answers),
            progress.refused + progress.lost,
            len(account.unanswered),
            round(account.longest_wait_s, 3),
            round(time.monotonic() - began_s, 3),
            violations,
        )

    async def _vote(self, scenario: Scenario, run: Run) -> list[str]:
        """Have the votes cast while the fault is at work; return what must not have happened."""
        voting = asyncio.ensure_future(vote(run.sending, list(run.attempts)))
        try:
            async with asyncio.timeout(VOTING_TIMEOUT_S):
                await scenario.fault(run)
                fallen = await self._stack.heal()
                await voting
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
            waiting = run.progress.attempts - run.progress.over
            calls = traceback.extract_tb(error.__traceback__)
            where = " > ".join(f"{call.name}:{call.lineno}" for call in calls)
            text = f"{type(error).__name__} {error} at {where}"
            return [f"{text} ({waiting} attempts open)"]
        finally:
            voting.cancel()
            await asyncio.gather(voting, return_exceptions=True)
        return fallen

    async def _probe(
        self, sending: Sending, path: Path, attempts: Sequence[Attempt]
    ) -> list[Attempt]:
        """Ask once more when all is well again.

        Some attempts are repeated and must be answered as before, or refused when their choice is
        another; some electors try anew. Returns the new attempts.
        """
        rng = sending.rng
        answers = [a for a in read_account(path, attempts).answers if a.status != "invalid"]
        again = rng.sample(answers, min(PROBES, len(answers)))
        await vote(sending, [answer.attempt for answer in again])
        changed = rng.sample(answers, min(PROBES, len(answers)))
        await asyncio.gather(*(self._change_of_mind(sending, answer) for answer in changed))
        anew = [
            answer.attempt._replace(request_id=str(uuid.UUID(bytes=rng.randbytes(16))))
            for answer in rng.sample(answers, min(PROBES, len(answers)))
        ]
        await vote(sending, anew)
        return anew

    async def _change_of_mind(self, sending: Sending, answer: Answer) -> None:
        """Send the other choice under the same request id: it must be refused as 422."""
        attempt = answer.attempt
        other = "non" if attempt.vote == "oui" else "oui"
        body = attempt.elector._asdict() | {"vote": other, "request_id": attempt.request_id}
        url = sending.rng.choice(sending.urls)
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.post(f"{url}/api/v1/vote", json=body) as response:
                    if response.status not in (429, 503):
                        break
        if response.status != 422:
            log, at_s, said = sending.log, sending.progress.now_s, str(response.status)
            wrong = Line(
                "contradicted", attempt.request_id, attempt.vote_hash, other, at_s, status=said
            )
            log.write(wrong)

    async def _check(
        self, run: Run, answers: Sequence[Answer], unanswered: Sequence[Attempt]
    ) -> list[str]:
        """Hold the stores against the client's log."""
        try:
            await run.drained(DRAIN_TIMEOUT_S)
        except TimeoutError:
            return ["the outbox did not drain to empty"]
        hashes = sorted({a.attempt.vote_hash for a in answers} | {a.vote_hash for a in unanswered})
        stored = await read_tables(self._stack.clickhouse.url, hashes)
        ballots = Counter(vote for _, vote, _ in stored.ballots)
        found = differences(
            answers, stored._replace(results=(ballots["oui"], ballots["non"])), unanswered
        )
        self._tally += ballots
        expected = (self._tally["oui"], self._tally["non"])
        try:
            async with asyncio.timeout(TALLY_TIMEOUT_S):
                while await self._published() != expected:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            found.append(f"published {await self._published()}, the ballots are {expected}")
        return found

    async def disagreements(self) -> list[str]:
        """Hold every edge's results, and all ballots, against what the runs added up to."""
        expected = (self._tally["oui"], self._tally["non"])
        found = []
        for url in self._stack.edge_urls:
            try:
                async with asyncio.timeout(TALLY_TIMEOUT_S):
                    while await read_results(url, LAW) != expected:  # noqa: ASYNC110
                        await asyncio.sleep(POLL_S)
            except TimeoutError:
                found.append(f"{url} says {await read_results(url, LAW)}, not {expected}")
        stored = await read_tables(self._stack.clickhouse.url)
        on_roll = {ballot_hash(*elector).hex() for elector in self._stack.electorate.electors}
        found += [
            f"ballot {h[:8]} is not on the roll" for h, *_ in stored.ballots if h not in on_roll
        ]
        if len(stored.ballots) != sum(expected):
            found.append(f"{len(stored.ballots)} ballots, the runs account for {sum(expected)}")
        return found

    async def _published(self) -> tuple[int, int]:
        """Return oui and non as drainers published them last."""
        for node in self._stack.nodes:
            async with node.client() as redis:
                if (await redis.role())[0] != b"master":
                    continue
                try:
                    value = await redis.get(keys.results_key())
                except RedisError:
                    continue  # it serves other slots
            if value is not None:
                snapshot = msgspec.json.decode(value, type=ResultsSnapshot)
                tally = Counter[str]()
                for law in snapshot.tallies:
                    tally.update(oui=law.oui_count, non=law.non_count)
                return tally["oui"], tally["non"]
        return 0, 0
