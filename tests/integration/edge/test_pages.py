"""The voters' pages, used as a browser without scripts would."""

import re
from collections.abc import AsyncIterator, Iterator, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from stdnum import luhn

from edge.app import make_app
from edge.receipts import receipt_number
from edge.settings import Settings
from edge.voting import VotingDesk
from shards.roll import Cast
from tests.integration.edge.conftest import CLOSED, COMING, OPEN, new_id
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector, open_election


@pytest.fixture
async def http(edge: EdgeProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        yield http


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return found[1]


def hidden_id(page: str) -> str:
    return hidden(page, "request_id")


@pytest.mark.parametrize(
    ("accept", "target"),
    [("fr-CA,fr;q=0.9,en;q=0.8", "/fr/"), ("en-CA", "/en/"), ("de", "/en/"), ("", "/en/")],
)
async def test_the_root_sends_to_a_language(
    http: httpx.AsyncClient, accept: str, target: str
) -> None:
    answer = await http.get("/", headers={"Accept-Language": accept})
    assert (answer.status_code, answer.headers["location"]) == (303, target)
    assert answer.headers["vary"] == "Accept-Language"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["strict-transport-security"].startswith("max-age=")


PAGES = [
    *("/fr/", "/fr/choose", "/fr/vote", "/fr/privacy"),
    *("/en/", "/en/choose", "/en/vote", "/en/privacy", "/docs"),
]


@pytest.mark.parametrize("path", [*PAGES, "/fr/results", "/en/results"])
async def test_pages_are_shut_to_others(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    if path in PAGES:
        assert answer.headers["cache-control"] == "no-store, no-transform"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    assert not re.search(r"<style| style=|https?://(?!127\.0\.0\.1)| on\w+=", answer.text)
    for script in re.findall(r"<script.*?</script>", answer.text, re.DOTALL):
        assert re.fullmatch(
            r'<script src="/static/\w+\.js" (defer|type="module")></script>', script
        )
    assert f'<html lang="{"fr" if path.startswith("/fr") else "en"}">' in answer.text


STYLE_LINES_MAX = 260


async def test_the_first_page_is_light(http: httpx.AsyncClient) -> None:
    page = await http.get("/fr/")
    loaded = [
        await http.get(path) for path in re.findall(r'(?:src|href)="(/static/\S+)"', page.text)
    ]
    assert {answer.status_code for answer in loaded} == {200}
    assert sum(len(answer.content) for answer in [page, *loaded]) < 40_000
    (script,) = [answer for answer in loaded if "javascript" in answer.headers["content-type"]]
    assert len(script.content) < 5_000
    (style,) = [answer for answer in loaded if "css" in answer.headers["content-type"]]
    assert style.text.count("\n") <= STYLE_LINES_MAX
    assert "@import" not in style.text
    assert "url(" not in style.text


async def test_the_way_to_a_vote(http: httpx.AsyncClient, elector: Elector) -> None:
    """As a browser without scripts goes it: links, forms, hidden fields."""
    welcome = (await http.get("/fr/")).text
    assert 'href="/fr/choose"' in welcome
    assert "Loi &lt;" in welcome
    choose = (await http.get("/fr/choose")).text
    assert hidden_id(choose) != hidden_id((await http.get("/fr/choose")).text)
    form = {"request_id": hidden_id(choose)}
    nothing = await http.post("/fr/review", data=form)
    assert (nothing.status_code, 'href="#law_id"' in nothing.text) == (400, True)
    assert 'href="#vote"' in nothing.text
    form |= {"law_id": elector.law_id, "vote": "non"}
    kept = await http.post("/en/choose", data=form)
    assert 'value="non" checked' in kept.text, "the other language shows what was chosen"
    assert hidden_id(kept.text) == form["request_id"]
    review = (await http.post("/fr/review", data=form)).text
    assert "Vous êtes sur le point de voter <strong>Non</strong>" in review
    for name, keys in (("nas", "numeric"), ("code", "text")):
        assert f'<label for="{name}">' in review
        (field,) = re.findall(rf'<input id="{name}"[^>]*>', review)
        assert f'name="{name}" ' in field
        assert f'inputmode="{keys}"' in field
        assert 'autocomplete="off"' in field
    assert re.search(r'<form id="ballot"[^>]* method="post"[^>]* autocomplete="off"', review)
    sent = {name: hidden(review, name) for name in ("request_id", "law_id", "vote")}
    assert sent == form
    cast = await http.post("/fr/vote", data=form | {"nas": elector.nas, "code": elector.code})
    assert cast.status_code == 202
    assert receipt_number(UUID(form["request_id"])) in cast.text
    assert form["request_id"] not in cast.text, "with NAS and code it would tell the choice"


async def test_however_nas_and_code_are_written(http: httpx.AsyncClient, elector: Elector) -> None:
    nas = f" {elector.nas[:3]}-{elector.nas[3:6]}-{elector.nas[6:]} "
    code = f"{elector.code[:3].lower()} {elector.code[3:].lower()}"
    form = elector._asdict() | {"nas": nas, "code": code, "vote": "oui", "request_id": new_id()}
    assert (await http.post("/fr/vote", data=form)).status_code == 202


@pytest.mark.parametrize("step", ["choose", "review"])
async def test_no_step_repeats_nas_or_code(
    http: httpx.AsyncClient, elector: Elector, step: str
) -> None:
    """Changing language or choice sends what was typed as well; it stays unread."""
    form = {**elector._asdict(), "vote": "non", "request_id": new_id()}
    page = await http.post(f"/en/{step}", data=form)
    assert page.status_code == 200
    assert elector.nas not in page.text
    assert elector.code not in page.text
    assert hidden_id(page.text) == form["request_id"]


async def test_a_vote_and_what_follows(http: httpx.AsyncClient, elector: Elector) -> None:
    request_id = hidden_id((await http.get("/fr/choose")).text)
    form = {**elector._asdict(), "vote": "oui", "request_id": request_id}
    accepted = await http.post("/fr/vote", data=form)
    assert accepted.status_code == 202
    assert "Votre vote est enregistré" in accepted.text
    assert receipt_number(UUID(request_id)) in accepted.text
    again = await http.post("/fr/vote", data=form)
    assert again.status_code == 202, "the same form sent twice is one vote"
    changed = await http.post("/en/vote", data=form | {"vote": "non"})
    assert (changed.status_code, "with another choice" in changed.text) == (422, True)
    duplicate = await http.post("/en/vote", data=form | {"request_id": new_id()})
    assert duplicate.status_code == 409
    assert "Tries since your vote: 1" in duplicate.text
    for page in (accepted, again, changed, duplicate):
        assert page.headers["cache-control"] == "no-store, no-transform"
        assert "set-cookie" not in page.headers
        assert elector.nas not in page.text
        assert elector.code not in page.text


async def test_closed_and_coming(
    http: httpx.AsyncClient, electors: dict[str, Iterator[Elector]]
) -> None:
    for law_id, said in ((CLOSED, "Voting has ended"), (COMING, "Voting is not open yet<")):
        form = {**next(electors[law_id])._asdict(), "vote": "oui", "request_id": new_id()}
        answer = await http.post("/en/vote", data=form)
        assert (answer.status_code, said in answer.text) == (403, True)
        assert "is not recorded" in answer.text


def checksummed(nas: str) -> str:
    """Return the NAS with its last digit set so that the checksum holds."""
    return nas[:-1] + luhn.calc_check_digit(nas[:-1])


async def test_not_on_the_roll_looks_the_same_whichever_part_is_wrong(
    http: httpx.AsyncClient, elector: Elector, electors: dict[str, Iterator[Elector]]
) -> None:
    """What differs is what was typed: the request id, and the hint on a NAS that fails its sum."""
    request_id, stranger = new_id(), next(electors[OPEN])
    right = {**elector._asdict(), "vote": "oui", "request_id": request_id}
    wrong = [
        right | {"code": "WRONG99"},
        right | {"code": stranger.code},
        right | {"nas": stranger.nas},
        right | {"nas": "046454286"},
    ]
    answers = [await http.post("/fr/vote", data=form) for form in wrong]
    assert {answer.status_code for answer in answers} == {403}
    assert "ne vous trouvons pas sur la liste" in answers[0].text
    hint = re.compile(r" <strong>Il y a sans doute une faute de frappe dans le NAS.*?</strong>")
    assert len({hint.sub("", answer.text) for answer in answers}) == 1
    for form, answer in zip(wrong, answers, strict=True):
        assert bool(hint.search(answer.text)) == (form["nas"] != checksummed(form["nas"]))
    assert (await http.post("/fr/vote", data=right)).status_code == 202


SHOWN = {
    "invalid": "We cannot find you",
    "unconfirmed": "Your vote is not confirmed yet",
    "failures": "too many tries from your network",
    "slow": "Many people are voting",
}


@pytest.mark.parametrize("shown", SHOWN)
async def test_the_other_language_says_what_this_one_said(
    http: httpx.AsyncClient, elector: Elector, shown: str
) -> None:
    form = {**elector._asdict(), "vote": "oui", "request_id": new_id(), "shown": shown}
    page = await http.post("/en/review", data=form)
    assert (page.status_code, SHOWN[shown] in page.text) == (200, True)
    assert f'formaction="/fr/review" name="shown" value="{shown}"' in page.text, "and back"
    assert hidden_id(page.text) == form["request_id"]
    assert elector.code not in page.text


async def test_the_other_language_says_what_is_wrong(http: httpx.AsyncClient) -> None:
    form = {"request_id": new_id(), "vote": "oui", "shown": "errors"}
    page = await http.post("/en/choose", data=form)
    assert (page.status_code, "Choose a law." in page.text) == (400, True)
    assert "Choose yes or no." not in page.text
    made_up = await http.post("/en/review", data=form | {"law_id": OPEN, "shown": "made-up"})
    assert (made_up.status_code, "made-up" in made_up.text) == (200, False)


async def test_a_wrong_field_keeps_the_id_and_forgets_the_secrets(
    http: httpx.AsyncClient, elector: Elector
) -> None:
    form = {**elector._asdict(), "vote": "non", "request_id": new_id(), "nas": "9998887771"}
    answer = await http.post("/en/vote", data=form)
    assert answer.status_code == 400
    assert "SIN" in answer.text
    assert hidden_id(answer.text) == form["request_id"]
    assert hidden(answer.text, "vote") == "non"
    assert 'href="#nas"' in answer.text
    assert 'href="#code"' not in answer.text
    assert "9998887771" not in answer.text
    assert elector.code not in answer.text
    assert not re.search(r'<input id="(nas|code)"[^>]* value=', answer.text)


@pytest.mark.parametrize("sign", ["\u200b", "\u200e", "\u2013", "."])
@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "Si vous l’avez collé, tapez-le."), ("en", "If you pasted it, type")],
)
async def test_a_sign_that_came_by_pasting_is_told_of(
    http: httpx.AsyncClient, elector: Elector, language: str, said: str, sign: str
) -> None:
    """Some cannot be seen: that there are 9 digits, or 6 letters, would be no news to the voter."""
    form = {**elector._asdict(), "vote": "non", "request_id": new_id()}
    pasted = {name: form[name][:3] + sign + form[name][3:] for name in ("nas", "code")}
    answer = await http.post(f"/{language}/vote", data=form | pasted)
    assert (answer.status_code, said in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_forms_from_other_sites_are_refused(
    http: httpx.AsyncClient, elector: Elector, headers: dict[str, str], status: int
) -> None:
    form = {**elector._asdict(), "vote": "oui", "request_id": new_id()}
    answer = await http.post("/fr/vote", data=form, headers=headers)
    assert answer.status_code == status
    same = await http.post("/fr/vote", data=form, headers={"Origin": str(http.base_url)})
    assert same.status_code == 202, "and a refused form was not counted"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"nas=1", 400),
        (b"nas=1&nas=2&code=a&law_id=b&vote=oui", 400),
        (b"&".join(b"a%d=1" % number for number in range(50)), 400),
        (b"nas=%FF&code=a&law_id=b&vote=oui", 400),
        (b"nas=\xff", 400),
        (b"nas=" + b"1" * 5000, 413),
    ],
)
async def test_forms_that_are_not_whole(
    http: httpx.AsyncClient, content: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await http.post("/fr/vote", content=content, headers=headers)
    assert answer.status_code == status
    assert ">La demande est refusée</h1>" in answer.text


async def test_pages_that_are_not_there_are_pages(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fr/rien")
    assert (answer.status_code, "Il n’y a rien ici." in answer.text) == (404, True)
    for path in ("review", "vote"):
        put = await http.put(f"/en/{path}")
        assert put.status_code == 405
        assert set(put.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
        page = (await http.get(f"/en/{path}")).text
        assert "Did your vote arrive?" in page
        assert f'href="/fr/{path}"' in page


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("path", ["/vote", "/FR/", "/en.", "//fr/"])
async def test_a_mistyped_address_is_answered_to_people_as_a_page(
    http: httpx.AsyncClient, path: str
) -> None:
    url = f"{http.base_url}".rstrip("/") + path
    person = {"Accept": BROWSER, "Accept-Language": "fr-CA"}
    page = await http.get(url, headers=person)
    assert page.status_code == 404
    assert "Cette page n’existe pas</h1>" in page.text
    assert 'href="/fr/"' in page.text
    program = await http.get(url)
    assert program.headers["content-type"] == "application/problem+json"


async def test_the_api_answers_documents_whatever_is_accepted(http: httpx.AsyncClient) -> None:
    for path, status in (("/api/v1/nothing", 404), ("/api/v1/vote", 405)):
        answer = await http.get(path, headers={"Accept": BROWSER})
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


async def test_with_one_law_there_is_nothing_to_choose_but_the_vote() -> None:
    """Before Redis is there at all: pages need it for the vote alone."""
    app, _ = make_app(Settings(), open_election(OPEN), CollectorRegistry(), lambda: None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
        page = (await http.get("/fr/choose")).text
        assert hidden(page, "law_id") == OPEN
        form = {"law_id": OPEN, "vote": "oui", "request_id": hidden_id(page)}
        assert "Loi L2025-001" in (await http.post("/fr/review", data=form)).text


async def test_who_goes_away_while_sending_a_form_is_no_failure() -> None:
    registry = CollectorRegistry()
    app, _ = make_app(Settings(), open_election(OPEN), registry, lambda: None)
    kind = (b"content-type", b"application/x-www-form-urlencoded")
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/en/vote", "raw_path": b"/en/vote", "root_path": "", "query_string": b"",
        "headers": [kind, (b"content-length", b"100")],
        "client": ("203.0.113.7", 4711), "server": ("edge", 80),
    }  # fmt: skip
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"vote=oui", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(_: MutableMapping[str, Any]) -> None:
        """Lead nowhere."""

    await app(scope, receive, send)
    assert messages == []
    counted = re.findall(
        r'_count{route="/en/vote",status="(\d+)"}', generate_latest(registry).decode()
    )
    assert counted == ["400"]


@pytest.mark.parametrize(
    ("hours", "said"),
    [((-0.001, 24), "Voting is not open yet"), ((-24, 0.001), "Voting has ended")],
)
async def test_refused_by_a_server_whose_clock_is_another_it_is_the_nearer_end(
    monkeypatch: pytest.MonkeyPatch, hours: tuple[float, float], said: str
) -> None:
    opens_at, closes_at = (datetime.now(UTC) + timedelta(hours=hour) for hour in hours)
    law = msgspec.structs.replace(
        open_election(OPEN).laws[0], opens_at=opens_at, closes_at=closes_at
    )
    election = msgspec.structs.replace(open_election(OPEN), laws=[law])

    async def refuse(*_: object) -> Cast:
        return Cast("closed")

    monkeypatch.setattr(VotingDesk, "cast", refuse)
    app, _ = make_app(Settings(), election, CollectorRegistry(), lambda: None)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
        form = {"nas": "046454286", "code": "AB12CD34", "law_id": OPEN, "vote": "oui"}
        answer = await http.post("/en/vote", data=form | {"request_id": new_id()})
    assert answer.status_code == 403
    assert said in answer.text
