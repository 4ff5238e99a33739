"""Commands as the bytes that go over the wire."""

from typing import cast

import hiredis

Argument = bytes | str | int


def pack(*arguments: Argument) -> bytes:
    """Encode one command for a Redis server (RESP, arrays of bulk strings)."""
    return cast("bytes", hiredis.pack_command(arguments))  # type: ignore[arg-type]


def fcall(function: str, keys: tuple[bytes, ...], *arguments: Argument) -> bytes:
    """Encode the call of a function of our libraries, `scrutin_<function>`."""
    return pack("FCALL", "scrutin_" + function, len(keys), *keys, *arguments)
