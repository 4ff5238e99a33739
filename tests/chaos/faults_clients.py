"""What clients can do to the service."""

import asyncio
import contextlib
import json
import socket
import struct
import uuid
from collections.abc import AsyncIterator

from tests.chaos.clientlog import Event, Line
from tests.chaos.run import Run
from tests.chaos.voters import vote
from tests.support.campaign import Attempt

STRANGERS = 3000
SLOW_CLIENTS = 60
PIECE_PAUSE_S = 0.02
ANSWER_TIMEOUT_S = 15.0


async def invalid_flood(run: Run) -> None:
    """Somebody tries codes, faster than all the voters together."""
    await run.moment(0.05, 0.2)
    guesses = [
        Attempt(
            attempt.elector._replace(code=f"GUESS{number:05}"),
            attempt.vote,
            str(uuid.UUID(bytes=run.rng.randbytes(16))),
        )
        for number, attempt in enumerate(run.rng.choices(run.attempts, k=STRANGERS))
    ]
    run.attempts += guesses
    run.progress.attempts += len(guesses)
    await vote(run.sending, guesses)


async def slow_clients(run: Run) -> None:
    """Clients send byte by byte, close their half, stop in the middle, or leave at once."""
    await run.moment(0.05, 0.3)
    attempts = [
        attempt._replace(request_id=str(uuid.UUID(bytes=run.rng.randbytes(16))))
        for attempt in run.rng.choices(run.attempts, k=SLOW_CLIENTS)
    ]
    run.attempts += attempts
    manners = [_drips, _closes_half, _leaves, _stops]
    async with asyncio.TaskGroup() as clients:
        for number, attempt in enumerate(attempts):
            clients.create_task(manners[number % len(manners)](run, attempt))


async def _drips(run: Run, attempt: Attempt) -> None:
    """Send the request in pieces, then read the answer."""
    async with _connection(run, attempt) as (reader, writer, request):
        for start in range(0, len(request), 16):
            writer.write(request[start : start + 16])
            await asyncio.sleep(PIECE_PAUSE_S)
        await _read_answer(run, attempt, reader)


async def _closes_half(run: Run, attempt: Attempt) -> None:
    """Send all, close the sending half, then read the answer if there is one."""
    async with _connection(run, attempt) as (reader, writer, request):
        writer.write(request)
        writer.write_eof()
        await _read_answer(run, attempt, reader)


async def _leaves(run: Run, attempt: Attempt) -> None:
    """Send all and reset the connection without waiting."""
    async with _connection(run, attempt) as (_, writer, request):
        writer.write(request)
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _stops(run: Run, attempt: Attempt) -> None:
    """Send half a request and nothing more; the service must end this."""
    async with _connection(run, attempt) as (reader, writer, request):
        writer.write(request[: len(request) - 20])
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await reader.read()


@contextlib.asynccontextmanager
async def _connection(
    run: Run, attempt: Attempt
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]]:
    """Connect to an edge; also give the bytes of the request."""
    body = attempt.elector._asdict() | {"vote": attempt.vote, "request_id": attempt.request_id}
    content = json.dumps(body).encode()
    head = (
        "POST /api/v1/vote HTTP/1.1\r\n"
        "Host: localhost\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", run.rng.choice(run.stack.edge_ports)
    )
    _note(run, "sent", attempt)
    try:
        yield reader, writer, head.encode() + content
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read_answer(run: Run, attempt: Attempt, reader: asyncio.StreamReader) -> None:
    """Log the answer if a whole one comes."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            said = json.loads(await reader.readexactly(length))
            if said.get("status") in ("accepted", "duplicate", "invalid"):
                _note(run, "answered", attempt, said["status"], said.get("attempt_count", 0))


def _note(run: Run, event: Event, attempt: Attempt, status: str = "", count: int = 0) -> None:
    at_s = run.progress.now_s
    line = Line(event, attempt.request_id, attempt.vote_hash, attempt.vote, at_s, status, count)
    run.sending.log.write(line)
