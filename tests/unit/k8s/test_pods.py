"""Every pod: what Pod Security `restricted` asks, limits, probes, spread, secrets by reference."""

from collections.abc import Callable

import pytest
from _pytest.mark import ParameterSet

from tests.support.manifests import OVERLAYS, Pod, name_of, of_kind, pods, selects, strings


def cases(keep: Callable[[Pod], bool]) -> list[ParameterSet]:
    return [
        pytest.param(overlay, pod, id=f"{overlay}-{pod.kind}-{pod.name}")
        for overlay in OVERLAYS
        for pod in pods(overlay)
        if keep(pod)
    ]


EVERY_POD = cases(lambda _: True)
LASTING = cases(lambda pod: pod.lasting)
SERVERS = {"redis", "clickhouse", "keeper"}


@pytest.mark.parametrize(("overlay", "pod"), EVERY_POD)
def test_restricted(overlay: str, pod: Pod) -> None:
    spec, container = pod.spec, pod.container
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["fsGroup"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert not any("hostPort" in port for port in container.get("ports", []))
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}


@pytest.mark.parametrize(("overlay", "pod"), EVERY_POD)
def test_nothing_that_it_does_not_need(overlay: str, pod: Pod) -> None:
    assert pod.spec["automountServiceAccountToken"] is False
    # Links would set SCRUTIN_PORT for a Service that is called `scrutin`.
    assert pod.spec["enableServiceLinks"] is False
    accounts = {name_of(account): account for account in of_kind(overlay, "ServiceAccount")}
    assert accounts[pod.spec["serviceAccountName"]]["automountServiceAccountToken"] is False
    mounted = {mount["name"] for mount in pod.container["volumeMounts"]}
    claims = {"data"} if pod.app in SERVERS else set()
    assert mounted == {volume["name"] for volume in pod.spec["volumes"]} | claims
    for mount in pod.container["volumeMounts"]:
        assert mount.get("readOnly") or mount["name"] in {"tmp", "data", "log", "backups", "work"}


@pytest.mark.parametrize(("overlay", "pod"), EVERY_POD)
def test_limits_and_probes(overlay: str, pod: Pod) -> None:
    resources = pod.container["resources"]
    assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}
    probes = {"startupProbe", "livenessProbe", "readinessProbe"}
    assert pod.container.keys() & probes == (probes if pod.lasting else set())
    for probe in probes & pod.container.keys():
        if get := pod.container[probe].get("httpGet"):
            assert get["scheme"] == "HTTPS"
            assert pod.port(get["port"])


@pytest.mark.parametrize(("overlay", "pod"), EVERY_POD)
def test_image_is_of_a_version(overlay: str, pod: Pod) -> None:
    name, _, tag = pod.container["image"].rpartition(":")
    assert name
    assert tag
    assert tag != "latest"


@pytest.mark.parametrize(("overlay", "pod"), LASTING)
def test_spread_and_disturbed_one_at_a_time(overlay: str, pod: Pod) -> None:
    zones = [
        constraint
        for constraint in pod.spec["topologySpreadConstraints"]
        if constraint["topologyKey"] == "topology.kubernetes.io/zone"
    ]
    assert [selects(constraint["labelSelector"], pod.labels) for constraint in zones] == [True]
    if pod.app in SERVERS and overlay != "dev":
        rules = pod.spec["affinity"]["podAntiAffinity"]
        (rule,) = rules["requiredDuringSchedulingIgnoredDuringExecution"]
        assert rule["topologyKey"] == "kubernetes.io/hostname"
        assert selects(rule["labelSelector"], pod.labels)
    if pod.kind.startswith("ClickHouse"):
        return  # the operator makes the budget: pdbManaged
    budgets = [
        budget
        for budget in of_kind(overlay, "PodDisruptionBudget")
        if selects(budget["spec"]["selector"], pod.labels)
    ]
    assert len(budgets) == 1, "a pod of two budgets cannot be evicted at all"
    assert budgets[0]["spec"]["maxUnavailable"] in (1, "20%")


def test_operators_clusters_have_a_budget() -> None:
    for installation in of_kind("prod", "ClickHouseInstallation", "ClickHouseKeeperInstallation"):
        (cluster,) = installation["spec"]["configuration"]["clusters"]
        assert (cluster["pdbManaged"], cluster["pdbMaxUnavailable"]) == ("yes", 1)
        assert cluster["layout"]["replicasCount"] == 3
        assert cluster["layout"].get("shardsCount", 1) == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_namespace_is_restricted(overlay: str) -> None:
    (namespace,) = of_kind(overlay, "Namespace")
    for mode in ("enforce", "audit", "warn"):
        assert namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_data_of_servers_stays(overlay: str) -> None:
    for server in of_kind(overlay, "StatefulSet"):
        kept = server["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert set(kept.values()) == {"Retain"}
        (claim,) = server["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] == "data"


def test_no_secret_has_a_value_outside_development() -> None:
    assert not of_kind("prod", "Secret")
    assert not of_kind("plain", "Secret")
    for overlay in ("prod", "plain"):
        for manifest in of_kind(overlay, *{pod.kind for pod in pods(overlay)}, "ConfigMap"):
            assert not any("development-only" in text for text in strings(manifest))


def test_production_has_the_size_that_was_asked_for() -> None:
    (scaler,) = of_kind("prod", "HorizontalPodAutoscaler")
    assert scaler["spec"]["minReplicas"] == 10
    metrics = scaler["spec"]["metrics"]
    named = {m["resource"]["name"] for m in metrics if m["type"] == "Resource"}
    assert named == {"cpu", "memory"}
    (rate,) = [m["pods"]["metric"]["name"] for m in metrics if m["type"] == "Pods"]
    assert rate == "api_requests_per_second"
    shards = [s for s in of_kind("prod", "StatefulSet") if name_of(s).startswith("redis-")]
    assert [shard["spec"]["replicas"] for shard in shards] == [3, 3, 3]
    for deployment in of_kind("prod", "Deployment"):
        assert "replicas" not in deployment["spec"], "an apply would undo what the autoscaler did"
