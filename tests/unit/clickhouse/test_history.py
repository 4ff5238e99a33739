"""Cutting the shards into parts."""

import pytest

from clickhouse.history import shard_ranges
from shards.keys import SHARDS


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 5000, 255_999, 256_000, 10**9])
def test_every_shard_comes_once_in_parts_as_large_as_allowed(rows: int) -> None:
    parts = list(shard_ranges(rows, 1000))
    assert [shard for part in parts for shard in part] == list(range(SHARDS))
    size = len(parts[0])
    assert all(len(part) == size for part in parts)
    assert size == 1 or rows * size / SHARDS <= 1000
    assert size == SHARDS or rows * 2 * size / SHARDS > 1000
