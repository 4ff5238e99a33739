"""The way to a receipt, in both languages, with and without scripts, whatever happens on it."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Route, expect
from stdnum import luhn

from tests.browser.conftest import PLAIN_HOST, NewVisit
from tests.browser.visit import NARROW_PX, VOTE, Visit, receipt_of
from tests.integration.edge.conftest import CLOSED, COMING, OPEN
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector

LANGUAGES = ("fr", "en")
NOT_FOUND = {
    "fr": "Nous ne vous trouvons pas sur la liste électorale",
    "en": "We cannot find you on the list of electors",
}
with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False])


async def ready_to_cast(visit: Visit, language: str, elector: Elector, vote: str = "oui") -> str:
    """Fill in everything; return the request id."""
    await visit.choose(language, elector.law_id, vote)
    await visit.identify(elector)
    return await visit.request_id()


@pytest.mark.parametrize("language", LANGUAGES)
@with_and_without_scripts
async def test_the_whole_way(
    new_visit: NewVisit, elector: Elector, language: str, *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts)
    await visit.start(language)
    request_id = await ready_to_cast(visit, language, elector)
    await visit.cast(language)
    assert await visit.on_receipt(language) == receipt_of(request_id)
    content = await visit.page.content()
    assert elector.nas not in content
    assert elector.code not in content
    assert "?" not in visit.page.url
    assert await visit.page.context.cookies() == []
    if scripts:
        storage = "Object.keys(localStorage).length + Object.keys(sessionStorage).length"
        assert await visit.page.evaluate(storage) == 0
        kept = await visit.page.evaluate("JSON.stringify(history.state)")
        assert elector.code not in kept
        assert 'name=\\"vote\\"' not in kept, "nor the choice"


@with_and_without_scripts
async def test_on_the_narrowest_screen(
    new_visit: NewVisit, elector: Elector, *, scripts: bool
) -> None:
    """With hyphens in the NAS, spaces and small letters in the code."""
    visit = await new_visit(scripts=scripts, width=NARROW_PX)
    nas = f"{elector.nas[:3]}-{elector.nas[3:6]}-{elector.nas[6:]}"
    code = f" {elector.code[:3]} {elector.code[3:]}".lower()
    request_id = await ready_to_cast(visit, "fr", elector._replace(nas=nas, code=code))
    await visit.cast("fr")
    assert await visit.on_receipt("fr") == receipt_of(request_id)


async def test_a_browser_that_lacks_what_the_script_needs(
    new_visit: NewVisit, elector: Elector
) -> None:
    """It sends the form itself, and changes language like any other."""
    visit = await new_visit()
    await visit.page.add_init_script("delete AbortSignal.timeout")
    request_id = await ready_to_cast(visit, "fr", elector)
    await visit.page.get_by_role("button", name="English").click()
    await visit.identify(elector)
    await visit.cast("en")
    assert await visit.on_receipt("en") == receipt_of(request_id)


@with_and_without_scripts
async def test_reloading_a_receipt_shows_it(
    new_visit: NewVisit, elector: Elector, *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts)
    request_id = await ready_to_cast(visit, "fr", elector)
    await visit.cast("fr")
    await visit.on_receipt("fr")
    await visit.page.reload()
    assert await visit.on_receipt("fr") == receipt_of(request_id)


async def test_reloading_after_a_step_within_the_receipt_shows_it(
    new_visit: NewVisit, elector: Elector
) -> None:
    visit = await new_visit()
    request_id = await ready_to_cast(visit, "en", elector)
    await visit.cast("en")
    await visit.on_receipt("en")
    await visit.page.locator("a[href='#content']").focus()
    await visit.page.keyboard.press("Enter")
    await visit.page.wait_for_url("**#content")
    await visit.page.wait_for_function("history.state?.page")  # the event comes after the address
    await visit.page.reload()
    assert await visit.on_receipt("en") == receipt_of(request_id)


@with_and_without_scripts
async def test_back_and_again_ends_on_the_receipt(
    new_visit: NewVisit, elector: Elector, *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts)
    page = visit.page
    request_id = await ready_to_cast(visit, "en", elector)
    await visit.cast("en")
    await visit.on_receipt("en")
    await visit.back(scripts=scripts)
    if scripts:  # the receipt took the form's place
        assert await visit.on_receipt("en") == receipt_of(request_id)
        await page.go_forward()
    else:
        await expect(page.locator("#nas")).to_have_value("")
        await visit.identify(elector)
        await visit.cast("en")
    assert await visit.on_receipt("en") == receipt_of(request_id)
    if scripts:
        await page.go_back()
        await page.go_back()
        await page.wait_for_url("**/en/choose")
        await page.go_forward()
        await page.go_forward()
        assert await visit.on_receipt("en") == receipt_of(request_id)


async def test_a_page_that_the_browser_kept_whole_is_asked_for_anew(
    new_visit: NewVisit, keeping_browser: Browser, elector: Elector
) -> None:
    """Two steps back from the receipt is where the choice was made."""
    visit = await new_visit(of=keeping_browser)
    page = visit.page
    await page.add_init_script(
        "addEventListener('pageshow', ({ persisted }) => persisted && console.info('kept whole'))"
    )
    visit.expect_said("kept whole")
    await visit.start("en")
    request_id = await ready_to_cast(visit, "en", elector, "non")
    await visit.cast("en")
    await visit.on_receipt("en")
    await page.go_back()
    assert await visit.on_receipt("en") == receipt_of(request_id)
    async with page.expect_console_message(), page.expect_request("**/en/choose"):
        await page.go_back(wait_until="commit")
    await page.wait_for_load_state()
    await expect(page.locator("h1")).to_have_text("Make your choice")
    assert await page.locator("input[name=vote]:checked").count() == 0
    assert await visit.request_id() != request_id


async def test_a_browser_that_tells_no_more_than_its_origin_can_vote(
    new_visit: NewVisit, elector: Elector
) -> None:
    """As browsers of some years ago, and all of them where there is no TLS."""
    visit = await new_visit(host=PLAIN_HOST)
    visit.expect_said("The Cross-Origin-Opener-Policy header has been ignored")
    async with visit.page.expect_request("**/en/review") as asked:
        request_id = await ready_to_cast(visit, "en", elector)
    headers = await (await asked.value).all_headers()
    assert "sec-fetch-site" not in headers
    assert headers["origin"].startswith(f"http://{PLAIN_HOST}:")
    await visit.cast("en")
    assert await visit.on_receipt("en") == receipt_of(request_id)


@with_and_without_scripts
async def test_a_double_click_is_one_vote(
    new_visit: NewVisit, elector: Elector, *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts)
    sent = []
    visit.page.on("request", lambda asked: sent.append(asked) if asked.method == "POST" else None)
    await ready_to_cast(visit, "fr", elector)
    sent.clear()
    await visit.page.get_by_role("button", name=VOTE["fr"]).dblclick()
    await visit.on_receipt("fr")
    if scripts:
        assert len(sent) == 1, "the second click is not sent"


async def test_with_the_keyboard_alone(new_visit: NewVisit, elector: Elector) -> None:
    visit = await new_visit()
    page = visit.page
    keys = page.keyboard

    async def tab_to(selector: str) -> None:
        for _ in range(30):
            await keys.press("Tab")
            if await page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        pytest.fail(f"no way to {selector} by Tab")

    await page.goto("/fr/")
    await keys.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await keys.press("Enter")
    await tab_to("a.button")
    await keys.press("Enter")
    await page.wait_for_url("**/fr/choose")
    await tab_to("input[name=law_id]")
    await keys.press("Space")
    await tab_to("input[name=vote]")
    await keys.press("ArrowDown")
    await keys.press("Enter")  # from within the form: its own button, not the language's
    await page.wait_for_url("**/fr/review")
    assert await page.locator("input[name=vote]").input_value() == "non"
    await tab_to("#nas")
    await keys.type(elector.nas)
    await tab_to("#code")
    await keys.type(elector.code)
    await keys.press("Enter")
    await visit.on_receipt("fr")
    assert "outcome" in await page.evaluate("document.activeElement.parentElement.className")


async def test_a_connection_that_is_cut_after_the_vote(
    new_visit: NewVisit, elector: Elector
) -> None:
    visit = await new_visit()
    visit.expect_failure("net::ERR_INTERNET_DISCONNECTED")
    request_id = await ready_to_cast(visit, "fr", elector)
    await visit.page.context.set_offline(True)
    await visit.cast("fr")
    await expect(visit.page.locator("#sending")).to_contain_text("Nous réessayons pour vous")
    await visit.page.context.set_offline(False)
    assert await visit.on_receipt("fr") == receipt_of(request_id)


async def test_an_answer_that_is_lost(new_visit: NewVisit, elector: Elector) -> None:
    """The vote arrives, its answer does not: sent again it gets its receipt."""
    visit = await new_visit()
    visit.expect_failure("net::ERR_FAILED")
    arrived: list[int] = []

    async def lose(route: Route) -> None:
        if arrived:
            await route.continue_()
        else:
            arrived.append((await route.fetch()).status)
            await route.abort()

    request_id = await ready_to_cast(visit, "en", elector)
    await visit.page.route("**/en/vote", lose)
    await visit.cast("en")
    assert await visit.on_receipt("en") == receipt_of(request_id)
    assert arrived == [202]


async def test_an_answer_of_something_between(new_visit: NewVisit, elector: Elector) -> None:
    """A firewall's page, say: nothing that a voter could read a decision from."""
    visit = await new_visit()
    visit.expect_failure("403")
    between = [True]

    async def answer(route: Route) -> None:
        if between:
            between.clear()
            await route.fulfill(status=403, body="<h1>Forbidden</h1>", content_type="text/html")
        else:
            await route.continue_()

    request_id = await ready_to_cast(visit, "en", elector)
    await visit.page.route("**/en/vote", answer)
    await visit.cast("en")
    assert await visit.on_receipt("en") == receipt_of(request_id)


