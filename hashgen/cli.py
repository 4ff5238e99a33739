"""`scrutin hashgen`: the offline commands."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
import msgspec
from cyclopts import Parameter, validators

from hashgen.database import COUNT_MAX, Format, HashDatabase
from hashgen.errors import HashgenError, UsageError
from hashgen.generate import SHARD_SIZE, THREADS_MAX, Options, generate
from hashgen.keyfile import make_hasher
from hashgen.progress import reporting
from hashgen.sample import write_sample

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]

PHASES = {"read": "bytes", "sort": "steps", "list": "bytes", "write": "hashes"}
"""Of a run, and what each counts."""

app = cyclopts.App(
    name="hashgen",
    help="Make and check hash databases, offline. Nothing here needs Redis or ClickHouse.",
)


@app.command
def run(
    csv: Path,
    /,
    *,
    out: Path,
    shard_size: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=COUNT_MAX))] = (
        SHARD_SIZE
    ),
    format: Format = "json",  # noqa: A002 (the option's name)
    scheme: Literal["sha256", "hmac-sha256"] = "sha256",
    key_file: Path | None = None,
    expect_rows: Positive | None = None,
    skip_bad_rows: Annotated[bool, Parameter(negative="")] = False,
    allow_several_codes: Annotated[bool, Parameter(negative="")] = False,
    threads: Annotated[
        int | None, Parameter(validator=validators.Number(gte=1, lte=THREADS_MAX))
    ] = None,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make a hash database of the electors in a CSV file.

    Bad rows are listed, by line and reason, in OUT.rejects.csv beside the database. Exits 0 when
    the database was made, 1 when it was not, 2 for arguments that do not fit what is there: OUT,
    the number of rows, electors with more than one code for a law.

    Parameters
    ----------
    csv
        Electors: UTF-8 with the header nas,code,law_id in any order.
    out
        Directory of the database. It appears whole, or not at all.
    shard_size
        Hashes a file.
    format
        json, or binary: raw 32-byte records, half as large and faster to load.
    scheme
        Hash scheme of the roll.
    key_file
        Key of hmac-sha256: a file with 32 raw bytes or 64 hex digits that not everybody can read.
    expect_rows
        How many rows the file has after its header, good or bad; with any other number nothing is
        made.
    skip_bad_rows
        Make the database without the bad rows.
    allow_several_codes
        Make the database though electors have more than one code for a law, and can vote with each.
    threads
        Threads that hash; as many as processors by default.
    force
        Replace the hash database that is in OUT.

    """

    def work() -> None:
        hasher = make_hasher(scheme, key_file)
        defaults = Options()
        options = Options(
            format=format,
            shard_size=shard_size,
            expect_rows=expect_rows,
            skip_bad_rows=skip_bad_rows,
            allow_several_codes=allow_several_codes,
            force=force,
            threads=threads or defaults.threads,
        )
        with reporting(PHASES) as report:
            made = generate(csv, out, hasher, options, report)
        manifest = made.manifest
        say(
            f"{manifest.total:,} hashes in {out} (files: {len(manifest.shards):,})\n"
            f"roll id {manifest.roll_id}"
        )
        if made.rejects_file is not None:
            say(f"{manifest.rows_rejected:,} bad rows left out, listed in {made.rejects_file}")
        if made.unended_line is not None:
            say(f"warning: line {made.unended_line}, the last, has no line end: was the file cut?")
        if manifest.several_codes:
            say(
                "warning: electors with more than one code for a law, who can vote with each: "
                f"{manifest.several_codes:,}"
            )

    return exit_code(work)


@app.command
def verify(directory: Path, /) -> int:
    """Check a hash database: every file's size, checksum, count and order, and the roll id.

    Exits 0 if all is well, 1 with the first fault found.

    Parameters
    ----------
    directory
        Directory of the database.

    """

    def work() -> None:
        database = HashDatabase.open(directory)
        manifest = database.manifest
        with reporting({"check": "hashes"}) as report:
            database.check(lambda done: report("check", done, manifest.total))
        say(
            f"{directory} is sound: {manifest.total:,} hashes, scheme {manifest.scheme} "
            f"(files: {len(manifest.shards):,})\nroll id {manifest.roll_id}"
        )
        for law_id, count in manifest.laws.items():
            say(f"  {law_id}: {count:,}")
        if manifest.several_codes is not msgspec.UNSET:
            say(f"electors with more than one code for a law: {manifest.several_codes:,}")

    return exit_code(work)


@app.command
def sample(
    *,
    electors: Positive,
    laws: Annotated[list[str], Parameter(consume_multiple=True, negative="")],
    out: Path,
    seed: int = 0,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write a CSV file of synthetic electors, whose NAS begin with 0 and were never issued.

    Parameters
    ----------
    electors
        How many; each has a row for every law, with the same code.
    laws
        Law ids.
    out
        The CSV file.
    seed
        Equal seeds give equal files.
    force
        Replace an existing file.

    """

    def work() -> None:
        with reporting({"write": "electors"}) as report:
            write_sample(out, electors, laws, seed=seed, force=force, report=report)
        say(f"{electors * len(laws):,} rows in {out}")

    return exit_code(work)


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)


def exit_code(work: Callable[[], None]) -> int:
    """Do the work; say on stderr what went wrong, if anything, and return the exit code."""
    try:
        work()
    except KeyboardInterrupt:
        print("stopped; nothing was made", file=sys.stderr)
        return EXIT_INTERRUPTED
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    except HashgenError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(
            f"error: {place}{error.strerror}; nothing was made. "
            "Make room or set the permissions right, and run again",
            file=sys.stderr,
        )
        return EXIT_FAILED
    return EXIT_OK
