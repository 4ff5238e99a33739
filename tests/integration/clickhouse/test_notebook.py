"""The notebook, executed as an analyst executes it."""

import base64
import random
from ast import literal_eval
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from clickhouse_connect.driver import AsyncClient
from nbclient import NotebookClient

from clickhouse.local.process import LocalClickHouse
from clickhouse.sink import VoteSink
from tests.support.clickhouse import Oracle, batch_of, random_events

NOTEBOOK = Path(__file__).parents[3] / "docs" / "turnout.ipynb"
AT_MS = 1_790_035_199_800


async def test_draws_the_turnout_that_is_stored(
    client: AsyncClient,
    clickhouse_server: LocalClickHouse,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    events = [
        event._replace(stream_ms=AT_MS + (event.stream_ms - AT_MS) * 60_000, law_id="L2025-001")
        for event in random_events(random.Random(5), 300, first_ms=AT_MS)
    ]
    await VoteSink(client).store(batch_of(events))
    url = clickhouse_server.url.replace("://", "://analyst@")
    monkeypatch.setenv("SCRUTIN_CLICKHOUSE_URL", url)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without its outputs"
    await NotebookClient(notebook, timeout=120, kernel_name="python3").async_execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.output_type for output in outputs] == ["execute_result", "display_data"]
    turnout = literal_eval(outputs[0].data["text/plain"])
    assert turnout == Counter(law_id for law_id, _ in Oracle(events).ballots)
    assert base64.b64decode(outputs[1].data["image/png"]).startswith(b"\x89PNG")
