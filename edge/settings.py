"""The settings of every command: flags over environment over defaults.

A setting's variable is `SCRUTIN_` and its name in capitals, its flag `--` and its name with
hyphens. The environment is read by `from_env` alone, at a command's entry.
"""

import difflib
import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_type_hints

import msgspec
from msgspec import Meta

from edge.clients import Network
from edge.errors import SettingsError
from edge.tokens import ReviewTokens, read_review_tokens, read_token
from edge.urls import CLICKHOUSE_URL, REDIS_URL
from hashgen import BallotHasher
from hashgen.errors import HashgenError
from hashgen.keyfile import make_hasher
from shards.options import Durability, RedisOptions

PREFIX = "SCRUTIN_"
LogFormat = Literal["auto", "json", "console"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. Their descriptions are those of the flags' help."""

    redis_url: Annotated[
        str, Meta(description="any node of the Redis cluster: redis:// or rediss:// (TLS)")
    ] = "redis://127.0.0.1:6379"
    redis_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="bound on one call to Redis, retries included")
    ] = 2.0
    memory_high_water: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="share of a primary's memory limit above which it takes no new votes",
        ),
    ] = 0.9
    clickhouse_url: Annotated[
        str, Meta(description="ClickHouse's HTTP interface; the database is `scrutin`")
    ] = "http://127.0.0.1:8123"
    election: Annotated[
        Path | None, Meta(description="the election file: laws, texts, windows, results policy")
    ] = None
    durability: Annotated[
        Literal["replicated", "fsync", "memory"],
        Meta(description="what a vote waits for before it is answered 202"),
    ] = "replicated"
    min_replicas: Annotated[
        int, Meta(ge=1, le=5, description="replicas that must confirm when `replicated`")
    ] = 1
    durability_timeout_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="how long confirmation may take")
    ] = 1000
    hash_scheme: Annotated[
        Literal["sha256", "hmac-sha256"], Meta(description="how the roll was hashed")
    ] = "sha256"
    hash_key_file: Annotated[
        Path | None, Meta(description="file with the 32-byte key of `hmac-sha256`")
    ] = None
    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="port to listen on")] = 8000
    tls_cert_file: Annotated[
        Path | None, Meta(description="certificate chain (PEM): serve HTTPS instead of HTTP")
    ] = None
    tls_key_file: Annotated[Path | None, Meta(description="its private key (PEM)")] = None
    connections_max: Annotated[
        int, Meta(ge=1, le=1_000_000, description="connections served at once")
    ] = 10_000
    in_flight_max: Annotated[
        int, Meta(ge=1, le=100_000, description="votes in flight; more are shed with 503")
    ] = 10_000
    header_timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="how long headers or an idle connection may take")
    ] = 15.0
    body_timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="how long a request's body may take")
    ] = 10.0
    rate_limit_per_s: Annotated[
        float,
        Meta(ge=1, le=1e9, description="votes a second of this instance; reads have as many more"),
    ] = 1000.0
    client_rate_limit_per_s: Annotated[
        float, Meta(ge=1, le=1e9, description="requests a second of one client address")
    ] = 50.0
    client_failure_limit_per_min: Annotated[
        float,
        Meta(
            ge=1,
            le=1e9,
            description="votes a minute of one client address that are not on the roll",
        ),
    ] = 60.0
    client_table_max: Annotated[
        int, Meta(ge=1, le=10_000_000, description="client addresses remembered")
    ] = 100_000
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="networks (CIDR, commas between) whose X-Forwarded-For counts"),
    ] = ()
    exempt_loopback: Annotated[bool, Meta(description="no limit for clients on this machine")] = (
        False
    )
    ops_token_file: Annotated[
        Path | None, Meta(description="file with the token that opens /ops; without it /ops is off")
    ] = None
    review_token_file: Annotated[
        Path | None,
        Meta(description="file with the token that shows /review; without it /review is off"),
    ] = None
    review_write_token_file: Annotated[
        Path | None,
        Meta(description="file with the token that also decides on /review, under a name"),
    ] = None
    auditor: Annotated[
        str | None, Meta(description="name of the auditor that takes and decides cases")
    ] = None
    shutdown_delay_s: Annotated[
        float, Meta(ge=0, le=300, description="on SIGTERM: not ready, but serving, for this long")
    ] = 0.0
    shutdown_timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="on SIGTERM: bound on waiting for votes in flight")
    ] = 15.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="what is logged to stderr")
    ] = "info"
    log_format: Annotated[
        LogFormat, Meta(description="json, console, or auto: console on a terminal, else json")
    ] = "auto"

    def __post_init__(self) -> None:
        for name, url, form in (
            ("redis_url", self.redis_url, REDIS_URL),
            ("clickhouse_url", self.clickhouse_url, CLICKHOUSE_URL),
        ):
            if fault := form.fault(url):
                raise SettingsError(f"{variable(name)}: {fault}")
        _require(
            self.durability_timeout_ms <= self.redis_timeout_s * 1000,
            "durability_timeout_ms",
            "must not exceed SCRUTIN_REDIS_TIMEOUT_S",
        )
        keyed = self.hash_scheme != "sha256"
        _require(
            keyed == (self.hash_key_file is not None),
            "hash_key_file",
            "must be set when SCRUTIN_HASH_SCHEME is hmac-sha256, and only then",
        )
        _require(
            (self.tls_cert_file is None) == (self.tls_key_file is None),
            "tls_cert_file",
            "must be set with SCRUTIN_TLS_KEY_FILE, or neither",
        )
        self.trusted_networks()

    def check_shutdown(self) -> None:
        """Raise `SettingsError` if a service that ends might leave votes unanswered."""
        _require(
            self.shutdown_timeout_s > self.redis_timeout_s,
            "shutdown_timeout_s",
            "must exceed SCRUTIN_REDIS_TIMEOUT_S, or votes in flight would go unanswered",
        )

    def trusted_networks(self) -> list[Network]:
        """Return the trusted proxies' networks; raises `SettingsError`."""
        try:
            return [ipaddress.ip_network(text) for text in self.trusted_proxies]
        except ValueError as error:
            raise SettingsError(f"{variable('trusted_proxies')}: {error}") from error

    def redis_options(self) -> RedisOptions:
        """Return what the cluster client needs."""
        return RedisOptions(
            url=self.redis_url,
            durability=Durability(
                mode=self.durability,
                min_replicas=self.min_replicas,
                timeout_ms=self.durability_timeout_ms,
            ),
            timeout_s=self.redis_timeout_s,
            memory_high_water=self.memory_high_water,
            waiting_max=self.in_flight_max + 1024,  # the service's own calls besides the votes
        )

    def hasher(self) -> BallotHasher:
        """Return the ballot hasher, its key read from the file; raises `SettingsError`."""
        try:
            return make_hasher(self.hash_scheme, self.hash_key_file)
        except HashgenError as error:
            raise SettingsError(f"{variable('hash_key_file')}: {error}") from error

    def check_tls(self) -> None:
        """Raise `SettingsError` if the TLS files cannot be used, naming the file at fault."""
        if self.tls_cert_file is None:
            return
        for name, path in (
            ("tls_cert_file", self.tls_cert_file),
            ("tls_key_file", self.tls_key_file),
        ):
            assert path is not None
            try:
                path.read_bytes()
            except OSError as error:
                raise SettingsError(f"{variable(name)}: {path}: {error.strerror}") from error
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                self.tls_cert_file, self.tls_key_file
            )
        except ssl.SSLError as error:
            raise SettingsError(
                f"{variable('tls_cert_file')}: no certificate and key that belong together: "
                f"{error.reason or error}"
            ) from error

    def ops_token(self) -> str | None:
        """Return the token of /ops, None when /ops is off; raises `SettingsError`."""
        return read_token(variable("ops_token_file"), self.ops_token_file)

    def review_tokens(self) -> ReviewTokens | None:
        """Return the tokens of /review, None when /review is off; raises `SettingsError`."""
        return read_review_tokens(
            (variable("review_token_file"), self.review_token_file),
            (variable("review_write_token_file"), self.review_write_token_file),
        )

    def election_file(self) -> Path:
        """Return the election file; raises `SettingsError` when none is set."""
        if self.election is None:
            raise SettingsError(
                "SCRUTIN_ELECTION (or --election) must name the election file, election.toml"
            )
        return self.election


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """Return the flag of a setting."""
    return "--" + name.replace("_", "-")


