"""The tally snapshot that drainers publish and edges serve."""

import msgspec

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.functions import fcall


class LawTally(msgspec.Struct, frozen=True):
    """Accepted ballots of one law."""

    law_id: str
    oui_count: int
    non_count: int


class ResultsSnapshot(msgspec.Struct, frozen=True):
    """What was counted when.

    `updated_at_ms`: when counting began, by the counter's clock; `complete_until_ms`: every vote
    accepted before this server time is in the tallies.
    `corrected`: by how many votes they are more, or fewer, than the attempts that were accepted.
    """

    tallies: list[LawTally]
    updated_at_ms: int
    complete_until_ms: int
    corrected: int = 0


async def publish_results(client: ShardClient, snapshot: ResultsSnapshot) -> None:
    """Write the snapshot, unless a newer one is there; raises `Unavailable`."""
    value = msgspec.json.encode(snapshot)
    await client.call(0, fcall("publish", (keys.results_key(),), value))


async def read_results(client: ShardClient) -> ResultsSnapshot | None:
    """Read the latest snapshot, None before the first; raises `Unavailable`."""
    value = await client.call(0, pack("GET", keys.results_key()))
    return None if value is None else msgspec.json.decode(value, type=ResultsSnapshot)
