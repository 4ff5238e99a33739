"""Where a container's health check asks."""

import pytest

from edge.healthcheck import address_of


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("::0", "::1"),
        ("::1", "::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("localhost", "localhost"),
    ],
)
def test_a_service_is_asked_where_it_listens(host: str, asked: str) -> None:
    assert address_of(host) == asked
