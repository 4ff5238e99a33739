"""Ports for servers that are started on this machine."""

import contextlib
import random
import socket
from collections.abc import Collection

PORTS = range(10_100, 30_000)  # browsers refuse 10,080


def free_ports(count: int, besides: Collection[int] = ()) -> list[int]:
    """Return ports that nothing listens on, and that no outgoing connection will take.

    Those of `besides` are taken, though nothing listens there yet.

    The system gives outgoing connections ports from 32,768 up: a server down for a moment would
    not get such a port back for sure. Raises OSError when there are too few.
    """
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if port in besides:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("too few free ports on this machine")
