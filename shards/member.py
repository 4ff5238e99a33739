"""One server of the cluster, asked about and told its place in it."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from shards.topology import Address

TIMEOUT_S = 2.0


class Member(NamedTuple):
    """A server as another one lists it."""

    hostname: str  # "" when it announces none
    flags: frozenset[str]
    primary_id: str  # "" of a primary
    linked: bool
    slots: tuple[tuple[int, int], ...]  # first and last of each range

    @property
    def failed(self) -> bool:
        """Whether the cluster holds it for lost."""
        return "fail" in self.flags


class Server:
    """One server. All but `look` raise redis-py's errors."""

    def __init__(self, url: str, address: Address) -> None:
        self.address = address
        self.node_id = ""
        self.answers = False
        self.redis: Redis = Redis.from_url(
            _with_address(url, address),
            socket_connect_timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            decode_responses=True,
        )
        # redis-py's parser names servers by address, which those that are lost have none of.
        self.redis.set_response_callback("CLUSTER NODES", _unparsed)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.redis.aclose()

    async def look(self) -> None:
        """Learn whether it answers, and its id."""
        try:
            self.node_id = str(await self.redis.cluster("MYID"))
            self.answers = True
        except (RedisError, OSError):
            self.answers = False

    async def members(self) -> dict[str, Member]:
        """Return the cluster as this server sees it, by node id."""
        return parse_members(await self.redis.cluster("NODES"))

    async def myself(self) -> Member:
        """Return this server as it lists itself."""
        return (await self.members())[self.node_id]

    async def keys(self) -> int:
        """Return how many keys it holds."""
        return int(await self.redis.dbsize())

    async def settled(self) -> bool:
        """Whether it sees the cluster whole, and as a replica follows its primary's writes."""
        cluster: dict[str, str] = await self.redis.cluster("INFO")
        info: dict[str, Any] = await self.redis.info("replication")
        follows = info["role"] == "master" or info["master_link_status"] == "up"
        return follows and cluster["cluster_state"] == "ok"

    async def meet(self, other: Address, bus_port_offset: int) -> None:
        """Let it look for a server at a numeric address."""
        bus_port = other.port + bus_port_offset
        await self.redis.cluster("MEET", other.host, other.port, bus_port)

    async def add_slots(self, slots: list[int]) -> None:
        """Give it slots that nobody has."""
        if slots:
            await self.redis.cluster("ADDSLOTS", *slots)

    async def replicate(self, primary_id: str) -> None:
        """Make it a replica."""
        await self.redis.cluster("REPLICATE", primary_id)

    async def forget(self, node_id: str) -> None:
        """Let it forget a server; one that it does not know is no error."""
        try:
            await self.redis.cluster("FORGET", node_id)
        except ResponseError as error:
            if "Unknown node" not in str(error):
                raise


def parse_members(listing: str) -> dict[str, Member]:
    """Read the answer of CLUSTER NODES, by node id.

    A line: id, address[,hostname[,more]], flags, primary or -, ping, pong, epoch, link, slots...
    """
    members = {}
    for line in listing.splitlines():
        node_id, where, flags, primary, _ping, _pong, _epoch, link, *slots = line.split()
        names = where.split(",")
        ranges = [_slot_range(text) for text in slots if not text.startswith("[")]
        members[node_id] = Member(
            hostname=names[1] if len(names) > 1 else "",
            flags=frozenset(flags.split(",")),
            primary_id="" if primary == "-" else primary,
            linked=link == "connected" and "handshake" not in flags,
            slots=tuple(ranges),
        )
    return members


def _unparsed(response: Any, **_: Any) -> Any:  # noqa: ANN401 (as redis-py has it)
    return response


def _slot_range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _with_address(url: str, address: Address) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    host = f"[{address.host}]" if ":" in address.host else address.host
    netloc = f"{user}@{host}:{address.port}" if user else f"{host}:{address.port}"
    return urlunsplit(parts._replace(netloc=netloc))
