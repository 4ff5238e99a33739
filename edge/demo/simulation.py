"""A light stream of votes, so that the demo's numbers move."""

import asyncio
import random
import uuid
from collections.abc import Sequence

import aiohttp

from edge.demo.electorate import Card

VOTES_PER_S = 20.0
REQUEST_TIMEOUT_S = 10.0
OUI_SHARE = 0.55
DUPLICATE_SHARE = 0.04
INVALID_SHARE = 0.01
RETRY_PAUSE_S = 0.5


class Simulation:
    """Casts ballots of the electors given: most once, some twice, a few with a wrong code."""

    def __init__(
        self,
        url: str,
        cards: Sequence[Card],
        rng: random.Random,
        votes_per_s: float = VOTES_PER_S,
    ) -> None:
        self._vote_url = f"{url}/api/v1/vote"
        self._votes_per_s = votes_per_s
        self._rng = rng
        self._waiting = list(cards)
        self._rng.shuffle(self._waiting)
        self._voted: list[Card] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Vote at a steady rate until `stop` is set."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as votes:
            while not stop.is_set():
                votes.create_task(self._vote(http, self._next_card(), stop))
                try:
                    pause_s = self._rng.expovariate(self._votes_per_s)
                    await asyncio.wait_for(stop.wait(), pause_s)
                except TimeoutError:
                    continue

    def _next_card(self) -> Card:
        draw = self._rng.random()
        if self._voted and (draw < DUPLICATE_SHARE or not self._waiting):
            return self._rng.choice(self._voted)
        if draw > 1 - INVALID_SHARE:
            return self._waiting[-1]._replace(code="WRONGCODE")
        card = self._waiting.pop()
        self._voted.append(card)
        return card

    async def _vote(self, http: aiohttp.ClientSession, card: Card, stop: asyncio.Event) -> None:
        """Send a ballot as a voter's page does: again, under the same id, until it is answered."""
        ballot = card._asdict() | {
            "vote": "oui" if self._rng.random() < OUI_SHARE else "non",
            "request_id": str(uuid.uuid4()),
        }
        while not stop.is_set():
            try:
                async with http.post(self._vote_url, json=ballot) as answer:
                    if answer.status not in (429, 503):
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass  # an edge that is being started again: ask once more below
            await asyncio.sleep(RETRY_PAUSE_S)
