"""What the URLs of the stores may consist of: none that a client would fail on, or half obey."""

from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit


class UrlForm(NamedTuple):
    """What a URL may consist of, besides credentials, host and port."""

    schemes: tuple[str, str]
    paths: frozenset[str]
    options: frozenset[str]  # after the `?`: how TLS is done; the rest is ours to set

    def fault(self, url: str) -> str | None:
        """Say what the URL must be instead, or None, without any of it: it has a password."""
        try:
            parts = urlsplit(url)
            usable = (
                parts.scheme in self.schemes
                and bool(parts.hostname)
                and parts.port != 0
                and parts.path in self.paths
                and not parts.fragment
            )
            options = {option for option, _ in parse_qsl(parts.query, keep_blank_values=True)}
        except ValueError:
            usable, options = False, set()
        if not usable:
            forms = " or ".join(
                f"{scheme}://[user:password@]host[:port]" for scheme in self.schemes
            )
            return f"must be {forms}; in a password / is %2F, # is %23 and ? is %3F"
        if not options <= self.options:
            return f"after ? come only {', '.join(sorted(self.options))}"
        return None


REDIS_URL = UrlForm(
    ("redis", "rediss"),
    frozenset({"", "/", "/0"}),
    frozenset(
        {"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
    ),
)
CLICKHOUSE_URL = UrlForm(
    ("http", "https"),
    frozenset({"", "/"}),
    frozenset({"ca_cert", "client_cert", "client_cert_key", "verify"}),
)
