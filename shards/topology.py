"""Who serves which shard: the cluster's map, kept by redis-py."""

import asyncio
import ssl
from typing import Any, NamedTuple

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import RedisSSLContext, SSLConnection, parse_url
from redis.cluster import PRIMARY
from redis.exceptions import NoPermissionError, RedisClusterException, RedisError

from shards import keys
from shards.command import pack
from shards.errors import ConfigurationError, Unavailable, described

CONNECT_TIMEOUT_S = 1.0
CLOSED = "the client is closed"
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Endpoint(NamedTuple):
    """How to open a connection to any node of the cluster."""

    tls: ssl.SSLContext | None
    handshake: list[bytes]  # packed commands


class Route(NamedTuple):
    """The primary of a shard and how many replicas the cluster lists for it."""

    primary: Address
    replicas: int


def endpoint_of(url: str) -> Endpoint:
    """Read TLS and credentials from a Redis URL; raises `ConfigurationError`."""
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise ConfigurationError(f"Redis URL: {error}") from error
    handshake = []
    if password := options.get("password"):
        user = options.get("username") or "default"
        handshake.append(pack("AUTH", user, password))
    handshake.append(pack("CLIENT", "SETNAME", "scrutin"))
    tls = None
    if options.get("connection_class") is SSLConnection:
        tls = _tls(options)
    return Endpoint(tls, handshake)


def _tls(options: dict[str, Any]) -> ssl.SSLContext:
    try:
        return RedisSSLContext(
            keyfile=options.get("ssl_keyfile"),
            certfile=options.get("ssl_certfile"),
            cert_reqs=options.get("ssl_cert_reqs", "required"),
            ca_certs=options.get("ssl_ca_certs"),
            check_hostname=options.get("ssl_check_hostname", True),
            min_version=ssl.TLSVersion.TLSv1_2,
        ).get()
    except OSError as error:  # ssl.SSLError is one; neither says which file
        files = [f"{name}={options[name]}" for name in TLS_FILES if options.get(name)]
        raise ConfigurationError(
            f"Redis URL: the TLS files cannot be used ({' '.join(files)}): {error}"
        ) from error


class Topology:
    """The cluster's slot map, refreshed on demand."""

    def __init__(self, url: str) -> None:
        self._nodes = RedisCluster.from_url(
            url,
            require_full_coverage=False,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=CONNECT_TIMEOUT_S,
        ).nodes_manager
        self._refresh: asyncio.Task[Exception | None] | None = None
        self._closed = False

    async def aclose(self) -> None:
        """Close redis-py's connections; the map is not read any more."""
        self._closed = True
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)
        await self._disconnect()

    async def refresh(self) -> None:
        """Ask the cluster anew; those who ask at the same time share one answer.

        Raises `Unavailable` when no node answers, or the topology is closed.
        """
        if self._closed:
            raise Unavailable(CLOSED)
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._ask())
        refresh = self._refresh
        await asyncio.wait({refresh})  # goes on for the others when one of them is cancelled
        if refresh.cancelled():
            raise Unavailable(CLOSED)
        if error := refresh.result():
            raise Unavailable(f"no Redis node answers: {described(error)}") from error

    async def _ask(self) -> Exception | None:
        """Read the map; return what keeps it from being read, for each who waits to raise."""
        try:
            await self._disconnect()
            # Not the whole client's initialize(): that goes on to ask the first primary for its
            # commands, and fails when that very one is away.
            await self._nodes.initialize()
        # redis-py's IndexError: a cluster that is just being joined has no primary with slots yet
        except (RedisError, RedisClusterException, OSError, IndexError) as error:
            return error
        return None

    async def _disconnect(self) -> None:
        await self._nodes.aclose()
        await self._nodes.aclose("startup_nodes")

    def routes(self) -> dict[int, Route]:
        """Return the route of every shard that some primary serves."""
        slots = self._nodes.slots_cache
        routes = {}
        for shard in range(keys.SHARDS):
            if nodes := slots.get(keys.slot(shard)):
                primary = Address(nodes[0].host, int(nodes[0].port))
                routes[shard] = Route(primary, len(nodes) - 1)
        return routes

    async def primaries_info(self, *sections: str) -> dict[Address, dict[str, Any]]:
        """Return `INFO` of the primaries that answer; raises `Unavailable` if none does."""
        return await self._ask_each(self._primaries(), "INFO", *sections)

    async def members(self) -> dict[str, bool]:
        """Return every node that the cluster knows, by "host:port", False if agreed to be down.

        Raises `Unavailable` if no primary answers, `ConfigurationError` if our user may not ask.
        """
        for node in self._primaries():
            try:
                [members] = (await self._ask_each([node], "CLUSTER NODES")).values()
            except Unavailable:
                continue
            except NoPermissionError as error:
                raise ConfigurationError(f"the Redis user needs CLUSTER|NODES: {error}") from error
            return self._named(members)
        raise Unavailable("no Redis node answers")

    def _named(self, members: dict[str, dict[str, Any]]) -> dict[str, bool]:
        """Call nodes as the slot map calls them: by host name where the cluster announces names."""
        in_map = {f"{node.host}:{node.port}" for node in self._nodes.nodes_cache.values()}
        states = {}
        for address, member in members.items():
            name = f"{member['hostname']}:{address.rpartition(':')[2]}"
            flags = member["flags"].split(",")
            states[address if address in in_map or not member["hostname"] else name] = (
                "fail" not in flags
            )
        return states

    def _primaries(self) -> list[ClusterNode]:
        return self._nodes.get_nodes_by_server_type(PRIMARY)

    async def settings(self, names: list[str]) -> dict[Address, dict[str, str]]:
        """Return configuration settings of every node that answers, replicas too.

        Raises `Unavailable` if none does, `ConfigurationError` when our user may not read them.
        """
        nodes = list(self._nodes.nodes_cache.values())
        try:
            answers = await self._ask_each(nodes, "CONFIG GET", *names)
        except NoPermissionError as error:
            raise ConfigurationError(f"the Redis user needs CONFIG|GET: {error}") from error
        return {
            address: {str(name): str(value) for name, value in answer.items()}
            for address, answer in answers.items()
        }

    async def _ask_each(
        self, nodes: list[ClusterNode], command: str, *arguments: str
    ) -> dict[Address, dict[str, Any]]:
        answers = await asyncio.gather(
            *(node.execute_command(command, *arguments) for node in nodes), return_exceptions=True
        )
        replies = {}
        trouble: BaseException | None = None
        for node, answer in zip(nodes, answers, strict=True):
            if isinstance(answer, NoPermissionError):
                raise answer
            if isinstance(answer, BaseException):
                trouble = answer
            else:
                replies[Address(node.host, int(node.port))] = answer
        if not replies:
            raise Unavailable(f"no Redis node answers: {described(trouble)}")
        return replies
