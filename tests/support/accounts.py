"""Redis users as `k8s/overlays/dev` and compose have them, on a cluster of the tests."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from shards.localcluster import LocalCluster

USERS = Path(__file__).parents[2] / "k8s" / "overlays" / "dev" / "secrets" / "users.acl"


async def give_account(cluster: LocalCluster, user: str) -> str:
    """Make a user of that file on every server; return the cluster's URL for it."""
    (line,) = [line for line in USERS.read_text().splitlines() if line.split()[1] == user]
    rules = line.split()[2:]
    (password,) = [rule[1:] for rule in rules if rule.startswith(">")]

    async def make(node_number: int) -> None:
        async with cluster.nodes[node_number].client() as redis:
            await redis.execute_command("ACL", "SETUSER", user, "reset", *rules)  # type: ignore[no-untyped-call]

    await asyncio.gather(*map(make, range(len(cluster.nodes))))
    parts = urlsplit(cluster.url)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc}").geturl()
