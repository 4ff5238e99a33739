"""The way to one primary: calls that wait are sent together, as one pipelined batch.

A batch is what came up while the event loop was busy or, when every answer must be durable,
while the batches before it were being confirmed. So throughput grows with load, and an idle
system answers at once.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

import hiredis
import msgspec

from shards.command import pack
from shards.connection import ConnectionLost, PipelinedConnection, Reply
from shards.errors import NotConfirmed, described
from shards.options import Durability
from shards.topology import CLOSED, CONNECT_TIMEOUT_S, Address, Endpoint

BATCH_CALLS_MAX = 1024
BATCHES_MAX = 64  # in flight at once; only one when each has to be confirmed
WATCHES_A_TIMEOUT = 8  # a call that is not answered fails in the last eighth of the time-out
CONFIRM_SLICE_MS = 3
FORLORN_PART = 0.05  # of the durability time-out, while the cluster lists too few replicas
ASKING = pack("ASKING")


class ClientObserver(Protocol):
    """Whoever wants to know about batches."""

    def batch_sent(self, size: int) -> None:
        """Take note that `size` calls left in one write."""

    def durability_waited(self, seconds: float) -> None:
        """Take note that a batch's durability was confirmed this long after it was sent."""


class NotSent(ConnectionError):
    """The call never left: the server could not be reached."""


class _Call(msgspec.Struct, frozen=True, gc=False):
    command: bytes
    replies: int  # 2 when the command is prefixed with ASKING
    future: asyncio.Future[Reply]
    submitted_at: float


