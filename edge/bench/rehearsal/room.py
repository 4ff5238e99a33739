"""How much disk and memory a rehearsal needs, said before it begins."""

import shutil
from pathlib import Path

from edge.bench.rehearsal.attempts import AGAIN_SHARE, INVALID_SHARE
from edge.errors import SettingsError

# Bytes, measured at the end of a day and rounded up generously.
ELECTOR_FILES = 70  # a row of the CSV and a hash
ATTEMPT_FILE = 140  # a line of JSON
ELECTOR_LOG = 60  # loading, in a Redis server's log
ATTEMPT_LOG = 420  # a decision, in a Redis server's log, before it is written anew
ATTEMPT_TABLES = 600  # in ClickHouse, parts that were merged and not yet dropped included
CONSTANT = 1_000_000_000
GB = 1e9


def disk_bytes(electors: int, copies: int) -> int:
    """Estimate the disk a rehearsal takes; `copies` of each shard keep a log (0: none does)."""
    attempts = electors * (1 + AGAIN_SHARE + INVALID_SHARE)
    log = copies * (electors * ELECTOR_LOG + attempts * ATTEMPT_LOG)
    files = electors * ELECTOR_FILES + attempts * (ATTEMPT_FILE + ATTEMPT_TABLES)
    return CONSTANT + int(log + files)


def check_disk(directory: Path, electors: int, copies: int) -> str:
    """Return what is needed and free in words; raises `SettingsError` when it is not enough."""
    needed, free = disk_bytes(electors, copies), shutil.disk_usage(directory).free
    said = f"about {needed / GB:.1f} GB of disk in {directory}, where {free / GB:.1f} GB are free"
    if needed > free:
        raise SettingsError(
            f"{electors:,} electors need {said}: give fewer --electors, or let TMPDIR name a "
            "directory with more room"
        )
    return said
