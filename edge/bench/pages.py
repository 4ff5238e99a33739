"""The benchmark of the voters' pages: how long they take while votes come in."""

import asyncio

from edge.bench.generators import oha, oha_pages
from edge.bench.online import CONNECTIONS, OPEN_LOOP_TIMES, RATE_PER_S, drawn
from edge.bench.outcome import Figure, Outcome
from edge.bench.serving import VOTE_PATH, serving
from edge.bench.size import Size

PAGES_PER_S = 200
PAGE_CONNECTIONS = 32
PAGES = ("/fr/", "/en/choose", "/fr/results", "/en/privacy")
GOAL_P95_S = 0.020


async def pages(size: Size) -> Outcome:
    """How long pages take at a steady rate while votes come in, replicated."""
    seconds = OPEN_LOOP_TIMES * size.seconds
    electors = RATE_PER_S * seconds * 2
    async with serving("replicated", electors) as target:
        url = target.urls[0]
        shown, votes = await asyncio.gather(
            asyncio.to_thread(
                oha_pages,
                [url + path for path in PAGES],
                rate_per_s=PAGES_PER_S,
                connections=PAGE_CONNECTIONS,
                seconds=seconds,
            ),
            asyncio.to_thread(
                oha,
                url + VOTE_PATH,
                target.ballots,
                rate_per_s=RATE_PER_S,
                connections=CONNECTIONS,
                seconds=seconds,
            ),
        )
    return Outcome(
        "pages",
        "Pages of the voters' way and results, counted from when each was due to be asked for.",
        f"{PAGES_PER_S} pages/s and {RATE_PER_S:,} votes/s for {seconds} s, replicated",
        [
            Figure("p50", shown.latency_s["p50"] * 1000, "ms", "lower"),
            Figure("p95", shown.latency_s["p95"] * 1000, "ms", "lower", goal=GOAL_P95_S * 1000),
            Figure("p99", shown.latency_s["p99"] * 1000, "ms", "lower"),
            Figure("answered", shown.requests_per_s, "pages/s", goal=0.99 * PAGES_PER_S),
            Figure("answers other than a page", shown.failed, "answers", "lower", goal=0),
            Figure("votes meanwhile", votes.requests_per_s, "votes/s", goal=0.99 * RATE_PER_S),
            Figure("votes meanwhile, p95", votes.latency_s["p95"] * 1000, "ms", "lower"),
        ],
        notes=[drawn(RATE_PER_S * seconds, electors)],
        loop="open",
    )
