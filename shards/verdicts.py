"""What an error reply means for the call that got it."""

from enum import Enum, auto
from typing import NamedTuple

from shards.topology import Address


class Action(Enum):
    """What the client does next."""

    MOVE = auto()  # the shard lives elsewhere for good: route there, ask again
    ASK = auto()  # this key lives elsewhere for now: ask there once
    WAIT = auto()  # the cluster is changing: wait a little, look at the map, ask again
    LOAD_FUNCTIONS = auto()  # the server has no such function: load the libraries, ask again
    NO_ROLL = auto()  # the roll is not loaded: give up, the caller tells so
    NO_ROOM = auto()  # memory or disk is full: give up, nothing was written
    FAIL = auto()  # a mistake of ours


class Verdict(NamedTuple):
    """An action and, for MOVE and ASK, where to."""

    action: Action
    address: Address | None = None


_BY_CODE = {
    "TRYAGAIN": Action.WAIT,
    "CLUSTERDOWN": Action.WAIT,
    "LOADING": Action.WAIT,
    "MASTERDOWN": Action.WAIT,
    "READONLY": Action.WAIT,
    "NOREPLICAS": Action.WAIT,
    "BUSY": Action.WAIT,
    "UNBLOCKED": Action.WAIT,
    "NOROLL": Action.NO_ROLL,
    "OOM": Action.NO_ROOM,
    "MISCONF": Action.NO_ROOM,
}


def judge(message: str, asked: Address) -> Verdict:
    """Judge an error reply of the node `asked`, as a Redis Cluster client should.

    Source: the Redis cluster specification, sections on redirection and resharding. A redirection
    without a host means the host that was asked.
    """
    code, _, rest = message.partition(" ")
    if code in ("MOVED", "ASK"):
        host, _, port = rest.split(" ")[1].rpartition(":")
        action = Action.MOVE if code == "MOVED" else Action.ASK
        return Verdict(action, Address(host or asked.host, int(port)))
    if code == "ERR" and rest.startswith("Function not found"):
        return Verdict(Action.LOAD_FUNCTIONS)
    return Verdict(_BY_CODE.get(code, Action.FAIL))
