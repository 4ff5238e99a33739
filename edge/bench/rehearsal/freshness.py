"""How old the results are that the API shows while votes are cast."""

import asyncio
import time
from statistics import median

import aiohttp
import msgspec

from edge.results import LawResults

LOOK_EVERY_S = 0.5
TIMEOUT_S = 30.0


class Ages(msgspec.Struct):
    """What was seen: (seconds since the beginning, age of the results shown in seconds).

    `unanswered`: looks that showed no results, or none within half a minute.
    """

    seen: list[tuple[float, float]] = msgspec.field(default_factory=list)
    unanswered: int = 0

    @property
    def median_s(self) -> float:
        """Age in the middle of all looks; there has to be one."""
        return median(age_s for _, age_s in self.seen)

    @property
    def oldest_s(self) -> float:
        """The greatest age; there has to be one."""
        return max(age_s for _, age_s in self.seen)


async def watch_ages(url: str, law_id: str, ages: Ages) -> None:
    """Ask for a law's results twice a second until cancelled, as one more reader.

    An age is from the count to the answer's arrival, so the waiting is in it.
    """
    began_s = time.monotonic()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as http:
        while True:
            try:
                async with http.get(f"{url}/api/v1/results/{law_id}") as answer:
                    body, status = await answer.read(), answer.status
            except (aiohttp.ClientError, TimeoutError):
                status = 0
            if status == 200:
                results = msgspec.json.decode(body, type=LawResults)
                age_s = time.time() - results.updated_at.timestamp()
                ages.seen.append((time.monotonic() - began_s, age_s))
            else:
                ages.unanswered += 1
            await asyncio.sleep(LOOK_EVERY_S)
