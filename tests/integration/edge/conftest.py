"""A loaded roll with an open, a closed and a coming law, and edges that serve it."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
import jsonschema
import pytest

from shards.client import ShardClient
from shards.election import load_election
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector, Roll, electors_by_law, empty, load, make_roll

OPEN, CLOSED, COMING = "L2025-001", "L2025-000", "L2026-001"
ELECTORS = 600
WINDOWS = {OPEN: (-1, 1), CLOSED: (-2, -1), COMING: (1, 2)}  # in days from now
TOML = """
title_fr = "Référendum d'essai"
title_en = "Test referendum"
results = "{results}"
"""
LAW_TOML = """
[[laws]]
id = "{id}"
title_fr = "Loi <{id}>"
title_en = "Law <{id}>"
text_fr = "Texte de la loi"
text_en = "Text of the law"
opens_at = {opens_at}
closes_at = {closes_at}
"""


class Elections(NamedTuple):
    """The election file with either results policy."""

    live: Path
    after_close: Path


def write_election(
    path: Path, results: str, windows: Mapping[str, tuple[float, float]] | None = None
) -> Path:
    now, day = datetime.now(UTC).replace(microsecond=0), timedelta(days=1)
    laws = [
        LAW_TOML.format(
            id=law_id,
            opens_at=(now + opens * day).isoformat(),
            closes_at=(now + closes * day).isoformat(),
        )
        for law_id, (opens, closes) in (windows or WINDOWS).items()
    ]
    path.write_text(TOML.format(results=results) + "".join(laws))
    return path


@pytest.fixture(scope="package")
def elections(tmp_path_factory: pytest.TempPathFactory) -> Elections:
    directory = tmp_path_factory.mktemp("elections")
    return Elections(
        write_election(directory / "live.toml", "live"),
        write_election(directory / "after.toml", "after_close"),
    )


@pytest.fixture(scope="package")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Roll:
    return make_roll(tmp_path_factory.mktemp("roll"), ELECTORS, laws=(OPEN, CLOSED, COMING))


@pytest.fixture(scope="module")
async def loaded(cluster: LocalCluster, roll: Roll, elections: Elections) -> LocalCluster:
    """The cluster with nothing but the roll in it: anew for each file, whatever ran before."""
    await empty(cluster)
    client = await ShardClient.connect(RedisOptions(cluster.url))
    try:
        await load(client, roll, load_election(elections.live))
    finally:
        await client.aclose()
    return cluster


@pytest.fixture(scope="module")
def electors(roll: Roll) -> dict[str, Iterator[Elector]]:
    """Electors by law, none given twice."""
    return electors_by_law(roll, (OPEN, CLOSED, COMING))


@pytest.fixture
def elector(electors: dict[str, Iterator[Elector]]) -> Elector:
    """Somebody who has not voted on the open law."""
    return next(electors[OPEN])


@pytest.fixture(scope="module")
async def edge(
    loaded: LocalCluster, elections: Elections, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EdgeProcess]:
    """An edge without limits for this machine, results live."""
    async with EdgeProcess(
        tmp_path_factory.mktemp("edge"),
        redis_url=loaded.url,
        election=elections.live,
        exempt_loopback=True,
        rate_limit_per_s=100_000,
        body_timeout_s=1,
    ) as running:
        yield running
        assert "a request failed" not in running.log, running.log


class Documented:
    """An HTTP client that holds every answer against the service's own OpenAPI document."""

    def __init__(self, http: httpx.AsyncClient, document: dict[str, object]) -> None:
        self.http = http
        self.document = document

    async def vote(
        self, body: object, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        raw = json.dumps(body).encode() if content is None else content
        sent = {"Content-Type": "application/json"} | (headers or {})
        answer = await self.http.post("/api/v1/vote", content=raw, headers=sent)
        self.check(answer, "/api/v1/vote", "post")
        return answer

    async def get(self, path: str, template: str | None = None) -> httpx.Response:
        answer = await self.http.get(path)
        self.check(answer, template or path, "get")
        return answer

    def check(self, answer: httpx.Response, path: str, method: str) -> None:
        """Fail unless the document has this answer for that path."""
        documented = self.document["paths"][path][method]["responses"]  # type: ignore[index]
        content = documented[str(answer.status_code)]["content"]
        media_type = answer.headers["content-type"].partition(";")[0]
        schema = content[media_type]["schema"] | {"components": self.document["components"]}
        value = answer.json() if media_type.endswith("json") else answer.text
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
            value
        )
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.fixture
async def api(edge: EdgeProcess) -> AsyncIterator[Documented]:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        yield Documented(http, (await http.get("/openapi.json")).json())


def ballot(elector: Elector, vote: str = "oui", **more: object) -> dict[str, object]:
    """Return the body of a vote."""
    return {**elector._asdict(), "vote": vote, **more}


def new_id() -> str:
    return str(uuid4())


@pytest.fixture
async def redis(loaded: LocalCluster) -> AsyncIterator[ShardClient]:
    client = await ShardClient.connect(RedisOptions(loaded.url))
    yield client
    await client.aclose()
