"""HTTP POSTs over connections that are kept, at little cost.

A load generator shares the machine with what it loads: what it takes itself makes voters wait.
"""

import asyncio
from collections import deque
from typing import NamedTuple, Self, cast

import httptools

IDLE_S_MAX = 5.0  # sooner than a server closes it, perhaps just as it is used again


class Target(NamedTuple):
    """Where to, and on which path."""

    host: str
    port: int
    path: str


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes


class PostPool:
    """Connections to some servers, so many at once; use as a context, which closes them."""

    def __init__(self, *, connections: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._room = asyncio.Semaphore(connections)
        self._idle: dict[Target, deque[_Connection]] = {}
        self._open: set[_Connection] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in list(self._open):
            connection.abort()

    async def post(self, target: Target, body: bytes) -> Answer:
        """Send JSON once and return the answer; wait for a free connection first, however long.

        Raises `OSError` (`TimeoutError`, `ConnectionResetError`) when there is no answer.
        """
        async with self._room:
            connection = self._take_idle(target) or await self._connect(target)
            answer = await connection.post(target, body, self._timeout_s)
            if connection.reusable:
                self._idle.setdefault(target, deque()).append(connection)
            return answer

    def _take_idle(self, target: Target) -> "_Connection | None":
        idle = self._idle.get(target)
        while idle:
            connection = idle.pop()  # the latest used: the others may be closed for idleness
            if connection.reusable and connection.idle_s < IDLE_S_MAX:
                return connection
            connection.abort()
        return None

    async def _connect(self, target: Target) -> "_Connection":
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout_s):
            _, connection = await loop.create_connection(
                lambda: _Connection(self._open), target.host, target.port
            )
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time. The `on_` methods are called by the parser."""

    def __init__(self, siblings: "set[_Connection]") -> None:
        self.reusable = False
        self._siblings = siblings
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._body: list[bytes] = []
        self._answered_at_s = 0.0

    @property
    def idle_s(self) -> float:
        """Seconds since the last answer."""
        return self._loop.time() - self._answered_at_s

    async def post(self, target: Target, body: bytes, timeout_s: float) -> Answer:
        assert self._transport is not None
        self.reusable = False
        self._answer = self._loop.create_future()
        self._transport.write(
            b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b"
            % (target.path.encode(), target.host.encode(), len(body), body)
        )
        overdue = self._loop.call_later(timeout_s, self._fail, TimeoutError("no answer in time"))
        try:
            return await self._answer
        finally:
            overdue.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._siblings.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionResetError(f"no HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._siblings.discard(self)
        self._fail(ConnectionResetError(str(exc or "closed by the server")))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body, self._body = b"".join(self._body), []
        answer, self._answer = self._answer, None
        if answer is None or answer.done():  # nobody asked: out of step
            self.abort()
            return
        self._answered_at_s = self._loop.time()
        self.reusable = self._parser.should_keep_alive()
        if not self.reusable:
            self.abort()
        answer.set_result(Answer(self._parser.get_status_code(), body))

    def _fail(self, error: OSError) -> None:
        self.reusable = False
        self.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
