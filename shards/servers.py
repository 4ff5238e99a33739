"""What the servers of the cluster are set to, and how full they are."""

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


async def read_memory(topology: Topology) -> dict[Address, NodeMemory]:
    """Ask every primary; raises `Unavailable`."""
    return {
        address: NodeMemory(int(str(info["used_memory"])), int(str(info["maxmemory"])))
        for address, info in (await topology.primaries_info("memory")).items()
    }


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
