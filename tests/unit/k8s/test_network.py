"""Who may talk to whom: nobody but these pairs, and each of them on both sides."""

from typing import NamedTuple

import pytest

from tests.support.manifests import (
    NAME_LABEL,
    OVERLAYS,
    Manifest,
    Pod,
    name_of,
    of_kind,
    pods,
    selects,
)


class Hop(NamedTuple):
    """A way that is open: from and to an application or namespace/NAME, and the port."""

    source: str
    target: str
    port: int


HOPS = {
    Hop("namespace/gateway", "edge", 8443),
    Hop("namespace/monitoring", "edge", 8443),
    Hop("namespace/monitoring", "drain", 9443),
    Hop("namespace/monitoring", "clickhouse", 8443),
    Hop("edge", "redis", 6379),
    Hop("drain", "redis", 6379),
    Hop("roll-loader", "redis", 6379),
    Hop("redis-form", "redis", 6379),
    Hop("tools", "redis", 6379),
    Hop("tools", "clickhouse", 8443),
    Hop("tools", "edge", 8443),
    Hop("review", "redis", 6379),
    Hop("review", "clickhouse", 8443),
    Hop("redis-backup", "redis", 6379),
    Hop("redis", "redis", 6379),
    Hop("redis", "redis", 16379),
    Hop("drain", "clickhouse", 8443),
    Hop("clickhouse-backup", "clickhouse", 8443),
    Hop("schema", "clickhouse", 8443),
    Hop("clickhouse", "clickhouse", 9440),
    Hop("clickhouse", "clickhouse", 9010),
    Hop("clickhouse", "keeper", 2281),
    Hop("keeper", "keeper", 9444),
}
BY_OPERATOR = {
    Hop("namespace/clickhouse-operator", "clickhouse", 8443),
    Hop("namespace/clickhouse-operator", "clickhouse", 9440),
}


def peers(sides: list[Manifest]) -> list[str]:
    """Name the peers of a rule, each an application of ours or a whole namespace."""
    found = []
    for side in sides:
        (kind,) = side
        (label,) = side[kind]["matchLabels"].items()
        if kind == "podSelector":
            assert label[0] == NAME_LABEL
            found.append(label[1])
        else:
            assert (kind, label[0]) == ("namespaceSelector", "kubernetes.io/metadata.name")
            found.append(f"namespace/{label[1]}")
    return found


def policies(overlay: str) -> list[Manifest]:
    everywhere = {"default-deny", "dns"}
    return [p for p in of_kind(overlay, "NetworkPolicy") if name_of(p) not in everywhere]


def open_ways(overlay: str, direction: str) -> set[Hop]:
    """Return the ways that policies open for traffic in (ingress) or out (egress)."""
    found = set()
    for policy in policies(overlay):
        own = policy["spec"]["podSelector"]["matchLabels"][NAME_LABEL]
        for rule in policy["spec"].get(direction, []):
            assert rule["ports"]
            for peer in peers(rule["from" if direction == "ingress" else "to"]):
                for port in rule["ports"]:
                    assert port["protocol"] == "TCP"
                    source, target = (peer, own) if direction == "ingress" else (own, peer)
                    found.add(Hop(source, target, port["port"]))
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_is_closed_to_begin_with(overlay: str) -> None:
    denial = next(p for p in of_kind(overlay, "NetworkPolicy") if name_of(p) == "default-deny")
    assert denial["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_may_be_looked_up_and_no_more(overlay: str) -> None:
    dns = next(p for p in of_kind(overlay, "NetworkPolicy") if name_of(p) == "dns")
    assert dns["spec"]["podSelector"] == {}
    (rule,) = dns["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} == {53}
    (peer,) = rule["to"]
    assert peer["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_just_these_ways_are_open_on_both_sides(overlay: str) -> None:
    expected = HOPS | (BY_OPERATOR if overlay == "prod" else set())
    assert open_ways(overlay, "ingress") == expected
    ours = {hop for hop in expected if not hop.source.startswith("namespace/")}
    assert open_ways(overlay, "egress") == ours


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_has_a_policy_of_its_own_and_every_policy_pods(overlay: str) -> None:
    def covers(policy: Manifest, pod: Pod) -> bool:
        return selects(policy["spec"]["podSelector"], pod.labels)

    for pod in pods(overlay):
        assert any(covers(policy, pod) for policy in policies(overlay)), pod.name
    for policy in policies(overlay):
        assert any(covers(policy, pod) for pod in pods(overlay)), name_of(policy)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ways_end_at_ports_that_somebody_listens_on(overlay: str) -> None:
    listening = {
        (pod.app, port["containerPort"])
        for pod in pods(overlay)
        for port in pod.container.get("ports", [])
    }
    assert listening == {(hop.target, hop.port) for hop in HOPS}
