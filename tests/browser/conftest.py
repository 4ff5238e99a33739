"""Debian's Chromium on real edges; every visit ends with an empty console and one origin."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Playwright, async_playwright, expect

from shards.client import ShardClient
from shards.election import load_election
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.ports import free_ports
from tests.browser.visit import HEIGHT_PX, WIDE_PX, Visit
from tests.integration.edge.conftest import CLOSED, COMING, OPEN, write_election
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector, Roll, electors_by_law, empty, load, make_roll

OPS_TOKEN = "a-token-for-the-tests-alone"
REVIEW_TOKEN, DECIDING_TOKEN = "a-token-to-look-with", "a-token-to-decide-with"
ELECTORS = 300
FAILURES_MAX = 2
TIMEOUT_MS = 20_000
# what electors read, in place of the plain texts of other tests
TITLES = {
    OPEN: {
        "Loi": "Loi mettant fin au changement d’heure",
        "Law": "An Act to end the changing of clocks",
    },
    CLOSED: {
        "Loi": "Loi sur le vote à 16\u00a0ans",
        "Law": "An Act respecting voting at the age of 16",
    },
    COMING: {
        "Loi": "Loi sur le train à grande vitesse",
        "Law": "An Act respecting high-speed trains",
    },
}
TEXTS = {
    "Référendum d'essai": "Référendum d’essai",
    "Texte de la loi": "Approuvez-vous cette loi?",
    "Text of the law": "Do you approve of this law?",
}
PLAIN_HOST = "plain.test"  # no loopback to the browser: it takes it for an unsafe place
NewVisit = Callable[..., Coroutine[Any, Any, Visit]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    async with async_playwright() as playwright, _chromium(playwright) as running:
        yield running


@pytest.fixture
async def keeping_browser() -> AsyncIterator[Browser]:
    """A browser as voters have it: it keeps pages whole for a step back, which tests turn off."""
    async with (
        async_playwright() as playwright,
        _chromium(playwright, without=["--disable-back-forward-cache"]) as running,
    ):
        yield running


@asynccontextmanager
async def _chromium(
    playwright: Playwright, without: list[str] | None = None
) -> AsyncIterator[Browser]:
    executable = shutil.which("chromium")
    assert executable, "the browser tests need Chromium: apt-get install chromium"
    running = await playwright.chromium.launch(
        executable_path=executable,
        args=[
            f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ],
        ignore_default_args=without,
    )
    try:
        yield running
    finally:
        await running.close()


@pytest.fixture(scope="package")
def election(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = write_election(tmp_path_factory.mktemp("election") / "election.toml", "live")
    text = file.read_text()
    for law_id, titles in TITLES.items():
        for word, title in titles.items():
            text = text.replace(f"{word} <{law_id}>", title)
    for plain, proper in TEXTS.items():
        text = text.replace(plain, proper)
    file.write_text(text)
    return file


@pytest.fixture(scope="package")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Roll:
    directory = tmp_path_factory.mktemp("roll")
    return make_roll(directory, ELECTORS, laws=(OPEN, CLOSED, COMING), seed=7)


@pytest.fixture(scope="package")
async def redis(cluster: LocalCluster, roll: Roll, election: Path) -> AsyncIterator[ShardClient]:
    """A client of the cluster, which has nothing but the roll in it."""
    await empty(cluster)
    client = await ShardClient.connect(RedisOptions(cluster.url))
    try:
        await load(client, roll, load_election(election))
        yield client
    finally:
        await client.aclose()


@pytest.fixture(scope="package")
async def site(
    cluster: LocalCluster,
    redis: ShardClient,
    election: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[EdgeProcess]:
    directory = tmp_path_factory.mktemp("site")
    tokens = {
        "ops_token_file": OPS_TOKEN,
        "review_token_file": REVIEW_TOKEN,
        "review_write_token_file": DECIDING_TOKEN,
    }
    for name, token in tokens.items():
        (directory / name).write_text(token)
    files = {name: directory / name for name in tokens}
    settings = {"redis_url": cluster.url, "election": election, "exempt_loopback": True}
    async with EdgeProcess(directory, **settings, **files) as running:
        yield running
        assert "a request failed" not in running.log, running.log


@pytest.fixture(scope="package")
async def lonely_site(
    election: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EdgeProcess]:
    """An edge whose Redis is away."""
    redis_url = f"redis://127.0.0.1:{free_ports(1)[0]}"
    edge = EdgeProcess(tmp_path_factory.mktemp("lonely"), redis_url=redis_url, election=election)
    edge.process.start()
    try:
        await edge.wait("/api/v1/health")
        yield edge
    finally:
        edge.process.stop()


@pytest.fixture(scope="package")
async def strict_site(
    cluster: LocalCluster,
    redis: ShardClient,
    election: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[EdgeProcess]:
    """An edge that holds whoever guesses."""
    settings = {"redis_url": cluster.url, "election": election}
    directory = tmp_path_factory.mktemp("strict")
    limits = {"client_failure_limit_per_min": FAILURES_MAX, "client_rate_limit_per_s": 1000}
    async with EdgeProcess(directory, **settings, **limits) as running:
        yield running


@pytest.fixture(scope="package")
def electors(roll: Roll) -> dict[str, Iterator[Elector]]:
    """Electors by law, none given twice."""
    return electors_by_law(roll, (OPEN, CLOSED, COMING))


@pytest.fixture
def elector(electors: dict[str, Iterator[Elector]]) -> Elector:
    """Somebody who has not voted on the open law."""
    return next(electors[OPEN])


@pytest.fixture
async def new_visit(
    browser: Browser, site: EdgeProcess, request: pytest.FixtureRequest
) -> AsyncIterator[NewVisit]:
    """Open a browser of its own on a site; without `scripts` if asked for."""
    visits = []
    pictures = request.config.getoption("--screenshots")

    async def begin(
        *,
        scripts: bool = True,
        width: int = WIDE_PX,
        base: EdgeProcess = site,
        language: str = "en",
        token: str = "",
        name: str = "",
        host: str = "127.0.0.1",
        timezone: str | None = None,
        of: Browser = browser,
    ) -> Visit:
        origin = base.url.replace("127.0.0.1", host)
        context = await of.new_context(
            base_url=origin,
            java_script_enabled=scripts,
            viewport={"width": width, "height": HEIGHT_PX},
            locale=f"{language}-CA",
            timezone_id=timezone,
            http_credentials={"username": name, "password": token} if token else None,
        )
        context.set_default_timeout(TIMEOUT_MS)
        visit = Visit(await context.new_page(), origin, pictures)
        visits.append(visit)
        return visit

    yield begin
    for visit in visits:
        await visit.page.context.close()
        visit.check()
