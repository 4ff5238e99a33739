"""Writes every dashboard as Grafana reads it: `python -m compose.dashboards [DIRECTORY]`."""

import sys
from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from compose.dashboards import edge, election_day, pipeline, redis

DIRECTORY = Path(__file__).parents[1] / "grafana" / "dashboards"
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "edge": edge.build,
    "election-day": election_day.build,
    "pipeline": pipeline.build,
    "redis": redis.build,
}


def write(directory: Path) -> None:
    """Write one file a dashboard."""
    for name, build in DASHBOARDS.items():
        dashboard = build().build()
        for number, panel in enumerate(dashboard.panels or [], start=1):
            panel.id_val = number
        text = JSONEncoder(sort_keys=True, indent=2).encode(dashboard)
        (directory / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY)
