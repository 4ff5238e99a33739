"""The network between programs (edges, drainers) and Redis nodes: latency, cuts, lost links.

Bytes arrive in order, sometimes in pieces. A cut link holds them back, and at its end lets them
through late, or breaks the connection with what it held; a program or node that dies takes its
connections along, loudly or without a word.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, Protocol, TypeVar, cast

import hiredis

from tests.simulation.loop import VirtualLoop

T = TypeVar("T")


class Program:
    """A process that talks to Redis: what it started and connected dies with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.links: dict[Link, None] = {}
        self._context = copy_context()
        self._context.run(PROGRAM.set, self)
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def spawn(self, loop: VirtualLoop, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that belongs to this program."""
        task = loop.create_task(coroutine, context=self._context)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def kill(self) -> None:
        """End it now: nothing it does afterwards reaches anybody."""
        self.alive = False
        for link in list(self.links):
            link.program_died()
        for task in list(self._tasks):
            task.cancel()


PROGRAM: ContextVar[Program] = ContextVar("PROGRAM")


class Server(Protocol):
    """A Redis node, as the network sees it."""

    name: str
    listening: bool

    def receive(self, link: "Link") -> None:
        """Look at `link.reader`: bytes have come."""

    def accepted(self, link: "Link") -> None:
        """Note a new connection."""

    def dropped(self, link: "Link") -> None:
        """Forget a connection."""


class Link(asyncio.Transport):
    """One connection of a program to a node; to the program it is the transport."""

    def __init__(self, network: "Network", program: Program, server: Server) -> None:
        super().__init__()
        self._network = network
        self._program = program
        self.server = server
        self.reader = hiredis.Reader()  # of commands, on the server's side
        self.protocol: asyncio.Protocol | None = None
        self.write_offset = 0  # the node's log after this connection's latest write
        self.waits: object = None  # the node's note while WAITAOF blocks this connection
        self._open = True
        self._free_at_s = [0.0, 0.0]  # when the way there and the way back are free
        self._held: list[tuple[int, Callable[[bytes], None], bytes]] = []

    @property
    def ends(self) -> tuple[str, str]:
        """Return the names of the program and the node."""
        return self._program.name, self.server.name

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if self._open and self._program.alive:
            self._carry(0, self._arrive, data)

    def send(self, data: bytes) -> None:
        """Send a server's reply."""
        if self._open:
            self._carry(1, self._deliver, data)

    def abort(self) -> None:
        self._close(None)

    close = abort

    def is_closing(self) -> bool:
        return not self._open

    def get_extra_info(self, _name: str, default: object = None) -> object:
        return default

    def program_died(self) -> None:
        """Close from the program's end; what it had sent may still arrive."""
        self._close(ConnectionResetError("killed"))

    def broken(self, *, silent: bool) -> None:
        """Close from the server's end; silently: the program has to find out by itself."""
        self._open = not silent and self._open
        if silent:
            self.server.dropped(self)
        else:
            self._close(ConnectionResetError("reset by peer"))

    def release(self, *, lose: bool) -> None:
        """Let through what a cut held back, or lose it and the connection."""
        held, self._held = self._held, []
        if lose:
            self._close(ConnectionResetError("timed out"))
            return
        for way, hand, data in held:
            self._carry(way, hand, data)

    def _carry(self, way: int, hand: Callable[[bytes], None], data: bytes) -> None:
        network = self._network
        if self.ends in network.cuts:
            self._held.append((way, hand, data))
            return
        if len(data) > 1 and network.rng.random() < network.split_chance:
            middle = network.rng.randrange(1, len(data))
            self._schedule(way, hand, data[:middle])
            data = data[middle:]
        self._schedule(way, hand, data)

    def _schedule(self, way: int, hand: Callable[[bytes], None], data: bytes) -> None:
        loop = self._network.loop
        at_s = max(self._free_at_s[way], loop.time() + self._network.latency_s())
        self._free_at_s[way] = at_s + 1e-7
        loop.call_at(at_s, hand, data)

    def _arrive(self, data: bytes) -> None:
        if self._open or not self._network.lose_on_close:
            self.reader.feed(data)
            self.server.receive(self)

    def _deliver(self, data: bytes) -> None:
        if self._open and self._program.alive and self.protocol is not None:
            self.protocol.data_received(data)

    def _close(self, error: Exception | None) -> None:
        if self._open:
            self._open = False
            self._program.links.pop(self, None)
            self.server.dropped(self)
            if self.protocol is not None:
                self._network.loop.call_soon(self.protocol.connection_lost, error)
        elif self.protocol is not None and self in self._program.links:  # broken silently before
            self._program.links.pop(self)
            self._network.loop.call_soon(self.protocol.connection_lost, error)


class Network:
    """Connects programs to nodes, and is the loop's connector.

    `cuts` holds (program, node) and (node, node) pairs that do not reach each other.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self.loop = loop
        self.rng = rng
        self.servers: dict[str, Server] = {}
        self.cuts: set[tuple[str, str]] = set()
        self.split_chance = rng.choice([0.0, 0.05, 0.3])
        self.lose_on_close = rng.random() < 0.5
        self._latency_s = rng.choice([0.0001, 0.0004, 0.002])

    def latency_s(self) -> float:
        """Draw how long one way takes."""
        late = 20.0 if self.rng.random() < 0.02 else 1.0
        return self._latency_s * late * (0.5 + self.rng.random())

    def reaches(self, one: str, other: str) -> bool:
        """Tell whether two ends reach each other."""
        return (one, other) not in self.cuts

    async def connect(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        program, server = PROGRAM.get(), self.servers[host]
        await asyncio.sleep(self.latency_s())
        if not program.alive:
            raise ConnectionAbortedError("killed")
        if not self.reaches(program.name, host):
            await asyncio.sleep(60)
            raise TimeoutError("no answer")
        if not server.listening:
            raise ConnectionRefusedError(f"{host}:{port} refuses")
        link = Link(self, program, server)
        program.links[link] = None
        protocol = factory()
        link.protocol = protocol
        server.accepted(link)
        protocol.connection_made(link)
        return cast("asyncio.Transport", link), protocol

    def heal(self, pairs: set[tuple[str, str]], links: list[Link]) -> None:
        """End cuts; what they held arrives late or is lost."""
        self.cuts -= pairs
        for link in links:
            if link.ends in pairs:
                link.release(lose=self.rng.random() < 0.5)

    async def pause(self, ways: int) -> None:
        """Let the time of so many ways pass."""
        await asyncio.sleep(sum(self.latency_s() for _ in range(ways)))
