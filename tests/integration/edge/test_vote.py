"""Every answer of POST /api/v1/vote, from a real edge on a real cluster."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.edge.conftest import CLOSED, COMING, OPEN, Documented, ballot, new_id
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector


async def test_accepted_then_duplicates_are_counted(api: Documented, elector: Elector) -> None:
    request_id = new_id()
    answer = await api.vote(ballot(elector, request_id=request_id))
    assert answer.status_code == 202
    assert answer.json() == {"request_id": request_id, "status": "accepted"}
    assert answer.headers["cache-control"] == "no-store"
    for attempt in (1, 2):
        other = new_id()
        answer = await api.vote(ballot(elector, "non", request_id=other))
        assert answer.status_code == 409
        expected = {"request_id": other, "status": "duplicate", "attempt_count": attempt}
        assert answer.json() == expected


async def test_a_retry_with_the_same_id_is_no_duplicate(api: Documented, elector: Elector) -> None:
    body = ballot(elector, request_id=new_id())
    first, again = await api.vote(body), await api.vote(body)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    answer = await api.vote(ballot(elector, request_id=new_id()))
    assert answer.json()["attempt_count"] == 1


async def test_the_same_id_with_another_choice_is_refused(
    api: Documented, elector: Elector
) -> None:
    request_id = new_id()
    await api.vote(ballot(elector, "oui", request_id=request_id))
    answer = await api.vote(ballot(elector, "non", request_id=request_id))
    assert answer.status_code == 422
    assert answer.json()["type"] == "/docs#request-id-reused"
    assert answer.json()["request_id"] == request_id


async def test_not_on_the_roll(api: Documented, elector: Elector) -> None:
    request_id = new_id()
    answer = await api.vote(ballot(elector._replace(code="WRONG99"), request_id=request_id))
    assert answer.status_code == 403
    assert answer.json() == {"request_id": request_id, "status": "invalid"}
    assert answer.headers["content-type"] == "application/json"


async def test_an_unknown_law_tells_nothing_more(api: Documented, elector: Elector) -> None:
    answer = await api.vote(ballot(elector._replace(law_id="L1999-999")))
    assert (answer.status_code, answer.json()["status"]) == (403, "invalid")


@pytest.mark.parametrize("law_id", [CLOSED, COMING])
async def test_outside_the_window(
    api: Documented, electors: dict[str, Iterator[Elector]], law_id: str
) -> None:
    answer = await api.vote(ballot(next(electors[law_id])))
    assert answer.status_code == 403
    assert answer.json()["status"] == "closed"
    laws = {law["id"]: law for law in (await api.get("/api/v1/laws")).json()["laws"]}
    assert answer.json()["opens_at"] == laws[law_id]["opens_at"]
    assert answer.json()["closes_at"] == laws[law_id]["closes_at"]


async def test_the_server_makes_an_id_when_none_is_given(api: Documented, elector: Elector) -> None:
    answer = await api.vote(ballot(elector))
    assert answer.status_code == 202
    assert uuid.UUID(answer.json()["request_id"]).version == 4


@pytest.mark.parametrize("form", ["{}", '"{}"'])
async def test_the_id_may_be_in_the_header(api: Documented, elector: Elector, form: str) -> None:
    request_id = new_id()
    headers = {"Idempotency-Key": form.format(request_id.upper())}
    answer = await api.vote(ballot(elector), headers)
    assert answer.json() == {"request_id": request_id, "status": "accepted"}
    answer = await api.vote(ballot(elector, request_id=request_id), headers)
    assert answer.status_code == 202, "both given and equal is a retry"


async def test_two_ids_that_differ_are_refused(api: Documented, elector: Elector) -> None:
    headers = {"Idempotency-Key": new_id()}
    answer = await api.vote(ballot(elector, request_id=new_id()), headers)
    assert answer.status_code == 400
    assert answer.json()["type"] == "/docs#request-ids-differ"
    assert answer.json()["field"] == "request_id"


async def test_a_header_that_is_no_uuid_is_refused(api: Documented, elector: Elector) -> None:
    answer = await api.vote(ballot(elector), {"Idempotency-Key": "abc"})
    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nas": "12345678X"}, "nas"),
        ({"nas": "12345678"}, "nas"),
        ({"nas": "１２３４５６７８９"}, "nas"),
        ({"nas": "٠١٢٣٤٥٦٧٨"}, "nas"),
        ({"nas": 123456789}, "nas"),
        ({"nas": None}, "nas"),
        ({"code": "ABC"}, "code"),
        ({"code": "ÀBCDEF"}, "code"),
        ({"code": ["ABC123"]}, "code"),
        ({"law_id": ""}, "law_id"),
        ({"law_id": "a|b"}, "law_id"),
        ({"vote": "peut-être"}, "vote"),
        ({"vote": True}, "vote"),
        ({"request_id": "1"}, "request_id"),
    ],
)
async def test_the_field_at_fault_is_named_and_its_value_is_not(
    api: Documented, elector: Elector, change: dict[str, object], field: str
) -> None:
    answer = await api.vote({**ballot(elector), **change})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["field"], problem["status"]) == (field, 400)
    value = str(next(iter(change.values())))
    assert len(value) < 4 or value not in answer.text
    assert elector.nas not in answer.text
    assert elector.code not in answer.text


@pytest.mark.parametrize("missing", ["nas", "code", "law_id", "vote"])
async def test_a_missing_field_is_named(api: Documented, elector: Elector, missing: str) -> None:
    body = ballot(elector)
    del body[missing]
    answer = await api.vote(body)
    assert (answer.status_code, answer.json()["field"]) == (400, missing)


async def test_spaces_hyphens_and_case_are_normalised(api: Documented, elector: Elector) -> None:
    nas = f"{elector.nas[:3]} {elector.nas[3:6]}-{elector.nas[6:]}"
    written = {**ballot(elector), "nas": nas, "code": f" {elector.code.lower()} ", "vote": "OUI"}
    assert (await api.vote(written)).status_code == 202
    assert (await api.vote(ballot(elector))).status_code == 409


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"vote"',
        b'{"nas": "\xff"}',
        b"\xef\xbb\xbf{}",
        b"[" * 4000,
        b'{"012345678": "x"}',
        b'{"nas":"\\ud800","code":"ABC123","law_id":"L","vote":"oui"}',
    ],
)
async def test_malformed_bodies(api: Documented, content: bytes) -> None:
    answer = await api.vote(None, content=content)
    assert (answer.status_code, answer.json()["type"]) == (400, "/docs#malformed")
    assert "012345678" not in answer.text


async def test_unknown_fields_are_refused(api: Documented, elector: Elector) -> None:
    answer = await api.vote(ballot(elector, **{"request-id": new_id()}))
    assert (answer.status_code, answer.json()["type"]) == (400, "/docs#malformed")


async def test_of_a_key_twice_the_last_counts(api: Documented, elector: Elector) -> None:
    request_id = new_id()
    text = json.dumps(ballot(elector, "oui", request_id=request_id))
    twice = text[:-1] + ', "vote": "non"}'
    assert (await api.vote(None, content=twice.encode())).status_code == 202
    assert (await api.vote(ballot(elector, "non", request_id=request_id))).status_code == 202
    assert (await api.vote(ballot(elector, "oui", request_id=request_id))).status_code == 422


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ('Application/JSON;charset="UTF-8"', 202),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
async def test_media_types(api: Documented, elector: Elector, media_type: str, status: int) -> None:
    answer = await api.vote(ballot(elector), {"Content-Type": media_type})
    assert answer.status_code == status


async def test_a_body_of_4_kib_fits_and_one_byte_more_does_not(
    api: Documented, elector: Elector
) -> None:
    text = json.dumps(ballot(elector)).encode()
    full = text[:-1] + b" " * (4096 - len(text)) + b"}"
    assert len(full) == 4096
    assert (await api.vote(None, content=full)).status_code == 202
    answer = await api.vote(None, content=b" " + full)
    assert (answer.status_code, answer.json()["type"]) == (413, "/docs#too-large")


async def test_a_chunked_body_is_bounded_too(api: Documented, elector: Elector) -> None:
    async def chunks(size_bytes: int) -> AsyncIterator[bytes]:
        text = json.dumps(ballot(elector)).encode()
        yield text
        for _ in range((size_bytes - len(text)) // 100):
            yield b" " * 100

    headers = {"Content-Type": "application/json"}
    for size_bytes, status in ((3000, 202), (8000, 413)):
        answer = await api.http.post("/api/v1/vote", content=chunks(size_bytes), headers=headers)
        api.check(answer, "/api/v1/vote", "post")
        assert answer.status_code == status


async def test_a_slow_body_times_out(edge: EdgeProcess) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(
        b"POST /api/v1/vote HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    async with asyncio.timeout(5):
        status_line = await reader.readline()
    assert status_line == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()


async def test_a_client_that_hangs_up_in_the_middle_harms_nothing(
    edge: EdgeProcess, api: Documented, elector: Elector
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(
        b"POST /api/v1/vote HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    await writer.drain()
    writer.close()
    assert (await api.vote(ballot(elector))).status_code == 202
    assert "a request failed" not in edge.log


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_other_methods(edge: EdgeProcess, method: str) -> None:
    async with httpx.AsyncClient(base_url=edge.url) as http:
        answer = await http.request(method, "/api/v1/vote")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_titles_follow_the_language_asked_for(api: Documented, elector: Elector) -> None:
    body = ballot(elector._replace(nas="1"))
    french = await api.vote(body, {"Accept-Language": "fr-CA, en;q=0.5"})
    english = await api.vote(body, {"Accept-Language": "en-CA, fr;q=0.5"})
    assert french.json()["title"] == french.json()["title_fr"]
    assert english.json()["title"] == english.json()["title_en"]
    assert french.headers["content-language"] == "fr"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=5000)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["nas", "code", "law_id", "vote", "request_id"]) | st.text(), inner
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"nas": st.text(), "code": st.text(), "law_id": st.text(), "vote": st.text()}
    ).map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    headers=st.dictionaries(
        st.sampled_from(["Idempotency-Key", "Accept-Language", "X-Forwarded-For"]),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    ),
)
def test_no_body_is_a_failure_of_ours(
    edge: EdgeProcess, content: bytes, headers: dict[str, str]
) -> None:
    sent = {"Content-Type": "application/json"} | headers
    answer = httpx.post(f"{edge.url}/api/v1/vote", content=content, headers=sent)
    assert answer.status_code in {400, 403, 413}
    assert answer.json()


async def test_neither_nas_nor_code_is_ever_written(
    edge: EdgeProcess, api: Documented, elector: Elector
) -> None:
    await api.vote(ballot(elector))
    await api.vote(ballot(elector))
    await api.vote(ballot(elector, vote=elector.nas))
    await api.vote(None, content=json.dumps(ballot(elector))[:-1].encode())
    await api.http.get(f"/api/v1/results/{elector.nas}")
    for text in (
        edge.log,
        (await api.get("/metrics")).text,
        (await api.get("/api/v1/health")).text,
    ):
        assert text
        assert elector.nas not in text
        assert elector.code not in text


async def test_votes_in_parallel_are_all_answered(
    api: Documented, electors: dict[str, Iterator[Elector]]
) -> None:
    bodies = [ballot(next(electors[OPEN])) for _ in range(100)]
    answers = await asyncio.gather(*(api.vote(body) for body in bodies + bodies))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(202), statuses.count(409)) == (100, 100)
