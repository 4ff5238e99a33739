"""The wires between the processes, which can be cut.

Every server is reached through a proxy of ours. A proxy knows who is calling by the source
address, so that two parties can be kept apart while both still reach everybody else. Lost bytes
stay lost, as on a real network whose connection is given up: connections that lost some are reset
when the wire is mended.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import cast

CONNECT_TIMEOUT_S = 5.0


class Wire:
    """Something wrong with the connections from `source` to `target` (None: anybody).

    Requests, answers or both are lost, or come `delay_s` late. With `trigger`, a connection is
    well until a request with these bytes passes; that request itself is lost if requests are.
    `hits` counts the chunks that were lost or late.
    """

    def __init__(
        self,
        source: str | None,
        target: str | None,
        *,
        requests: bool = True,
        answers: bool = True,
        delay_s: float | None = None,
        trigger: bytes = b"",
    ) -> None:
        self.source = source
        self.target = target
        self.requests = requests
        self.answers = answers
        self.delay_s = delay_s
        self.trigger = trigger
        self.hits = 0

    def concerns(self, source: str, target: str) -> bool:
        """Say whether connections from source to target are touched."""
        return self.source in (None, source) and self.target in (None, target)


class Pipe:
    """One proxied connection."""

    def __init__(self, network: "Network", source: str, target: str) -> None:
        self.source = source
        self.target = target
        self.triggered: set[Wire] = set()
        self.touched: set[Wire] = set()
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._ends: dict[bool, asyncio.Transport] = {}
        self._early: list[bytes] = []

    def open(self, end: asyncio.Transport, *, to_server: bool) -> None:
        """Take note of one end's transport."""
        self._ends[to_server] = end
        if to_server:
            for data in self._early:
                end.write(data)

    def carry(self, data: bytes, *, is_request: bool) -> None:
        """Pass on a chunk, unless a wire loses it or is slow."""
        delay_s = 0.0
        for wire in self._network.wires:
            if not wire.concerns(self.source, self.target):
                continue
            if is_request and wire.trigger in data:
                self.triggered.add(wire)
            if wire not in self.triggered and wire.trigger:
                continue
            if wire.requests if is_request else wire.answers:
                wire.hits += 1
                if wire.delay_s is None:
                    self.touched.add(wire)
                    return
                delay_s += wire.delay_s
        if delay_s:
            self._loop.call_later(delay_s, self._write, data, is_request)
        else:
            self._write(data, is_request)

    def close(self) -> None:
        """Close both ends once what was written has left."""
        for end in self._ends.values():
            end.close()

    def abort(self) -> None:
        """Reset both ends."""
        for end in self._ends.values():
            end.abort()

    def _write(self, data: bytes, is_request: bool) -> None:
        end = self._ends.get(is_request)
        if end is not None and not end.is_closing():
            end.write(data)
        elif end is None and is_request:
            self._early.append(data)


class _End(asyncio.Protocol):
    """One end of a pipe; data that comes in here is carried to the other."""

    def __init__(self, pipe: Pipe, network: "Network", *, is_server: bool) -> None:
        self._pipe = pipe
        self._network = network
        self._is_server = is_server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe.open(cast("asyncio.Transport", transport), to_server=self._is_server)

    def data_received(self, data: bytes) -> None:
        self._pipe.carry(data, is_request=not self._is_server)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._pipe.close()
        self._network.pipes.discard(self._pipe)


class _Caller(asyncio.Protocol):
    """The accepted end: finds out who calls, then opens the way to the server."""

    def __init__(self, network: "Network", target: str, port: int) -> None:
        self._network = network
        self._target = target
        self._port = port
        self._end: _End | None = None
        self._pipe: Pipe | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = transport.get_extra_info("peername")[0]
        source = self._network.names.get(address, "services")
        self._pipe = Pipe(self._network, source, self._target)
        self._end = _End(self._pipe, self._network, is_server=False)
        self._end.connection_made(transport)
        self._network.pipes.add(self._pipe)
        self._network.open_later(self._pipe, self._port)

    def data_received(self, data: bytes) -> None:
        assert self._end is not None
        self._end.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._end is not None
        self._end.connection_lost(exc)


class Network:
    """All proxies. `names` tells who calls from which source address."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.wires: list[Wire] = []
        self.pipes: set[Pipe] = set()
        self._servers: list[asyncio.Server] = []
        self._opening: set[asyncio.Task[None]] = set()

    async def expose(self, name: str, port: int) -> int:
        """Put a proxy before 127.0.0.1:port and return the proxy's port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Caller(self, name, port), "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def break_wire(self, wire: Wire) -> Wire:
        """Let a wire go bad, until `mend`."""
        self.wires.append(wire)
        return wire

    def mend(self, wire: Wire) -> None:
        """Mend a wire; connections that lost something are reset."""
        if wire in self.wires:
            self.wires.remove(wire)
        for pipe in list(self.pipes):
            if wire in pipe.touched:
                pipe.abort()

    def mend_all(self) -> None:
        """Mend every wire."""
        for wire in list(self.wires):
            self.mend(wire)

    @contextlib.contextmanager
    def broken(self, *wires: Wire) -> Iterator[None]:
        """Have these wires bad inside the block."""
        for wire in wires:
            self.break_wire(wire)
        try:
            yield
        finally:
            for wire in wires:
                self.mend(wire)

    def reset(self, source: str | None, target: str | None) -> None:
        """Reset the connections from source to target."""
        wire = Wire(source, target)
        for pipe in list(self.pipes):
            if wire.concerns(pipe.source, pipe.target):
                pipe.abort()

    def open_later(self, pipe: Pipe, port: int) -> None:
        """Connect a pipe to its server; when that fails the caller is closed too."""
        task = asyncio.ensure_future(self._open(pipe, port))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, pipe: Pipe, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(
                    lambda: _End(pipe, self, is_server=True), "127.0.0.1", port
                )
        except OSError:  # the server is down, which the caller sees as a reset
            pipe.abort()
        if pipe not in self.pipes:  # the caller went away meanwhile
            pipe.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Network"]:
        """Take all proxies down at the end of the block."""
        try:
            yield self
        finally:
            for server in self._servers:
                server.close()
            for pipe in list(self.pipes):
                pipe.abort()
            for task in list(self._opening):
                task.cancel()
            await asyncio.gather(*self._opening, return_exceptions=True)
