"""Writes the alerts as the Prometheus operator reads them: `python -m compose.kubernetes`."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
RULES = ROOT / "compose/prometheus/rules"
MANIFEST = ROOT / "k8s/components/monitoring/rules.yaml"
HEAD = """\
# Written by `make rules` from compose/prometheus/rules: change the alerts there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: scrutin
spec:
  groups:
"""
GROUPS = "groups:\n"


def render() -> str:
    """Return the manifest: the groups of every rule file as they are written there."""
    lines = HEAD.splitlines()
    for path in sorted(RULES.glob("*.yml")):
        _, found, groups = path.read_text().partition(GROUPS)
        assert found, f"{path} has no {GROUPS.strip()}"
        lines += [f"  {line}" if line else "" for line in groups.rstrip("\n").splitlines()]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    MANIFEST.write_text(render())
