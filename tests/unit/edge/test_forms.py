"""A body is read to its end and no further: what comes after is the end of the connection."""

import asyncio

import pytest
from starlette.requests import Request

from edge.errors import BadRequest
from edge.forms import read_form
from edge.patience import Patience
from edge.wire import Message

FORM = b"application/x-www-form-urlencoded"


class Client:
    """Sends a body in parts, and then waits for its answer."""

    def __init__(self, *parts: bytes) -> None:
        self.left = list(parts)

    async def receive(self) -> Message:
        assert self.left, "nobody asks a client for more who has sent all"
        await asyncio.sleep(0)
        return {"type": "http.request", "body": self.left.pop(0), "more_body": bool(self.left)}


def request_of(client: Client, **headers: bytes) -> Request:
    said = {"content-type": FORM} | headers
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/fr/vote",
        "headers": [(name.replace("_", "-").encode(), value) for name, value in said.items()],
    }
    return Request(scope, client.receive)


async def test_a_form_in_parts() -> None:
    client = Client(b"nas=1&", b"code=2")
    assert await read_form(request_of(client), Patience(5)) == {"nas": "1", "code": "2"}


@pytest.mark.parametrize(
    ("parts", "headers", "code"),
    [
        ([b""], {"content_length": b"0", "sec_fetch_site": b"cross-site"}, "cross-site"),
        ([b""], {"content_length": b"0", "origin": b"http://["}, "cross-site"),
        ([b""], {"content_length": b"0", "origin": b"http://[", "host": b"vote"}, "cross-site"),
        ([b"nas=1&", b"nas=2"], {}, "bad-form"),
        ([b"nas=%FF"], {"content_length": b"7"}, "bad-form"),
        ([b"{", b"}"], {"content-type": b"application/json"}, "bad-form"),
        ([b"n=" + b"1" * 5000], {}, "too-large"),
        ([b"n=" + b"1" * 5000, b"2" * 5000, b"3"], {}, "too-large"),
        ([b"1" * 5000, b"2" * 5000], {"content_length": b"10000"}, "too-large"),
    ],
)
async def test_what_is_refused_is_taken_in_and_no_more_is_waited_for(
    parts: list[bytes], headers: dict[str, bytes], code: str
) -> None:
    client = Client(*parts)
    with pytest.raises(BadRequest) as refused:
        await read_form(request_of(client, **headers), Patience(5))
    assert (refused.value.problem.kind.code, client.left) == (code, [])
