"""The Redis function libraries: read from their `.lua` files, loaded where they are missing."""

from functools import cache
from importlib.resources import files

from shards.command import pack

LIBRARIES = ("cast", "roll", "outbox", "results", "census", "replay")


@cache
def load_commands() -> list[bytes]:
    """Return one packed `FUNCTION LOAD REPLACE` command a library.

    Functions rather than cached scripts: they replicate and survive a failover. Loading the
    same code again is harmless.
    """
    lua = files(__package__) / "lua"
    return [
        pack("FUNCTION", "LOAD", "REPLACE", (lua / f"{name}.lua").read_bytes())
        for name in LIBRARIES
    ]
