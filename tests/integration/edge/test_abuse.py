"""Guessing, injecting, and sending too much or too slowly."""

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from shards.localcluster import LocalCluster
from tests.integration.edge.conftest import COMING, OPEN, Documented, Elections, ballot, new_id
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector

GUESSES = 80
FORM = "application/x-www-form-urlencoded"


async def test_who_guesses_is_held_and_who_votes_is_not(
    loaded: LocalCluster,
    elections: Elections,
    electors: dict[str, Iterator[Elector]],
    elector: Elector,
    tmp_path: Path,
) -> None:
    """By API and by page alike, and by address; people behind one address vote as they come."""
    async with (
        EdgeProcess(
            tmp_path,
            redis_url=loaded.url,
            election=elections.live,
            client_failure_limit_per_min=5,
            client_rate_limit_per_s=1000,
            trusted_proxies="127.0.0.0/8",
        ) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        school = {"X-Forwarded-For": "203.0.113.1"}
        for _ in range(40):
            body = ballot(next(electors[OPEN]))
            assert (await http.post("/api/v1/vote", json=body, headers=school)).status_code == 202

        guesser = {"X-Forwarded-For": "203.0.113.2"}
        wrong = ballot(elector._replace(code="WRONG99"), request_id=new_id())
        for _ in range(3):
            assert (await http.post("/api/v1/vote", json=wrong, headers=guesser)).status_code == 403
            await http.post("/fr/vote", data=wrong, headers=guesser)
        held = await http.post("/api/v1/vote", json=ballot(elector), headers=guesser)
        assert (held.status_code, held.json()["type"]) == (429, "/docs#too-many-failures")
        assert held.headers["retry-after"] == "10"
        page = await http.post("/fr/vote", data=wrong, headers=guesser)
        assert (page.status_code, "trop d’essais" in page.text) == (429, True)
        assert str(wrong["request_id"]) in page.text
        answer = await http.post("/api/v1/vote", json=ballot(elector), headers=school)
        assert answer.status_code == 202, "the guess that hit nothing was not decided either"


async def test_a_failed_identification_takes_as_long_whichever_part_is_wrong(
    edge: EdgeProcess, electors: dict[str, Iterator[Elector]]
) -> None:
    """Taken in turns, so that what else the machine does falls on both alike."""
    known, stranger = next(electors[OPEN]), next(electors[COMING])
    guesses = {
        "code": known._replace(code=stranger.code),
        "nas": known._replace(nas=stranger.nas),
        "neither": Elector("000000000", "AAAAAA", OPEN),
    }
    times: dict[str, list[float]] = {part: [] for part in guesses}
    async with httpx.AsyncClient(base_url=edge.url) as http:
        for _ in range(GUESSES):
            for part, guess in guesses.items():
                started = time.perf_counter()
                answer = await http.post("/fr/vote", data=ballot(guess, request_id=new_id()))
                times[part].append(time.perf_counter() - started)
                assert answer.status_code == 403
    medians = {part: statistics.median(taken) for part, taken in times.items()}
    assert max(medians.values()) < 1.5 * min(medians.values()), medians


@pytest.fixture
async def limiting(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> AsyncIterator[EdgeProcess]:
    """An edge that lets a client ask five times a second, and believes who the client is."""
    settings = {"redis_url": loaded.url, "election": elections.live}
    limits = {"client_rate_limit_per_s": 5, "trusted_proxies": "127.0.0.0/8"}
    async with EdgeProcess(tmp_path, **settings, **limits) as running:
        yield running


async def test_a_page_that_is_refused_is_a_page(limiting: EdgeProcess, elector: Elector) -> None:
    """The limit on reads leaves the vote alone: its page counts as a vote and keeps the form."""
    async with httpx.AsyncClient(base_url=limiting.url) as http:
        me = {"X-Forwarded-For": "203.0.113.3"}
        pages = await asyncio.gather(*(http.get("/fr/choose", headers=me) for _ in range(20)))
        refused = next(page for page in pages if page.status_code == 429)
        assert refused.headers["content-type"].startswith("text/html")
        assert "rechargez cette page" in refused.text
        assert refused.headers["retry-after"] == "1"
        assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]
        form = ballot(elector, request_id=new_id())
        votes = await asyncio.gather(
            *(http.post("/en/vote", data=form, headers=me) for _ in range(20))
        )
        held = next(page for page in votes if page.status_code == 429)
        assert f'name="request_id" value="{form["request_id"]}"' in held.text
        assert "Many people are voting" in held.text


@pytest.mark.parametrize("text", ["{{7*191}}", "{% raw %}", "%(x)s", "<script>alert(1)</script>"])
@pytest.mark.parametrize("field", ["nas", "code", "law_id", "vote", "request_id", "shown"])
@pytest.mark.parametrize("step", ["choose", "review", "vote"])
async def test_nothing_typed_is_run_or_repeated(
    edge: EdgeProcess, elector: Elector, step: str, field: str, text: str
) -> None:
    form = {**elector._asdict(), "vote": "oui", "request_id": new_id(), field: text}
    async with httpx.AsyncClient(base_url=edge.url) as http:
        answer = await http.post(f"/fr/{step}", data=form)
    assert answer.status_code in {200, 202, 400}
    assert text not in answer.text
    assert "1337" not in answer.text.replace(form["request_id"], "")


async def test_an_election_with_markup_in_its_texts(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> None:
    file = tmp_path / "election.toml"
    marked = elections.live.read_text().replace("Texte de la loi", "{{7*191}}<b onclick=x>%(law)s")
    file.write_text(marked)
    async with (
        EdgeProcess(tmp_path, redis_url=loaded.url, election=file) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        for path in ("/fr/", "/fr/choose"):
            page = (await http.get(path)).text
            assert "{{7*191}}&lt;b onclick=x&gt;%(law)s" in page


@pytest.mark.parametrize(
    "path",
    [
        "/fr/%0d%0aSet-Cookie:%20a=b",
        "/fr/results?every=30%0d%0aSet-Cookie:%20a=b",
        "/%0d%0aSet-Cookie:%20a=b",
        "//evil.example/",
    ],
)
async def test_no_address_makes_a_header(edge: EdgeProcess, path: str) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        answer = await http.get(edge.url + path, headers={"Accept-Language": "fr,\ten"})
    assert "set-cookie" not in answer.headers
    assert "refresh" not in answer.headers
    assert "evil" not in answer.headers.get("location", "")
    assert answer.status_code in {200, 404}


@pytest.mark.parametrize("step", ["choose", "review", "vote"])
async def test_a_form_that_comes_too_slowly(edge: EdgeProcess, step: str) -> None:
    """The edge of these tests gives a body one second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    head = f"POST /en/{step} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n"
    writer.write(head.encode() + b"Content-Length: 100\r\n\r\nnas=")
    await writer.drain()
    status = await asyncio.wait_for(reader.readline(), 10)
    assert status.split()[1] == b"408"
    writer.close()


@pytest.mark.parametrize(
    ("path", "kind", "answered"),
    [
        ("/api/v1/vote", "application/json", "application/problem+json"),
        ("/en/vote", FORM, "text/html; charset=utf-8"),
    ],
)
async def test_a_chunk_that_is_none(edge: EdgeProcess, path: str, kind: str, answered: str) -> None:
    """The server takes it for a client that went away; it is one that waits for its answer."""
    counted = f'_count{{route="{path}",status="400"}} '
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n"
    writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n")
    answer = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 400 ")
    assert f"content-type: {answered}\r\n" in answer
    assert "The body did not arrive whole" in answer
    async with httpx.AsyncClient(base_url=edge.url) as http:
        assert counted in (await http.get("/metrics")).text


@pytest.mark.parametrize("step", ["choose", "review", "vote"])
async def test_a_form_that_is_too_large(edge: EdgeProcess, step: str) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        answer = await http.post(f"/en/{step}", data={"nas": "1" * 5000})
    assert answer.status_code == 413
    assert not re.search("1{9}", answer.text)


async def test_a_client_over_its_rate_is_told_when_to_return(
    limiting: EdgeProcess, elector: Elector
) -> None:
    async with httpx.AsyncClient(base_url=limiting.url) as http:
        # the document is asked for as another client
        document = await http.get("/openapi.json", headers={"X-Forwarded-For": "203.0.113.99"})
        api = Documented(http, document.json())
        first = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5"}
        forged = {"X-Forwarded-For": "198.51.100.8, 203.0.113.5"}
        other = {"X-Forwarded-For": "203.0.113.6"}
        statuses = [(await api.vote(ballot(elector), first)).status_code for _ in range(5)]
        assert 429 not in statuses
        refused = await asyncio.gather(*(api.vote(ballot(elector), forged) for _ in range(20)))
        limited = [answer for answer in refused if answer.status_code == 429]
        assert limited, "what a client writes itself into the header does not count"
        assert limited[0].headers["retry-after"] == "1"
        assert limited[0].json()["type"] == "/docs#rate-limited"
        assert (await api.vote(ballot(elector), other)).status_code == 409
        pages = await asyncio.gather(
            *(http.post("/fr/vote", data=ballot(elector), headers=first) for _ in range(20))
        )
        held = next(page for page in pages if page.status_code == 429)
        assert held.headers["retry-after"] == "1"
        assert "Veuillez réessayer" in held.text


@pytest.mark.parametrize("host", ["evil.example", "a//evil.example"])
@pytest.mark.parametrize("path", ["/fr", "/fr/vote/", "/api/v1/laws/"])
async def test_no_answer_sends_to_the_host_that_a_client_names(
    edge: EdgeProcess, path: str, host: str
) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        answer = await http.get(path, headers={"Host": host})
    assert answer.headers.get("location", "") in {"", "/fr/"}
    assert answer.status_code == (308 if path == "/fr" else 404)
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_flood_of_reads_leaves_metrics_to_who_watches(
    loaded: LocalCluster, elections: Elections, tmp_path: Path
) -> None:
    """From many addresses, each within its own rate."""
    settings = {"redis_url": loaded.url, "election": elections.live}
    limits = {"rate_limit_per_s": 20, "trusted_proxies": "127.0.0.0/8"}
    async with (
        EdgeProcess(tmp_path, **settings, **limits) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):

        async def read(path: str, host: int) -> int:
            address = {"X-Forwarded-For": f"198.51.100.{host}"}
            return (await http.get(path, headers=address)).status_code

        flood = await asyncio.gather(*(read("/api/v1/laws", host) for host in range(1, 200)))
        assert 429 in flood
        assert await read("/metrics", 200) == 200


@pytest.mark.parametrize(
    ("count", "size", "status"), [(50, 10, 200), (101, 10, 431), (2, 9000, 431)]
)
async def test_more_headers_than_there_may_be(
    edge: EdgeProcess, count: int, size: int, status: int
) -> None:
    headers = {f"X-{number}": "a" * size for number in range(count)}
    async with httpx.AsyncClient(base_url=edge.url) as http:
        answer = await http.get("/api/v1/ready", headers=headers)
    assert answer.status_code == status
    assert bool(answer.content) == (status == 200)


@pytest.mark.parametrize("path", ["/", "/fr", "/docs"])
async def test_whoever_types_the_address_in_a_flood_is_told_to_wait_by_a_page(
    limiting: EdgeProcess, path: str
) -> None:
    async with httpx.AsyncClient(base_url=limiting.url) as http:
        person = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "fr"}
        person["X-Forwarded-For"] = f"198.51.100.{len(path)}"
        answers = await asyncio.gather(*(http.get(path, headers=person) for _ in range(30)))
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert refused.headers["retry-after"] == "1"
    assert "Attendez un peu, puis rechargez cette page." in refused.text


async def test_metrics_are_limited_and_probes_are_not(
    limiting: EdgeProcess, elector: Elector
) -> None:
    async with httpx.AsyncClient(base_url=limiting.url) as http:
        other = {"X-Forwarded-For": "203.0.113.99"}
        api = Documented(http, (await http.get("/openapi.json", headers=other)).json())
        answers = await asyncio.gather(*(api.get("/metrics") for _ in range(30)))
        assert sum(answer.status_code == 200 for answer in answers) >= 5
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused[0].json()["type"] == "/docs#rate-limited"
        for path in ("/api/v1/health", "/api/v1/ready"):
            assert {(await api.get(path)).status_code for _ in range(30)} == {200}
        assert (await api.vote(ballot(elector), other)).status_code == 202
