"""Who may speak to ClickHouse, from where, as what, and who is given which password."""

import re
from base64 import b64decode
from hashlib import sha256
from xml.etree import ElementTree as ET

import pytest

from tests.support.compose import services
from tests.support.manifests import K8S, OVERLAYS, Pod, name_of, of_kind, pods

LOOPBACK = {"127.0.0.1", "::1"}
ADMINISTRATOR = "scrutin"
USERS = ("auditor", "drainer", "backup", "verifier")  # of ours, each in the role of its name
CLICKHOUSE = "SCRUTIN_CLICKHOUSE_URL"
COMES_AS = {
    "drain": "drainer",
    "clickhouse-backup": "backup",
    "review": "auditor",
    "schema": ADMINISTRATOR,
    "tools": ADMINISTRATOR,
}
SERVICES = {
    "drainer": "drainer",
    "review": "auditor",
    "schema": ADMINISTRATOR,
    "verify": ADMINISTRATOR,  # any command, as `tools`
}
PASSWORD = "CLICKHOUSE_PASSWORD"


def described() -> ET.Element:
    users = ET.parse(K8S / "clickhouse" / "config" / "users.xml").find("users")
    assert users is not None
    return users


def test_who_has_no_password_comes_from_inside_the_container() -> None:
    users = described()
    open_to = {
        user.tag: {ip.text for ip in user.iter("ip")}
        for user in users
        if user.find("password_sha256_hex") is None
    }
    assert open_to == {"default": LOOPBACK}
    networks = users.find("default/networks")
    assert networks is not None
    assert "replace" in networks.attrib, "merged, the server's own would stay"


def test_everybody_has_one_role_but_who_makes_the_schema() -> None:
    granted = {user.tag: [query.text for query in user.iter("query")] for user in described()}
    administrators = granted.pop(ADMINISTRATOR)
    assert "GRANT ALL ON scrutin.*" in administrators
    assert granted.pop("default") == []
    assert granted == {name: [f"GRANT {name}"] for name in ("analyst", *USERS)}


def passwords(variables: dict[str, str]) -> dict[str, str]:
    """Return what users.xml takes each user's password from, as a server's variables have it."""
    return {
        user.tag: variables[found.attrib["from_env"]]
        for user in described()
        if (found := user.find("password_sha256_hex")) is not None
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_servers_get_the_password_of_everybody_from_the_secret(overlay: str) -> None:
    (server,) = (pod for pod in pods(overlay) if pod.app == "clickhouse")
    keys = {name: key for name, (secret, key) in referenced(server).items()}
    assert passwords(keys) == {
        name: f"{name}-sha256" for name in (ADMINISTRATOR, "analyst", *USERS)
    }


def referenced(pod: Pod) -> dict[str, tuple[str, str]]:
    """Return the Secret and its key that each variable of a pod is taken from."""
    return {
        item["name"]: (reference["name"].partition("-users")[0], reference["key"])
        for item in pod.container.get("env", [])
        if (reference := item.get("valueFrom", {}).get("secretKeyRef"))
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_pod_comes_as_the_user_that_its_work_needs(overlay: str) -> None:
    comes_as = {}
    for pod in pods(overlay):
        if url := pod.env().get(CLICKHOUSE):
            found = re.match(r"https://(\w+):\$\(CLICKHOUSE_PASSWORD\)@", url)
            assert found
            assert referenced(pod)[PASSWORD] == ("clickhouse", found[1])
            comes_as[pod.app] = found[1]
    assert comes_as == COMES_AS


def test_services_of_compose_come_as_the_same() -> None:
    urls = {name: (s.get("environment") or {}).get(CLICKHOUSE) for name, s in services().items()}
    comes_as = {}
    for name, url in urls.items():
        if found := re.match(r"https://(\w+):development-only-(\w+)@", url or ""):
            assert found[1] == found[2]
            comes_as[name] = found[1]
    assert comes_as == SERVICES
    given = passwords(services()["clickhouse"]["environment"])
    assert given == {
        name: sha256(f"development-only-{name}".encode()).hexdigest() for name in given
    }


def test_passwords_of_development_are_those_of_their_digests() -> None:
    (secret,) = (s for s in of_kind("dev", "Secret") if name_of(s).startswith("clickhouse-users"))
    data = {key: b64decode(value).decode() for key, value in secret["data"].items()}
    for name in (ADMINISTRATOR, *USERS):
        assert sha256(data[name].encode()).hexdigest() == data[f"{name}-sha256"]
