"""The auditors' pages: shut without a token, read-only with one, decided once."""

import re
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from shards.client import ShardClient
from shards.command import pack
from shards.localcluster import LocalCluster
from shards.review import CasesSnapshot, ReviewCase, ReviewDesk
from tests.integration.edge.conftest import Elections, ballot
from tests.support.edges import EdgeProcess, until
from tests.support.rolls import Elector

READING, WRITING = "a-token-to-look-with", "a-token-to-decide-with"
AUDE, BEA = ("Aude", WRITING), ("Béa", WRITING)
AT_MS = 1_790_035_199_800
HIDDEN = re.compile(r'name="(case|act|seal)" value="([^"]+)"')


def case_of(name: str, law_id: str = "L2025-001") -> ReviewCase:
    return ReviewCase(name * 32, "duplicate", law_id, 3, 1, AT_MS, AT_MS + 1000)


@pytest.fixture
async def site(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> AsyncIterator[EdgeProcess]:
    for name, token in (("reading", READING), ("writing", WRITING)):
        (tmp_path / name).write_text(token)
    async with EdgeProcess(
        tmp_path,
        redis_url=loaded.url,
        election=elections.after_close,
        review_token_file=tmp_path / "reading",
        review_write_token_file=tmp_path / "writing",
        client_failure_limit_per_min=6,
        trusted_proxies="127.0.0.0/8",
    ) as running:
        yield running
        assert "a request failed" not in running.log, running.log
        assert READING not in running.log
        assert WRITING not in running.log


@pytest.fixture
async def http(site: EdgeProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url) as client:
        yield client


@pytest.fixture
async def desk(redis: ShardClient) -> ReviewDesk:
    """The desk, with one case published that nobody has worked on."""
    desk = ReviewDesk(redis)
    case = ReviewCase(uuid4().hex * 2, "duplicate", "L2025-001", 3, 1, AT_MS, AT_MS + 1000)
    await desk.publish(CasesSnapshot([case], AT_MS))
    return desk


async def form(
    http: httpx.AsyncClient, auth: tuple[str, str] | tuple[bytes, bytes]
) -> dict[str, str]:
    """Return the hidden fields of the one form that the page has."""
    page = await http.get("/review", auth=auth)
    assert page.status_code == 200
    fields = dict(HIDDEN.findall(page.text))
    assert fields.keys() == {"case", "act", "seal"}
    return fields


async def test_it_is_off_without_a_token_file(edge: EdgeProcess) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        for path in ("/review", "/review/trail"):
            assert (await http.get(path, auth=AUDE)).status_code == 404
        for path in ("/review/claim", "/review/resolve"):
            assert (await http.post(path, auth=AUDE)).status_code == 404


async def test_who_shows_no_token_is_refused_and_held(http: httpx.AsyncClient) -> None:
    for path in ("/review", "/review/trail"):
        answer = await http.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Basic realm="review"')
    assert (await http.post("/review/claim", data={"case": "a"})).status_code == 401
    guesses = [await http.get("/review", auth=("Aude", f"guess {n}")) for n in range(10)]
    assert [answer.status_code for answer in guesses][:6] == [401] * 6
    assert guesses[-1].status_code == 429


async def test_the_first_token_looks_and_never_acts(
    http: httpx.AsyncClient, desk: ReviewDesk
) -> None:
    page = await http.get("/review", auth=("Aude", READING))
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store, no-transform"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<form" not in page.text
    fields = await form(http, AUDE)
    for path in ("/review/claim", "/review/resolve"):
        data = {**fields, "decision": "harmless", "why": "why"}
        answer = await http.post(path, data=data, auth=("Aude", READING))
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs#read-only")
        nameless = await http.post(path, data=data, auth=("", WRITING))
        assert nameless.status_code == 403
    assert await desk.history(fields["case"]) == []


async def test_a_case_is_taken_and_decided(http: httpx.AsyncClient, desk: ReviewDesk) -> None:
    fields = await form(http, AUDE)
    taken = await http.post("/review/claim", data=fields, auth=AUDE)
    assert (taken.status_code, taken.headers["location"]) == (303, "/review")
    late = await http.get("/review", auth=BEA)
    assert "<form" not in late.text
    assert "Aude has it until" in late.text
    decision = await form(http, AUDE)
    answer = {**decision, "decision": "suspect", "why": "Three times <in> a minute."}
    for _ in range(2):  # the button pressed twice
        assert (await http.post("/review/resolve", data=answer, auth=AUDE)).status_code == 303
    trail = await http.get("/review/trail", auth=("", READING))
    assert "Three times &lt;in&gt; a minute." in trail.text
    assert "Aude decided" in trail.text
    entries = await desk.history(fields["case"])
    assert [(e.action, e.auditor, e.decision) for e in entries] == [
        ("claim", "Aude", ""),
        ("resolve", "Aude", "suspect"),
    ]


async def test_one_auditor_in_two_spellings(http: httpx.AsyncClient, desk: ReviewDesk) -> None:
    composed, apart = [
        (unicodedata.normalize(form, "Zoë Côté अनीता").encode(), WRITING.encode())
        for form in ("NFC", "NFD")
    ]
    fields = await form(http, apart)
    assert (await http.post("/review/claim", data=fields, auth=apart)).status_code == 303
    data = {**await form(http, composed), "decision": "harmless", "why": "why"}
    assert (await http.post("/review/resolve", data=data, auth=composed)).status_code == 303
    entries = await desk.history(fields["case"])
    assert [entry.auditor for entry in entries] == ["Zoë Côté अनीता"] * 2


async def test_a_name_that_is_refused_is_told_why(
    http: httpx.AsyncClient, desk: ReviewDesk
) -> None:
    refused = await http.get("/review", auth=("<Aude>", WRITING))
    assert "This name cannot be used." in refused.text
    assert "Aude" not in refused.text
    assert "<form" not in refused.text
    for nobody in (("", WRITING), ("<Aude>", READING)):
        assert "This name cannot be used." not in (await http.get("/review", auth=nobody)).text


async def test_two_auditors_press_at_once(http: httpx.AsyncClient, desk: ReviewDesk) -> None:
    forms = {auth: await form(http, auth) for auth in (AUDE, BEA)}
    answers = [await http.post("/review/claim", data=forms[auth], auth=auth) for auth in forms]
    assert [answer.status_code for answer in answers] == [303, 409]
    assert "Aude has this case." in answers[1].text


async def test_a_forged_form_does_nothing(http: httpx.AsyncClient, desk: ReviewDesk) -> None:
    fields = await form(http, AUDE)
    other = await form(http, BEA)
    forged = [
        ({**fields, "seal": "0" * 64}, {}, 403),
        ({**fields, "seal": other["seal"]}, {}, 403),
        ({**fields, "case": "0f" * 32}, {}, 403),
        ({**fields, "act": str(uuid4())}, {}, 403),
        (fields, {"Origin": "https://example.org"}, 403),
        (fields, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({k: v for k, v in fields.items() if k != "seal"}, {}, 400),
        ({**fields, "act": "none"}, {}, 400),
    ]
    for data, headers, status in forged:
        answer = await http.post("/review/claim", data=data, headers=headers, auth=AUDE)
        assert answer.status_code == status, data
    by_other = await http.post("/review/claim", data=fields, auth=BEA)
    assert by_other.status_code == 403, "a form is good for who got it"
    as_resolve = {**fields, "decision": "harmless", "why": "why"}
    assert (await http.post("/review/resolve", data=as_resolve, auth=AUDE)).status_code == 403
    as_json = await http.post("/review/claim", json=fields, auth=AUDE)
    assert as_json.status_code == 400
    assert await desk.history(fields["case"]) == []


@pytest.mark.parametrize("why", ["", "NAS 046 454 286", "x" * 501])
async def test_what_cannot_be_put_down_is_not_repeated(
    http: httpx.AsyncClient, desk: ReviewDesk, why: str
) -> None:
    await http.post("/review/claim", data=await form(http, AUDE), auth=AUDE)
    fields = await form(http, AUDE)
    data = {**fields, "decision": "harmless", "why": why}
    answer = await http.post("/review/resolve", data=data, auth=AUDE)
    assert answer.status_code == 400
    assert "Choose a decision and say why." in answer.text
    assert not why or why not in answer.text
    assert [entry.action for entry in await desk.history(fields["case"])] == ["claim"]


async def test_what_was_sent_as_a_law_is_text(http: httpx.AsyncClient, desk: ReviewDesk) -> None:
    await desk.publish(CasesSnapshot([case_of("0e", "<script>alert(1)</script>")], AT_MS))
    page = await http.get("/review", auth=("", READING), headers={"Accept-Language": "fr"})
    assert "&lt;script&gt;alert(1)" in page.text
    assert "Cas à revoir" in page.text


async def test_the_list_is_bounded_and_has_kinds(http: httpx.AsyncClient, desk: ReviewDesk) -> None:
    many = [
        ReviewCase(f"{n:064x}", "invalid" if n % 2 else "duplicate", "L1", n + 1, 1, AT_MS, AT_MS)
        for n in range(120)
    ]
    await desk.publish(CasesSnapshot(many, AT_MS))
    page = await http.get("/review", auth=("", READING))
    assert page.text.count("<section") == 50
    assert "50 / 120" in page.text
    page = await http.get("/review?kind=invalid", auth=("", READING))
    assert "50 / 60" in page.text
    assert (await http.get("/review?kind=<b>", auth=("", READING))).status_code == 200


async def test_an_edge_counts_refused_votes_by_network(
    site: EdgeProcess, redis: ShardClient, elector: Elector
) -> None:
    """What is kept is a tag: the address is in no key and no value."""
    client = {"X-Forwarded-For": "203.0.113.9"}

    async def counted() -> bool:
        async with httpx.AsyncClient(base_url=site.url, headers=client) as http:
            await http.post("/api/v1/vote", json=ballot(elector))
        keys_, _ = await everything(redis)
        return any(b":review:networks:" in key for key in keys_)

    await until(counted, "counts in Redis")
    keys_, values = await everything(redis)
    assert b"203.0.113" not in b"".join(keys_) + values


async def everything(redis: ShardClient) -> tuple[list[bytes], bytes]:
    """Return the keys of the review queue and what they hold."""
    found: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, keys_ = await redis.call(0, pack("SCAN", cursor, "MATCH", "{00}:review:*"))
        found += keys_
        if cursor == b"0":
            break
    dumps = [await redis.call(0, pack("DUMP", key)) for key in found]
    return found, b"".join(filter(None, dumps))
