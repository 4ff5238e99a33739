"""Who a request comes from, when it passed through proxies."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers = Iterable[tuple[bytes, bytes]]

IPV6_CLIENT_PREFIX = 64  # what one subscriber usually holds
FORWARDED_HOPS_MAX = 32
ADDRESSES_REMEMBERED = 4096


class ClientAddresses:
    """Finds a request's client.

    `X-Forwarded-For` counts only as far as trusted proxies wrote it: read from the right, the
    first address that is not a trusted proxy's is the client.
    """

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = tuple(trusted_proxies)
        self._parsed = lru_cache(ADDRESSES_REMEMBERED)(_parse)
        self._known = lru_cache(ADDRESSES_REMEMBERED)(self._look_up)

    def of(self, peer: str, headers: Headers) -> str:
        """Return the key to count a client by: its IPv4 address, or its IPv6 /64."""
        key, proxy = self._known(peer)
        return key if proxy is None else _client_key(self._behind_proxies(proxy, headers))

    def _look_up(self, peer: str) -> tuple[str, Address | None]:
        """Return a peer's key, and its address when it is a trusted proxy."""
        address = self._parsed(peer)
        if address is None:
            return peer, None
        return _client_key(address), address if self._is_proxy(address) else None

    def _behind_proxies(self, proxy: Address, headers: Headers) -> Address:
        client = proxy
        hops = b",".join(value for name, value in headers if name == b"x-forwarded-for").split(b",")
        for hop in reversed(hops[-FORWARDED_HOPS_MAX:]):
            address = self._parsed(hop.decode("latin-1").strip())
            if address is None:
                break  # whatever stands left of it cannot be trusted either
            client = address
            if not self._is_proxy(address):
                break
        return client

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self._trusted_proxies)


def is_loopback(client: str) -> bool:
    """Say whether a client key is of this machine."""
    return client.startswith("127.") or client == "::/64"


def _parse(text: str) -> Address | None:
    if text.startswith("["):  # "[2001:db8::1]:443"
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # "192.0.2.1:443"
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _client_key(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    prefix = int(address) >> (128 - IPV6_CLIENT_PREFIX) << (128 - IPV6_CLIENT_PREFIX)
    return f"{ipaddress.IPv6Address(prefix)}/{IPV6_CLIENT_PREFIX}"