@with_and_without_scripts
async def test_while_no_vote_can_be_taken(
    new_visit: NewVisit, lonely_site: EdgeProcess, elector: Elector, *, scripts: bool
) -> None:
    """Without scripts a page with the same request id; with them the form waits and sends again."""
    visit = await new_visit(scripts=scripts, base=lonely_site)
    visit.expect_failure("503")
    request_id = await ready_to_cast(visit, "fr", elector, "non")
    await visit.cast("fr")
    if scripts:
        await expect(visit.page.locator("#sending")).to_contain_text("Gardez cette page ouverte")
    else:
        await expect(visit.page.locator("h1")).to_have_text("Veuillez réessayer")
    assert await visit.request_id() == request_id
    assert await visit.page.locator("input[name=vote]").input_value() == "non"


@with_and_without_scripts
async def test_voting_twice(new_visit: NewVisit, elector: Elector, *, scripts: bool) -> None:
    visit = await new_visit(scripts=scripts)
    visit.expect_failure("409")
    await ready_to_cast(visit, "en", elector)
    await visit.cast("en")
    await visit.on_receipt("en")
    await ready_to_cast(visit, "en", elector)
    await visit.cast("en")
    await expect(visit.page.locator("h1")).to_have_text("You have already voted on this law")
    await expect(visit.page.locator(".outcome")).to_contain_text("Tries since your vote: 1")


