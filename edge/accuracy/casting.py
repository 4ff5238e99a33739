"""Casts a deck over HTTP, as voters' pages do, and holds every answer against the deck."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import cycle

import aiohttp
import msgspec

from edge.accuracy.deck import Answer, Attempt, Deck
from edge.errors import AccuracyRefused

AT_ONCE = 16
REQUEST_TIMEOUT_S = 30.0
PATIENCE_S = 180.0  # with an edge that says to come again later
RETRY_PAUSE_S = 1.0
NONE = Answer(0)
JSON = {"Content-Type": "application/json"}

Progress = Callable[[int, int], None]  # told how many attempts of how many are answered


class _Body(msgspec.Struct):
    """What we read of an answer; a problem's `status` is a number."""

    request_id: str = ""
    status: str | int = ""
    attempt_count: int = 0


async def check_edges(urls: Sequence[str]) -> None:
    """Raise `AccuracyRefused` unless every edge is ready."""
    async with _session() as http:
        for url in urls:
            try:
                async with http.get(f"{url}/api/v1/ready") as answer:
                    status = str(answer.status)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                status = type(error).__name__
            if status != "200":
                raise AccuracyRefused(f"the edge {url} is not ready ({status}): start it, or --url")


async def cast(
    urls: Sequence[str], deck: Deck, progress: Progress
) -> tuple[Counter[int], list[str]]:
    """Send the deck; return the answers by HTTP status, and where they differ from the deck's."""
    answers: Counter[int] = Counter()
    faults: list[str] = []
    edges = cycle(urls)
    async with _session() as http:
        for attempts in (deck.first, deck.later):
            locks = {attempt.ballot_hash: asyncio.Lock() for attempt in attempts}

            async def work(
                waiting: Iterator[Attempt], locks: dict[bytes, asyncio.Lock] = locks
            ) -> None:
                for attempt in waiting:
                    # Nothing is awaited between taking an attempt and standing in line for its
                    # lock, and lines keep their order: so do attempts of one hash.
                    async with locks[attempt.ballot_hash]:
                        found = await _send(http, next(edges), attempt)
                    answers[found.http] += 1
                    if found != attempt.answer:
                        faults.append(
                            f"{attempt.kind} {attempt.request_id}: {_text(found)} was answered,"
                            f" {_text(attempt.answer)} is right"
                        )
                    progress(answers.total(), len(deck.attempts))

            await _together(work, attempts)
    return answers, faults


async def _together(
    work: Callable[[Iterator[Attempt]], Coroutine[None, None, None]], attempts: Iterable[Attempt]
) -> None:
    waiting = iter(attempts)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(work(waiting))


async def _send(http: aiohttp.ClientSession, url: str, attempt: Attempt) -> Answer:
    """Send until it is decided; with the same request id that is safe."""
    found = NONE
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    found, pause_s = await _once(http, url, attempt)
                except (aiohttp.ClientError, TimeoutError):
                    found, pause_s = NONE, RETRY_PAUSE_S
                if pause_s is None:
                    return found
                await asyncio.sleep(pause_s)
    except TimeoutError:
        return found


async def _once(
    http: aiohttp.ClientSession, url: str, attempt: Attempt
) -> tuple[Answer, float | None]:
    """Return an answer, and after how many seconds to send again, None for not at all."""
    async with http.post(f"{url}/api/v1/vote", data=attempt.body, headers=JSON) as reply:
        content = await reply.read()
        if reply.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            after = reply.headers.get("Retry-After", "")
            return Answer(reply.status), float(after) if after.isdigit() else RETRY_PAUSE_S
    try:
        body = msgspec.json.decode(content, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Answer(reply.status, "no JSON"), None
    decided = isinstance(body.status, str)
    if decided and body.request_id != str(attempt.request_id):
        return Answer(reply.status, "another request's"), None
    return Answer(reply.status, str(body.status) if decided else "", body.attempt_count), None


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S))


def _text(answer: Answer) -> str:
    if answer == NONE:
        return "nothing"
    count = f" {answer.attempt_count}" if answer.attempt_count else ""
    return f"{answer.http} {answer.status}".rstrip() + count
