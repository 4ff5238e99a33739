"""One pipelined connection to one Redis server: bytes out, replies in order."""

import asyncio
import ssl
from collections import deque
from typing import Any, cast

import hiredis

from shards.errors import described

Reply = Any  # int, bytes, list, None or hiredis.ReplyError, as hiredis parses them


class ConnectionLost(ConnectionError):
    """The connection ended; what was in flight may or may not have been executed."""


class PipelinedConnection(asyncio.Protocol):
    """An asyncio protocol that sends batches and resolves each with its list of replies."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._batches: deque[tuple[int, asyncio.Future[list[Reply]], float]] = deque()
        self._replies: list[Reply] = []
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        handshake: list[bytes],
        timeout_s: float,
    ) -> "PipelinedConnection":
        """Connect and run the packed handshake commands; raises OSError or ConnectionLost."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(cls, host, port, ssl=tls)
            try:
                replies = await connection.send(handshake, len(handshake)) if handshake else []
            except BaseException:
                connection.abort()
                raise
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                connection.abort()
                raise ConnectionLost(f"{host}:{port} refused the handshake: {reply}")
        return connection

    @property
    def oldest_sent_at(self) -> float | None:
        """Loop time at which the oldest batch in flight was sent, or None."""
        return self._batches[0][2] if self._batches else None

    def send(self, commands: list[bytes], replies: int) -> asyncio.Future[list[Reply]]:
        """Write packed commands at once; the future gets that many replies, errors among them.

        The future raises `ConnectionLost` when the connection ends first.
        """
        future: asyncio.Future[list[Reply]] = self._loop.create_future()
        if self._transport is None or self.closed.done():
            future.set_exception(ConnectionLost("not connected"))
            return future
        self._batches.append((replies, future, self._loop.time()))
        self._transport.write(b"".join(commands))
        return future

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by asyncio)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Parse replies and resolve the batches they complete (called by asyncio)."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError:
            self.abort()

    def _take(self, reply: Reply) -> None:
        if not self._batches:  # nobody asked: the stream is out of step
            self.abort()
            return
        self._replies.append(reply)
        size, future, _ = self._batches[0]
        if len(self._replies) == size:
            self._batches.popleft()
            replies, self._replies = self._replies, []
            if not future.done():
                future.set_result(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all that is in flight (called by asyncio)."""
        error = ConnectionLost(described(exc) if exc else "closed by the server")
        while self._batches:
            future = self._batches.popleft()[1]
            if not future.done():
                future.set_exception(error)
        if not self.closed.done():
            self.closed.set_result(None)
