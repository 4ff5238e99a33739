"""The chdb engine: one statement at a time in each of a few threads.

Every request gets a chdb session of its own (under a millisecond), so that its settings and
database cannot leak into another's. One more session is held open for the engine's whole life;
it is what keeps the data directory loaded and locked.
"""

import asyncio
import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from clickhouse.local import compression
from clickhouse.local.access import BACKUPS_VARIABLE, check_statement
from clickhouse.local.faults import Fault, fault_from_engine, not_implemented
from clickhouse.local.session import Session, open_session
from clickhouse.local.statement import (
    Insert,
    needs_session,
    output_format,
    returns_rows,
    second_statement,
    split_insert,
)

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the engine: threads, waiting requests, sizes of bodies and results."""

    threads: int = 4
    waiting_max: int = 200
    body_bytes_max: int = 256 * 1024 * 1024
    result_bytes_max: int = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One statement with all that came along with it."""

    query: bytes
    body: bytes
    content_encoding: str
    accept_encoding: str
    default_format: str
    database: str
    settings: Mapping[str, str]
    params: Mapping[str, str]
    user: str
    roles: Sequence[str]
    readonly: bool
    in_session: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A statement's rows as bytes; `format` is "" when the statement has no rows to give."""

    data: bytes
    content_encoding: str
    format: str
    summary: str


