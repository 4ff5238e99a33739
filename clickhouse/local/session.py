"""The part of chdb's session that we use, with the types that chdb does not give."""

# ruff: noqa: D102 - the methods are chdb's and documented there

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

from chdb.session import Session as ChdbSession

from clickhouse.local.access import engine_options


class Result(Protocol):
    """What a statement gave: rows in the format asked for, and counts."""

    def bytes(self) -> bytes: ...
    def rows_written(self) -> int: ...
    def storage_rows_read(self) -> int: ...
    def storage_bytes_read(self) -> int: ...


class Written(Protocol):
    """What an insert wrote."""

    rows_written: int
    bytes_written: int


class InsertStream(Protocol):
    """An insert under way; left without `finish`, it is undone."""

    def append(self, data: bytes) -> None: ...
    def finish(self) -> Written: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...


class Session(Protocol):
    """One client's state (settings, current database) in the engine. RuntimeError is its fault."""

    def query(self, sql: str, fmt: str = ...) -> Result: ...
    def send_insert(self, query: str, fmt: str) -> InsertStream: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...


def open_session(path: str, access_file: Path | None = None) -> Session:
    """Open a session on a data directory; the process's first one loads and locks it."""
    return cast(Session, ChdbSession(path + engine_options(access_file)))  # type: ignore[no-untyped-call]
