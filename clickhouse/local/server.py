"""ClickHouse's HTTP interface in front of the local engine."""

import base64
import binascii
import hmac
import uuid
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from clickhouse.local.access import check_request
from clickhouse.local.engine import Answer, Engine, Limits, Request
from clickhouse.local.faults import Fault, not_implemented

_URL_BYTES_MAX = 1024 * 1024
# Parameters of the request itself; every other one but `param_*` is a setting.
_RESERVED = """
    query database user password default_format query_id session_id session_timeout
    session_check close_session compress decompress buffer_size wait_end_of_query quota_key
    client_protocol_version role stacktrace
"""
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "RowBinary": "application/octet-stream",
}


class Server:
    """The routes. `password` None lets everybody in."""

    def __init__(self, engine: Engine, limits: Limits, password: str | None = None) -> None:
        self._engine = engine
        self._limits = limits
        self._password = password

    def application(self) -> web.Application:
        """Build the aiohttp application that answers."""
        app = web.Application(
            client_max_size=self._limits.body_bytes_max, middlewares=[self._local_only]
        )
        app.router.add_route("*", "/", self._statement)
        for path in ("/ping", "/replicas_status"):
            app.router.add_get(path, self._ok)
        return app

    def runner(self) -> web.AppRunner:
        """Build the runner, to be set up on a socket. Bodies stay as sent: LZ4 is ours to undo."""
        return web.AppRunner(
            self.application(),
            auto_decompress=False,
            max_line_size=_URL_BYTES_MAX,
            max_field_size=_URL_BYTES_MAX,
            access_log=None,
            shutdown_timeout=3.0,
        )

    @web.middleware
    async def _local_only(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            check_request(request.headers)
        except Fault as fault:
            return self._fault(fault)
        return await handler(request)

    def _fault(self, fault: Fault, headers: Mapping[str, str] | None = None) -> web.Response:
        code = {"X-ClickHouse-Exception-Code": str(fault.code)}
        text = fault.body(self._engine.version)
        return web.Response(status=fault.status, text=text, headers={**(headers or {}), **code})

    async def _ok(self, _request: web.Request) -> web.Response:
        return web.Response(text="Ok.\n", content_type="text/html", charset="UTF-8")

    async def _statement(self, request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": "OPTIONS, GET, HEAD, POST"})
        if request.method not in ("GET", "HEAD", "POST"):
            return web.Response(status=405, headers={"Allow": "OPTIONS, GET, HEAD, POST"})
        if request.method != "POST" and "query" not in request.query:
            return await self._ok(request)
        query_id = request.query.get("query_id") or str(uuid.uuid4())
        headers = {
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        try:
            self._check_password(request)
            answer = await self._engine.run(await _read(request))
        except Fault as fault:
            return self._fault(fault, headers)
        return _response(answer, headers)

    def _check_password(self, request: web.Request) -> None:
        if self._password is None:
            return
        user, password = _credentials(request)
        if not hmac.compare_digest(password.encode(), self._password.encode()):
            text = f"{user}: Authentication failed: password is incorrect, or there is no such user"
            raise Fault(516, "AUTHENTICATION_FAILED", text)


def _response(answer: Answer, headers: dict[str, str]) -> web.Response:
    headers["X-ClickHouse-Summary"] = answer.summary
    if answer.format:
        headers["X-ClickHouse-Format"] = answer.format
    if answer.content_encoding:
        headers["Content-Encoding"] = answer.content_encoding
    headers["Content-Type"] = _CONTENT_TYPES.get(answer.format, "text/plain; charset=UTF-8")
    return web.Response(body=answer.data, headers=headers)


def _credentials(request: web.Request) -> tuple[str, str]:
    """User and password from wherever ClickHouse takes them: headers, basic scheme, URL."""
    if "X-ClickHouse-User" in request.headers or "X-ClickHouse-Key" in request.headers:
        user = request.headers.get("X-ClickHouse-User", "default")
        return user, request.headers.get("X-ClickHouse-Key", "")
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Fault(516, "AUTHENTICATION_FAILED", "Malformed basic credentials") from error
        return user, password
    return request.query.get("user", "default"), request.query.get("password", "")


async def _read(request: web.Request) -> Request:
    url = request.query
    _refuse_unsupported(url)
    fields: dict[str, str] = {}
    body = b""
    if request.content_type == "multipart/form-data":
        fields = await _form(request)
    else:
        body = await request.read()
    named = {**url, **fields}
    user, _ = _credentials(request)
    reserved = _RESERVED.split()
    compress_answer = url.get("enable_http_compression") == "1"
    return Request(
        query=named.get("query", "").encode(),
        body=body,
        content_encoding=request.headers.get("Content-Encoding", "").lower(),
        accept_encoding=request.headers.get("Accept-Encoding", "") if compress_answer else "",
        default_format=url.get("default_format")
        or request.headers.get("X-ClickHouse-Format")
        or "TabSeparated",
        database=url.get("database", request.headers.get("X-ClickHouse-Database", "")),
        settings={
            name: value
            for name, value in url.items()
            if name not in reserved and not name.startswith("param_")
        },
        params={
            name.removeprefix("param_"): value
            for name, value in named.items()
            if name.startswith("param_")
        },
        user=user,
        roles=url.getall("role", []),
        readonly=request.method != "POST",
        in_session="session_id" in url,
    )


def _refuse_unsupported(url: Mapping[str, str]) -> None:
    if url.get("session_check") == "1":
        raise Fault(372, "SESSION_NOT_FOUND", "Session not found")
    for name in ("compress", "decompress"):
        if url.get(name, "0") != "0":
            raise not_implemented(f"{name}=1 is not supported: use HTTP's own compression")


async def _form(request: web.Request) -> dict[str, str]:
    """Read a multipart form's text fields: a query and parameters too long for the URL."""
    fields = {}
    for name, value in (await request.post()).items():
        if not isinstance(value, str):
            raise not_implemented("External tables are not supported")
        fields[name] = value
    return fields
