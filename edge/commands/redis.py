"""`scrutin redis`: the servers of the cluster brought together."""

from typing import Any

import cyclopts
from rich.console import Console

from edge.commands.running import EXIT_FAILED, EXIT_OK, run, settings_of, with_settings
from shards.formation import form_cluster, parse_shard

app = cyclopts.App(name="redis", help="Bring the servers of the Redis cluster together.")


@app.command
@with_settings("redis_url")
def form(*shards: str, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Form the cluster of servers that run, or complete one: servers that came back elsewhere.

    May be run at any time, also while votes are taken; what is there is not touched. User,
    password and TLS are those of SCRUTIN_REDIS_URL. Exits 1 while a server does not answer, 2 when
    slots have no server although there are votes.

    Parameters
    ----------
    shards
        The servers of each shard: host:port,host:port. The first of a new cluster is its primary.
    **flags
        The settings given.

    """

    async def work() -> int:
        url = settings_of(flags).redis_url
        formed = await form_cluster(url, [parse_shard(shard) for shard in shards])
        console = Console(highlight=False)
        console.print(f"slots given  {formed.slots_given:,}")
        for what, names in (
            ("replica", formed.replicas),
            ("forgotten", formed.forgotten),
            ("no answer", formed.missing),
        ):
            for name in names:
                console.print(f"{what:<12} {name}")
        return EXIT_FAILED if formed.missing else EXIT_OK

    return run(work)
