"""Replication: the log on its way from a primary to its replicas, and their acknowledgements.

A replica says how far its disk is when it is asked, in the order of the stream, and once a second;
so an answer to a question that comes along with a write does not count that write.
"""

import random

from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network
from tests.simulation.node import Node
from tests.simulation.store import Transaction

ACK_INTERVAL_S = 1.0
RELINK_S = 0.1


class Session:
    """One replica's link to its primary, from a synchronisation to the next."""

    def __init__(self, primary: Node, replica: Node) -> None:
        self.primary = primary
        self.replica = replica
        self.sent = len(replica.log)
        self.free_at_s = 0.0
        self.inbox: list[tuple[list[Transaction], bool]] = []


class Replication:
    """The links of all replicas."""

    def __init__(self, loop: VirtualLoop, network: Network, rng: random.Random) -> None:
        self.lag_s = rng.choice([0.0001, 0.0001, 0.0003, 0.001])
        self._loop, self._network, self._rng = loop, network, rng
        self._sessions: dict[str, Session] = {}
        self._attempts: dict[str, object] = {}

    def linked(self, replica: Node) -> bool:
        """Tell whether a replica follows its primary's log."""
        session = self._sessions.get(replica.name)
        return session is not None and self._current(session)

    def caught_up(self, replica: Node) -> bool:
        """Tell whether a replica has all that its primary has, on disk."""
        return self.linked(replica) and replica.synced == len(
            self._sessions[replica.name].primary.log
        )

    def begin(self, replica: Node) -> None:
        """Synchronise a replica with its primary, as soon as both can."""
        self.ended(replica)
        replica.loading = False
        attempt = self._attempts[replica.name] = object()
        self._loop.call_later(self._rng.uniform(0.005, 0.03), self._sync, replica, attempt)

    def ended(self, replica: Node) -> None:
        """Break a replica's link: what it acknowledged over it counts no more."""
        self._sessions.pop(replica.name, None)
        if replica.master is not None:
            replica.master.acknowledged.pop(replica.name, None)

    def died(self, node: Node) -> None:
        """Break the links of a node that has died; its replicas try to reach it again."""
        self.ended(node)
        for session in list(self._sessions.values()):
            if session.primary is node:
                self.begin(session.replica)

    def send(self, primary: Node, ask: bool) -> None:
        """Send on what a primary's replicas do not have yet, and ask how far their disks are."""
        for session in list(self._sessions.values()):
            if session.primary is not primary or not self._reach(primary, session.replica):
                continue
            transactions = primary.log[session.sent :]
            if transactions or ask:
                session.sent = len(primary.log)
                self._later(session, self._arrive, session, transactions, ask)

    def thawed(self, replica: Node) -> None:
        """Let a replica take what came while it was frozen."""
        if session := self._sessions.get(replica.name):
            self._pump(session)

    def _sync(self, replica: Node, attempt: object) -> None:
        primary = replica.master
        if attempt is not self._attempts[replica.name] or primary is None or not replica.listening:
            return
        able = primary.listening and primary.master is None
        if not able or primary.frozen or replica.frozen or not self._reach(primary, replica):
            self._loop.call_later(RELINK_S, self._sync, replica, attempt)
            return
        size = len(replica.log)
        same = size <= len(primary.log) and (size == 0 or replica.log[-1] is primary.log[size - 1])
        if size == 0 or not same:
            if not replica.loading:  # the transfer takes its time
                replica.loading = True
                self._loop.call_later(self._rng.uniform(0.02, 0.2), self._sync, replica, attempt)
                return
            replica.take_log(primary.log[: primary.synced])
        replica.loading = False
        session = self._sessions[replica.name] = Session(primary, replica)
        replica.linked_at_s = self._loop.time()
        self.send(primary, ask=True)
        self._loop.call_later(ACK_INTERVAL_S, self._tell, session)

    def _current(self, session: Session) -> bool:
        replica = session.replica
        return self._sessions.get(replica.name) is session and replica.master is session.primary

    def _reach(self, primary: Node, replica: Node) -> bool:
        return replica.listening and self._network.reaches(primary.name, replica.name)

    def _arrive(self, session: Session, transactions: list[Transaction], ask: bool) -> None:
        if not self._current(session):
            return
        if not self._reach(session.primary, session.replica):  # lost: the link has to start anew
            self.begin(session.replica)
            return
        session.inbox.append((transactions, ask))
        self._pump(session)

    def _pump(self, session: Session) -> None:
        replica = session.replica
        if replica.frozen or not self._current(session):
            return
        inbox, session.inbox = session.inbox, []
        for transactions, ask in inbox:
            if transactions:
                replica.apply(transactions)
            if ask:
                self._acknowledge(session)
        replica.linked_at_s = self._loop.time()

    def _tell(self, session: Session) -> None:
        if not self._current(session) or not session.replica.listening:
            return
        if not session.replica.frozen and self._reach(session.primary, session.replica):
            session.replica.linked_at_s = self._loop.time()
            self._acknowledge(session)
        self._loop.call_later(ACK_INTERVAL_S, self._tell, session)

    def _acknowledge(self, session: Session) -> None:
        delay_s = self.lag_s * (0.5 + self._rng.random())
        self._loop.call_later(delay_s, self._acknowledged, session, session.replica.synced)

    def _acknowledged(self, session: Session, offset: int) -> None:
        primary, replica = session.primary, session.replica
        if not self._current(session) or not primary.listening or primary.master is not None:
            return
        if self._reach(primary, replica):
            known = primary.acknowledged.get(replica.name, 0)
            primary.acknowledged[replica.name] = max(known, offset)
            primary.confirm()

    def _later(self, session: Session, what: object, *arguments: object) -> None:
        delay_s = self.lag_s * (0.5 + self._rng.random())
        at_s = session.free_at_s = max(session.free_at_s + 1e-7, self._loop.time() + delay_s)
        self._loop.call_at(at_s, what, *arguments)  # type: ignore[arg-type]
