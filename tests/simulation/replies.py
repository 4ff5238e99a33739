"""Replies as a server writes them (RESP 2)."""

from typing import Any, NamedTuple

Reply = Any  # int, bytes, list, None, Status or Failure


class Status(NamedTuple):
    """A status reply."""

    text: bytes


class Failure(NamedTuple):
    """An error reply: code, space, message."""

    text: bytes


OK = Status(b"OK")


def encode(reply: Reply) -> bytes:
    """Encode a reply."""
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(encode, reply))
    if isinstance(reply, Status):
        return b"+" + reply.text + b"\r\n"
    assert isinstance(reply, Failure)
    return b"-" + reply.text + b"\r\n"
