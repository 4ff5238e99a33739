"""The most telling faults, one small run each on one stack; `make chaos-full` plays all of them."""

from pathlib import Path

import pytest

from tests.chaos.campaign import Job, play_all
from tests.chaos.electorate import prepare

VOTES = 600
SCENARIOS = (
    "edge_killed_before_script",
    "edge_killed_after_script",
    "redis_answers_lost",
    "functions_flushed",
    "clickhouse_down",
    "clickhouse_answer_lost",
    "drainer_killed",
    "two_drainers",
    "memory_full",
    "disk_full",
    "slots_moved",
    "primary_killed",
    "shard_killed",
    "tier_killed",
    "replica_partitioned",
    "minority_partition",
    "primary_disk_lost",
)


@pytest.mark.timeout(400)
async def test_no_fault_costs_a_vote(tmp_path: Path) -> None:
    electorate = prepare(tmp_path / "electorate")
    jobs = [Job(name, seed, VOTES) for seed, name in enumerate(SCENARIOS, start=1)]
    reports = await play_all(jobs, electorate, tmp_path)
    assert [report.scenario for report in reports] == list(SCENARIOS)
    failed = {report.scenario: report.violations for report in reports if report.violations}
    assert not failed
    assert sum(report.answers for report in reports) > 0.95 * VOTES * len(SCENARIOS)
