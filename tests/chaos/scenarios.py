"""All scenarios by name."""

from tests.chaos import faults_redis
from tests.chaos.run import Run, Scenario


async def nothing(run: Run) -> None:
    """Nothing goes wrong."""
    await run.moment()


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("nothing", nothing),
        Scenario("primary_killed", faults_redis.primary_killed),
        Scenario("shard_killed", faults_redis.shard_killed),
        Scenario("tier_killed", faults_redis.tier_killed),
        Scenario("replica_frozen", faults_redis.replica_frozen),
        Scenario("primary_frozen", faults_redis.primary_frozen),
        Scenario("replica_partitioned", faults_redis.replica_partitioned),
        Scenario("minority_partition", faults_redis.minority_partition),
    )
}
