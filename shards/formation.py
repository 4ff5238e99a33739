"""Brings servers that run into one cluster, and back into it.

What the cluster lacks is done, and nothing that it has is touched, so it may be run at any time,
and again after it was killed: servers meet, shards get their slots, servers without slots become
replicas, and of a server that came back empty, under a new id, the old id is forgotten.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec
from redis.exceptions import RedisError, ResponseError

from shards.errors import ConfigurationError, Unavailable
from shards.localcluster import SLOTS
from shards.member import Member, Server
from shards.topology import Address

BUS_PORT_OFFSET = 10_000
POLL_S = 0.2

Group = list[Server]  # the servers of one shard


class Formed(msgspec.Struct, frozen=True):
    """What was done, and which servers did not answer."""

    slots_given: int
    replicas: list[str]
    forgotten: list[str]
    missing: list[str]


async def form_cluster(
    url: str, shards: Sequence[Sequence[Address]], *, timeout_s: float = 60.0
) -> Formed:
    """Form the cluster of these servers, shard by shard, or complete it.

    User, password and TLS are those of `url`. A server that does not answer is left out, unless no
    slot is given yet. Raises `ConfigurationError` when what is there cannot be completed safely,
    `Unavailable`.
    """
    names = [address for shard in shards for address in shard]
    if not names or not all(shards) or len(set(names)) != len(names):
        raise ConfigurationError("name the servers of each shard, each server once")
    async with _connected(url, shards) as groups:
        servers = [server for group in groups for server in group]
        try:
            async with asyncio.timeout(timeout_s):
                return await _form(groups, servers)
        except (TimeoutError, RedisError, OSError) as error:
            missing = [str(server.address) for server in servers if not server.answers]
            away = f"; no answer from {', '.join(missing)}" if missing else ""
            raise Unavailable(f"the cluster is not complete yet: {error!r}{away}") from error


@asynccontextmanager
async def _connected(url: str, shards: Sequence[Sequence[Address]]) -> AsyncIterator[list[Group]]:
    groups = [[Server(url, address) for address in shard] for shard in shards]
    try:
        yield groups
    finally:
        for group in groups:
            for server in group:
                await server.aclose()


async def _form(groups: list[Group], servers: list[Server]) -> Formed:
    await asyncio.gather(*(server.look() for server in servers))
    there = [server for server in servers if server.answers]
    if not there:
        raise OSError("no server answers")
    await _meet(there)
    given = await _give_slots(groups, there, complete=len(there) == len(servers))
    replicas = await _replicate(groups, there)
    forgotten = await _forget(there)
    missing = [str(server.address) for server in servers if not server.answers]
    return Formed(given, replicas, forgotten, missing)


async def _meet(there: list[Server]) -> None:
    """Return once each of the servers is connected with each of the others."""
    hub = there[0]
    while True:
        views = await asyncio.gather(*(server.members() for server in there))
        strangers = {
            server.node_id
            for view in views
            for server in there
            if not (server.node_id in view and view[server.node_id].linked)
        }
        if not strangers:
            return
        for server in there:
            # Also one that is known, at an address where it is no longer: it is corrected.
            if server is not hub and (server.node_id in strangers or hub.node_id in strangers):
                await hub.meet(await _numeric(server.address), BUS_PORT_OFFSET)
        await asyncio.sleep(POLL_S)


async def _numeric(address: Address) -> Address:
    """Look a name up: servers meet by address alone."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return Address(str(found[0][4][0]), address.port)


async def _give_slots(groups: list[Group], there: list[Server], *, complete: bool) -> int:
    """Give each shard's slots to its first server, if nobody has any of them; return how many.

    Slots that nobody has although votes were taken are a loss to be recovered from, not to be
    covered up by an empty server: so only where no server holds a key.
    """
    # What one has may not have come round to the others yet.
    views = await asyncio.gather(*(server.members() for server in there))
    taken = {
        slot
        for view in views
        for member in view.values()
        for first, last in member.slots
        for slot in range(first, last + 1)
    }
    if len(taken) == SLOTS:
        return 0
    if not complete:
        raise OSError("slots are to be given, and not every server answers")
    if any(await asyncio.gather(*(server.keys() for server in there))):
        raise ConfigurationError(
            "some slots have no server although servers hold data: see docs/recovery.md; "
            "slots are only given in an empty cluster"
        )
    given = 0
    for number, group in enumerate(groups):
        first, end = (SLOTS * part // len(groups) for part in (number, number + 1))
        free = [slot for slot in range(first, end) if slot not in taken]
        await group[0].add_slots(free)
        given += len(free)
    return given


async def _replicate(groups: list[Group], there: list[Server]) -> list[str]:
    """Make servers without slots replicas of their shard's primary; return their names."""
    made = []
    for group in groups:
        owner = await _owner(group)
        for server in group:
            if owner is None or not server.answers or server is owner:
                continue
            if (await server.myself()).primary_id != owner.node_id:
                await _replicate_one(server, owner)
                made.append(str(server.address))
    for server in there:
        while not await server.settled():  # noqa: ASYNC110 - servers tell nobody
            await asyncio.sleep(POLL_S)
    return made


async def _owner(group: Group) -> Server | None:
    """Return the server of a shard that has slots, None while it is not among those that answer."""
    owners = [server for server in group if server.answers and (await server.myself()).slots]
    if len(owners) > 1:
        names = " and ".join(str(server.address) for server in owners)
        raise ConfigurationError(f"{names} are of one shard and both have slots")
    return owners[0] if owners else None


async def _replicate_one(server: Server, owner: Server) -> None:
    while True:
        try:
            await server.replicate(owner.node_id)
        except ResponseError:  # gossip has not told it yet that the owner is a primary with slots
            await asyncio.sleep(POLL_S)
        else:
            return


async def _forget(there: list[Server]) -> list[str]:
    """Make all forget ids without slots whose server is back under another id; return their names.

    A lost id that still has slots waits for a replica to take over.
    """
    ours = {server.node_id for server in there}
    back = {server.address.host for server in there}
    lost: dict[str, Member] = {}
    for server in there:
        lost |= {
            node_id: member
            for node_id, member in (await server.members()).items()
            if member.failed and member.hostname in back and node_id not in ours
        }
    forgotten = [node_id for node_id, member in lost.items() if not member.slots]
    for node_id in forgotten:
        await asyncio.gather(*(server.forget(node_id) for server in there))
    return [lost[node_id].hostname for node_id in forgotten]


def parse_shard(text: str) -> list[Address]:
    """Read the servers of one shard, `host:port` with commas between.

    Raises `ConfigurationError`.
    """
    addresses = []
    for part in text.split(","):
        try:
            found = urlsplit(f"//{part.strip()}")
            host, port = found.hostname, found.port
        except ValueError:
            host, port = None, None
        if not host or not port:
            raise ConfigurationError(f"{part!r} is no host:port")
        addresses.append(Address(host, port))
    return addresses