async def test_another_choice_with_the_same_form(new_visit: NewVisit, elector: Elector) -> None:
    """Without scripts, which put the receipt where the form was."""
    visit = await new_visit(scripts=False)
    visit.expect_failure("422")
    await ready_to_cast(visit, "en", elector, "oui")
    await visit.cast("en")
    await visit.on_receipt("en")
    await visit.back(scripts=False)
    await visit.page.get_by_role("button", name="Change my choice").click()
    await visit.page.locator("input[name=vote][value=non]").check()
    await visit.page.get_by_role("button", name="Continue").click()
    await visit.identify(elector)
    await visit.cast("en")
    await expect(visit.page.locator("h1")).to_have_text(
        "You have already voted, with another choice"
    )


@with_and_without_scripts
async def test_a_wrong_code_and_then_the_right_one(
    new_visit: NewVisit, elector: Elector, *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts)
    visit.expect_failure("403")
    request_id = await ready_to_cast(visit, "fr", elector._replace(code="WRONG99"))
    await visit.cast("fr")
    await expect(visit.page.locator("h1")).to_have_text(NOT_FOUND["fr"])
    await visit.page.get_by_role("button", name="English").click()
    await expect(visit.page.locator("h1")).to_have_text(NOT_FOUND["en"])
    await visit.identify(elector)
    await visit.cast("en")
    assert await visit.on_receipt("en") == receipt_of(request_id)


