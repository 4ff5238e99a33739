"""Refused votes by network and hour: tags that nobody can turn back, in Redis for two days.

A network is named by a tag keyed with the day's secret, which edges share by way of Redis and
which is gone when the day is. No ballot hash is ever beside a tag.
"""

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from shards import keys
from shards.client import ShardClient
from shards.command import Argument, pack
from shards.functions import fcall

SECRET_BYTES = 32
SECRET_KEPT_S = 25 * 3600  # from its first use: no longer than the day and an hour
KEPT_S = 48 * 3600
NETWORKS_MAX = 10_000  # an hour, in Redis


class NetworkCount(NamedTuple):
    """Votes of one network that were refused in an hour."""

    tag: str
    duplicates: int
    invalid: int


async def day_secret(client: ShardClient, day: str) -> bytes:
    """Return the secret of a day (20261125), made by whoever asks first; raises `Unavailable`."""
    key, made = keys.network_secret_key(day), secrets.token_bytes(SECRET_BYTES)
    await client.call(0, pack("SET", key, made, "NX", "EX", SECRET_KEPT_S))
    held: bytes | None = await client.call(0, pack("GET", key))
    return held or made


async def add_counts(client: ShardClient, hour: str, counts: Iterable[NetworkCount]) -> int:
    """Add counts to those of an hour (20261125T07); return how many networks found no place.

    Counts are hints: after a lost connection some may be there twice. Raises `Unavailable`.
    """
    flat: list[Argument] = [field for count in counts for field in count]
    command = fcall("count_networks", (keys.networks_key(hour),), NETWORKS_MAX, KEPT_S, *flat)
    left_out: int = await client.call(0, command)
    return left_out


async def read_counts(client: ShardClient, hour: str) -> list[NetworkCount]:
    """Return the counts of an hour (20261125T07); raises `Unavailable`."""
    reply = await client.call(0, pack("HGETALL", keys.networks_key(hour)))
    held = dict(zip(reply[::2], map(int, reply[1::2]), strict=True))
    tags = sorted({field.rpartition(b":")[0] for field in held})
    return [
        NetworkCount(tag.decode(), held.get(tag + b":d", 0), held.get(tag + b":i", 0))
        for tag in tags
    ]
