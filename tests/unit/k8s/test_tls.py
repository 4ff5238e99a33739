"""TLS on every hop: no port without it, and certificates for the names that are called."""

import re
from fnmatch import fnmatchcase
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest

from tests.support.manifests import K8S, OVERLAYS, name_of, of_kind, pods, strings

SERVER_FILES = {
    "clickhouse": (K8S / "clickhouse" / "config" / "server.xml").read_text(),
    "keeper": (
        K8S / "components" / "clickhouse-plain" / "config" / "keeper_config.xml"
    ).read_text(),
}
CLUSTER = (K8S / "components" / "clickhouse-plain" / "config" / "cluster.xml").read_text()
REDIS = (K8S / "base" / "redis" / "config" / "redis.conf").read_text()
CLEAR_SCHEMES = ("http://", "redis://", "tcp://")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_url_is_in_the_clear(overlay: str) -> None:
    for manifest in of_kind(overlay, "Deployment", "Job", "CronJob", "ScaledObject"):
        for text in strings(manifest):
            assert not text.startswith(CLEAR_SCHEMES), name_of(manifest)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_clients_check_servers_and_show_who_they_are(overlay: str) -> None:
    urls = [
        urlsplit(value)
        for pod in pods(overlay)
        for name, value in pod.env().items()
        if name in ("SCRUTIN_REDIS_URL", "SCRUTIN_CLICKHOUSE_URL")
    ]
    assert len(urls) >= 7
    names = {
        "rediss": "ssl_ca_certs ssl_certfile ssl_keyfile",
        "https": "ca_cert client_cert client_cert_key",
    }
    for url in urls:
        assert parse_qs(url.query).keys() == set(names[url.scheme].split())
        assert url.password
        assert url.password.startswith("$(")


def test_redis_has_no_port_without_tls() -> None:
    settings = dict(
        line.split(None, 1) for line in REDIS.splitlines() if line and not line.startswith("#")
    )
    assert settings["port"] == "0"
    for name in ("tls-cluster", "tls-replication", "tls-auth-clients"):
        assert settings[name] == "yes"


def test_redis_keeps_what_it_confirmed() -> None:
    for line in (
        "appendonly yes",
        "appendfsync always",
        "maxmemory-policy noeviction",
        "cluster-preferred-endpoint-type hostname",
        "include /data/appendonlydir/initialised.conf",
    ):
        assert f"\n{line}\n" in REDIS


def test_clickhouse_has_no_port_without_tls() -> None:
    server = ET.fromstring(SERVER_FILES["clickhouse"])
    closed = {e.tag for e in server if e.get("remove") and e.tag.endswith("port")}
    assert closed == {
        "http_port", "tcp_port", "interserver_http_port", "mysql_port", "postgresql_port",
    }  # fmt: skip
    opened = {e.tag: e.text for e in server if "port" in e.tag and not e.get("remove")}
    assert opened == {
        "https_port": "8443", "tcp_port_secure": "9440", "interserver_https_port": "9010",
    }  # fmt: skip
    assert server.findtext("openSSL/client/verificationMode") == "strict"


def test_keeper_has_no_port_without_tls() -> None:
    keeper = ET.fromstring(SERVER_FILES["keeper"])
    assert keeper.find("keeper_server/tcp_port") is None
    assert keeper.findtext("keeper_server/tcp_port_secure") == "2281"
    assert keeper.findtext("keeper_server/raft_configuration/secure") == "true"
    for side in ("server", "client"):
        assert keeper.findtext(f"openSSL/{side}/verificationMode") == "strict"


def test_replicas_call_each_other_and_keeper_by_tls() -> None:
    cluster = ET.fromstring(CLUSTER)
    called = [*cluster.iter("replica"), *cluster.iter("node")]
    hosts = [e for e in called if e.find("host") is not None]
    assert len(hosts) == 6
    assert {e.findtext("secure") for e in hosts} == {"1"}


def test_operator_makes_the_same_of_it() -> None:
    for installation in of_kind("prod", "ClickHouseInstallation", "ClickHouseKeeperInstallation"):
        (cluster,) = installation["spec"]["configuration"]["clusters"]
        assert (cluster["secure"], cluster["insecure"]) == ("yes", "no")
    (clickhouse,) = of_kind("prod", "ClickHouseInstallation")
    configuration = clickhouse["spec"]["configuration"]
    assert {node["secure"] for node in configuration["zookeeper"]["nodes"]} == {"yes"}
    assert configuration["files"]["config.d/server.xml"] == SERVER_FILES["clickhouse"]
    users = (K8S / "clickhouse" / "config" / "users.xml").read_text()
    assert configuration["files"]["users.d/scrutin.xml"] == users
    (keeper,) = of_kind("prod", "ClickHouseKeeperInstallation")
    (text,) = keeper["spec"]["configuration"]["files"].values()
    openssl = ET.fromstring(text).find("openSSL")
    plain = ET.fromstring(SERVER_FILES["keeper"]).find("openSSL")
    assert openssl is not None
    assert plain is not None
    assert ET.tostring(openssl).split() == ET.tostring(plain).split()


def test_metrics_are_fetched_by_tls() -> None:
    for monitor in of_kind("prod", "ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["scheme"] == "https"
        assert endpoint["tlsConfig"]["serverName"]
        assert "insecureSkipVerify" not in endpoint["tlsConfig"]
    (scaled,) = of_kind("prod", "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["serverAddress"].startswith("https://")
    assert "outbox_oldest_age_seconds" in trigger["metadata"]["query"]


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_certificates_are_for_the_names_that_are_called(overlay: str) -> None:
    issued = {
        certificate["spec"]["secretName"]: certificate["spec"].get("dnsNames", [])
        for certificate in of_kind(overlay, "Certificate")
    }
    patterns = [name for names in issued.values() for name in names]
    called = {
        found
        for text in [CLUSTER, SERVER_FILES["keeper"], *all_strings(overlay)]
        for found in re.findall(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.scrutin\.svc\b", text)
        if not found.startswith(("jobs.", "clickhouse-nodes.", "keeper-nodes."))
    }
    assert len(called) > 10
    for name in called:
        assert any(covered(name, pattern) for pattern in patterns), name
    for pod in pods(overlay):
        for volume in pod.spec["volumes"]:
            if volume.get("secret", {}).get("secretName", "").endswith("-tls"):
                assert volume["secret"]["secretName"] in issued


def covered(name: str, pattern: str) -> bool:
    """Say whether a certificate's name covers another: * stands for one label."""
    return name.count(".") == pattern.count(".") and fnmatchcase(name, pattern)


def all_strings(overlay: str) -> list[str]:
    return [text for pod in pods(overlay) for text in strings(pod.spec)]


def test_the_way_in_is_tls_on_both_sides() -> None:
    (gateway,) = of_kind("prod", "Gateway")
    assert {listener["protocol"] for listener in gateway["spec"]["listeners"]} == {"HTTPS"}
    (policy,) = of_kind("prod", "BackendTLSPolicy")
    assert policy["spec"]["validation"]["hostname"] == "edge.scrutin.svc"
    (ingress,) = of_kind("plain", "Ingress")
    assert ingress["metadata"]["annotations"]["haproxy.org/server-ssl"] == "true"
    assert [host for tls in ingress["spec"]["tls"] for host in tls["hosts"]] == [
        rule["host"] for rule in ingress["spec"]["rules"]
    ]
