"""What breaks: each fault begins at a moment the seed draws, and ends by itself."""

import random
from collections import Counter
from collections.abc import Callable

from tests.simulation.cluster import NODE_TIMEOUT_S
from tests.simulation.network import Link
from tests.simulation.node import FSYNC_S, Node
from tests.simulation.plan import DAY_S
from tests.simulation.programs import Process, Site
from tests.simulation.store import Effect
from tests.simulation.warehouse import Warehouse

LOOK_S = 0.05


class Faults:
    """The day's faults; `active` counts those that have not ended."""

    def __init__(
        self, site: Site, processes: list[Process], warehouse: Warehouse, rng: random.Random
    ) -> None:
        self.active = 0
        self.one_clock = True
        self._site, self._processes, self._warehouse, self._rng = site, processes, warehouse, rng
        self._busy: Counter[int] = Counter()  # faults on the nodes of a group
        self._alone: set[int] = set()  # groups where no second fault may begin

    def schedule(self) -> None:
        """Draw the day's faults: of few kinds, so that some days go deep instead of wide."""
        kinds = [getattr(Faults, name) for name in self._site.plan.kinds] or self._rng.sample(
            _FAULTS, self._rng.choice([1, 2, 3, len(_FAULTS)])
        )
        for _ in range(self._site.plan.faults):
            fault = self._rng.choice(kinds)
            at_s = self._rng.uniform(0.05, DAY_S)
            lasts_s = self._rng.choice([0.05, 0.3, 0.6, 1.5]) * (0.5 + self._rng.random())
            self.active += 1
            self._site.loop.call_later(at_s, fault, self, lasts_s)

    # Helpers

    def _later(self, delay_s: float, what: Callable[[], None]) -> None:
        self._site.loop.call_later(delay_s, what)

    def _over(self, who: str, what: str) -> None:
        self.active -= 1
        self._site.trace.note(who, what)

    def _skip(self) -> None:
        self.active -= 1

    def _node(self) -> Node | None:
        """Pick a node that runs and may have a fault."""
        node = self._rng.choice(list(self._site.cluster.nodes.values()))
        if node.group in self._alone or not self._site.cluster.answers(node):
            return None
        return node

    def _begin(self, node: Node, what: str) -> None:
        self._busy[node.group] += 1
        role = "primary" if node.master is None else "replica"
        self._site.trace.note(node.name, f"{what} ({role})")

    def _end(self, node: Node, what: str) -> None:
        self._busy[node.group] -= 1
        self._over(node.name, what)

    # Programs

    def program_killed(self, lasts_s: float) -> None:
        process = self._rng.choice(self._processes)
        if not process.alive:
            self._skip()
            return
        self._site.trace.note(process.name, "killed")
        process.kill()

        def again() -> None:
            process.start()
            self._over(process.name, "started")

        self._later(lasts_s, again)

    def program_cut_off(self, lasts_s: float) -> None:
        """A program and a node do not reach each other; at the end bytes arrive late or never."""
        process, node = (
            self._rng.choice(self._processes),
            self._rng.choice(list(self._site.cluster.nodes.values())),
        )
        pairs = {(process.name, node.name)}
        self._site.trace.note(process.name, f"cut off from {node.name}")
        self._site.network.cuts |= pairs

        def heal() -> None:
            links: list[Link] = list(process.program.links)
            self._site.network.heal(pairs, links)
            self._over(process.name, f"reaches {node.name} again")

        self._later(lasts_s, heal)

    # Nodes

    def node_killed(self, lasts_s: float) -> None:
        node = self._node()
        if node is None:
            self._skip()
            return
        power, silent = self._rng.random() < 0.5, self._rng.random() < 0.3
        self._begin(node, "power lost" if power else "killed")
        self._crash(node, silent=silent, power=power)
        if self._rng.random() < 0.5:
            lasts_s *= 0.1  # back before anybody takes over

        def again() -> None:
            node.start(empty=False)
            self._site.cluster.started(node)
            self._end(node, f"started with {len(node.log)} of its log")

        self._later(lasts_s, again)

    def disk_lost(self, lasts_s: float) -> None:
        """A node dies and returns with nothing, once another has its place."""
        node, cluster = self._node(), self._site.cluster
        if node is None or self._busy[node.group] or not cluster.whole(node.group):
            self._skip()
            return
        self._alone.add(node.group)
        self._begin(node, "disk lost")
        self._crash(node, silent=False, power=True)

        def again() -> None:
            if cluster.primary(node.group) is node:
                self._later(LOOK_S, again)
                return
            node.start(empty=True)
            cluster.started(node)
            self._site.trace.note(node.name, "started empty")
            whole()

        def whole() -> None:
            if not cluster.replication.caught_up(node):
                self._later(LOOK_S, whole)
                return
            self._alone.discard(node.group)
            self._end(node, "has a copy again")

        self._later(lasts_s, again)

    def both_killed(self, lasts_s: float) -> None:
        """All nodes of a group lose power at once and come back from their disks."""
        group = self._rng.randrange(len(self._site.cluster.groups))
        nodes = self._site.cluster.groups[group]
        if group in self._alone or not all(map(self._site.cluster.answers, nodes)):
            self._skip()
            return
        self.active += len(nodes) - 1
        for node in nodes:
            self._begin(node, "power lost with all of its group")
            self._crash(node, silent=False, power=True)
            self._later(lasts_s * (0.5 + self._rng.random()), self._restart(node))

    def _restart(self, node: Node) -> Callable[[], None]:
        def again() -> None:
            node.start(empty=False)
            self._site.cluster.started(node)
            self._end(node, "started")

        return again

    def node_frozen(self, lasts_s: float) -> None:
        node = self._node()
        if node is None:
            self._skip()
            return
        self._begin(node, "frozen")
        node.frozen = True
        self._site.cluster.lost(node)

        def thaw() -> None:
            node.frozen = False
            if node.listening:
                node.confirm()
                node.wake()
                self._site.cluster.replication.thawed(node)
                self._site.cluster.back(node)
            self._end(node, "thawed")

        self._later(lasts_s, thaw)

    def node_isolated(self, lasts_s: float) -> None:
        node = self._node()
        if node is None:
            self._skip()
            return
        self._begin(node, "cut off from all nodes")
        self._site.cluster.isolate(node)

        def rejoin() -> None:
            self._site.cluster.rejoin(node)
            self._end(node, "reaches the nodes again")

        self._later(lasts_s, rejoin)

    def disk_slow(self, lasts_s: float) -> None:
        node = self._rng.choice(list(self._site.cluster.nodes.values()))
        self._site.trace.note(node.name, "slow disk")
        node.fsync_s = self._rng.choice([0.005, 0.05, 0.3])

        def heal() -> None:
            node.fsync_s = FSYNC_S
            self._over(node.name, "fast disk")

        self._later(lasts_s, heal)

    def behind_and_promoted(self, lasts_s: float) -> None:
        """A replica hears nothing for a while; then its primary dies and it takes over."""
        replica, cluster = self._node(), self._site.cluster
        if replica is None or replica.master is None or not cluster.whole(replica.group):
            self._skip()
            return
        primary = replica.master
        pair = {(primary.name, replica.name), (replica.name, primary.name)}
        self._begin(replica, f"hears nothing from {primary.name}")
        self._site.network.cuts |= pair

        def die() -> None:
            self._site.network.cuts -= pair
            self._end(replica, f"could hear {primary.name}")
            if cluster.answers(primary) and primary.group not in self._alone:
                self.active += 1
                self._begin(primary, "power lost")
                self._crash(primary, silent=False, power=True)
                self._later(NODE_TIMEOUT_S * 3, self._restart(primary))
            else:
                cluster.replication.begin(replica)

        self._later(min(lasts_s, NODE_TIMEOUT_S * 2), die)

    def failover_forced(self, _lasts_s: float) -> None:
        """An operator makes a replica the primary, whatever it lacks of the latest."""
        node = self._node()
        if node is None or node.master is None or not self._site.cluster.replication.linked(node):
            self._skip()
            return
        self._site.cluster.promote(node)
        self._later(NODE_TIMEOUT_S, self._skip)

    def functions_lost(self, _lasts_s: float) -> None:
        node = self._node()
        if node is not None and node.master is None:
            self._site.trace.note(node.name, "functions flushed")
            effect: Effect = ("FUNCTIONS", {})
            node.store.apply(effect)
            node.log.append((effect,))
        self._skip()

    def memory_full(self, lasts_s: float) -> None:
        node = self._rng.choice(list(self._site.cluster.nodes.values()))
        self._site.trace.note(node.name, "memory full")
        node.full = True

        def heal() -> None:
            node.full = False
            self._over(node.name, "memory free")

        self._later(lasts_s, heal)

    def clock_moved(self, _lasts_s: float) -> None:
        node = self._rng.choice(list(self._site.cluster.nodes.values()))
        self.one_clock = False
        node.skew_ms += self._rng.choice([-3_600_000, -50, 50, 3_600_000])
        self._over(node.name, f"clock off by {node.skew_ms} ms")

    def _crash(self, node: Node, *, silent: bool, power: bool) -> None:
        node.crash(silent=silent, power=power)
        self._site.cluster.replication.died(node)
        self._site.cluster.lost(node)

    # ClickHouse

    def clickhouse_away(self, lasts_s: float) -> None:
        self._site.trace.note("house", "away")
        self._warehouse.away = True

        def heal() -> None:
            self._warehouse.away = False
            self._over("house", "back")

        self._later(lasts_s, heal)

    def clickhouse_troubled(self, lasts_s: float) -> None:
        """Inserts fail, before they take effect, after, or long before they do."""
        self._site.trace.note("house", "in trouble")
        self._warehouse.trouble = self._rng.choice([0.2, 0.6])

        def heal() -> None:
            self._warehouse.trouble = 0.0
            self._over("house", "well")

        self._later(lasts_s, heal)


_FAULTS: list[Callable[[Faults, float], None]] = [
    Faults.program_killed,
    Faults.program_killed,
    Faults.program_cut_off,
    Faults.node_killed,
    Faults.node_killed,
    Faults.disk_lost,
    Faults.both_killed,
    Faults.node_frozen,
    Faults.node_isolated,
    Faults.node_isolated,
    Faults.behind_and_promoted,
    Faults.behind_and_promoted,
    Faults.disk_slow,
    Faults.failover_forced,
    Faults.functions_lost,
    Faults.memory_full,
    Faults.clock_moved,
    Faults.clickhouse_away,
    Faults.clickhouse_troubled,
]
