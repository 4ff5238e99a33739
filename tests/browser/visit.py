"""One voter in one browser, watched."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from axe_playwright_python.async_playwright import Axe, AxeResults
from playwright.async_api import ConsoleMessage, Error, Page, Request, expect

from edge.receipts import receipt_number
from tests.support.edges import until
from tests.support.rolls import Elector

NARROW_PX = 320
PHONE_PX = 390
WIDE_PX = 1000
HEIGHT_PX = 900
PICTURE_HEIGHT_PX = 3200
AXE = Axe()
AXE_OPTIONS: dict[str, object] = {
    "resultTypes": ["violations"],
    "rules": {"target-size": {"enabled": True}},  # WCAG 2.2's, off by default
}
AXE_COLOURS: dict[str, object] = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "rule", "values": ["color-contrast"]},
}
CONTENT_HEIGHT = "document.scrollingElement.scrollHeight"
OVERFLOW = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
VOTE = {"fr": "Voter maintenant", "en": "Cast my vote"}
START = {"fr": "Commencer à voter", "en": "Start voting"}
CONTINUE = {"fr": "Continuer", "en": "Continue"}
RECEIPT = {"fr": "Votre vote est enregistré", "en": "Your vote is recorded"}


def receipt_of(request_id: str) -> str:
    """Return the number on the receipt of a request."""
    return receipt_number(UUID(request_id))


class Visit:
    """A page, and what it did wrong so far. `pictures`: where to draw the states inspected."""

    def __init__(self, page: Page, origin: str, pictures: str | None) -> None:
        self.page = page
        self._origin = origin
        self._pictures = Path(pictures) if pictures else None
        self._faults: list[str] = []
        self._expected: set[str] = set()
        self._excused: set[str] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._faults.append(f"script failed: {error}"))
        page.on("request", self._asked)

    def expect_failure(self, what: str) -> None:
        """Let the console tell of one kind of failed request, such as "403"."""
        self._expected.add(what)

    def expect_said(self, beginning: str) -> None:
        """Let the console say what begins so."""
        self._excused.add(beginning)

    def check(self) -> None:
        """Fail if the console was not empty or another origin was asked for anything."""
        assert not self._faults, self._faults

    async def start(self, language: str) -> None:
        """Go from the welcome to the first form."""
        await self.page.goto(f"/{language}/")
        await self.page.get_by_role("link", name=START[language]).click()

    async def choose(self, language: str, law_id: str, vote: str = "oui") -> None:
        """Go from the first form to the last, to the first one before that if need be."""
        page = self.page
        if not page.url.endswith(f"/{language}/choose"):
            await page.goto(f"/{language}/choose")
        request_id = await self.request_id()
        await page.locator(f'input[name=law_id][value="{law_id}"]').check()
        await page.locator(f"input[name=vote][value={vote}]").check()
        await page.get_by_role("button", name=CONTINUE[language]).click()
        await expect(page.locator(".about strong").first).to_be_visible()
        assert await self.request_id() == request_id, "the id of when the form was first shown"

    async def identify(self, elector: Elector) -> None:
        """Fill in NAS and code."""
        await self.page.locator("#nas").fill(elector.nas)
        await self.page.locator("#code").fill(elector.code)

    async def cast(self, language: str) -> None:
        """Press the one button that casts."""
        await self.page.get_by_role("button", name=VOTE[language]).click()

    async def on_receipt(self, language: str) -> str:
        """Wait for the receipt and return its number."""
        heading = self.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text(RECEIPT[language])
        return await self.page.locator(".outcome .receipt").inner_text()

    async def back(self, *, scripts: bool) -> None:
        """Go back to the last form.

        Without scripts the browser asks before it sends the step before once more: nothing of
        these pages is kept in its cache, and sending that again is harmless.
        """
        if scripts:
            await self.page.go_back()
        else:
            with pytest.raises(Error, match="ERR_CACHE_MISS"):
                await self.page.go_back()
            await until(self._reloads, "the page to send again")

    async def request_id(self) -> str:
        """Return the request id that the form carries."""
        return await self.page.locator("input[name=request_id]").input_value()

    async def inspect(self, name: str) -> None:
        """Hold this state against axe and against narrow, enlarged and dark screens.

        Drawn are French states on a wide screen by day, English ones on a phone by night.
        """
        page = self.page
        await page.emulate_media(color_scheme="light")
        await self._axe(name, AXE_OPTIONS)
        await page.emulate_media(color_scheme="dark")
        await self._axe(f"{name}, dark", AXE_COLOURS)
        if name.endswith("-en"):
            await self.draw(name, PHONE_PX)
        await page.emulate_media(color_scheme="light")
        if not name.endswith("-en"):
            await self.draw(name, WIDE_PX)
        await page.set_viewport_size({"width": NARROW_PX, "height": HEIGHT_PX})
        assert await page.evaluate(OVERFLOW) <= 0, f"{name} scrolls sideways at {NARROW_PX} px"
        await page.set_viewport_size({"width": 2 * NARROW_PX, "height": HEIGHT_PX})
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert await page.evaluate(OVERFLOW) <= 0, f"{name} scrolls sideways with text at 200 %"
        await page.evaluate("document.documentElement.style.fontSize = ''")
        await page.set_viewport_size({"width": WIDE_PX, "height": HEIGHT_PX})

    async def draw(self, name: str, width: int) -> None:
        """Draw the page, or the upper part of a very long one, if pictures are asked for."""
        if self._pictures:
            await self.page.set_viewport_size({"width": width, "height": HEIGHT_PX})
            height = min(await self.page.evaluate(CONTENT_HEIGHT), PICTURE_HEIGHT_PX)
            await self.page.screenshot(
                path=self._pictures / f"{name}.png",
                full_page=True,
                clip={"x": 0, "y": 0, "width": width, "height": height},
            )

    async def _axe(self, name: str, options: dict[str, object]) -> None:
        page = self.page
        if not await page.evaluate("'axe' in window"):
            await page.evaluate(AXE.axe_script)
        found = AxeResults(await page.evaluate("options => axe.run(document, options)", options))
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"

    async def _reloads(self) -> bool:
        try:
            await self.page.reload()
        except Error as error:
            if "Not attached to an active page" in str(error):
                return False  # the browser's own page is not there yet
            raise
        return True

    def _said(self, message: ConsoleMessage) -> None:
        expected = message.text.startswith("Failed to load resource") and any(
            re.search(rf"\b{re.escape(what)}\b", message.text) for what in self._expected
        )
        if not expected and not message.text.startswith(tuple(self._excused)):
            self._faults.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._origin + "/", "blob:" + self._origin)):
            self._faults.append(f"asked {request.url}")
