"""Clocks that closing would wait for."""

import pytest

from edge.commands.close import check_clocks
from edge.errors import RecordError
from shards.beliefs import SKEW_MS_MAX, ElectionStatus
from shards.roll import RollInfo

INFO = RollInfo("r", "sha256", "", 1, {"L1": 1}, 1)


@pytest.mark.parametrize(
    ("skew_ms", "drain_timeout_s", "waits"),
    [(SKEW_MS_MAX, 0, False), (900_000, 900, False), (900_001, 900, True), (1001, 0, True)],
)
def test_a_difference_that_outlasts_draining_is_named(
    skew_ms: int, drain_timeout_s: float, waits: bool
) -> None:
    status = ElectionStatus(INFO, [], skew_ms, [])
    if waits:
        with pytest.raises(RecordError, match=r"clocks differ.*Nothing was frozen"):
            check_clocks(status, drain_timeout_s)
    else:
        check_clocks(status, drain_timeout_s)
