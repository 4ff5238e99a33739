"""An edge without Redis: it reads, checks and hashes a ballot, and answers 202 at once.

What is left of its speed when Redis is there is what Redis, and talking to it, cost.
"""

import os

import uvloop
from prometheus_client import CollectorRegistry

from edge.app import EdgeApp
from edge.backend import Backend
from edge.metrics import EdgeMetrics
from edge.serve import serve_app
from edge.settings import Settings, from_env
from shards.election import load_election
from shards.roll import Cast, RollStore

ACCEPTED = Cast("accepted")


class HollowRoll(RollStore):
    """Accepts every ballot and keeps none."""

    def __init__(self) -> None:
        """Need no cluster."""

    async def cast(self, *_: object) -> Cast:
        """Accept."""
        return ACCEPTED


class HollowBackend(Backend):
    """Is ready, and has nothing to look at."""

    async def look(self) -> None:
        """Find everything well."""
        self.redis_state, self.roll_state, self.roll = "writable", "loaded", HollowRoll()


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM."""
    metrics = EdgeMetrics(CollectorRegistry())
    backend = HollowBackend(settings, load_election(settings.election_file()), metrics)
    await serve_app(EdgeApp(settings, backend, metrics), backend, None, settings)


if __name__ == "__main__":
    uvloop.run(serve(from_env(os.environ, {})))
