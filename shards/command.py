"""Commands as the bytes that go over the wire."""

from typing import cast

import hiredis

Argument = bytes | str | int


def pack(*arguments: Argument) -> bytes:
    """Encode one command for a Redis server (RESP, arrays of bulk strings)."""
    return cast("bytes", hiredis.pack_command(arguments))  # type: ignore[arg-type]
