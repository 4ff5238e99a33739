"""What identifies an elector or a ballot, looked for in whatever was written."""

import re
from collections.abc import Iterable

from tests.support.hashgen_oracle import ballot_hash
from tests.support.rolls import Elector

# As it is printed on a card, with spaces or hyphens; not a part of a longer number.
NAS = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){8}(?![0-9])")
CODE = re.compile(r"(?<![0-9A-Z])[0-9A-Z]{8}(?![0-9A-Z])")
HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Identities:
    """NAS, code and ballot hash of each elector given; codes have eight characters."""

    def __init__(self, electors: Iterable[Elector]) -> None:
        known = list(electors)
        self._nas = {elector.nas for elector in known}
        self._codes = {elector.code for elector in known}
        self._hashes = {ballot_hash(*elector).hex() for elector in known}

    def found_in(self, text: str) -> list[str]:
        """Return "NAS", "code" or "hash" for each that is there."""
        written = {re.sub("[ -]", "", found) for found in NAS.findall(text)}
        return [
            kind
            for kind, looked_for, found in (
                ("NAS", self._nas, written),
                ("code", self._codes, set(CODE.findall(text.upper()))),
                ("hash", self._hashes, set(HASH.findall(text.lower()))),
            )
            if looked_for & found
        ]
