"""Refused votes counted by network, beside the votes' way: a tag and two numbers, no address.

A network (IPv4 /24, IPv6 /48) is named by a tag that is keyed with a secret of the day; the secret
lives in Redis no longer than its day and an hour, so that tags cannot be turned back. Counts are
hints for auditors: those of some seconds are lost with an edge, and what comes while the day's
secret is not known is not counted.
"""

import hmac
import ipaddress
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from shards.client import ShardClient
from shards.errors import ShardsError
from shards.networks import NetworkCount, add_counts, day_secret

Refused = Literal["duplicate", "invalid"]
Now = Callable[[], datetime]

TAG_BYTES = 8
IPV4_PREFIX, IPV6_PREFIX = 24, 48
TAGS_MAX = 1000  # between two flushes; more are not counted
REMEMBERED = 4096
logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class NetworkCounts:
    """What this edge counted and has not yet handed over."""

    def __init__(self, now: Now = utc_now) -> None:
        self._now = now
        self._day = ""
        self._secret = b""
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._network = lru_cache(REMEMBERED)(network_of)

    def count(self, client: str, status: Refused) -> None:
        """Count a refused vote of a client; `client` as `ClientAddresses` names it."""
        now, network = self._now(), self._network(client)
        if network is None or now.strftime("%Y%m%d") != self._day:
            return
        key = now.strftime("%Y%m%dT%H"), network_tag(self._secret, network)
        counts = self._counts.get(key)
        if counts is None:
            if len(self._counts) >= TAGS_MAX:
                return
            counts = self._counts[key] = [0, 0]
        counts[status == "invalid"] += 1

    async def flush(self, client: ShardClient) -> None:
        """Hand over what was counted, and learn the day's secret; a failure costs counts alone."""
        counted, self._counts = self._counts, {}
        by_hour: dict[str, list[NetworkCount]] = {}
        for (hour, tag), counts in counted.items():
            by_hour.setdefault(hour, []).append(NetworkCount(tag, *counts))
        try:
            for hour, counts_of_hour in by_hour.items():
                await add_counts(client, hour, counts_of_hour)
            day = self._now().strftime("%Y%m%d")
            if day != self._day:
                self._secret = await day_secret(client, day)
                self._day = day
        except ShardsError as error:
            logger.debug("refused votes were not counted by network: %s", error)


def network_of(client: str) -> str | None:
    """Return the network of a client's key, None for what is no address."""
    text, _, prefix = client.partition("/")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    assert not prefix or int(prefix) >= IPV6_PREFIX
    length = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


def network_tag(secret: bytes, network: str) -> str:
    """Return the tag of a network under a secret: 16 hex digits."""
    return hmac.digest(secret, network.encode(), "sha256")[:TAG_BYTES].hex()
