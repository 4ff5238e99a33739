"""All scenarios by name."""

from collections.abc import Sequence

from tests.chaos import faults_clients, faults_limits, faults_redis, faults_services
from tests.chaos.run import Fault, Run, Scenario


async def nothing(run: Run) -> None:
    """Nothing goes wrong."""
    await run.moment()


FAULTS: Sequence[Fault] = (
    nothing,
    faults_services.edge_killed,
    faults_services.edge_killed_before_script,
    faults_services.edge_killed_after_script,
    faults_services.redis_answers_lost,
    faults_redis.primary_killed,
    faults_redis.primary_disk_lost,
    faults_redis.shard_killed,
    faults_redis.tier_killed,
    faults_redis.replica_frozen,
    faults_redis.primary_frozen,
    faults_redis.replica_partitioned,
    faults_redis.minority_partition,
    faults_limits.slots_moved,
    faults_limits.functions_flushed,
    faults_services.clickhouse_down,
    faults_services.clickhouse_slow,
    faults_services.clickhouse_answer_lost,
    faults_services.drainer_killed,
    faults_services.two_drainers,
    faults_limits.memory_full,
    faults_limits.disk_full,
    faults_limits.clock_off,
    faults_clients.slow_clients,
    faults_clients.invalid_flood,
)

SCENARIOS = {fault.__name__: Scenario(fault.__name__, fault) for fault in FAULTS}
