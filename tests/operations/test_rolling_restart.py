"""A short rolling restart; `make rolling-restart` is the whole one at 1,000 votes/s."""

from pathlib import Path

import pytest

from tests.operations.deployment import Deployment
from tests.operations.electorate import prepare
from tests.operations.rolling import roll_through

RATE_PER_S = 150.0
VOTES = RATE_PER_S * 300


@pytest.mark.timeout(240)
async def test_no_restart_costs_a_vote(tmp_path: Path) -> None:
    electorate = prepare(tmp_path / "roll", VOTES)
    deployment = Deployment(tmp_path / "deployment", electorate.election)
    try:
        await deployment.start(electorate.database)
        rolled = await roll_through(
            deployment, electorate.electors(), rate_per_s=RATE_PER_S, seed=1, shards=1
        )
    finally:
        deployment.stop()
    assert len(rolled.restarts) == 7  # two drainers, two edges, a primary and its replicas
    assert sum(restart.handed_over for restart in rolled.restarts) >= 1
    assert {"accepted", "duplicate", "invalid"} <= set(rolled.answers)
    assert rolled.troubles == [], rolled
