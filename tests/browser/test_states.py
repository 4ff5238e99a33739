"""Every page and state, held against axe and small, large and dark screens, and drawn if asked."""

import time
from collections.abc import Iterator

import pytest
from playwright.async_api import Locator, expect

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.results import LawTally, ResultsSnapshot, publish_results
from tests.browser.conftest import FAILURES_MAX, OPS_TOKEN, NewVisit
from tests.browser.visit import WIDE_PX, Visit
from tests.integration.edge.conftest import CLOSED, COMING, OPEN
from tests.support.edges import EdgeProcess, until
from tests.support.rolls import Elector

LANGUAGES = ("fr", "en")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_way(new_visit: NewVisit, elector: Elector, language: str) -> None:
    visit = await new_visit()
    visit.expect_failure("400")
    page = visit.page
    await page.goto(f"/{language}/")
    await visit.inspect(f"welcome-{language}")
    await page.locator("a.button").click()
    await visit.inspect(f"choose-{language}")
    await page.locator("main form button").last.click()
    await visit.inspect(f"choose-errors-{language}")
    await visit.choose(language, OPEN)
    await visit.inspect(f"review-{language}")
    await page.locator("#nas").fill("123 456 789")
    await visit.cast(language)
    await expect(page.get_by_role("alert")).to_be_visible()
    await visit.inspect(f"review-errors-{language}")
    await visit.identify(elector)
    await visit.cast(language)
    await visit.on_receipt(language)
    await visit.inspect(f"receipt-{language}")
    await page.emulate_media(media="print")
    await expect(page.locator(".outcome .receipt")).to_be_visible()
    for left_out in ("header", "footer", "button"):
        await expect(page.locator(left_out).first).to_be_hidden()
    await visit.draw(f"receipt-print-{language}", WIDE_PX)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_refusals(
    new_visit: NewVisit,
    electors: dict[str, Iterator[Elector]],
    elector: Elector,
    language: str,
) -> None:
    visit = await new_visit()
    visit.expect_failure("403")
    visit.expect_failure("409")
    for name, who, status in (
        ("not-on-roll", elector._replace(code="WRONG99"), 403),
        ("closed", next(electors[CLOSED]), 403),
        ("not-yet-open", next(electors[COMING]), 403),
        ("accepted", elector, 202),
        ("already-voted", elector, 409),
    ):
        await visit.choose(language, who.law_id)
        await visit.identify(who)
        async with visit.page.expect_response(f"**/{language}/vote") as answer:
            await visit.cast(language)
        assert (await answer.value).status == status
        await expect(visit.page.locator(".outcome")).to_be_visible()
        if status != 202:
            await visit.inspect(f"{name}-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_another_choice(new_visit: NewVisit, elector: Elector, language: str) -> None:
    visit = await new_visit()
    visit.expect_failure("422")
    for vote in ("oui", "non"):
        await visit.choose(language, OPEN, vote)
        await visit.identify(elector)
        if vote == "oui":
            request_id = await visit.request_id()
        else:
            form = visit.page.locator("#ballot")
            await form.evaluate("(form, id) => { form.request_id.value = id }", request_id)
        await visit.cast(language)
        await expect(visit.page.locator(".outcome")).to_be_visible()
    await visit.inspect(f"other-choice-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_busy(
    new_visit: NewVisit, lonely_site: EdgeProcess, elector: Elector, language: str
) -> None:
    """The page as scripts would not show it: they wait and send again."""
    visit = await new_visit(base=lonely_site)
    visit.expect_failure("503")
    await visit.choose(language, OPEN)
    await visit.identify(elector)
    await visit.page.evaluate("document.querySelector('#ballot').submit()")
    await expect(visit.page.locator(".outcome")).to_be_visible()
    await visit.inspect(f"busy-{language}")


@pytest.mark.parametrize("scripts", [True, False])
async def test_who_guesses_is_told_to_wait(
    new_visit: NewVisit, strict_site: EdgeProcess, elector: Elector, *, scripts: bool
) -> None:
    """Scripts show what the page says as well: they do not go on guessing."""
    visit = await new_visit(scripts=scripts, base=strict_site)
    visit.expect_failure("403")
    visit.expect_failure("429")
    page = visit.page
    await visit.choose("fr", OPEN)
    request_id = await visit.request_id()
    for _ in range(FAILURES_MAX + 1):
        await visit.identify(elector._replace(code="WRONG99"))
        async with page.expect_response("**/fr/vote") as answer:
            await visit.cast("fr")
        if (await answer.value).status == 429:
            break
        await expect(page.locator("#nas")).to_have_value("")
    await expect(page.locator(".outcome")).to_contain_text("Attendez une minute")
    assert await visit.request_id() == request_id
    if scripts:
        await visit.inspect("held-fr")
        await page.get_by_role("button", name="English").click()
        await expect(page.locator(".outcome")).to_contain_text("Wait a minute")
        await visit.inspect("held-en")


async def passes_until(visit: Visit, place: Locator, text: str) -> None:
    """Let the page's time pass, a round of refreshing at once, until that stands there."""

    async def stands() -> bool:
        await visit.page.clock.run_for(5000)
        return await place.count() > 0 and await place.inner_text() == text

    await until(stands, text)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_results(new_visit: NewVisit, redis: ShardClient, language: str) -> None:
    """The page shows a new count by itself, until its reader stops it."""
    now_ms = time.time_ns() // 1_000_000

    async def publish(oui: int, at_ms: int) -> None:
        await redis.call(0, pack("DEL", keys.results_key()))
        tallies = [LawTally(OPEN, oui, 57), LawTally(CLOSED, 1, 2)]
        await publish_results(redis, ResultsSnapshot(tallies, at_ms, at_ms))

    visit = await new_visit(timezone="America/Vancouver")
    await visit.page.clock.install()
    await publish(100, now_ms)
    await visit.page.goto(f"/{language}/results")
    first, counted = visit.page.locator("td.number").first, visit.page.locator("#live time").last
    await passes_until(visit, first, "100")
    await publish(123, now_ms + 1)
    await passes_until(visit, first, "123")
    words = await visit.page.locator("main").get_attribute("data-local-time")
    assert f"; {words} " in await counted.inner_text()
    await visit.inspect(f"results-{language}")
    await visit.page.locator("#refreshing button").click()
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    await visit.page.clock.run_for(60_000)
    assert asked == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_beside_the_way(new_visit: NewVisit, language: str) -> None:
    visit = await new_visit()
    visit.expect_failure("404")
    for name, path in (
        ("privacy", f"/{language}/privacy"),
        ("unsure", f"/{language}/vote"),
        ("not-there", f"/{language}/nothing"),
    ):
        await visit.page.goto(path)
        await visit.inspect(f"{name}-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_operations(new_visit: NewVisit, elector: Elector, language: str) -> None:
    """The page follows the instance by itself."""
    visit = await new_visit(language=language, token=OPS_TOKEN)
    page = visit.page
    await page.goto("/ops")
    duplicates = page.locator('[data-path="decided.duplicate"]')
    before = int(await duplicates.inner_text())
    for _ in range(2):
        await page.request.post("/api/v1/vote", data={**elector._asdict(), "vote": "oui"})
    await expect(duplicates).to_have_text(str(before + 1))
    await visit.inspect(f"ops-{language}")


async def test_the_docs(new_visit: NewVisit) -> None:
    visit = await new_visit()
    await visit.page.goto("/docs")
    await visit.inspect("docs")
