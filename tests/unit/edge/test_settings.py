"""Flags over environment over defaults, and errors that name what is wrong."""

from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.settings import Settings, from_env, unknown_variables


def test_flags_over_environment_over_defaults() -> None:
    env = {"SCRUTIN_PORT": "81", "SCRUTIN_HOST": "::1", "SCRUTIN_LOG_LEVEL": ""}
    settings = from_env(env, {"port": "82", "host": None})
    assert (settings.port, settings.host, settings.log_level) == (82, "::1", "info")


def test_every_type_is_read() -> None:
    settings = from_env(
        {
            "SCRUTIN_ELECTION": "e.toml",
            "SCRUTIN_TRUSTED_PROXIES": "10.0.0.0/8, ::1/128",
            "SCRUTIN_EXEMPT_LOOPBACK": "true",
            "SCRUTIN_REDIS_TIMEOUT_S": "2.5",
        }
    )
    assert settings.election == Path("e.toml")
    assert [str(network) for network in settings.trusted_networks()] == ["10.0.0.0/8", "::1/128"]
    assert settings.exempt_loopback is True
    assert settings.redis_options().timeout_s == 2.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "tcp://10.0.0.1:80"),
        ("DURABILITY", "maybe"),
        ("MIN_REPLICAS", "0"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy"),
        ("EXEMPT_LOOPBACK", "perhaps"),
        ("RATE_LIMIT_PER_S", "0"),
        ("RATE_LIMIT_PER_S", "inf"),
        ("REDIS_TIMEOUT_S", "nan"),
        ("DURABILITY_TIMEOUT_MS", "3000"),
        ("HASH_KEY_FILE", "/key"),
    ],
)
def test_an_error_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^SCRUTIN_{name}: \S"):
        from_env({f"SCRUTIN_{name}": value})


def test_a_service_waits_longer_for_its_votes_than_they_may_take() -> None:
    settings = from_env({"SCRUTIN_SHUTDOWN_TIMEOUT_S": "2", "SCRUTIN_REDIS_TIMEOUT_S": "2"})
    with pytest.raises(SettingsError, match=r"^SCRUTIN_SHUTDOWN_TIMEOUT_S: must exceed"):
        settings.check_shutdown()


@pytest.mark.parametrize(
    "url",
    [
        "{}",
        "{}://",
        "{}://:6379",
        "{}://host:port",
        "{}://host:99999",
        "{}://host:0",
        "{}://[::1",
        "{}://host/somewhere",
        "{}://host?socket_timeout=1",
        "{}://host#part",
        "tcp://host:1",
        "//host",
        "host:6379",
        "{}://user:hidden/word@host:1",
        "{}://user:hidden#word@host:1",
        "{}://user:hidden?word@host:1",
        "{}://user:hidden]word@host:1",
        "{}://user:hidden:word@host:port",
    ],
)
@pytest.mark.parametrize(("name", "scheme"), [("REDIS_URL", "redis"), ("CLICKHOUSE_URL", "http")])
def test_a_url_that_cannot_be_used_is_named_and_not_repeated(
    name: str, scheme: str, url: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^SCRUTIN_{name}: \S") as raised:
        from_env({f"SCRUTIN_{name}": url.format(scheme)})
    assert "hidden" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("REDIS_URL", "redis://localhost"),
        ("REDIS_URL", "redis://localhost:6379/0"),
        ("REDIS_URL", "redis://:p%2Fw@10.0.0.1:6379/"),
        ("REDIS_URL", "rediss://user:word@[::1]:6379?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none"),
        ("CLICKHOUSE_URL", "https://user:word@clickhouse.example:8443/?ca_cert=/ca.pem"),
    ],
)
def test_urls_that_can_be_used(name: str, url: str) -> None:
    settings = from_env({f"SCRUTIN_{name}": url})
    assert url in {settings.redis_url, settings.clickhouse_url}


def test_an_error_names_the_flag() -> None:
    with pytest.raises(SettingsError, match=r"^--min-replicas: expected `int`"):
        from_env({"SCRUTIN_MIN_REPLICAS": "2"}, {"min_replicas": "two"})


def test_a_keyed_scheme_needs_its_key() -> None:
    with pytest.raises(SettingsError, match="SCRUTIN_HASH_KEY_FILE"):
        from_env({"SCRUTIN_HASH_SCHEME": "hmac-sha256"})
    settings = from_env({"SCRUTIN_HASH_SCHEME": "hmac-sha256", "SCRUTIN_HASH_KEY_FILE": "/no/key"})
    with pytest.raises(SettingsError, match="/no/key"):
        settings.hasher()


def test_who_decides_on_cases_shows_a_token_of_its_own(tmp_path: Path) -> None:
    reading, writing = tmp_path / "reading", tmp_path / "writing"
    reading.write_text("a" * 16)
    writing.write_text("b" * 16 + "\n")
    settings = Settings(review_token_file=reading, review_write_token_file=writing)
    assert settings.review_tokens() == ("a" * 16, "b" * 16)
    writing.write_text("a" * 16 + "\n")
    with pytest.raises(SettingsError, match=r"^SCRUTIN_REVIEW_WRITE_TOKEN_FILE: .* another token"):
        settings.review_tokens()
    with pytest.raises(SettingsError, match="needs SCRUTIN_REVIEW_TOKEN_FILE"):
        Settings(review_write_token_file=writing).review_tokens()


def test_unknown_variables_are_found_with_what_was_meant() -> None:
    env = {"SCRUTIN_REDIS_URI": "x", "SCRUTIN_PORT": "1", "HOME": "/"}
    assert unknown_variables(env) == {"SCRUTIN_REDIS_URI": "SCRUTIN_REDIS_URL"}


def test_the_defaults_hold_together() -> None:
    assert Settings() == from_env({})
