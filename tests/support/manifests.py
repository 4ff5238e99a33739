"""The manifests of k8s/ as `kubectl kustomize` builds them, and the pods in them."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

K8S = Path(__file__).parents[2] / "k8s"
OVERLAYS = ("dev", "prod", "plain")
NAME_LABEL = "app.kubernetes.io/name"

Manifest = dict[str, Any]

# Where a pod is described, by kind; Altinity's operator makes pods of its templates.
_POD_PATHS = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "ClickHouseInstallation": ("spec", "templates", "podTemplates", 0),
    "ClickHouseKeeperInstallation": ("spec", "templates", "podTemplates", 0),
}
_RUNS_TO_ITS_END = {"Job", "CronJob"}


class Pod(NamedTuple):
    """A pod as its owner describes it."""

    kind: str
    name: str
    labels: dict[str, str]
    spec: Manifest

    @property
    def lasting(self) -> bool:
        """Whether it is to run on and on."""
        return self.kind not in _RUNS_TO_ITS_END

    @property
    def app(self) -> str:
        """What it is, for policies and Services."""
        return self.labels[NAME_LABEL]

    @property
    def container(self) -> Manifest:
        """Its only container."""
        (container,) = self.spec["containers"]
        assert "initContainers" not in self.spec
        return dict(container)

    def env(self) -> dict[str, str]:
        """Return the variables that have their value in the manifest."""
        return {
            item["name"]: item["value"] for item in self.container.get("env", []) if "value" in item
        }

    def port(self, name_or_number: str | int) -> int | None:
        """Return the number of a port that the container declares."""
        for port in self.container.get("ports", []):
            if name_or_number in (port.get("name"), port["containerPort"]):
                return int(port["containerPort"])
        return None


@cache
def build(overlay: str) -> tuple[Manifest, ...]:
    """Build an overlay."""
    assert shutil.which("kubectl"), "the tests of k8s/ need kubectl 1.27 or newer on PATH"
    built = subprocess.run(
        ["kubectl", "kustomize", str(K8S / "overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert not built.stderr, f"warnings: {built.stderr}"
    return tuple(yaml.load_all(built.stdout, yaml.CSafeLoader))


def of_kind(overlay: str, *kinds: str) -> list[Manifest]:
    """Return the manifests of these kinds."""
    return [manifest for manifest in build(overlay) if manifest["kind"] in kinds]


def name_of(manifest: Manifest) -> str:
    """Return its name."""
    return str(manifest["metadata"]["name"])


def pods(overlay: str) -> list[Pod]:
    """Return every pod that the overlay brings about."""
    found = []
    for manifest in build(overlay):
        if path := _POD_PATHS.get(manifest["kind"]):
            template = at(manifest, path)
            labels = template["metadata"]["labels"]
            found.append(Pod(manifest["kind"], name_of(manifest), labels, template["spec"]))
    return found


def at(value: Any, path: Sequence[str | int]) -> Any:
    """Return what lies at a path."""
    for key in path:
        value = value[key]
    return value


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Say whether a label selector, {} or with matchLabels, takes in these labels."""
    assert not set(selector) - {"matchLabels"}, "only matchLabels are understood here"
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def strings(value: Any) -> Iterator[str]:
    """Yield every string in a manifest."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
