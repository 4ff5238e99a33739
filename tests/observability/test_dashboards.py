"""The committed dashboards are what their code makes."""

import json
from pathlib import Path

from compose.dashboards.__main__ import DASHBOARDS, write
from tests.observability.files import GRAFANA, panels, read_yaml

COMMITTED = GRAFANA / "dashboards"


def test_the_committed_json_is_what_the_code_makes(tmp_path: Path) -> None:
    write(tmp_path)
    assert {path.name for path in COMMITTED.iterdir()} == {f"{name}.json" for name in DASHBOARDS}
    for path in tmp_path.iterdir():
        assert (COMMITTED / path.name).read_text() == path.read_text(), "run `make dashboards`"


def test_grafana_can_tell_boards_and_panels_apart_and_knows_their_source() -> None:
    [source] = read_yaml(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    boards = [json.loads(path.read_text()) for path in COMMITTED.iterdir()]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)
        for panel in board["panels"]:
            assert panel["type"] == "row" or panel["datasource"]["uid"] == source["uid"]


def test_the_parts_asked_for_are_drawn() -> None:
    drawn = " ".join(panel.query for panel in panels() if panel.dashboard == "election-day")
    for name in (
        "votes_per_second", "votes_validated_total", "duplicate_attempts_total",
        "validation_latency_seconds_bucket", "ballots_counted", "votes_by_law",
    ):  # fmt: skip
        assert name in drawn
