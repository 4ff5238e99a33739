"""Ports for servers that are to be started together."""

import os

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


def test_processes_that_look_at_the_same_time_find_different_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: set[int] = set()
    for pid in range(70_000, 70_008):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        found.update(free_ports(24))
    assert len(found) == 8 * 24
