"""The client's log held against the tables, in ClickHouse: it may be millions of rows long."""

import json
import subprocess
from pathlib import Path

import httpx

from tests.operations.deployment import Deployment
from tests.support.edges import SCRUTIN

QUERIES = Path(__file__).parent / "queries"
TIMEOUT_S = 600.0
PART_SIZE_BYTES = 32 * 1024 * 1024  # a log of an hour is larger than a server takes at once


def differences(
    clickhouse_url: str, log: Path, *, part_size_bytes: int = PART_SIZE_BYTES
) -> list[str]:
    """Return what log and tables do not say alike, the first twenty; empty when they agree."""
    with httpx.Client(base_url=clickhouse_url, timeout=TIMEOUT_S) as http:
        _ask(http, "DROP DATABASE IF EXISTS operations SYNC")
        _ask(http, "CREATE DATABASE operations")
        _ask(http, (QUERIES / "create_answers.sql").read_text())
        insert = {"query": "INSERT INTO operations.answers FORMAT TabSeparated"}
        with log.open("rb") as rows:
            while part := b"".join(rows.readlines(part_size_bytes)):
                http.post("/", params=insert, content=part).raise_for_status()
        found = _ask(http, (QUERIES / "differences.sql").read_text())
        _ask(http, "DROP DATABASE operations SYNC")
    return [line.replace("\t", ": ") for line in found.splitlines()]


def _ask(http: httpx.Client, statement: str) -> str:
    answer = http.post("/", content=statement)
    assert answer.status_code == 200, answer.text
    return answer.text


def verify(deployment: Deployment) -> dict[str, int]:
    """Return what `scrutin verify --settled` counts; fail, with its words, if anything differs."""
    stores = ["--redis-url", deployment.cluster.url, "--clickhouse-url", deployment.clickhouse.url]
    done = subprocess.run(
        [SCRUTIN, "verify", "--settled", "--json", *stores],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    return counts
