"""The Redis function libraries: read from their `.lua` files, loaded where they are missing.

Functions rather than cached scripts: they replicate and survive a failover. Their names end in a
digest of the code, so a changed function is another function: programs of two versions work side
by side, and new code never waits for somebody to replace the old.
"""

import hashlib
import re
from functools import cache
from importlib.resources import files

from shards.command import Argument, pack

LIBRARIES = ("cast", "roll", "outbox", "results", "census", "replay", "review")
DIGEST_CHARS = 8
_NAME = re.compile(rb"(?<=[='])scrutin_\w+")


def fcall(function: str, keys: tuple[bytes, ...], *arguments: Argument) -> bytes:
    """Encode the call of a function of ours by its plain name, `cast` say."""
    return pack("FCALL", qualified(function), len(keys), *keys, *arguments)


@cache
def load_commands() -> list[bytes]:
    """Return one packed `FUNCTION LOAD` command a library; loading again is harmless."""
    return [pack("FUNCTION", "LOAD", "REPLACE", source) for source in sources()]


@cache
def sources() -> list[bytes]:
    """Return the code of every library, its names ending in the digest of all code."""
    lua = files(__package__) / "lua"
    plain = [(lua / f"{name}.lua").read_bytes() for name in LIBRARIES]
    digest = hashlib.sha256(b"".join(plain)).hexdigest()[:DIGEST_CHARS].encode()
    return [_NAME.sub(lambda name: name[0] + b"_" + digest, source) for source in plain]


@cache
def qualified(function: str) -> bytes:
    """Return the full name of a function of ours, `cast` say; raises KeyError for any other."""
    plain = b"scrutin_" + function.encode()
    for source in sources():
        if found := re.search(rb"'(" + plain + rb"_[0-9a-f]{%d})'" % DIGEST_CHARS, source):
            return found[1]
    raise KeyError(function)
