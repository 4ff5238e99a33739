"""What can happen to the Redis tier."""

import shutil
from pathlib import Path

from tests.chaos.network import Wire
from tests.chaos.run import Run


async def primary_killed(run: Run) -> None:
    """A primary dies in the middle of its pipelines; its replica takes over, or it comes back."""
    await run.moment()
    part = run.rng.randrange(3)
    primary, replica = await run.stack.pair(part)
    run.stack.kill(primary)
    if run.rng.random() < 0.7:
        await run.stack.failed_over(replica)
    await run.stack.revive(primary)


async def primary_disk_lost(run: Run) -> None:
    """A primary dies with its disk: it must not come back empty, as its replica would copy that.

    Once the replica has taken over, an operator puts an empty server in its place.
    """
    await run.moment()
    part = run.rng.randrange(3)
    primary = await run.stack.primary(part)
    lost_id = await run.stack.node_id(primary)
    run.stack.kill(primary)
    lost = ["appendonlydir", "nodes.conf"]
    if run.rng.random() < 0.5:
        lost.pop()
    for name in lost:
        remove(primary.log.parent / name)
    await run.stack.revive(primary)
    heir = await run.stack.successor(part, primary)
    assert heir is not None, "the replica did not take over"
    assert not primary.alive, "a server without its data must not start"
    (primary.log.parent / "nodes.conf").unlink(missing_ok=True)
    await run.stack.replace(primary, lost_id, heir)


def remove(path: Path) -> None:
    """Remove a file or a directory."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


async def shard_killed(run: Run) -> None:
    """Primary and replica of a shard die and are started again from their disks."""
    await run.moment()
    part = run.rng.randrange(3)
    pair = list(await run.stack.pair(part))
    run.rng.shuffle(pair)
    run.stack.kill(*pair)
    await run.troubles(20, 200)
    await run.stack.revive(*pair)


async def tier_killed(run: Run) -> None:
    """Every Redis server dies and is started again from its disk."""
    await run.moment()
    nodes = list(run.stack.nodes)
    run.rng.shuffle(nodes)
    run.stack.kill(*nodes)
    await run.troubles(20, 200)
    await run.stack.revive(*nodes)


async def replica_frozen(run: Run) -> None:
    """A replica stops in its tracks; sometimes it must take over just when it wakes."""
    await run.moment()
    part = run.rng.randrange(3)
    primary, replica = await run.stack.pair(part)
    run.stack.freeze(replica)
    await run.troubles(20, 200)
    if run.rng.random() < 0.5:
        run.stack.kill(primary)
        run.stack.thaw(replica)
        await run.stack.failed_over(replica)
        await run.stack.revive(primary)
    run.stack.thaw(replica)


async def primary_frozen(run: Run) -> None:
    """A primary stops in its tracks, is replaced, and wakes thinking that it still is primary."""
    await run.moment()
    part = run.rng.randrange(3)
    primary, replica = await run.stack.pair(part)
    run.stack.freeze(primary)
    await run.stack.failed_over(replica)
    run.stack.thaw(primary)


async def replica_partitioned(run: Run) -> None:
    """Replica and primary cannot reach each other, all others can; then the primary may die.

    What the primary sent meanwhile is lost: the replica takes over without it.
    """
    await run.moment()
    part = run.rng.randrange(3)
    primary, replica = await run.stack.pair(part)
    wires = Wire(replica.name, primary.name), Wire(primary.name, replica.name)
    with run.stack.network.broken(*wires):
        await run.troubles(20, 200)
        if run.rng.random() < 0.5:
            run.stack.kill(primary)
            await run.stack.failed_over(replica)
    await run.stack.revive(primary)


async def minority_partition(run: Run) -> None:
    """A primary is cut off from all other servers, while edges and drainers still reach it."""
    await run.moment()
    part = run.rng.randrange(3)
    primary, replica = await run.stack.pair(part)
    others = [node.name for node in run.stack.nodes if node is not primary]
    wires = [Wire(primary.name, other) for other in others]
    wires += [Wire(other, primary.name) for other in others]
    with run.stack.network.broken(*wires):
        await run.stack.failed_over(replica)
        await run.troubles(0, 50)
