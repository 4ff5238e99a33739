"""The cluster client: routes each call to its shard's primary and mends what passes.

Everything off the hot path (topology, `INFO`) is redis-py's; the calls themselves go through one
`Lane` a primary. Calls must be safe to repeat: a lost connection leaves their outcome unknown.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

import hiredis

from shards import functions, keys
from shards.command import pack
from shards.connection import ConnectionLost, Reply
from shards.errors import NotConfirmed, Overloaded, RollMissing, ShardsError, Unavailable
from shards.lane import ClientObserver, Lane, NotSent
from shards.options import RedisOptions
from shards.servers import NodeMemory, PrimaryState, check_settings, read_primaries
from shards.topology import CLOSED, Address, Topology, endpoint_of
from shards.verdicts import Action, Verdict, judge

RETRY_PAUSE_S = 0.02
RETRY_PAUSE_S_MAX = 0.3
CALLS_IN_TURN = 1000  # fewer than may wait, however few votes a service is set to take
REFRESH_PAUSE_S = 0.2  # at the least, between two looks at the map


class _Failure(NamedTuple):
    """Why a call failed, and on which lane it was."""

    error: hiredis.ReplyError | ConnectionError
    lane: Lane | None


class ShardClient:
    """Sends packed commands to the primaries of shards.

    Made and closed by `async with await ShardClient.connect(options) as client`. Not for use from
    several event loops.
    """

    def __init__(
        self, options: RedisOptions, topology: Topology, observer: ClientObserver | None
    ) -> None:
        self._options = options
        self._endpoint = endpoint_of(options.url)
        self._topology = topology
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[Address, Lane] = {}
        self._routes: list[Lane | None] = [None] * keys.SHARDS
        self._moves = [0] * keys.SHARDS
        self._waiting = 0
        self._closed = False
        self._refreshed_at = float("-inf")
        self._loads: dict[Lane, asyncio.Future[list[Reply]]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._load_functions = functions.load_commands()

    @classmethod
    async def connect(cls, options: RedisOptions, observer: ClientObserver | None = None) -> Self:
        """Learn the cluster's map and return a client; raises `Unavailable`."""
        client = cls(options, Topology(options.url), observer)
        try:
            await client.refresh()
        except BaseException:
            await client.aclose()
            raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; calls that wait fail with `Unavailable`."""
        self._closed = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.gather(*(lane.aclose() for lane in self._lanes.values()))
        await self._topology.aclose()

    async def call(self, shard: int, command: bytes) -> Reply:
        """Send one packed command to the primary of a shard and return its reply.

        Raises `Overloaded`, `RollMissing`, `NotConfirmed` when the command may have been executed
        but was not confirmed, `Unavailable` when it was not, `ShardsError` for a refused command.
        """
        if self._waiting >= self._options.waiting_max:
            raise Overloaded(f"{self._waiting} calls wait already")
        lane = self._routes[shard]
        began_at = self._loop.time()
        self._waiting += 1
        try:
            if lane is None:
                failure = _Failure(NotSent("no primary serves the shard"), None)
            else:
                try:
                    return await lane.submit(command)
                except (hiredis.ReplyError, ConnectionError) as error:
                    failure = _Failure(error, lane)
            return await self._retry(shard, command, failure, began_at + self._options.timeout_s)
        except NotConfirmed:
            self._refresh_soon()  # perhaps a replica is gone
            raise
        finally:
            self._waiting -= 1

    async def call_all(self, commands: Iterable[tuple[int, bytes]]) -> list[Reply]:
        """Send (shard, packed command) pairs together and return their replies in order.

        Raises the first error of `call`; the other calls run on to their ends.
        """
        return await asyncio.gather(*(self.call(*command) for command in commands))

    async def call_in_turn(self, commands: Iterable[tuple[int, bytes]]) -> list[Reply]:
        """Send any number of (shard, packed command) pairs, a bounded number at a time.

        As `call_all`; for what is in no hurry.
        """
        replies: list[Reply] = []
        remaining = iter(commands)
        while some := list(itertools.islice(remaining, CALLS_IN_TURN)):
            replies += await self.call_all(some)
        return replies

    async def call_each(self, command: Callable[[int], bytes]) -> list[Reply]:
        """Send every shard its own command, made by `command(shard)`; as `call_all`."""
        return await self.call_all((shard, command(shard)) for shard in range(keys.SHARDS))

    async def call_reachable(self, commands: Iterable[tuple[int, bytes]]) -> dict[int, Reply]:
        """Send (shard, packed command) pairs, one a shard; return the replies that came, by shard.

        A shard without a primary keeps nothing from the others. Raises `Unavailable` when no
        shard answers, and the errors of `call` that are not passing.
        """
        pairs = list(commands)
        answers = await asyncio.gather(
            *(self.call(*pair) for pair in pairs), return_exceptions=True
        )
        replies = {}
        for (shard, _), answer in zip(pairs, answers, strict=True):
            if not isinstance(answer, BaseException):
                replies[shard] = answer
            elif not isinstance(answer, Unavailable):
                raise answer
        if pairs and not replies:
            raise Unavailable(f"no shard answers: {answers[0]}")
        return replies

    async def refresh(self) -> None:
        """Look at the cluster's map anew; raises `Unavailable`."""
        await self._topology.refresh()
        self._refreshed_at = asyncio.get_running_loop().time()
        routes = self._topology.routes()
        for shard in range(keys.SHARDS):
            route = routes.get(shard)
            self._take_route(shard, self._lane(route.primary) if route else None)
            if route:
                self._lane(route.primary).replicas = route.replicas

    async def primaries(self) -> dict[str, PrimaryState]:
        """Look at every primary, by "host:port"; raises `Unavailable`.

        What is over the memory high-water mark is full, for `is_full`, until the next look.
        """
        states = await read_primaries(self._topology)
        for address, state in states.items():
            self._lane(address).full = state.memory.over(self._options.memory_high_water)
        return {str(address): state for address, state in states.items()}

    async def node_memory(self) -> dict[str, NodeMemory]:
        """Look at every primary as `primaries` does, and return its memory."""
        return {address: state.memory for address, state in (await self.primaries()).items()}

    def routes(self) -> list[str | None]:
        """Return the primary of each shard, "host:port", None where none is known."""
        return [None if lane is None else str(lane.address) for lane in self._routes]

    def moves(self) -> list[int]:
        """Return how often each shard's primary has been another, to this client's knowledge.

        Calls between two equal counts went to the same one, unless its slot was being moved.
        """
        return self._moves.copy()

    async def members(self) -> dict[str, bool]:
        """Return every node of the cluster, by "host:port", and whether it is up.

        Down is what the cluster agreed on. Raises `Unavailable`, `ConfigurationError`.
        """
        return await self._topology.members()

    def is_full(self, shard: int) -> bool:
        """Say whether the shard's primary was over the memory high-water mark at the last look."""
        lane = self._routes[shard]
        return lane is not None and lane.full

    async def check_servers(self) -> None:
        """Make sure that the servers are set to keep everything.

        Raises `ConfigurationError` that names each server and setting, `Unavailable`.
        """
        await check_settings(self._topology, self._options.durability)

    async def ping(self) -> list[str]:
        """Write a little to every primary, durably; return the troubles of those that refuse.

        Raises `Unavailable` when all of them refuse. A shard that no primary serves is a trouble.
        """
        shards = {lane: shard for shard, lane in enumerate(self._routes)}
        answers = await asyncio.gather(
            *(
                self.call(shard, pack("SET", keys.tag(shard) + b":ping", "", "PX", 1000))
                for shard in shards.values()
            ),
            return_exceptions=True,
        )
        troubles = [answer for answer in answers if isinstance(answer, BaseException)]
        for trouble in troubles:
            if not isinstance(trouble, Unavailable):
                raise trouble
        if len(troubles) == len(answers):
            raise Unavailable("; ".join(str(trouble) for trouble in troubles))
        return [str(trouble) for trouble in troubles]

    def _take_route(self, shard: int, lane: Lane | None) -> None:
        if lane is not self._routes[shard]:
            self._routes[shard] = lane
            self._moves[shard] += 1

    def _lane(self, address: Address) -> Lane:
        lane = self._lanes.get(address)
        if lane is None:
            lane = self._lanes[address] = Lane(
                address,
                self._endpoint,
                self._options.durability,
                timeout_s=self._options.timeout_s,
                observer=self._observer,
            )
        return lane

    async def _retry(
        self, shard: int, command: bytes, failure: "_Failure", deadline: float
    ) -> Reply:
        """Repeat a failed call until it is answered or the deadline (loop time) comes."""
        executed = isinstance(failure.error, ConnectionLost)  # perhaps: nobody can tell
        sent = False
        tries = 0
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    lane: Lane | None = None
                    try:
                        lane, asking = await self._mend(shard, failure, tries)
                        tries += 1
                        if lane is not None:
                            sent = True
                            return await lane.submit(command, asking=asking)
                    except (hiredis.ReplyError, ConnectionError) as again:
                        failure = _Failure(again, lane)
                        executed |= isinstance(again, ConnectionLost)
                        sent = False
        except TimeoutError:
            error: ShardsError = Unavailable(f"shard {shard:02x}: {failure.error}")
        except ShardsError as permanent:
            error = permanent
        if executed or sent:
            raise NotConfirmed(f"sent, but not answered in time: {error}") from failure.error
        raise error from failure.error

    async def _mend(self, shard: int, failure: "_Failure", tries: int) -> tuple[Lane | None, bool]:
        """Do what an error asks for; return the lane to try next and whether to send ASKING.

        Raises what cannot be mended, and the errors of a lane when mending itself fails.
        """
        error, asked = failure
        if self._closed:
            raise Unavailable(CLOSED) from error
        verdict = Verdict(Action.WAIT)
        if isinstance(error, hiredis.ReplyError) and asked is not None:
            verdict = judge(str(error), asked.address)
        match verdict.action:
            case Action.MOVE if verdict.address:
                self._take_route(shard, self._lane(verdict.address))
                self._refresh_soon()
            case Action.ASK if verdict.address:
                return self._lane(verdict.address), True
            case Action.LOAD_FUNCTIONS if asked is not None:
                await asyncio.shield(self._loading(asked))
            case Action.NO_ROLL:
                raise RollMissing(str(error)) from error
            case Action.NO_ROOM:
                raise Unavailable(str(error)) from error
            case Action.FAIL:
                raise ShardsError(f"Redis refused a command: {error}") from error
            case _:
                pause_s = min(RETRY_PAUSE_S * 2**tries, RETRY_PAUSE_S_MAX)
                await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311
                await self._refresh_if_due()
        return self._routes[shard], False

    def _loading(self, lane: Lane) -> asyncio.Future[list[Reply]]:
        """Load the functions on a lane's server; calls that miss them meanwhile share one load."""
        loading = self._loads.get(lane)
        if loading is None or loading.done():
            loading = asyncio.gather(*(lane.submit(load) for load in self._load_functions))
            loading.add_done_callback(_looked_at)
            self._loads[lane] = loading
        return loading

    def _refresh_soon(self) -> None:
        if not self._background and not self._closed:
            task = asyncio.create_task(self._refresh_when_due())
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    async def _refresh_when_due(self) -> None:
        await asyncio.sleep(self._refreshed_at + REFRESH_PAUSE_S - self._loop.time())
        await self._try_refresh()

    async def _refresh_if_due(self) -> None:
        if self._loop.time() >= self._refreshed_at + REFRESH_PAUSE_S:
            await self._try_refresh()

    async def _try_refresh(self) -> None:
        self._refreshed_at = self._loop.time()
        try:
            await self.refresh()
        except Unavailable:
            return  # the map stays as it was; whoever needs it asks again


def _looked_at(loading: asyncio.Future[list[Reply]]) -> None:
    """Mark a load's error as seen: who waited for it may have run out of time."""
    if not loading.cancelled():
        loading.exception()
