"""Every edge, drainer and Redis server started anew, one after the other, while votes come in."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from shards.localcluster import LocalNode
from tests.operations.deployment import Deployment, Service
from tests.operations.openloop import OpenLoop, Sent, ballots
from tests.operations.proof import differences, verify
from tests.support.rolls import Elector

STOP_TIMEOUT_S = 30.0
REFUSED_SHARE_MAX = 0.001
PAUSE_S = 2.0  # between two restarts, so that each is seen alone


class Restart(msgspec.Struct, frozen=True):
    """One process started anew; `handed_over`: it was a primary.

    Times are since the beginning, until it is back and in step. `refused` are 503s meanwhile,
    `lost` connections without an answer.
    """

    name: str
    began_s: float
    ended_s: float
    handed_over: bool
    refused: int = 0
    lost: int = 0


class Rolled(msgspec.Struct, frozen=True):
    """What came of it. `refused` are 503s, `lost` connections without an answer.

    Of both, those while a primary handed over are counted apart as `in_handovers`.
    """

    restarts: list[Restart]
    answers: dict[str, int]
    sendings: int
    refused: int
    lost: int
    in_handovers: int
    unexpected: dict[int, int]
    unanswered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    differences: list[str]

    @property
    def refused_share(self) -> float:
        """503s outside handovers, of all sendings."""
        return (self.refused - self.in_handovers) / self.sendings

    @property
    def troubles(self) -> list[str]:
        """The promises that were not kept."""
        found = list(self.differences)
        found += [f"answered {status}, {n} times" for status, n in self.unexpected.items()]
        if self.unanswered:
            found.append(f"{self.unanswered} votes were never decided")
        if self.lost:
            when = [
                f"{one.lost} while {one.name} started anew" for one in self.restarts if one.lost
            ]
            found.append(f"{self.lost} connections were lost, {', '.join(when) or 'in between'}")
        if self.refused_share > REFUSED_SHARE_MAX:
            found.append(f"{self.refused_share:.3%} of all sendings got 503 outside handovers")
        return found


async def roll_through(
    deployment: Deployment,
    electors: Iterator[Elector],
    *,
    rate_per_s: float,
    seed: int,
    rounds: int = 1,
    shards: int = 3,
    report: Callable[[Restart], None] = lambda _: None,
) -> Rolled:
    """Restart all edges, all drainers and the servers of so many shards, `rounds` times.

    `report` is told of each restart when the process is back.
    """
    log = deployment.directory / "answers.tsv"
    rng = random.Random(seed)
    load = OpenLoop(deployment.edge_urls, log, rng)
    stop = asyncio.Event()
    voting = asyncio.create_task(load.run(ballots(electors, rng), rate_per_s, stop))
    restarts: list[Restart] = []
    try:
        await _settle(voting)
        for _ in range(rounds):
            for service in deployment.services:
                restarts.append(await _restart_service(service, load))
                report(restarts[-1])
                await _settle(voting)
            for node in _nodes_of(deployment, shards):
                restarts.append(await _restart_node(deployment, node, load))
                report(restarts[-1])
                await _settle(voting)
    finally:
        stop.set()
        await asyncio.gather(voting)
    seconds = load.now_s
    await deployment.drained()
    found = differences(deployment.clickhouse.url, log)
    verify(deployment)
    return _rolled(load, restarts, seconds, found)


def _nodes_of(deployment: Deployment, shards: int) -> Sequence[LocalNode]:
    """Return all servers of the first shards: every third, as they were joined."""
    return [node for number, node in enumerate(deployment.cluster.nodes) if number % 3 < shards]


async def _settle(voting: "asyncio.Task[None]") -> None:
    """Let some time pass; fail at once if the voters have."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(voting), PAUSE_S)
        raise AssertionError("the voters stopped by themselves")


async def _restart_service(service: Service, load: OpenLoop) -> Restart:
    began_s = load.now_s
    code = await asyncio.to_thread(service.stop, STOP_TIMEOUT_S)
    assert code == 0, f"{service.name} ended with {code}:\n{service.log_tail()}"
    service.start()
    await service.wait_at_work()
    return Restart(service.name, began_s, load.now_s, handed_over=False)


async def _restart_node(deployment: Deployment, node: LocalNode, load: OpenLoop) -> Restart:
    async with node.client() as redis:
        primary = (await redis.role())[0] == b"master"
    began_s = load.now_s
    code = await asyncio.to_thread(node.stop, STOP_TIMEOUT_S)
    assert code == 0, f"{node.name} ended with {code}:\n{node.log_tail()}"
    node.start()
    await node.wait_ready()
    await deployment.cluster.wait_healthy()
    return Restart(node.name, began_s, load.now_s, handed_over=primary)


def _meets(sent: Sent, restart: Restart) -> bool:
    """Say whether a sending was under way during a restart."""
    return sent.at_s <= restart.ended_s and sent.answered_s >= restart.began_s


def _rolled(load: OpenLoop, restarts: list[Restart], seconds: float, found: list[str]) -> Rolled:
    refused = [sent for sent in load.troubles if sent.status == 503]
    handovers = [restart for restart in restarts if restart.handed_over]
    lost = [sent for sent in load.troubles if sent.status == 0]
    in_handovers = sum(any(_meets(sent, one) for one in handovers) for sent in refused)
    restarts = [
        msgspec.structs.replace(
            one,
            refused=sum(_meets(sent, one) for sent in refused),
            lost=sum(_meets(sent, one) for sent in lost),
        )
        for one in restarts
    ]
    taken_s = sorted(s for second in load.seconds.values() for s in second.latencies_s)
    return Rolled(
        restarts,
        dict(load.answers),
        load.sendings,
        len(refused),
        len(lost),
        in_handovers,
        dict(load.unexpected),
        len(load.unanswered),
        round(seconds, 1),
        round(1000 * taken_s[len(taken_s) // 2], 1),
        round(1000 * taken_s[len(taken_s) * 99 // 100], 1),
        round(1000 * taken_s[-1], 1),
        found,
    )
