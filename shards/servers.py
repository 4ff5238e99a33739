"""What the servers of the cluster are set to, and how full they are."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shards.errors import ConfigurationError
from shards.options import Durability
from shards.topology import Address, Topology

POLICY = "noeviction"  # any other may throw away electors or votes when memory is short


class NodeMemory(msgspec.Struct, frozen=True):
    """A primary's memory in bytes; `max_bytes` is 0 when it has no limit."""

    used_bytes: int
    max_bytes: int

    def over(self, share: float) -> bool:
        """Say whether more than that share of the limit is used."""
        return self.max_bytes > 0 and self.used_bytes > share * self.max_bytes


class PrimaryState(msgspec.Struct, frozen=True):
    """A primary as it says itself.

    `replicas_online` counts those in step with it; `aof_ok`: its latest write to the append-only
    file went well.
    """

    memory: NodeMemory
    replicas_online: int
    aof_ok: bool


async def read_primaries(topology: Topology) -> dict[Address, PrimaryState]:
    """Ask every primary; raises `Unavailable`."""
    answers = await topology.primaries_info("memory", "replication", "persistence")
    return {address: _state(info) for address, info in answers.items()}


def _state(info: Mapping[str, Any]) -> PrimaryState:
    replicas = (info.get(f"slave{number}", {}) for number in range(info["connected_slaves"]))
    return PrimaryState(
        NodeMemory(info["used_memory"], info["maxmemory"]),
        sum(replica.get("state") == "online" for replica in replicas),
        info["aof_last_write_status"] == "ok",
    )


async def check_settings(topology: Topology, durability: Durability) -> None:
    """Make sure that no server forgets: nothing evicted, and every write synced if we wait for it.

    Raises `ConfigurationError` that names each server and setting at fault, `Unavailable` when a
    server does not answer.
    """
    needed = {"maxmemory-policy": POLICY}
    if durability.mode != "memory":
        needed |= {"appendonly": "yes", "appendfsync": "always"}
    faults = [
        f"{address} has {name} {settings.get(name)}, needed is {value}"
        for address, settings in (await topology.settings(list(needed))).items()
        for name, value in needed.items()
        if settings.get(name) != value
    ]
    if faults:
        raise ConfigurationError("; ".join(sorted(faults)))