class Lane:
    """One primary's pipelined connection and the calls that wait for it."""

    def __init__(
        self,
        address: Address,
        endpoint: Endpoint,
        durability: Durability,
        *,
        timeout_s: float,
        observer: ClientObserver | None,
    ) -> None:
        self.address = address
        self.replicas: int | None = None  # as the cluster lists them, by the client; None: unknown
        self.full = False  # over the memory high-water mark; likewise
        self._endpoint = endpoint
        self._durability = durability
        self._timeout_s = timeout_s
        self._look_every_s = timeout_s / WATCHES_A_TIMEOUT
        self._overdue_after_s = timeout_s - self._look_every_s  # the look after would be too late
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Call] = deque()
        self._connection: PipelinedConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._flush_scheduled = False
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False
        self._batches: dict[asyncio.Task[None], list[_Call]] = {}  # in flight
        self._durable = durability.mode != "memory"
        self._batches_max = 1 if self._durable else BATCHES_MAX

    def submit(self, command: bytes, *, asking: bool = False) -> asyncio.Future[Reply]:
        """Queue a packed command; the future gets its reply.

        Raises through the future: `hiredis.ReplyError`, `ConnectionLost` (outcome unknown),
        `NotSent`, `NotConfirmed`.
        """
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._closed:
            future.set_exception(NotSent(CLOSED))
            return future
        if asking:
            command = ASKING + command
        call = _Call(command, 2 if asking else 1, future, self._loop.time())
        self._waiting.append(call)
        self._schedule_flush()
        if self._watch is None:
            self._watch_later()
        return future

    async def aclose(self) -> None:
        """Drop the connection; what waits fails, and so does what is submitted later."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._connection is not None:
            self._connection.abort()
            await self._connection.closed
        await asyncio.gather(*self._batches, return_exceptions=True)
        self._fail_waiting(NotSent(CLOSED))

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._closed:
            return
        connection = self._connection
        if connection is None or connection.closed.done():
            if self._connecting is None or self._connecting.done():
                self._connecting = self._loop.create_task(self._connect())
            return
        while self._waiting and len(self._batches) < self._batches_max:
            size = min(len(self._waiting), BATCH_CALLS_MAX)
            calls = [self._waiting.popleft() for _ in range(size)]
            calls = [call for call in calls if not call.future.done()]  # its caller has gone
            if calls:
                batch = self._loop.create_task(self._run_batch(connection, calls))
                self._batches[batch] = calls
                batch.add_done_callback(self._batch_done)

    def _batch_done(self, batch: asyncio.Task[None]) -> None:
        del self._batches[batch]
        if self._waiting:
            self._schedule_flush()

    async def _run_batch(self, connection: PipelinedConnection, calls: list[_Call]) -> None:
        """Send calls together, see to their durability, and give each its reply or error."""
        if self._observer is not None:
            self._observer.batch_sent(len(calls))
        try:
            replies = await connection.send(
                [call.command for call in calls], sum(call.replies for call in calls)
            )
            shortfall = await self._confirm(connection) if self._durable else None
        except ConnectionLost as error:
            _fail(calls, error)
            return
        except BaseException:
            _fail(calls, ConnectionLost("the batch ended before its answers came"))
            raise
        unconfirmed = NotConfirmed(f"{self.address}: {shortfall}") if shortfall else None
        _resolve(calls, replies, unconfirmed)

    async def _confirm(self, connection: PipelinedConnection) -> str | None:
        """Wait until what this connection wrote is durable; return what is missing, or None.

        WAITAOF goes out only now that the replies are here. A replica tells how far its disk is
        when the primary asks, and the primary asks once, when WAITAOF begins: asked in the same
        breath as it receives the writes, it has not synced them yet, and would not tell again
        for a second. For the same reason the wait is cut in slices: each asks anew.

        While the cluster itself lists too few replicas nobody is kept waiting for long: one that
        is back and not listed yet confirms within a few slices.
        """
        replicated = self._durability.mode == "replicated"
        began_at = self._loop.time()
        while True:
            # Anew each time: a replica that is started again leaves the cluster's list meanwhile,
            # and a batch that waits for it need not wait longer than the batches after it.
            listed = self.replicas if replicated else 0
            replicas = max(self._durability.min_replicas, listed or 0) if replicated else 0
            [reply] = await connection.send([pack("WAITAOF", 1, replicas, CONFIRM_SLICE_MS)], 1)
            shortfall = _shortfall(reply, replicas)
            if shortfall is None and listed is None:
                shortfall = "how many replicas there are is not known yet"
                await asyncio.sleep(CONFIRM_SLICE_MS / 1000)
            waited_s = self._loop.time() - began_at
            if shortfall is None:
                if self._observer is not None:
                    self._observer.durability_waited(waited_s)
                return None
            forlorn = listed is not None and listed < self._durability.replicas_needed
            patience_ms = self._durability.timeout_ms * (FORLORN_PART if forlorn else 1)
            if waited_s * 1000 >= patience_ms or not isinstance(reply, list):
                return shortfall

    async def _connect(self) -> None:
        try:
            self._connection = await PipelinedConnection.open(
                self.address.host,
                self.address.port,
                tls=self._endpoint.tls,
                handshake=self._endpoint.handshake,
                timeout_s=min(CONNECT_TIMEOUT_S, self._timeout_s),
            )
        except OSError as error:  # a time-out and a refused handshake are OSErrors too
            self._fail_waiting(NotSent(f"{self.address}: {described(error)}"))
        else:
            self._schedule_flush()

    def _fail_waiting(self, error: ConnectionError) -> None:
        _fail(self._waiting, error)
        self._waiting.clear()

    def _watch_later(self) -> None:
        self._watch = self._loop.call_later(self._look_every_s, self._look)

    def _look(self) -> None:
        """Fail the calls that are overdue, and end a connection that has stopped answering."""
        self._watch = None
        now = self._loop.time()
        sent = itertools.chain.from_iterable(self._batches.values())
        _fail(self._overdue(sent, now), ConnectionLost("no answer in time"))
        _fail(self._overdue(self._waiting, now), NotSent(f"{self.address}: not sent in time"))
        connection = self._connection
        sent_at = connection.oldest_sent_at if connection is not None else None
        if connection is not None and sent_at is not None and now - sent_at > self._overdue_after_s:
            connection.abort()
        if self._waiting or self._batches:
            self._watch_later()

    def _overdue(self, calls: Iterable[_Call], now: float) -> Iterator[_Call]:
        return (call for call in calls if now - call.submitted_at > self._overdue_after_s)


def _fail(calls: Iterable[_Call], error: ConnectionError) -> None:
    """Tell callers that still wait why there is no answer."""
    for call in calls:
        if not call.future.done():
            call.future.set_exception(error)


def _resolve(calls: list[_Call], replies: list[Reply], unconfirmed: NotConfirmed | None) -> None:
    """Give every call its reply, or its error."""
    position = -1
    for call in calls:
        position += call.replies  # the last of a call's replies is its own
        reply = replies[position]
        if call.future.done():  # its caller has gone
            continue
        if isinstance(reply, hiredis.ReplyError):
            call.future.set_exception(reply)
        elif unconfirmed:
            call.future.set_exception(unconfirmed)
        else:
            call.future.set_result(reply)


def _shortfall(reply: Reply, replicas_needed: int) -> str | None:
    """Return what is missing in a reply of WAITAOF, or None when all is confirmed."""
    if isinstance(reply, hiredis.ReplyError):
        return f"durability not confirmed: {reply}"
    local, replicas = reply
    if local < 1:
        return "not on the primary's disk in time"
    if replicas < replicas_needed:
        return f"on {replicas} of {replicas_needed} replicas in time"
    return None
