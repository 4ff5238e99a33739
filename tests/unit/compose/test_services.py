"""Every service: rights, limits, health, ports, names, and settings against the program's own."""

import json
import re
from pathlib import Path

import pytest

from edge.settings import Settings, from_env, unknown_variables
from tests.support.compose import COMPOSE, ROOT, Service, compose, is_job, project, services

NAMES = sorted(services())
LASTING = [name for name in NAMES if not is_job(services()[name])]
SCRUTIN = [name for name in NAMES if services()[name]["image"].startswith("scrutin:")]
ROOT_USER = {"certificates": ["CHOWN"]}  # gives keys to whoever serves with them; no network
PORTS = {8000: "balancer", 8001: "balancer", 6379: "redis-a-0", 8123: "clickhouse", 3000: "grafana",
         9090: "prometheus", 9093: "alertmanager"}  # fmt: skip
HEALTH_BY_IMAGE = {"edge"}  # the image's own HEALTHCHECK
WATCHED_BY_OTHERS = {"balancer", "keeper", "prometheus", "alertmanager", "grafana", "node-exporter"}


@pytest.fixture(params=NAMES)
def service(request: pytest.FixtureRequest) -> tuple[str, Service]:
    return request.param, services()[request.param]


def test_it_writes_to_no_root_and_gains_no_rights(service: tuple[str, Service]) -> None:
    name, described = service
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert described.get("cap_add", []) == ROOT_USER.get(name, [])
    assert not described.get("privileged")


def test_it_runs_as_nobody_who_may_do_everything(service: tuple[str, Service]) -> None:
    name, described = service
    if name in SCRUTIN and name not in ROOT_USER:
        assert "user" not in described  # the image says 10001
    elif name in ROOT_USER:
        assert described["network_mode"] == "none"
    else:
        assert re.fullmatch(r"[1-9]\d*:\d+", described["user"])


def test_its_image_is_a_release(service: tuple[str, Service]) -> None:
    _, described = service
    assert re.fullmatch(r"[\w./-]+:(v?\d[\w.-]*|dev)", described["image"])


def test_it_logs_within_bounds(service: tuple[str, Service]) -> None:
    _, described = service
    assert described["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_has_a_limit_of_memory_and_a_health(name: str) -> None:
    described = services()[name]
    assert int(described["mem_limit"]) > 0
    known = HEALTH_BY_IMAGE | WATCHED_BY_OTHERS
    assert ("healthcheck" in described) != (name in known)


def test_ports_are_those_everybody_knows_and_on_loopback() -> None:
    found = {}
    for name, described in services().items():
        for port in described.get("ports", []):
            assert port["host_ip"] == "127.0.0.1"
            found[int(port["published"])] = name
    assert found == PORTS


def test_edges_reach_no_clickhouse_and_voters_only_the_balancer() -> None:
    networks = {name: set(s.get("networks") or {}) for name, s in services().items()}
    on = {net: {n for n, nets in networks.items() if net in nets} for net in project()["networks"]}
    redis = {f"redis-{shard}-{number}" for shard in "abc" for number in range(2)}
    assert on["voters"] == {"balancer", "edge", "voters"}
    assert on["redis"] == redis | {
        "edge", "drainer", "redis-form", "roll-loader", "verify", "review",
    }  # fmt: skip
    assert on["clickhouse"] == {
        "clickhouse", "keeper", "schema", "drainer", "verify", "review",
    }  # fmt: skip
    watching = {"prometheus", "alertmanager", "grafana", "node-exporter"}
    assert on["monitoring"] == watching | {"edge", "drainer"}


@pytest.mark.parametrize("name", SCRUTIN)
def test_settings_are_the_programs_own(name: str) -> None:
    env = {k: str(v) for k, v in (services()[name].get("environment") or {}).items()}
    assert unknown_variables(env) == {}
    if env:
        assert isinstance(from_env(env), Settings)


@pytest.mark.parametrize("subnet", ["", "10.99.1.0/24"])
def test_edges_believe_the_balancer_who_a_client_is(subnet: str) -> None:
    """And nobody else: without it all voters were one client, whatever the balancer says."""
    described = json.loads(
        compose("config", "--format", "json", env={"VOTERS_SUBNET": subnet} if subnet else None)
    )
    env = described["services"]["edge"]["environment"]
    trusted = from_env({k: str(v) for k, v in env.items()}).trusted_networks()
    [network] = described["networks"]["voters"]["ipam"]["config"]
    assert [str(each) for each in trusted] == [network["subnet"]] == [subnet or "10.213.0.0/24"]
    assert "set-header X-Forwarded-For %[src]" in (COMPOSE / "balancer/haproxy.cfg").read_text()


def test_an_edge_ends_within_its_grace_period_and_the_balancer_notices_first() -> None:
    edge = services()["edge"]
    settings = from_env({k: str(v) for k, v in edge["environment"].items()})
    assert edge["deploy"]["replicas"] == 2
    assert settings.shutdown_delay_s + settings.shutdown_timeout_s < 30
    assert edge["stop_grace_period"] == "30s"
    # Two looks that fail, the second half a second after the first.
    assert settings.shutdown_delay_s > 1.5


def test_every_hop_uses_tls() -> None:
    urls = [
        value
        for described in services().values()
        for key, value in (described.get("environment") or {}).items()
        if key.endswith("_URL")
    ]
    assert urls
    assert all(url.startswith(("rediss://", "https://")) for url in urls)
    assert "port 0" in (ROOT / "k8s/base/redis/config/redis.conf").read_text().splitlines()
    assert "verify required" in (COMPOSE / "balancer/haproxy.cfg").read_text()


def test_nothing_on_the_way_compresses() -> None:
    """By its compressed length a page would tell the choice that is on it."""
    configuration = (COMPOSE / "balancer/haproxy.cfg").read_text()
    gateways = [
        *(ROOT / "k8s/components/gateway").glob("*"),
        ROOT / "k8s/overlays/plain/ingress.yaml",
    ]
    for text in (configuration, *(path.read_text() for path in gateways)):
        assert not re.search("compress|gzip|brotli", text, re.IGNORECASE)


def test_certificates_are_for_the_names_that_services_are_called_by() -> None:
    script = (COMPOSE / "prepare/certificates.sh").read_text()
    names = set(re.findall(r"DNS:([\w.*-]+)", script))
    called = {
        alias
        for described in services().values()
        for network in (described.get("networks") or {}).values()
        for alias in (network or {}).get("aliases", [])
    }
    called |= set(re.findall(r"[\w.-]+\.scrutin\.svc", all_configuration()))
    for name in called:
        assert name in names or f"*.{name.partition('.')[2]}" in names, name


def all_configuration() -> str:
    """Return every file of compose/ that names a service."""
    files = [*COMPOSE.glob("balancer/*"), *COMPOSE.glob("clickhouse/*"), COMPOSE / "compose.yaml"]
    return "\n".join(path.read_text() for path in [*files, COMPOSE / "prometheus/prometheus.yml"])


@pytest.mark.parametrize("name", NAMES)
def test_files_that_it_mounts_are_there(name: str) -> None:
    for volume in services()[name].get("volumes", []):
        if volume["type"] == "bind":
            assert Path(volume["source"]).exists(), volume["source"]
            assert volume["read_only"] is True
