"""Nobody on the wire learns a choice from how long an answer is: every step, refusal and error."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from edge.words import LANGUAGES
from shards.localcluster import LocalCluster
from shards.ports import free_ports
from tests.integration.edge.conftest import CLOSED, COMING, OPEN, Elections, ballot, new_id
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector

Electors = dict[str, Iterator[Elector]]
OTHER = {"oui": "non", "non": "oui"}


class Case(NamedTuple):
    """One answer: what is sent, and what was sent before it."""

    status: int
    changes: dict[str, str] | None = None
    law_id: str = OPEN
    before: str = ""  # "same": the same elector, "changed": the same request id, another choice


VOTES = {
    "accepted": Case(202),
    "duplicate": Case(409, before="same"),
    "changed": Case(422, before="changed"),
    "wrong code": Case(403, {"code": "WRONG99"}),
    "closed": Case(403, law_id=CLOSED),
    "coming": Case(403, law_id=COMING),
    "no NAS": Case(400, {"nas": ""}),
    "no code": Case(400, {"code": ""}),
    "unusual NAS": Case(400, {"nas": "123456789", "code": ""}),
    "no law": Case(400, {"law_id": ""}),
    "no request id": Case(400, {"request_id": "x"}),
    "too large": Case(413, {"code": "A" * 5000}),
}
STEPS = {
    "choose": Case(200),
    "choose errors": Case(400, {"law_id": "", "shown": "errors"}),
    "review": Case(200),
    "review errors": Case(400, {"law_id": ""}),
    **{f"review {s}": Case(200, {"shown": s}) for s in ("invalid", "unconfirmed", "failures")},
}


async def send(
    http: httpx.AsyncClient, path: str, language: str, body: dict[str, object]
) -> httpx.Response:
    """Send a form to a page, a document to the API."""
    if path.startswith("/api/"):
        return await http.post(path, json=body, headers={"Accept-Language": language})
    return await http.post(path, data=body)


def lengths(answer: httpx.Response) -> tuple[int, int, list[tuple[bytes, int]]]:
    """Return all that can be seen of an answer through TLS, and more: each header's length."""
    headers = [(name, len(value)) for name, value in answer.headers.raw]
    return answer.status_code, len(answer.content), headers


async def answers(
    http: httpx.AsyncClient, path: str, language: str, case: Case, electors: Electors
) -> list[httpx.Response]:
    """Return the answers to *oui* and to *non*, each of somebody who did nothing before."""
    found = []
    for vote in OTHER:
        body = ballot(next(electors[case.law_id]), vote, request_id=new_id())
        if case.before == "same":
            await send(http, path, language, body | {"request_id": new_id()})
        elif case.before == "changed":
            await send(http, path, language, body | {"vote": OTHER[vote]})
        found.append(await send(http, path, language, body | (case.changes or {})))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", STEPS)
async def test_the_steps(edge: EdgeProcess, electors: Electors, name: str, language: str) -> None:
    path = f"/{language}/{name.partition(' ')[0]}"
    async with httpx.AsyncClient(base_url=edge.url) as http:
        oui, non = await answers(http, path, language, STEPS[name], electors)
    assert oui.status_code == STEPS[name].status
    assert lengths(oui) == lengths(non)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", VOTES)
@pytest.mark.parametrize("path", ["/{}/vote", "/api/v1/vote"])
async def test_what_becomes_of_a_vote(
    edge: EdgeProcess, electors: Electors, path: str, name: str, language: str
) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        oui, non = await answers(http, path.format(language), language, VOTES[name], electors)
    assert oui.status_code == VOTES[name].status
    assert lengths(oui) == lengths(non)


@pytest.mark.parametrize("limit", ["client_rate_limit_per_s", "client_failure_limit_per_min"])
async def test_who_is_held(
    loaded: LocalCluster, elections: Elections, electors: Electors, tmp_path: Path, limit: str
) -> None:
    settings = {"redis_url": loaded.url, "election": elections.live}
    async with (
        EdgeProcess(tmp_path, **settings, **{limit: 1}) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        for language in LANGUAGES:
            for path in (f"/{language}/vote", "/api/v1/vote"):
                seen: dict[str, object] = {}
                while len(seen) < len(OTHER):
                    for vote, answer in zip(
                        OTHER,
                        await answers(http, path, language, VOTES["wrong code"], electors),
                        strict=True,
                    ):
                        if answer.status_code == 429:
                            seen[vote] = lengths(answer)
                assert seen["oui"] == seen["non"]


async def test_while_redis_is_away(
    elections: Elections, electors: Electors, tmp_path: Path
) -> None:
    redis_url = f"redis://127.0.0.1:{free_ports(1)[0]}"
    edge = EdgeProcess(tmp_path, redis_url=redis_url, election=elections.live)
    edge.process.start()
    try:
        await edge.wait("/api/v1/health")
        async with httpx.AsyncClient(base_url=edge.url) as http:
            for language in LANGUAGES:
                for path in (f"/{language}/vote", "/api/v1/vote"):
                    oui, non = await answers(http, path, language, VOTES["accepted"], electors)
                    assert oui.status_code == 503
                    assert lengths(oui) == lengths(non)
    finally:
        edge.process.stop()
