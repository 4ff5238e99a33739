"""Files of a directory that a server is at work in."""

import os
from pathlib import Path


def files_below(directory: Path) -> list[Path]:
    """Return all files, in order; what goes while one looks is left out."""
    found = os.walk(directory, onerror=_unless_gone)
    paths = (Path(parent, name) for parent, _, names in found for name in names)
    return sorted(path for path in paths if path.is_file())


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
