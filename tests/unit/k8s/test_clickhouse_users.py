"""Who may speak to ClickHouse, and from where."""

from xml.etree import ElementTree as ET

from tests.support.manifests import K8S

LOOPBACK = {"127.0.0.1", "::1"}


def test_who_has_no_password_comes_from_inside_the_container() -> None:
    users = ET.parse(K8S / "clickhouse" / "config" / "users.xml").find("users")
    assert users is not None
    open_to = {
        user.tag: {ip.text for ip in user.iter("ip")}
        for user in users
        if user.find("password_sha256_hex") is None
    }
    assert open_to == {"default": LOOPBACK}
    networks = users.find("default/networks")
    assert networks is not None
    assert "replace" in networks.attrib, "merged, the server's own would stay"