class Engine:
    """A ClickHouse data directory, open."""

    def __init__(
        self,
        directory: Path,
        limits: Limits,
        default_database: str = "default",
        access_file: Path | None = None,
    ) -> None:
        """Open or create `directory`. RuntimeError if another process has it open.

        `default_database`, made if it is missing, is for requests that name none. The engine's own
        database `default` is its working directory with all files in it, and closed. Copies that
        `BACKUP` makes are kept beside `directory`, in `backups`. `access_file` takes the place of
        `access.xml`.
        """
        if "?" in str(directory):
            raise ValueError("chdb cannot use a directory with a question mark in its name")
        directory.mkdir(parents=True, exist_ok=True)
        self._path = str(directory.resolve())
        os.environ[BACKUPS_VARIABLE] = f"{directory.resolve().with_name('backups')}/"
        self._access_file = access_file
        self._limits = limits
        self._default_database = default_database
        self._base = open_session(self._path, self._access_file)
        self._base.query(f"CREATE DATABASE IF NOT EXISTS {_quoted(default_database, '`')}")
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="engine")
        self._waiting = 0
        # A user of a role's name has that role; every other name is the one who may do everything.
        self._roles = frozenset(_lines(self._base, "SELECT role_name FROM system.current_roles"))
        about = self._base.query("SELECT version(), timezone()", "TabSeparated").bytes().decode()
        self.version, self.timezone = about.split()

    async def run(self, request: Request) -> Answer:
        """Execute one request. Raises Fault, also when too many wait already."""
        if self._waiting >= self._limits.waiting_max:
            raise Fault(
                202, "TOO_MANY_SIMULTANEOUS_QUERIES", f"{self._waiting} queries wait already"
            )
        self._waiting += 1
        job = asyncio.get_running_loop().run_in_executor(self._threads, self._execute, request)
        # Counted until the thread is done with it, even if the client goes away before.
        job.add_done_callback(self._done)
        return await asyncio.shield(job)

    def close(self) -> None:
        """Stop what still runs and close the directory."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._base.query("KILL QUERY WHERE query_id != queryID() SYNC")
        self._threads.shutdown(wait=True)
        self._base.close()

    def _done(self, job: asyncio.Future[Answer]) -> None:
        self._waiting -= 1
        if not job.cancelled():
            job.exception()  # a client that went away does not collect its error

    def _execute(self, request: Request) -> Answer:
        text = self._text(request)
        insert = split_insert(text)
        # Of the formats of data, only Values can have expressions in it.
        only_data = insert is not None and insert.format.lower() != "values"
        check_statement(insert.head.encode() if insert and only_data else text)
        with open_session(self._path, self._access_file) as session:
            try:
                self._prepare(session, request)
                if insert:
                    return _insert(session, insert)
                return _query(session, text, request)
            except (RuntimeError, UnicodeDecodeError) as error:
                raise fault_from_engine(error) from error

    def _text(self, request: Request) -> bytes:
        body = compression.decompress(
            request.body, request.content_encoding, self._limits.body_bytes_max
        )
        text = b"\n".join(part for part in (request.query, body) if part)
        if not text.strip(b"\n\t ;"):
            raise Fault(62, "SYNTAX_ERROR", "Empty query")
        return text

    def _prepare(self, session: Session, request: Request) -> None:
        self._take_roles(session, request)
        self._use_database(session, request.database)
        settings = {"max_result_bytes": str(self._limits.result_bytes_max), **request.settings}
        settings.update((f"param_{name}", value) for name, value in request.params.items())
        if request.readonly:
            settings["readonly"] = "2"
        for name in settings:
            if not _IDENTIFIER.fullmatch(name):
                raise Fault(115, "UNKNOWN_SETTING", f"Unknown setting {name!r}")
        assignments = (f"{name} = {_quoted(value, chr(39))}" for name, value in settings.items())
        session.query(f"SET {', '.join(assignments)}")

    def _take_roles(self, session: Session, request: Request) -> None:
        allowed = self._roles & {request.user} or self._roles
        for role in request.roles:
            if role not in allowed:
                raise Fault(512, "SET_NON_GRANTED_ROLE", f"Role {role!r} is not granted")
        if roles := request.roles or allowed & {request.user}:
            session.query(f"SET ROLE {', '.join(_quoted(role, '`') for role in roles)}")

    def _use_database(self, session: Session, name: str) -> None:
        try:
            session.query(f"USE {_quoted(name or self._default_database, '`')}")
        except RuntimeError as error:
            # The default one may have been dropped, to be made anew.
            if name or fault_from_engine(error).name != "UNKNOWN_DATABASE":
                raise


def _quoted(text: str, quote: str) -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _lines(session: Session, statement: str) -> list[str]:
    return session.query(statement, "TabSeparated").bytes().decode().splitlines()


def _insert(session: Session, insert: Insert) -> Answer:
    if not insert.data.strip() and insert.format == "Values":
        raise Fault(62, "SYNTAX_ERROR", "An insert of VALUES without any")
    with session.send_insert(insert.head, insert.format) as stream:
        stream.append(insert.data)
        written = stream.finish()
    return Answer(b"", "", "", _summary(0, 0, written.rows_written, written.bytes_written))


def _query(session: Session, text: bytes, request: Request) -> Answer:
    statement = text.decode()
    if second := second_statement(text):
        raise Fault(
            62,
            "SYNTAX_ERROR",
            "Syntax error (Multi-statements are not allowed): failed at position "
            f"{second + 1}: one statement a request",
        )
    if request.in_session and needs_session(statement):
        raise not_implemented("The local engine keeps nothing between a session's requests")
    result = session.query(statement, request.default_format)
    rows = returns_rows(statement)
    encoding = compression.choose(request.accept_encoding) if rows else ""
    return Answer(
        data=compression.compress(result.bytes(), encoding),
        content_encoding=encoding,
        format=output_format(statement, request.default_format) if rows else "",
        summary=_summary(
            result.storage_rows_read(), result.storage_bytes_read(), result.rows_written(), 0
        ),
    )


def _summary(read_rows: int, read_bytes: int, written_rows: int, written_bytes: int) -> str:
    # ClickHouse writes these numbers as strings.
    counts = {
        "read_rows": read_rows,
        "read_bytes": read_bytes,
        "written_rows": written_rows,
        "written_bytes": written_bytes,
    }
    return json.dumps({name: str(count) for name, count in counts.items()})
