"""The voters' pages, used as a browser without scripts would."""

import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.integration.edge.conftest import CLOSED, new_id
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector


@pytest.fixture
async def http(edge: EdgeProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        yield http


def hidden_id(page: str) -> str:
    found = re.search(r'name="request_id" value="([0-9a-f-]{36})"', page)
    assert found is not None, page
    return found[1]


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


@pytest.mark.parametrize("path", ["/fr/", "/en/", "/fr/results", "/en/results", "/docs"])
async def test_pages_are_shut_to_others_and_to_scripts(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script|<style| style=|https?://| on\w+=", answer.text)
    assert f'<html lang="{"fr" if path.startswith("/fr") else "en"}">' in answer.text


async def test_every_input_has_a_label_and_text_is_escaped(http: httpx.AsyncClient) -> None:
    page = (await http.get("/en/")).text
    for name in ("law_id", "nas", "code"):
        assert f'<label for="{name}">' in page
        assert f'id="{name}"' in page
    assert "Law &lt;" in page
    assert hidden_id(page) != hidden_id((await http.get("/en/")).text)
    assert 'hreflang="fr" href="/fr/"' in page


async def test_a_vote_and_what_follows(http: httpx.AsyncClient, elector: Elector) -> None:
    request_id = hidden_id((await http.get("/fr/")).text)
    form = {**elector._asdict(), "vote": "oui", "request_id": request_id}
    accepted = await http.post("/fr/vote", data=form)
    assert accepted.status_code == 202
    assert "Votre vote est enregistré" in accepted.text
    assert request_id in accepted.text
    again = await http.post("/fr/vote", data=form)
    assert again.status_code == 202, "the same form sent twice is one vote"
    changed = await http.post("/en/vote", data=form | {"vote": "non"})
    assert (changed.status_code, "used before" in changed.text) == (422, True)
    duplicate = await http.post("/en/vote", data=form | {"request_id": new_id()})
    assert duplicate.status_code == 409
    assert "Attempts since your vote: 1" in duplicate.text
    for page in (accepted, again, changed, duplicate):
        assert elector.nas not in page.text
        assert elector.code not in page.text


async def test_not_on_the_roll_and_closed(
    http: httpx.AsyncClient, electors: dict[str, Iterator[Elector]], elector: Elector
) -> None:
    form = {**elector._asdict(), "vote": "oui", "request_id": new_id()}
    answer = await http.post("/fr/vote", data=form | {"code": "WRONG99"})
    assert (answer.status_code, "pas sur la liste" in answer.text) == (403, True)
    form = {**next(electors[CLOSED])._asdict(), "vote": "oui", "request_id": new_id()}
    answer = await http.post("/en/vote", data=form)
    assert (answer.status_code, "Voting is not open" in answer.text) == (403, True)


async def test_a_wrong_field_keeps_the_id_and_forgets_the_secrets(
    http: httpx.AsyncClient, elector: Elector
) -> None:
    form = {**elector._asdict(), "vote": "non", "request_id": new_id(), "nas": "9998887771"}
    answer = await http.post("/en/vote", data=form)
    assert answer.status_code == 400
    assert "SIN" in answer.text
    assert hidden_id(answer.text) == form["request_id"]
    assert 'value="non" checked' in answer.text
    assert "9998887771" not in answer.text
    assert elector.code not in answer.text
    assert not re.search(r'<input id="(nas|code)"[^>]* value=', answer.text)


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
    assert "<h1>La requête est refusée</h1>" in answer.text


async def test_pages_that_are_not_there_are_pages(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fr/rien")
    assert (answer.status_code, "Il n&#39;y a rien ici" in answer.text) == (404, True)
    assert (await http.get("/en/vote")).status_code == 405
