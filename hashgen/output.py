"""Directories that appear whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hashgen.database import MANIFEST_FILE, UNFINISHED_SUFFIX, HashDatabase, old_place_of
from hashgen.errors import DatabaseError, UsageError

Check = Callable[[Path], None]
"""Refuses, with UsageError, a directory whose place may not be taken."""


def check_replaceable(directory: Path, *, force: bool) -> None:
    """Refuse, with UsageError, to write over what is not ours or not given up by `force`."""
    _check_place(directory, "choose another --out")
    if not directory.exists() or not any(directory.iterdir()):
        return
    if not (directory / MANIFEST_FILE).is_file():
        raise UsageError(f"{directory} holds other files; choose another --out")
    if not force:
        raise UsageError(
            f"{directory} already holds a hash database; give --force to replace it, "
            "or choose another --out"
        )
    try:
        manifest = HashDatabase.open(directory).manifest
    except DatabaseError as error:
        raise UsageError(
            f"{error}. --force replaces only what it knows: remove {directory} yourself, "
            "or choose another --out"
        ) from error
    ours = {MANIFEST_FILE, *(shard.file for shard in manifest.shards)}
    foreign = sorted(path.name for path in directory.iterdir() if path.name not in ours)
    if foreign:
        raise UsageError(
            f"{directory} also holds {foreign[0]}, which --force would remove: "
            "move it elsewhere, or choose another --out"
        )


def check_unused(directory: Path) -> None:
    """Refuse, with UsageError, a place that holds anything, or that nothing can take."""
    _check_place(directory, "name a new directory")
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(f"{directory} exists already: name a new directory")


def _check_place(directory: Path, advice: str) -> None:
    """Refuse what a directory that is made beside it cannot be renamed to."""
    if directory.name in ("", ".."):
        raise UsageError(f"{directory} has no name of its own; {advice}")
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise UsageError(f"{directory} exists and is no directory; {advice}")
    # Before the work: what takes the place is made on the disk of the parent.
    if os.path.ismount(directory):
        raise UsageError(f"{directory} is a mount point: name a directory inside it")


@contextmanager
def appearing_directory(directory: Path, check: Check = check_unused) -> Iterator[Path]:
    """Yield an empty sibling of `directory` that takes its place when the block ends well.

    `check` is asked before the block and after it, since others may have used the place meanwhile.
    What an earlier, killed run left is removed. Raises UsageError, also if another run is writing
    the directory at this moment, and OSError.
    """
    partial = directory.with_name(f".{directory.name}{UNFINISHED_SUFFIX}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial.mkdir(mode=0o700, exist_ok=True)  # NAS and code are short: who reads it may guess
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _lock(descriptor, partial, directory)
        try:
            _empty(partial)
            check(directory)
            yield partial
            os.fsync(descriptor)
            check(directory)
            _take_place(partial, directory)
        except BaseException:
            shutil.rmtree(partial)
            raise
        sync_directory(directory.parent)
        _remove(old_place_of(directory))
    finally:
        os.close(descriptor)


def _lock(descriptor: int, partial: Path, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The other run may have ended in between: then this is its finished directory.
        ours = partial.exists() and os.path.samestat(os.fstat(descriptor), partial.stat())
    except BlockingIOError:
        ours = False
    if not ours:
        raise UsageError(f"another run is writing {directory}; wait for its end")


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def _take_place(partial: Path, directory: Path) -> None:
    old = old_place_of(directory)
    replaces = directory.exists() and any(directory.iterdir())
    if replaces:
        _remove(old)
        directory.rename(old)
    try:
        partial.rename(directory)  # fails if anything appeared there, but for an empty directory
    except OSError:
        if replaces:
            old.rename(directory)
        raise


def sync_directory(directory: Path) -> None:
    """Have the names in a directory outlive a power cut; raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(old: Path) -> None:
    if old.is_symlink():
        old.unlink()
    elif old.exists():
        shutil.rmtree(old)
