"""A simulated Redis node: executes, writes its log to disk, replicates, answers WAITAOF.

As a server with `appendfsync always` does, it goes round and round: execute what has come, put
the log on disk, then send the replies and, to its replicas, the log. A log is a list of
transactions, an offset a length of it.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Link
from tests.simulation.replies import OK, Failure, encode
from tests.simulation.store import Executor, Store, Transaction

PORT = 7000
ROUND_S = 0.00002  # from bytes come to commands executed
FSYNC_S = 0.0003
FROZEN_S = 0.01  # how often a frozen process is looked at
_UNBLOCKED = Failure(b"UNBLOCKED force unblock from blocking operation, instance state changed")
_DOWN = Failure(b"CLUSTERDOWN The cluster is down")
_LOADING = Failure(b"LOADING server is loading the dataset in memory")
_OOM = Failure(b"OOM command not allowed when used memory > 'maxmemory'.")


class Wait(NamedTuple):
    """A WAITAOF that blocks its connection."""

    offset: int
    local: int
    replicas: int
    timer: list[asyncio.TimerHandle]  # of its end


class Bus(NamedTuple):
    """What a node knows of, and asks of, its cluster."""

    primary_of: Callable[["Node", bytes], "str | None"]  # of a key; None: the cluster is down
    replicate: Callable[["Node", bool], None]  # send the log on; True: and ask how far disks are


class Node:
    """One server, primary or replica of a group of shards."""

    def __init__(self, name: str, group: int, loop: VirtualLoop, rng: random.Random) -> None:
        self.name = name
        self.group = group
        self.log: list[Transaction] = []
        self.synced = 0  # how much of the log is on disk
        self.store = Store([])
        self.listening = True  # the process lives and is not frozen for good
        self.frozen = False
        self.loading = False
        self.full = False  # maxmemory is reached
        self.skew_ms = 0.0
        self.fsync_s = FSYNC_S
        self.acknowledged: dict[str, int] = {}  # offset on the disk of each replica that is online
        self.master: Node | None = None
        self.linked_at_s = float("-inf")  # when its primary was last heard
        self.bus: Bus
        self._loop = loop
        self._rng = rng
        self._links: dict[Link, None] = {}
        self._input: dict[Link, None] = {}
        self._round_due = False
        self._life = 0  # counts restarts: what was begun in an earlier life is void
        self._ask = False

    @property
    def now_ms(self) -> float:
        """The server's clock."""
        return self._loop.wall_s() * 1000 + self.skew_ms

    # Connections

    def accepted(self, link: Link) -> None:
        self._links[link] = None

    def dropped(self, link: Link) -> None:
        self._links.pop(link, None)

    def receive(self, link: Link) -> None:
        if self.listening:
            self._input[link] = None
            self.wake()

    def wake(self) -> None:
        """See to another round, unless one is due."""
        if not self._round_due and not self.frozen:
            self._round_due = True
            self._loop.call_later(ROUND_S, self._round, self._life)

    # Life and death

    def crash(self, *, silent: bool, power: bool) -> None:
        """Die; without power, what was not yet synced is lost, else a part of it may be."""
        self.listening = False
        self._life += 1
        kept = self.synced if power else self._rng.randint(self.synced, len(self.log))
        del self.log[kept:]
        self.synced = kept
        for link in list(self._links):
            link.broken(silent=silent)
        self._forget()

    def start(self, *, empty: bool) -> None:
        """Start anew from the disk, or with an empty one."""
        if empty:
            self.log.clear()
        self.synced = len(self.log)
        self.store = Store(self.log)
        self.listening, self.frozen, self.loading = True, False, False
        self.linked_at_s = float("-inf")

    def take_log(self, log: list[Transaction]) -> None:
        """Take another node's data in place of one's own, on disk too."""
        self.log = list(log)
        self.synced = len(log)
        self.store = Store(log)

    def follow(self, master: "Node | None") -> None:
        """Become a replica, or with None a primary."""
        if (self.master is None) != (master is None):
            for link in list(self._links):
                if isinstance(link.waits, Wait):
                    link.waits = None
                    link.send(encode(_UNBLOCKED))
        self.master = master
        self.loading = False  # a transfer that was under way has changed nothing yet
        self.acknowledged.clear()

    def _forget(self) -> None:
        self._links.clear()
        self._input.clear()
        self.acknowledged.clear()
        self._round_due = False
        self._ask = False

    # The round

    def _round(self, life: int) -> None:
        if life != self._life:
            return
        if self.frozen:  # the thaw sees to it
            self._round_due = False
            return
        links, self._input = self._input, {}
        replies: list[tuple[Link, list[bytes]]] = []
        replies += [(link, self._run(link)) for link in links if link in self._links]
        if len(self.log) == self.synced:
            self._written(life, replies, self.synced)
        else:
            delay_s = self.fsync_s * (0.5 + self._rng.random())
            self._loop.call_later(delay_s, self._written, life, replies, len(self.log))

    def _run(self, link: Link) -> list[bytes]:
        replies: list[bytes] = []
        while link.waits is None and (command := link.reader.gets()):
            reply = self._execute(link, command)
            if reply is not None:
                replies.append(encode(reply[0]))
        return replies

    def _execute(self, link: Link, command: list[bytes]) -> tuple[Any] | None:
        """Execute one command; None when its reply comes later."""
        name = command[0]
        if name == b"WAITAOF":
            return self._wait(link, *map(int, command[1:]))
        if name in (b"CLIENT", b"ASKING"):
            return (OK,)
        if name != b"FUNCTION":
            refusal = self._refusal(command)
            if refusal is not None:
                return (refusal,)
        elif self.master is not None:
            return (Failure(b"READONLY You can't write against a read only replica."),)
        executor = Executor(self.store, self.now_ms)
        reply = executor.execute(*command)
        if executor.effects:
            self.log.append(tuple(executor.effects))
            link.write_offset = len(self.log)
        return (reply,)

    def _refusal(self, command: list[bytes]) -> Failure | None:
        if self.loading:
            return _LOADING
        key = command[3] if command[0] == b"FCALL" else command[1]
        primary = self.bus.primary_of(self, key)
        if primary is None:
            return _DOWN
        if primary != self.name:
            return Failure(b"MOVED 0 %b:%d" % (primary.encode(), PORT))
        if self.full and command[0] == b"FCALL" and command[1].startswith(b"scrutin_cast"):
            return _OOM
        return None

    def _wait(self, link: Link, local: int, replicas: int, timeout_ms: int) -> tuple[Any] | None:
        if self.master is not None:
            return (Failure(b"ERR WAITAOF cannot be used with replica instances."),)
        wait = Wait(link.write_offset, local, replicas, [])
        counts = self._counts(wait)
        if counts[0] >= local and counts[1] >= replicas:
            return (counts,)
        link.waits = wait
        self._ask = True
        end = self._loop.call_later(timeout_ms / 1000, self._wait_over, self._life, link, wait)
        wait.timer.append(end)
        return None

    def _counts(self, wait: Wait) -> list[int]:
        disks = sum(offset >= wait.offset for offset in self.acknowledged.values())
        return [int(self.synced >= wait.offset), disks]

    def _wait_over(self, life: int, link: Link, wait: Wait) -> None:
        if life != self._life or link.waits is not wait:
            return
        if self.frozen:
            self._loop.call_later(FROZEN_S, self._wait_over, life, link, wait)
        else:
            self._unblock(link, wait)

    def _unblock(self, link: Link, wait: Wait) -> None:
        link.waits = None
        wait.timer[0].cancel()
        link.send(encode(self._counts(wait)))
        if link.reader.has_data():
            self.receive(link)

    def _written(self, life: int, replies: list[tuple[Link, list[bytes]]], offset: int) -> None:
        """End a round: the disk has the log up to `offset`."""
        if life != self._life:
            return
        if self.frozen:  # SIGSTOP came in between; go on when it is over
            self._loop.call_later(FROZEN_S, self._written, life, replies, offset)
            return
        self.synced = max(self.synced, min(offset, len(self.log)))
        for link, encoded in replies:
            if encoded:
                link.send(b"".join(encoded))
        self._round_due = False
        if self.master is None:
            self.bus.replicate(self, self._ask)
            self._ask = False
            self.confirm()
        if self._input or len(self.log) > self.synced:
            self.wake()

    def confirm(self) -> None:
        """Answer the WAITAOFs that have what they wait for."""
        if self.frozen:
            return
        for link in list(self._links):
            wait = link.waits
            if isinstance(wait, Wait):
                counts = self._counts(wait)
                if counts[0] >= wait.local and counts[1] >= wait.replicas:
                    self._unblock(link, wait)

    # As a replica

    def apply(self, transactions: list[Transaction]) -> None:
        """Take a part of the primary's log; it reaches the disk at the end of a round."""
        for transaction in transactions:
            for effect in transaction:
                self.store.apply(effect)
        self.log.extend(transactions)
        self.wake()
