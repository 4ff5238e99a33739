"""Electors' CSV to hash database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from hashgen._native import BLOCK_BYTES, VERSION, BallotHasher, Electors
from hashgen.database import MANIFEST_FILE, Format, Manifest, ShardEntry
from hashgen.errors import BadRowsError, InputError, SeveralCodesError, UsageError
from hashgen.output import appearing_directory, check_replaceable
from hashgen.progress import Report
from hashgen.rejects import RejectsFile

SHARD_SIZE = 1_000_000
THREADS_MAX = 256


class Options(msgspec.Struct, frozen=True):
    """How a database is made. `block_bytes` is what a thread takes at a time.

    `expect_rows` is how many rows the file must have, good or bad, if that is known.
    """

    format: Format = "json"
    shard_size: int = SHARD_SIZE
    expect_rows: int | None = None
    skip_bad_rows: bool = False
    allow_several_codes: bool = False
    force: bool = False
    threads: int = min(os.cpu_count() or 1, THREADS_MAX)
    block_bytes: int = BLOCK_BYTES


class Generated(msgspec.Struct, frozen=True):
    """What was made. `unended_line` is the number of the last line, if it has no line end."""

    manifest: Manifest
    rejects_file: Path | None
    unended_line: int | None


def generate(
    csv_file: Path,
    directory: Path,
    hasher: BallotHasher,
    options: Options,
    report: Report | None = None,
) -> Generated:
    """Make the database of `csv_file` in `directory`, which appears whole or not at all.

    Bad rows are listed in `DIRECTORY.rejects.csv`; they fail the run with BadRowsError unless
    `skip_bad_rows`. An elector's rows with other codes for the same law are listed there, too, if
    the file can be read twice; they fail the run with SeveralCodesError unless
    `allow_several_codes`. Raises InputError for a file that is refused as a whole, UsageError for
    a place of database or list that is taken and for another number of rows than expected, and
    OSError.
    """
    check = partial(check_replaceable, force=options.force)
    check(directory)
    rejects_file = RejectsFile(directory)
    rejects_file.remove()  # whatever becomes of this run, it is not this one's
    electors = _read(csv_file, hasher, options, report)
    if options.expect_rows not in (None, electors.rows):
        raise UsageError(
            f"{csv_file} has {electors.rows:,} rows, not the {options.expect_rows:,} of "
            "--expect-rows; nothing was made. Is it the right file, and whole?"
        )
    if electors.several_codes and not options.allow_several_codes:
        _refuse_several_codes(csv_file, hasher, options, electors, rejects_file, report)
    if electors.rejected:
        rejects_file.write(electors)
    if electors.rejected and not options.skip_bad_rows:
        raise BadRowsError(csv_file, rejects_file.path, electors.rejected, electors.rows)
    if electors.total == 0:
        raise InputError(f"{csv_file} has no elector that can be used")
    with appearing_directory(directory, check) as unfinished:
        roll_id, shards = electors.write_shards(
            unfinished,
            hasher,
            format=options.format,
            shard_size=options.shard_size,
            threads=options.threads,
            progress=report,
        )
        manifest = Manifest(
            scheme=hasher.scheme,
            key_fingerprint=hasher.key_fingerprint,
            roll_id=roll_id,
            laws={law: count for law, count in electors.laws.items() if count},
            total=electors.total,
            shards=[
                ShardEntry(file, options.format, count, sha256) for file, count, sha256 in shards
            ],
            rows_read=electors.rows,
            rows_rejected=electors.rejected,
            several_codes=electors.several_codes,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            software=f"scrutin {VERSION}",
        ).sealed()
        # Last: a directory without a manifest is no database.
        with (unfinished / MANIFEST_FILE).open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    return Generated(
        manifest,
        rejects_file=rejects_file.path if electors.rejected else None,
        unended_line=electors.unended_line,
    )


def _refuse_several_codes(
    csv_file: Path,
    hasher: BallotHasher,
    options: Options,
    electors: Electors,
    rejects_file: RejectsFile,
    report: Report | None,
) -> NoReturn:
    several_codes, listed = electors.several_codes, csv_file.is_file()
    if listed:  # what comes from a pipe comes once
        with _refusing(csv_file):
            electors.reject_other_codes(
                csv_file, hasher, block_bytes=options.block_bytes, progress=report
            )
    if electors.rejected:
        rejects_file.write(electors)
    raise SeveralCodesError(csv_file, rejects_file.path if listed else None, several_codes)


def _read(
    csv_file: Path, hasher: BallotHasher, options: Options, report: Report | None
) -> Electors:
    with _refusing(csv_file):
        return Electors.read(
            csv_file,
            hasher,
            threads=options.threads,
            block_bytes=options.block_bytes,
            progress=report,
        )


@contextmanager
def _refusing(csv_file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{csv_file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{csv_file}: {error}") from error
