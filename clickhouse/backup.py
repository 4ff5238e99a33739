"""Copies of the tables in a directory, to be restored.

A copy is gzipped text with tabs and a header, sorted by ballot hash: any tool reads it, and two
copies of the same rows are the same bytes. `ballots` is copied before `vote_audit`, part by part,
so that a copy made while votes are drained has no ballot without its attempt. It does have attempts
without their ballots, which restoring makes of them.
"""

import asyncio
import gzip
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import BackupError, ClickHouseUnavailable
from clickhouse.history import History, Table, count_events, shard_ranges
from clickhouse.migrations import migrate
from clickhouse.retry import NO_ANSWER, classified
from clickhouse.sql import read_query
from hashgen import VERSION
from hashgen.output import appearing_directory, check_unused

MANIFEST_FILE = "manifest.json"
HEADER = b"shard\tstream_ms\tstream_seq\tvote_hash\t"  # how every file begins
GZIP_LEVEL = 1  # the hashes are random: more effort gains next to nothing

Progress = Callable[[int], None]  # told how many rows were handled since the last call


class CopiedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: rows without the header, SHA-256 of the file in hex."""

    file: str
    table: Table
    rows: int
    sha256: str


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a copy holds."""

    format: Literal["scrutin-backup"] = "scrutin-backup"
    version: Literal[1] = 1
    created_at: str
    software: str
    rows: dict[Table, int]
    files: list[CopiedFile]


async def back_up(
    client: AsyncClient, directory: Path, progress: Progress = lambda _: None
) -> BackupManifest:
    """Copy the tables to `directory`, which appears whole or not at all.

    Raises hashgen's UsageError when the directory is in use or another run writes it, OSError,
    ClickHouseUnavailable (also for an answer that is none, or cut short), ClickHouseRejected.
    """
    check_unused(directory)
    history = History(client)
    rows: dict[Table, int] = {"ballots": 0, "vote_audit": 0}
    files: list[CopiedFile] = []
    with appearing_directory(directory) as partial:
        for shards in shard_ranges(max(await history.rows())):
            for table in rows:
                file = partial / f"{table}-{shards[0]:02x}.tsv.gz"
                copied = await _copy(client, table, shards, file)
                files.append(copied)
                rows[table] += copied.rows
                progress(copied.rows)
        manifest = BackupManifest(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            software=f"scrutin {VERSION}",
            rows=rows,
            files=files,
        )
        # Last: a directory without a manifest is no copy.
        _write(partial / MANIFEST_FILE, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


async def restore(
    client: AsyncClient, directory: Path, progress: Progress = lambda _: None, *, add: bool = False
) -> BackupManifest:
    """Fill tables, made if they are missing, from the copy in `directory`.

    With `add` they may hold rows: what both have counts once. Every file is checked before the
    first write, and every row is looked for after it. At the end `complete` adds the ballots that
    the copy lacks. Raises BackupError for a copy that is damaged and, without `add`, for tables
    that hold rows; ClickHouseUnavailable, also for rows that are not there after their insert;
    MigrationError, ClickHouseRejected.
    """
    manifest = await asyncio.to_thread(_check, directory)
    await migrate(client, mend=True)
    if not add and any(await History(client).rows()):
        raise BackupError(
            "the tables hold rows. If these are of the same election, left by an interrupted "
            "restore or stored by drainers meanwhile, add the copy to them: --add"
        )
    for copied in manifest.files:
        if copied.rows:
            await _insert(client, copied, _read(directory / copied.file))
            progress(copied.rows)
    await complete(client)
    return manifest


async def complete(client: AsyncClient) -> None:
    """Add the ballots of accepted attempts that have none; safe to repeat, also beside drainers.

    Raises ClickHouseUnavailable, also when they still have none after, ClickHouseRejected.
    """
    history = History(client)
    for shards in shard_ranges(max(await history.rows())):
        await history.complete_ballots(shards)


async def _copy(client: AsyncClient, table: Table, shards: range, path: Path) -> CopiedFile:
    least = await count_events(client, table, shards)
    with classified():
        text = await client.raw_query(
            read_query(f"backup_{table}"), parameters={"first": shards[0], "last": shards[-1]}
        )
    rows = _count_rows(text)
    if not text.startswith(HEADER) or rows < least:
        raise ClickHouseUnavailable(f"ClickHouse: {table}: {NO_ANSWER}; nothing was copied")
    packed = await asyncio.to_thread(gzip.compress, text, GZIP_LEVEL, mtime=0)
    await asyncio.to_thread(_write, path, packed)
    return CopiedFile(path.name, table, rows, hashlib.sha256(packed).hexdigest())


async def _insert(client: AsyncClient, copied: CopiedFile, packed: bytes) -> None:
    text = gzip.decompress(packed)
    columns = text[: text.index(b"\n")].decode().split("\t")
    with classified():
        await client.raw_insert(
            f"scrutin.{copied.table}",
            columns,
            text,
            settings={"async_insert": 0, "insert_deduplicate": 0},
            fmt="TabSeparatedWithNames",
        )
    # The answer proves nothing: whatever stands between may say 200, and a full disk has done so.
    if lacking := await _lacking(client, copied.table, text):
        raise ClickHouseUnavailable(
            f"ClickHouse: an insert was answered, but {copied.table} lacks {lacking:,} rows of "
            f"{copied.file}; "
            "once ClickHouse has room and answers itself, restore again with --add"
        )


async def _lacking(client: AsyncClient, table: Table, text: bytes) -> int:
    """Count what a table has not of the rows of a file; what it has beside them is all right."""
    rows = _identified(table, text)
    shards = [int(row[0]) for row in rows]
    with classified():
        stored = await client.raw_query(
            read_query(f"backup_{table}"), parameters={"first": min(shards), "last": max(shards)}
        )
    return len(rows - _identified(table, stored))


def _identified(table: Table, text: bytes) -> set[tuple[bytes, ...]]:
    """Name each row by its shard and what tells it from others.

    That is its event, and of `ballots`, which keeps one of a ballot's events, the ballot.
    """
    if not text.startswith(HEADER):
        return set()
    first = HEADER.split(b"\t").index(b"vote_hash" if table == "ballots" else b"stream_ms")
    rows = (line.split(b"\t", 5) for line in text.split(b"\n")[1:-1])
    return {(row[0], *row[first : first + 2]) for row in rows}


def _check(directory: Path) -> BackupManifest:
    """Read the manifest and hold every file against it."""
    path = directory / MANIFEST_FILE
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=BackupManifest)
    except FileNotFoundError as error:
        raise BackupError(f"{directory} is no copy: it has no {MANIFEST_FILE}") from error
    except msgspec.DecodeError as error:
        raise BackupError(f"{path} is no manifest of a copy: {error}") from error
    for table, rows in manifest.rows.items():
        if rows != sum(copied.rows for copied in manifest.files if copied.table == table):
            raise BackupError(f"{path}: the rows of its files are not those of {table}")
    for copied in manifest.files:
        packed = _read(directory / copied.file)
        if hashlib.sha256(packed).hexdigest() != copied.sha256:
            raise BackupError(f"{directory / copied.file} is damaged: its checksum does not match")
        text = gzip.decompress(packed)
        if not text.startswith(HEADER) or _count_rows(text) != copied.rows:
            raise BackupError(f"{directory / copied.file} has not the rows that {path} says")
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _count_rows(text: bytes) -> int:
    """Count lines but the header; a line break inside a value is escaped."""
    return text.count(b"\n") - 1
