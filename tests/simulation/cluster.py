"""The simulated cluster: who is primary, who follows whom, and who knows of it.

One fact differs from node to node: its view, which trails the truth by the gossip's delay.
"""

import random
from typing import NamedTuple

from shards import keys
from shards.topology import Address, Route, Topology
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import PROGRAM, Network
from tests.simulation.node import PORT, Bus, Node
from tests.simulation.replication import Replication
from tests.simulation.trace import Trace

NODE_TIMEOUT_S = 0.3
VALIDITY = 10  # a replica this many timeouts without its primary may not take over
GOSSIP_S = 0.2  # at most, until a node that answers again knows what it has missed


class Claim(NamedTuple):
    """Who is primary of a group, as of an epoch."""

    epoch: int
    primary: str


class Cluster:
    """Groups of nodes; shard n belongs to group n modulo their number."""

    def __init__(
        self,
        groups: int,
        replicas: int,
        loop: VirtualLoop,
        network: Network,
        rng: random.Random,
        trace: Trace,
    ) -> None:
        self.groups = [
            [Node(f"n{group}{rank}", group, loop, rng) for rank in range(replicas + 1)]
            for group in range(groups)
        ]
        self.nodes = {node.name: node for group in self.groups for node in group}
        self.claims = [Claim(0, group[0].name) for group in self.groups]
        self.replication = Replication(loop, network, rng)
        self._views = {name: list(self.claims) for name in self.nodes}
        self._failed: set[str] = set()  # flagged FAIL by the majority
        self._isolated: dict[str, float] = {}  # in the minority, since when
        self._joining: set[str] = set()  # started, and not heard yet
        self._loop, self._network, self._rng, self._trace = loop, network, rng, trace
        for node in self.nodes.values():
            node.bus = Bus(self._primary_of, self.replication.send)
            network.servers[node.name] = node
        for group in self.groups:
            for replica in group[1:]:
                replica.follow(group[0])
                self.replication.begin(replica)

    def primary(self, group: int) -> Node:
        """Return the true primary of a group."""
        return self.nodes[self.claims[group].primary]

    def group_of(self, shard: int) -> int:
        """Return the group that serves a shard."""
        return shard % len(self.groups)

    def whole(self, group: int) -> bool:
        """Tell whether all other nodes of a group follow its primary."""
        primary = self.primary(group)
        return all(
            node is primary or (node.master is primary and self.replication.linked(node))
            for node in self.groups[group]
        )

    def view(self, name: str) -> dict[int, Route]:
        """Return the map that a node shows to clients."""
        routes = {}
        hidden = set() if name in self._isolated else self._failed
        for shard in range(keys.SHARDS):
            claim = self._views[name][self.group_of(shard)]
            listed = [n for n in self.groups[self.group_of(shard)] if n.name not in hidden]
            replicas = sum(node.name != claim.primary for node in listed)
            routes[shard] = Route(Address(claim.primary, PORT), replicas)
        return routes

    # What happens to nodes

    def lost(self, node: Node) -> None:
        """Note that a node has stopped answering: in time it is failed over."""
        delay_s = NODE_TIMEOUT_S * (1 + self._rng.random())
        self._loop.call_later(delay_s, self._judge, node)

    def isolate(self, node: Node) -> None:
        """Cut a node off from all others."""
        self._isolated[node.name] = self._loop.time()
        self._network.cuts |= self._pairs(node)
        self.lost(node)

    def rejoin(self, node: Node) -> None:
        """End a node's isolation."""
        if self._isolated.pop(node.name, None) is not None:
            self._network.cuts -= self._pairs(node)
        self.back(node)

    def back(self, node: Node) -> None:
        """Note that a node answers again: soon it learns what it has missed."""
        self._loop.call_later(0.005 + GOSSIP_S * self._rng.random(), self._learn, node)

    def started(self, node: Node) -> None:
        """Note that a node's process has started: it refuses calls until it has heard the rest."""
        self._joining.add(node.name)
        self.back(node)

    def answers(self, node: Node) -> bool:
        """Tell whether the majority reaches a node."""
        return node.listening and not node.frozen and node.name not in self._isolated

    def _pairs(self, node: Node) -> set[tuple[str, str]]:
        others = self.nodes.keys() - {node.name}
        return {(node.name, n) for n in others} | {(n, node.name) for n in others}

    def _primary_of(self, node: Node, key: bytes) -> str | None:
        since_s = self._isolated.get(node.name)
        if since_s is not None and self._loop.time() - since_s > NODE_TIMEOUT_S:
            return None
        if node.name in self._joining:
            return None
        return self._views[node.name][self.group_of(int(key[1:3], 16))].primary

    def _judge(self, node: Node) -> None:
        if self.answers(node):
            return
        self._failed.add(node.name)
        if self.claims[node.group].primary == node.name and not self._elect(node.group):
            self._loop.call_later(0.1 + 0.2 * self._rng.random(), self._judge, node)

    def _elect(self, group: int) -> bool:
        heard_s = self._loop.time() - VALIDITY * NODE_TIMEOUT_S
        candidates = [
            node
            for node in self.groups[group]
            if self.answers(node)
            and node.master is not None
            and node.name not in self._joining
            and node.linked_at_s >= heard_s
        ]
        if not candidates:
            return False
        # The one with the most has a head start, and mostly wins.
        winner = max(candidates, key=lambda node: len(node.log))
        if self._rng.random() < 0.1:
            winner = self._rng.choice(candidates)
        self.promote(winner)
        return True

    def promote(self, winner: Node) -> None:
        """Make a replica the primary of its group."""
        self._trace.note(winner.name, f"promoted with {len(winner.log)} of its log")
        claim = Claim(self.claims[winner.group].epoch + 1, winner.name)
        self.claims[winner.group] = claim
        winner.follow(None)
        self._views[winner.name][winner.group] = claim
        for node in self.nodes.values():
            if node is not winner and self.answers(node):
                self.back(node)

    def _learn(self, node: Node) -> None:
        if not self.answers(node):
            return
        self._failed.discard(node.name)
        self._joining.discard(node.name)
        self._views[node.name] = list(self.claims)
        primary = self.primary(node.group)
        if primary is node:
            if node.master is not None:
                node.follow(None)
        elif node.master is not primary or not self.replication.linked(node):
            node.follow(primary)
            self.replication.begin(node)


class SimulatedTopology(Topology):
    """Learns the map from whichever node answers, as redis-py does from real ones."""

    def __init__(self, cluster: Cluster, network: Network) -> None:
        self._simulated = cluster
        self._network = network
        self._routes: dict[int, Route] = {}
        self._refresh = None
        self._closed = False

    async def _disconnect(self) -> None:
        pass

    async def _ask(self) -> Exception | None:
        network, program = self._network, PROGRAM.get()
        names = list(self._simulated.nodes)
        network.rng.shuffle(names)
        for name in names:
            await network.pause(2)
            node = self._simulated.nodes[name]
            if node.listening and not node.frozen and network.reaches(program.name, name):
                self._routes = self._simulated.view(name)
                return None
        return OSError("no node can be reached")

    def routes(self) -> dict[int, Route]:
        return self._routes
