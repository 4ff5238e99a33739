"""The API's page: its examples run, and the service does what its OpenAPI document says."""

import asyncio
import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from shards.client import ShardClient
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.results import ResultsSnapshot, publish_results
from tests.integration.edge.conftest import OPEN, Documented
from tests.support.edges import EdgeProcess, until

HOOKS = "tests.support.schemathesis_hooks"
ROOT = Path(__file__).parents[3]
EXAMPLES_EACH = 15
SCHEMATHESIS_TIMEOUT_S = 120


def examples(page: str) -> list[str]:
    return [
        html.unescape(text)
        for text in re.findall(r'<pre class="example"[^>]*>(.*?)</pre>', page, re.DOTALL)
    ]


def test_the_examples_run(edge: EdgeProcess) -> None:
    found = examples(httpx.get(f"{edge.url}/docs").text)
    answers = []
    for lines in found:
        done = subprocess.run(["bash", "-euc", lines], capture_output=True, text=True, check=True)
        answers.append(msgspec.json.decode(done.stdout))
    laws, vote, mistake, results, health = answers
    assert OPEN in {law["id"] for law in laws["laws"]}
    assert vote["status"] == "invalid"
    assert (mistake["field"], mistake["title"]) == ("nas", "Un champ manque ou est erroné")
    assert results.get("law_id") == OPEN or results["type"] == "/docs#not-counted"
    assert health["status"] == "alive"


@pytest.mark.parametrize("host", ["a;reboot", "$(reboot)", "a b", "a'", '<a"', "x" * 300])
async def test_a_host_that_is_none_reaches_no_example(edge: EdgeProcess, host: str) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        page = await http.get("/docs", headers={"Host": host})
    assert page.status_code == 200
    assert all("http://localhost:8000/" in lines for lines in examples(page.text))
    assert host not in html.unescape(page.text)


async def test_schemathesis_finds_nothing(
    api: Documented, loaded: LocalCluster, tmp_path: Path
) -> None:
    """Requests made from the document, well-formed and not; the answers have to be in it."""
    client = await ShardClient.connect(RedisOptions(loaded.url))
    now_ms = time.time_ns() // 1_000_000
    await publish_results(client, ResultsSnapshot([], now_ms, now_ms))
    await client.aclose()

    async def counted() -> bool:
        return (await api.http.get(f"/api/v1/results/{OPEN}")).status_code == 200

    await until(counted, "a first count")
    await asyncio.to_thread(_run_schemathesis, str(api.http.base_url), tmp_path)


def _run_schemathesis(url: str, directory: Path) -> None:
    run = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{url}/openapi.json",
            "--checks", "all", "--phases", "examples,coverage,fuzzing",
            "--max-examples", str(EXAMPLES_EACH), "--seed", "1", "--no-color",
        ],
        cwd=directory, env=os.environ | {"SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
        timeout=SCHEMATHESIS_TIMEOUT_S,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
