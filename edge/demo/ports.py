"""Which ports the demo takes."""

import socket

from edge.errors import StartError

TRIES = 100


def choose(flag: str, given: int | None, default: int) -> int:
    """Return the port to take: the one given, or the first free one from `default` on.

    Raises `StartError` when a port that was asked for is taken.
    """
    if given is not None:
        if not _free(given):
            raise StartError(f"port {given} is taken; give {flag} another, or leave it out")
        return given
    for port in range(default, default + TRIES):
        if _free(port):
            return port
    raise StartError(f"no port from {default} to {default + TRIES - 1} is free; give {flag} one")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