def description(name: str) -> str:
    """Return what a setting is for."""
    (meta,) = get_type_hints(Settings, include_extras=True)[name].__metadata__
    assert isinstance(meta, Meta)
    return str(meta.description)


def from_env(env: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Make the settings from flags given (`overrides`, by name; None: not given) and `env`.

    An empty variable counts as none.

    Raises `SettingsError` that names the flag or variable at fault.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        given = (overrides or {}).get(field.name)
        if given is not None:
            values[field.name] = _convert(given, field.type, flag(field.name))
        elif text := env.get(variable(field.name)):
            values[field.name] = _convert(text, field.type, variable(field.name))
    return Settings(**values)


def unknown_variables(env: Mapping[str, str]) -> dict[str, str | None]:
    """Return the `SCRUTIN_` variables that are no setting's, each with the closest that is."""
    known = [name.upper() for name in Settings.__struct_fields__]
    found = {}
    for name in sorted(env):
        own = name.removeprefix(PREFIX)  # by the prefix all would be close
        if name.startswith(PREFIX) and own not in known:
            closest = difflib.get_close_matches(own, known, 1)
            found[name] = PREFIX + closest[0] if closest else None
    return found


def _convert(value: object, kind: object, name: str) -> object:
    if _is_list(kind) and isinstance(value, str):
        value = [item.strip() for item in value.split(",") if item.strip()]
    try:
        return msgspec.convert(value, cast("type[object]", kind), strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        # "got `str`" would only tell what every variable is
        reason = str(error).replace(", got `str`", "")
        raise SettingsError(f"{name}: {reason[0].lower()}{reason[1:]}") from error


def _is_list(kind: object) -> bool:
    """Say whether a setting's type is a list, written with commas."""
    return "tuple[" in str(kind)


def _path(kind: type, value: object) -> Path:
    assert issubclass(kind, Path)
    return Path(str(value))


def _require(holds: bool, name: str, reason: str) -> None:
    if not holds:
        raise SettingsError(f"{variable(name)}: {reason}")
