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
