"""How to reach the cluster, and how sure a write must be before it is answered."""

from typing import Literal

import msgspec

DurabilityMode = Literal["replicated", "fsync", "memory"]


class Durability(msgspec.Struct, frozen=True):
    """What is awaited before a write counts as done.

    `replicated`: on disk on the primary and on its replicas, at least `min_replicas`;
    `fsync`: on disk on the primary; `memory`: no wait (benchmarks only).
    """

    mode: DurabilityMode = "replicated"
    min_replicas: int = 1
    timeout_ms: int = 1000

    @property
    def replicas_needed(self) -> int:
        """How many replicas have to confirm a write at the least."""
        return self.min_replicas if self.mode == "replicated" else 0


class RedisOptions(msgspec.Struct, frozen=True):
    """Where the cluster is and the bounds on talking to it.

    `url` may be `redis://` or `rediss://` (TLS) with user, password and redis-py's query options;
    any node of the cluster will do. `timeout_s` bounds one call, retries included;
    `waiting_max` bounds the calls that wait for an answer. A primary that has used more than
    `memory_high_water` of its memory limit takes no new ballots, and answers those it has taken.
    """

    url: str
    durability: Durability = Durability()
    timeout_s: float = 2.0
    waiting_max: int = 20_000
    memory_high_water: float = 0.9

    def __post_init__(self) -> None:
        if self.timeout_s <= 0:
            raise ValueError("timeout_s must be positive")
        if not 0 < self.memory_high_water <= 1:
            raise ValueError("memory_high_water must be above 0 and at most 1")
        if self.durability.timeout_ms / 1000 > self.timeout_s:
            raise ValueError("the durability timeout must not exceed timeout_s")
