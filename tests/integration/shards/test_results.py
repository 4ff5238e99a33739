"""The published tally."""

from shards.client import ShardClient
from shards.results import LawTally, ResultsSnapshot, publish_results, read_results


def snapshot(complete_until_ms: int, oui: int) -> ResultsSnapshot:
    return ResultsSnapshot([LawTally("L1", oui, 1)], 5000 - complete_until_ms, complete_until_ms)


async def test_an_older_snapshot_never_replaces_a_newer_one(client: ShardClient) -> None:
    assert await read_results(client) is None
    steps = [(1000, 1, (1000, 1)), (3000, 3, (3000, 3)), (4000, 2, (3000, 3)),
             (2000, 3, (3000, 3)), (3500, 3, (3500, 3)), (1000, 4, (1000, 4))]  # fmt: skip
    for complete_until_ms, oui, shown in steps:
        await publish_results(client, snapshot(complete_until_ms, oui))
        held = await read_results(client)
        assert held is not None
        assert (held.complete_until_ms, held.tallies[0].oui_count) == shown


async def test_a_correction_may_count_fewer(client: ShardClient) -> None:
    accepted = ResultsSnapshot([LawTally("L1", 5, 1)], 1, 1000)
    ballots = ResultsSnapshot([LawTally("L1", 4, 1)], 1, 1000, -1)
    stale = ResultsSnapshot([LawTally("L1", 3, 1)], 1, 900, -2)
    for published, shown in ((accepted, accepted), (ballots, ballots), (stale, ballots)):
        await publish_results(client, published)
        assert await read_results(client) == shown
