"""The auditors' pages: states held against axe and screens, worked with and without scripts."""

from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from shards.client import ShardClient
from shards.review import CasesSnapshot, Kind, ReviewCase, ReviewDesk
from tests.browser.conftest import DECIDING_TOKEN, REVIEW_TOKEN, NewVisit

LANGUAGES = ("fr", "en")
AT_MS = 1_790_035_199_800
TITLE = {"fr": "Cas à revoir", "en": "Cases to review"}
TAKE = {"fr": "Prendre ce cas", "en": "Take this case"}
RECORD = {"fr": "Noter cette décision", "en": "Record this decision"}
WHY = {"fr": "La même personne, deux téléphones.", "en": "The same voter, two phones."}
SAID = {"fr": "Béa a pris ce cas.", "en": "Béa has this case."}
DECIDED = {"fr": "Aude a décidé", "en": "Aude decided"}


def case_of(case_id: str, kind: Kind, attempts: int, hashes: int = 1) -> ReviewCase:
    law_id = "L2025-001" if len(case_id) == 64 else ""
    return ReviewCase(case_id, kind, law_id, attempts, hashes, AT_MS, AT_MS + 61_000)


@pytest.fixture
async def cases(redis: ShardClient) -> list[ReviewCase]:
    """Published cases of every kind that nobody has worked on."""
    cases = [
        case_of(uuid4().hex * 2, "many-attempts", 1234),
        case_of(uuid4().hex * 2, "duplicate", 2),
        case_of(uuid4().hex * 2, "invalid", 1),
        case_of(f"unknown-{uuid4().int % 10**8:08}T23Z", "unknown-hashes", 90, 77),
        case_of(f"network-{uuid4().hex[:16]}-20260921T23Z", "network-burst", 45, 0),
    ]
    await ReviewDesk(redis).publish(CasesSnapshot(cases, AT_MS))
    return cases


async def take_first(page: Page, language: str) -> None:
    await page.get_by_role("button", name=TAKE[language]).first.click()
    await expect(page.get_by_role("button", name=RECORD[language])).to_be_visible()


async def decide(page: Page, language: str) -> None:
    await page.locator("input[name=decision][value=harmless]").check()
    await page.locator("textarea[name=why]").fill(WHY[language])
    await page.get_by_role("button", name=RECORD[language]).click()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_state(
    new_visit: NewVisit, redis: ShardClient, cases: list[ReviewCase], language: str
) -> None:
    desk = ReviewDesk(redis)
    reader = await new_visit(language=language, token=REVIEW_TOKEN)
    await reader.page.goto("/review")
    await expect(reader.page.get_by_role("heading", level=1)).to_have_text(TITLE[language])
    await expect(reader.page.get_by_role("button")).to_have_count(0)
    await reader.inspect(f"cases-{language}")

    visit = await new_visit(language=language, token=DECIDING_TOKEN, name="Aude")
    page = visit.page
    await page.goto("/review")
    await take_first(page, language)
    await visit.inspect(f"cases-taken-{language}")
    await decide(page, language)
    await expect(page.locator("section").last).to_contain_text(DECIDED[language])

    await desk.claim(cases[3], "Béa", uuid4())  # meanwhile
    visit.expect_failure("409")
    await page.get_by_role("button", name=TAKE[language]).first.click()
    await expect(page.get_by_role("alert")).to_have_text(SAID[language])
    await expect(page.get_by_role("alert")).to_be_focused()
    await visit.inspect(f"cases-held-{language}")

    await page.goto("/review/trail")
    await expect(page.locator("main")).to_contain_text(WHY[language])
    await visit.inspect(f"cases-trail-{language}")


@pytest.mark.parametrize("scripts", [True, False])
async def test_from_the_list_to_a_decision(
    new_visit: NewVisit, redis: ShardClient, cases: list[ReviewCase], *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts, token=DECIDING_TOKEN, name="Aude")
    page = visit.page
    await page.goto("/review")
    await page.get_by_role("link", name="Many tries with one ballot").click()
    await expect(page.locator("section")).to_have_count(1)
    await take_first(page, "en")
    await page.locator("textarea[name=why]").fill(WHY["en"])
    await page.get_by_role("button", name=RECORD["en"]).click()
    await expect(page.locator("input[name=decision]").first).to_be_focused()  # one is required
    await decide(page, "en")
    await page.get_by_role("link", name="Latest decisions").click()
    await expect(page.locator("dd").first).to_contain_text(WHY["en"])
    await page.go_back()
    entries = await ReviewDesk(redis).history(cases[0].case_id)
    assert [(entry.action, entry.why) for entry in entries] == [
        ("claim", ""),
        ("resolve", WHY["en"]),
    ]
    assert await page.context.cookies() == []


async def test_nothing_published_and_nothing_to_decide(
    new_visit: NewVisit, redis: ShardClient
) -> None:
    visit = await new_visit(token=REVIEW_TOKEN)
    await ReviewDesk(redis).publish(CasesSnapshot([], AT_MS))
    await visit.page.goto("/review")
    await expect(visit.page.locator("main")).to_contain_text("There is no case to decide.")
    await visit.inspect("cases-none-en")
