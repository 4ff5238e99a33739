"""Directories that appear whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hashgen.database import MANIFEST_FILE, UNFINISHED_SUFFIX
from hashgen.errors import UsageError


def check_replaceable(directory: Path, *, force: bool) -> None:
    """Refuse, with UsageError, to write over what is not ours or not given up by `force`."""
    if directory.name in ("", ".."):
        raise UsageError(f"{directory} has no name of its own; name a directory with --out")
    if not directory.exists() and not directory.is_symlink():
        return
    if directory.is_symlink() or not directory.is_dir():
        raise UsageError(f"{directory} exists and is no directory; choose another --out")
    if not any(directory.iterdir()):
        return
    if not (directory / MANIFEST_FILE).is_file():
        raise UsageError(f"{directory} holds other files; choose another --out")
    if not force:
        raise UsageError(
            f"{directory} already holds a hash database; give --force to replace it, "
            "or choose another --out"
        )


def check_unused(directory: Path) -> None:
    """Refuse, with UsageError, a place that holds anything, or has no name of its own."""
    if directory.name in ("", ".."):
        raise UsageError(f"{directory} has no name of its own: name a new directory")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} exists already: name a new directory")


@contextmanager
def appearing_directory(directory: Path) -> Iterator[Path]:
    """Yield an empty sibling of `directory` that takes its place when the block ends well.

    What an earlier, killed run left of it is removed first. Raises UsageError if another run is
    writing it at this moment, and OSError.
    """
    partial = directory.with_name(f".{directory.name}{UNFINISHED_SUFFIX}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial.mkdir(mode=0o700, exist_ok=True)  # NAS and code are short: who reads it may guess
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another run is writing {directory}; wait for its end") from error
        _empty(partial)
        try:
            yield partial
            os.fsync(descriptor)
        except BaseException:
            shutil.rmtree(partial)
            raise
        _take_place(partial, directory)
    finally:
        os.close(descriptor)


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def _take_place(partial: Path, directory: Path) -> None:
    old = directory.with_name(f".{directory.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if directory.exists():
        directory.rename(old)
    partial.rename(directory)
    parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
    if old.exists():
        shutil.rmtree(old)
