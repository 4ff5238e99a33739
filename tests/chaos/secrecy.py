"""That what identifies an elector is nowhere in the online system."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.support.rolls import Elector
from tests.support.walking import files_below

NAS = re.compile(rb"(?<![0-9A-Za-z])[0-9]{9}(?![0-9A-Za-z])")
CODE = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Z]{8}(?![0-9A-Za-z])")


class Secrets:
    """What must not be found: every elector's NAS and code."""

    def __init__(self, electors: Sequence[Elector]) -> None:
        self._numbers = {elector.nas.encode() for elector in electors}
        self._codes = {elector.code.encode() for elector in electors}

    def found_in(self, content: bytes) -> bool:
        """Say whether a NAS or a code stands there."""
        return not (
            self._numbers.isdisjoint(NAS.findall(content))
            and self._codes.isdisjoint(CODE.findall(content))
        )

    def found_below(self, directory: Path) -> list[str]:
        """Return the files below a directory that hold one: logs, and all data of the engines."""
        return [
            f"a NAS or a code is in {path.relative_to(directory)}"
            for path in files_below(directory)
            if self.found_in(_content(path))
        ]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a part that was merged: what is gone is kept nowhere
        return b""