@pytest.mark.parametrize(
    ("law_id", "said"),
    [(CLOSED, "Voting has ended"), (COMING, "Voting is not open yet")],
)
@with_and_without_scripts
async def test_laws_that_are_not_open(
    new_visit: NewVisit,
    electors: dict[str, Iterator[Elector]],
    law_id: str,
    said: str,
    *,
    scripts: bool,
) -> None:
    visit = await new_visit(scripts=scripts)
    visit.expect_failure("403")
    await ready_to_cast(visit, "en", next(electors[law_id]))
    await visit.cast("en")
    await expect(visit.page.locator("h1")).to_have_text(said)


@with_and_without_scripts
async def test_what_is_missing_is_said_at_the_top_and_at_the_field(
    new_visit: NewVisit, elector: Elector, *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts)
    visit.expect_failure("400")
    page = visit.page
    await visit.choose("fr", OPEN)
    await page.locator("#code").fill(elector.code)
    await visit.cast("fr")
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await expect(page).to_have_title(re.compile("Erreur\u00a0: Vérifiez, puis votez"))
    await summary.get_by_role("link").click()
    await expect(page.locator("#nas")).to_be_focused()
    await expect(page.locator("#nas")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#code")).to_have_value("")
    await visit.identify(elector)
    await visit.cast("fr")
    await visit.on_receipt("fr")


@with_and_without_scripts
async def test_the_other_language_keeps_the_place_and_the_choice(
    new_visit: NewVisit, elector: Elector, *, scripts: bool
) -> None:
    visit = await new_visit(scripts=scripts)
    page = visit.page
    await page.goto("/fr/choose")
    request_id = await visit.request_id()
    await page.locator("input[name=vote][value=non]").check()
    await page.get_by_role("button", name="English").click()
    await expect(page.locator("input[name=vote][value=non]")).to_be_checked()
    await page.locator(f'input[value="{OPEN}"]').check()
    await page.get_by_role("button", name="Continue").click()
    await visit.identify(elector)
    await page.get_by_role("button", name="Français").click()
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await expect(page.locator("#nas")).to_have_value("")
    await expect(page.locator("#code")).to_have_value("")
    await expect(page.locator(".about")).to_contain_text("voter Non sur")
    await visit.identify(elector)
    await visit.cast("fr")
    assert await visit.on_receipt("fr") == receipt_of(request_id)


async def test_a_nas_that_fails_its_sum_gets_a_hint_and_votes(
    new_visit: NewVisit, electors: dict[str, Iterator[Elector]]
) -> None:
    visit = await new_visit()
    hint = visit.page.locator("#nas-check span")
    for fails in (True, False):  # as nine in ten of the synthetic NAS do
        elector = next(one for one in electors[OPEN] if luhn.is_valid(one.nas) != fails)
        await visit.choose("en", OPEN)
        await visit.identify(elector)
        await visit.page.locator("#code").blur()
        grouped = f"{elector.nas[:3]} {elector.nas[3:6]} {elector.nas[6:]}"
        await expect(visit.page.locator("#nas")).to_have_value(grouped)
        await expect(hint).to_be_visible(visible=fails)
        await visit.cast("en")
        await visit.on_receipt("en")


async def test_letters_in_a_nas_are_kept_and_pointed_at(
    new_visit: NewVisit, electors: dict[str, Iterator[Elector]]
) -> None:
    """What was typed is for the voter to mend: a NAS that was guessed is one of the wrong ones."""
    visit = await new_visit()
    nas, hint = visit.page.locator("#nas"), visit.page.locator("#nas-check span")
    elector = next(one for one in electors[OPEN] if luhn.is_valid(one.nas))
    await visit.choose("en", OPEN)
    await visit.identify(elector)
    await expect(hint).to_be_hidden()
    await nas.fill(f"{elector.nas[:8]}l{elector.nas[8:]}")
    await nas.blur()
    await expect(nas).to_have_value(f"{elector.nas[:8]}l{elector.nas[8:]}")
    await nas.fill("O" + elector.nas[1:])
    await nas.blur()
    await expect(nas).to_have_value(f"O{elector.nas[1:3]} {elector.nas[3:6]} {elector.nas[6:]}")
    await expect(hint).to_be_visible()
