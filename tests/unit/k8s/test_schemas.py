"""Every manifest against the schema of its kind, as far as schemas are to be had."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from cloudcoil.models.cert_manager import v1 as cert_manager
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus

from tests.support.manifests import K8S, OVERLAYS, Manifest, build, name_of

RELEASES = ("1.29", "1.37")
OPERATORS: dict[str, Callable[[Manifest], Any]] = {
    f"{module}/{model.__name__}": model.model_validate
    for module, model in (
        ("cert-manager.io/v1", cert_manager.Certificate),
        ("cert-manager.io/v1", cert_manager.Issuer),
        ("keda.sh/v1alpha1", keda.ScaledObject),
        ("keda.sh/v1alpha1", keda.TriggerAuthentication),
        ("monitoring.coreos.com/v1", prometheus.ServiceMonitor),
        ("monitoring.coreos.com/v1", prometheus.PrometheusRule),
    )
}
# docs/kubernetes.md says so too.
NOT_CHECKED = {
    "clickhouse.altinity.com/v1/ClickHouseInstallation",
    "clickhouse-keeper.altinity.com/v1/ClickHouseKeeperInstallation",
    "gateway.networking.k8s.io/v1/BackendTLSPolicy",
    "gateway.networking.k8s.io/v1/Gateway",
    "gateway.networking.k8s.io/v1/HTTPRoute",
}


def kind_of(manifest: Manifest) -> str:
    return f"{manifest['apiVersion']}/{manifest['kind']}"


def lost(given: object, taken: object, where: str = "") -> list[str]:
    """Name what a schema did not know: it was in the manifest and is not in the model."""
    if isinstance(given, dict) and isinstance(taken, dict):
        missing = [f"{where}.{key}" for key in given.keys() - taken.keys()]
        shared = given.keys() & taken.keys()
        return missing + [
            name for key in shared for name in lost(given[key], taken[key], f"{where}.{key}")
        ]
    if isinstance(given, list) and isinstance(taken, list):
        pairs = zip(given, taken, strict=True)
        return [
            name
            for n, (one, other) in enumerate(pairs)
            for name in lost(one, other, f"{where}[{n}]")
        ]
    return []


def strictly(manifest: Manifest) -> None:
    model = OPERATORS[kind_of(manifest)](manifest)
    unknown = lost(manifest, model.model_dump(by_alias=True, exclude_unset=True, mode="json"))
    assert not unknown, f"{kind_of(manifest)} {name_of(manifest)} does not know {unknown}"


@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_own_kinds(release: str) -> None:
    # Most are the same in several overlays, and the validator reads its schemas for each anew.
    different = {json.dumps(m): m for overlay in OVERLAYS for m in build(overlay)}
    own = [m for m in different.values() if kind_of(m) not in OPERATORS.keys() | NOT_CHECKED]
    assert len(own) > 60
    for manifest in own:
        kubernetes_validate.validate(manifest, release, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_operators_kinds(overlay: str) -> None:
    for manifest in build(overlay):
        if kind_of(manifest) in OPERATORS:
            strictly(manifest)


def test_an_unknown_field_is_noticed() -> None:
    issuer: Manifest = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "misspelt"},
        "spec": {"ca": {"secretName": "authority", "secretname": "authority"}},
    }
    with pytest.raises(AssertionError, match=r"spec\.ca\.secretname"):
        strictly(issuer)


def test_every_kind_is_accounted_for() -> None:
    kinds = {kind_of(manifest) for overlay in OVERLAYS for manifest in build(overlay)}
    assert kinds & NOT_CHECKED == NOT_CHECKED
    assert kinds & OPERATORS.keys() == OPERATORS.keys()
    documented = (Path(K8S).parent / "docs" / "kubernetes.md").read_text()
    for kind in NOT_CHECKED:
        assert f"`{kind.rpartition('/')[2]}`" in documented


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_are_unique_and_everything_is_in_the_namespace(overlay: str) -> None:
    names = [(kind_of(manifest), name_of(manifest)) for manifest in build(overlay)]
    assert len(set(names)) == len(names)
    for manifest in build(overlay):
        if manifest["kind"] != "Namespace":
            assert manifest["metadata"]["namespace"] == "scrutin"


def test_plain_needs_no_operator() -> None:
    assert not {kind_of(m) for m in build("plain")} & (OPERATORS.keys() | NOT_CHECKED)
