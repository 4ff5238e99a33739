"""The published tally."""

from shards.client import ShardClient
from shards.results import LawTally, ResultsSnapshot, publish_results, read_results


def snapshot(updated_at_ms: int, oui: int) -> ResultsSnapshot:
    return ResultsSnapshot([LawTally("L1", oui, 0)], updated_at_ms, updated_at_ms)


async def test_an_older_snapshot_never_replaces_a_newer_one(client: ShardClient) -> None:
    assert await read_results(client) is None
    for updated_at_ms, oui, shown in [(1000, 1, 1), (3000, 3, 3), (2000, 2, 3), (3000, 4, 4)]:
        await publish_results(client, snapshot(updated_at_ms, oui))
        held = await read_results(client)
        assert held is not None
        assert held.tallies[0].oui_count == shown
