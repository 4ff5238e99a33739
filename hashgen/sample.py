"""Synthetic electors for demonstrations and tests: NAS beginning with 0, never issued."""

import os
from collections.abc import Sequence
from pathlib import Path

from hashgen._native import SAMPLE_ELECTORS_MAX, normalise_law_id, sample_rows
from hashgen.errors import FieldError, UsageError
from hashgen.progress import Report

HEADER = b"nas,code,law_id\n"
STEP_ELECTORS = 10_000
SEED_MAX = 2**64 - 1


def write_sample(
    path: Path,
    electors: int,
    laws: Sequence[str],
    *,
    seed: int = 0,
    force: bool = False,
    report: Report | None = None,
) -> None:
    """Write `electors` times `laws` rows as CSV; equal arguments give an equal file.

    Every elector has one code for all laws. The file appears when it is whole; an existing one is
    replaced only by `force`. Raises UsageError and OSError.
    """
    if not 1 <= electors <= SAMPLE_ELECTORS_MAX:
        raise UsageError(f"the number of electors must be 1 to {SAMPLE_ELECTORS_MAX:,}")
    if not 0 <= seed <= SEED_MAX:
        raise UsageError("the seed must be 0 to 2^64 - 1")
    if not laws or len(set(laws)) != len(laws):
        raise UsageError("give every law once, and at least one")
    try:
        for law_id in laws:
            normalise_law_id(law_id)
    except FieldError as error:
        raise UsageError(f"a law's {error}") from error
    if path.exists() and not force:
        raise UsageError(f"{path} exists; give --force to replace it, or choose another --out")
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("wb") as file:
            file.write(HEADER)
            for first in range(0, electors, STEP_ELECTORS):
                count = min(STEP_ELECTORS, electors - first)
                file.write(sample_rows(seed, first, count, laws))
                if report is not None:
                    report("write", first + count, electors)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
