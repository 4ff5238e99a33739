"""What manifests name exists: pods behind Services, targets of scalers, files, keys, settings."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edge.app import make_app
from edge.settings import Settings, from_env, variable
from shards.election import load_election
from shards.formation import parse_shard
from tests.support.manifests import (
    K8S,
    OVERLAYS,
    Pod,
    build,
    name_of,
    of_kind,
    pods,
    selects,
)
from tests.support.rolls import LAW, open_election

DOCUMENTED = (K8S.parent / "docs" / "kubernetes.md").read_text()
KNOWN = {variable(name) for name in Settings.__struct_fields__}
DECODED_BY_KUBERNETES = re.compile(r"\$\((\w+)\)")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_finds_pods_and_their_ports(overlay: str) -> None:
    for service in of_kind(overlay, "Service"):
        behind = [
            pod
            for pod in pods(overlay)
            if service["spec"]["selector"].items() <= pod.labels.items()
        ]
        assert behind, f"nothing is behind {name_of(service)}"
        for port in service["spec"]["ports"]:
            assert all(pod.port(port["targetPort"]) for pod in behind), name_of(service)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_statefulsets_have_their_headless_service(overlay: str) -> None:
    headless = {
        name_of(service)
        for service in of_kind(overlay, "Service")
        if service["spec"].get("clusterIP") == "None"
        and service["spec"].get("publishNotReadyAddresses")
    }
    for server in of_kind(overlay, "StatefulSet"):
        assert server["spec"]["serviceName"] in headless


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_scalers_and_monitors_have_targets(overlay: str) -> None:
    deployments = {name_of(deployment) for deployment in of_kind(overlay, "Deployment")}
    for scaler in of_kind(overlay, "HorizontalPodAutoscaler", "ScaledObject"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
    for monitor in of_kind(overlay, "ServiceMonitor"):
        watched = [
            service
            for service in of_kind(overlay, "Service")
            if selects(monitor["spec"]["selector"], service["metadata"]["labels"])
        ]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert [endpoint["port"]] == [
            port["name"] for service in watched for port in service["spec"]["ports"]
        ]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_files_and_keys_exist_or_are_asked_of_the_operator(overlay: str) -> None:
    maps = {name_of(m): m["data"] for m in of_kind(overlay, "ConfigMap")}
    secrets = {name_of(s): s["data"] for s in of_kind(overlay, "Secret")}
    issued = {c["spec"]["secretName"] for c in of_kind(overlay, "Certificate")}
    claims = {name_of(claim) for claim in of_kind(overlay, "PersistentVolumeClaim")}
    for pod in pods(overlay):
        for name, keys in wanted_secrets(pod).items():
            if name in secrets:
                assert keys <= secrets[name].keys()
            elif name not in issued:
                assert f"`{name}`" in DOCUMENTED
                for key in keys:
                    assert f"`{key}`" in DOCUMENTED
        for volume in pod.spec["volumes"]:
            if "configMap" in volume:
                data = maps[volume["configMap"]["name"]]
                mounts = [m for m in pod.container["volumeMounts"] if m["name"] == volume["name"]]
                assert all(m["subPath"] in data for m in mounts if "subPath" in m)
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
        for source in pod.container.get("envFrom", []):
            assert source["configMapRef"]["name"] in maps


def wanted_secrets(pod: Pod) -> dict[str, set[str]]:
    """Return the Secrets that a pod cannot start without, and the keys that it names."""
    wanted: dict[str, set[str]] = {}
    for volume in pod.spec["volumes"]:
        if "secret" in volume:
            wanted.setdefault(volume["secret"]["secretName"], set())
    for item in pod.container.get("env", []):
        if reference := item.get("valueFrom", {}).get("secretKeyRef"):
            wanted.setdefault(reference["name"], set()).add(reference["key"])
    return wanted


def environment(overlay: str, pod: Pod) -> dict[str, str]:
    """Return the environment that a pod's program would see, secrets replaced by a word."""
    maps = {name_of(m): m["data"] for m in of_kind(overlay, "ConfigMap")}
    env: dict[str, str] = {}
    for source in pod.container.get("envFrom", []):
        env |= maps[source["configMapRef"]["name"]]
    for item in pod.container.get("env", []):
        value = item.get("value", "word")
        env[item["name"]] = DECODED_BY_KUBERNETES.sub(lambda found: env[found[1]], value)
    return env


OURS = [
    pytest.param(overlay, pod, id=f"{overlay}-{pod.name}")
    for overlay in OVERLAYS
    for pod in pods(overlay)
    if pod.container["image"].startswith("scrutin:")
]


@pytest.mark.parametrize(("overlay", "pod"), OURS)
def test_settings_exist_and_fit_together(overlay: str, pod: Pod) -> None:
    env = environment(overlay, pod)
    assert {name for name in env if name.startswith("SCRUTIN_")} <= KNOWN
    settings = from_env(env)
    if pod.app == "edge":
        settings.check_shutdown()
        graceful_s = settings.shutdown_delay_s + settings.shutdown_timeout_s
        assert pod.spec["terminationGracePeriodSeconds"] >= graceful_s + 10
        assert settings.shutdown_delay_s >= 5
        assert pod.port("https") == settings.port
        assert settings.host != "127.0.0.1"
    if pod.app == "drain":
        assert pod.port("metrics") == int(pod.container["args"][-1])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_cluster_is_formed_of_the_servers_that_there_are(overlay: str) -> None:
    shards = {
        name_of(server): server["spec"]["replicas"]
        for server in of_kind(overlay, "StatefulSet")
        if name_of(server).startswith("redis-")
    }
    assert len(shards) == 3
    expected = [
        [f"{name}-{number}.redis.scrutin.svc" for number in range(count)]
        for name, count in shards.items()
    ]
    forming = [pod for pod in pods(overlay) if pod.app == "redis-form"]
    assert {pod.kind for pod in forming} == {"Job", "CronJob"}
    for pod in forming:
        words, named = pod.container["args"][:2], pod.container["args"][2:]
        assert words == ["redis", "form"]
        assert [[a.host for a in parse_shard(text)] for text in named] == expected


def test_election_file_is_one(tmp_path: Path) -> None:
    assert load_election(K8S / "base" / "election.toml").laws


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_voters_reach_everything_but_metrics_and_operators_pages(overlay: str) -> None:
    paths = [
        (match["path"]["value"], match["path"]["type"])
        for route in of_kind(overlay, "HTTPRoute")
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
    ] + [
        (path["path"], path["pathType"])
        for ingress in of_kind(overlay, "Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    app, _ = make_app(Settings(), open_election(LAW), CollectorRegistry(), lambda: None)

    def open_to_voters(asked: str) -> bool:
        return any(
            asked == path or (kind != "Exact" and asked.startswith(f"{path}/"))
            for path, kind in paths
        )

    with_a_token = {"/ops", "/ops/events"} | {
        f"/review{act}" for act in ("", "/trail", "/claim", "/resolve")
    }
    closed = {path for path in {*app.route_paths(), *with_a_token} if not open_to_voters(path)}
    assert closed == {"/metrics", *with_a_token}


def test_overlays_are_documented() -> None:
    for overlay in OVERLAYS:
        assert f"k8s/overlays/{overlay}" in DOCUMENTED
    for manifest in build("prod"):
        if manifest["kind"] in ("CronJob", "Job"):
            assert f"`{name_of(manifest)}`" in DOCUMENTED
