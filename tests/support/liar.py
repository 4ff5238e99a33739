"""A proxy before ClickHouse whose answers are not ClickHouse's."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

PAGE = b"<html><h1>Back soon</h1></html>"


@dataclasses.dataclass
class Liar:
    """A proxy that, while `body` is set, answers 200 with it instead of passing requests on.

    Only statements with `only` at their beginning, compressed or not, are kept from the server.
    """

    target: str
    url: str = ""
    body: bytes | None = None
    only: bytes = b""
    told: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        sent = await request.read()
        statement = request.query.get("query", "").encode() or sent
        if self.body is not None and self.only in statement[:200]:
            self.told += 1
            return web.Response(body=self.body, content_type="text/html")
        kept_back = ("Host", "Transfer-Encoding", "Content-Length")
        headers = {name: text for name, text in request.headers.items() if name not in kept_back}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.request(
                request.method, self.target + request.path_qs, data=sent, headers=headers
            ) as got,
        ):
            kept = {
                name: text
                for name, text in got.headers.items()
                if name not in ("Content-Length", "Transfer-Encoding")
            }
            return web.Response(status=got.status, body=await got.read(), headers=kept)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Liar"]:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, auto_decompress=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()
