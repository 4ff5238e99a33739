"""Ports for servers that are started on this machine."""

import contextlib
import os
import random
import socket
from collections.abc import Collection

PORTS = range(10_000, 30_000)
PORTS_A_PROCESS = 128


def free_ports(count: int, besides: Collection[int] = ()) -> list[int]:
    """Return ports that nothing listens on, and that no outgoing connection will take.

    Those of `besides` are taken, though nothing listens there yet. Processes that look at the same
    time look in different places: what one has found and not yet used another would find as well.

    The system gives outgoing connections ports from 32,768 up: a server down for a moment would
    not get such a port back for sure. Raises OSError when there are too few.
    """
    found: list[int] = []
    for port in _in_order_of_choice():
        if port in besides:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("too few free ports on this machine")


def _in_order_of_choice() -> list[int]:
    """Return all ports, this process's own first, which those with the next ids have not."""
    first = os.getpid() * PORTS_A_PROCESS % len(PORTS)
    own = PORTS[first : first + PORTS_A_PROCESS]
    others = [port for port in PORTS if port not in own]
    return [*random.sample(own, len(own)), *random.sample(others, len(others))]
