"""Ports for servers that are to be started together."""

import pytest

from shards import ports
from shards.ports import free_ports


def test_ports_that_are_promised_already_are_not_given_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    promised = free_ports(3)
    monkeypatch.setattr(ports, "PORTS", promised)
    assert free_ports(1, besides=promised[1:]) == promised[:1]
    with pytest.raises(OSError, match="too few"):
        free_ports(1, besides=promised)
