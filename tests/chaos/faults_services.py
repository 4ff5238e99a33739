"""What can happen to edges, drainers and ClickHouse."""

import contextlib

from tests.chaos.network import Wire
from tests.chaos.run import Overtaken, Run
from tests.chaos.stack import eventually

CAST = b"scrutin_cast"
HIT_TIMEOUT_S = 20.0
CLICKHOUSE_TIMEOUT_S = 31.0  # a drainer gives up on an answer after 30 s
LEASE_PASSED_TIMEOUT_S = 10.0


async def hit(wire: Wire, times: int) -> None:
    """Wait until a wire has lost or held up something; it must."""
    if not await eventually(lambda: wire.hits >= times, HIT_TIMEOUT_S):
        raise Overtaken("nothing passed there")


async def edge_killed(run: Run) -> None:
    """An edge dies at any moment."""
    for _ in range(run.rng.randint(1, 3)):
        await run.moment(0.1, 0.4)
        edge = run.rng.choice(run.stack.edges)
        run.stack.kill(edge)
        await run.answers(0, 200)
        await run.stack.revive(edge)


async def edge_killed_before_script(run: Run) -> None:
    """An edge dies with votes that it has sent and that never reach Redis."""
    await run.moment()
    wire = Wire("services", None, requests=True, answers=False, trigger=CAST)
    await _edge_killed_behind(run, wire)


async def edge_killed_after_script(run: Run) -> None:
    """An edge dies with votes that Redis has decided, before it learns what was decided."""
    await run.moment()
    wire = Wire("services", None, requests=False, answers=True, trigger=CAST)
    await _edge_killed_behind(run, wire)


async def _edge_killed_behind(run: Run, wire: Wire) -> None:
    edge = run.rng.choice(run.stack.edges)
    with run.stack.network.broken(wire):
        await hit(wire, run.rng.randint(1, 4))
        run.stack.kill(edge)
    await run.stack.revive(edge)


async def redis_answers_lost(run: Run) -> None:
    """Edges lose the answers of Redis, and their connections, again and again."""
    for _ in range(run.rng.randint(2, 5)):
        await run.moment(0.05, 0.5)
        wire = Wire("services", None, requests=False, answers=True, trigger=CAST)
        with run.stack.network.broken(wire):
            await hit(wire, run.rng.randint(1, 6))


async def clickhouse_down(run: Run) -> None:
    """ClickHouse dies while votes go on, and is started again later."""
    await run.moment()
    run.stack.kill(run.stack.clickhouse)
    await run.answers(200, 1500)
    await run.stack.revive(run.stack.clickhouse)


async def clickhouse_slow(run: Run) -> None:
    """ClickHouse takes its time for everything."""
    await run.moment()
    wire = Wire("services", "clickhouse", delay_s=run.rng.uniform(0.1, 0.8))
    with run.stack.network.broken(wire):
        await run.answers(200, 1500)
        await hit(wire, 2)


async def clickhouse_answer_lost(run: Run) -> None:
    """An insert is applied, but its answer never comes: the drainer cannot know.

    Mostly the connection ends, sometimes the drainer waits until it has had enough.
    """
    await run.moment()
    table = run.rng.choice((b"-vote_audit", b"-ballots"))
    for _ in range(run.rng.randint(1, 3)):
        wire = Wire("services", "clickhouse", requests=False, trigger=table)
        with run.stack.network.broken(wire):
            await hit(wire, 1)
    if run.rng.random() < 0.04:
        wire = Wire("services", "clickhouse", requests=False, trigger=table)
        with run.stack.network.broken(wire):
            await hit(wire, 1)
            network = run.stack.network
            await eventually(
                lambda: not any(wire in pipe.touched for pipe in network.pipes),
                CLICKHOUSE_TIMEOUT_S,
            )


async def drainer_killed(run: Run) -> None:
    """Drainers die with a batch that ClickHouse has stored, before they trim the outbox."""
    await run.moment()
    table = run.rng.choice((b"-vote_audit", b"-ballots", b"-ballots"))
    wire = Wire("services", "clickhouse", requests=False, trigger=table)
    drainers = list(run.stack.drainers)
    with run.stack.network.broken(wire):
        await hit(wire, 1)
        if run.rng.random() < 0.3:
            drainers = [run.rng.choice(drainers)]
        run.stack.kill(*drainers)
    await run.answers(0, 300)
    await run.stack.revive(*drainers)


async def two_drainers(run: Run) -> None:
    """A drainer sleeps with a batch in hand until another has taken its shards over, then wakes."""
    await run.moment()
    sleeper = run.rng.choice(run.stack.drainers)
    wire = Wire("services", "clickhouse", delay_s=0.3, trigger=b"-vote_audit")
    with run.stack.network.broken(wire):
        await hit(wire, 1)
        run.stack.freeze(sleeper)
    await run.answers(len(run.attempts), len(run.attempts))
    with contextlib.suppress(TimeoutError):  # the other may be down as well, in a pair of faults
        await run.drained(LEASE_PASSED_TIMEOUT_S)
    run.stack.thaw(sleeper)
