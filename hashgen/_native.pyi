# ruff: noqa: PYI021 (this stub is the documentation of the extension)
"""The contract of the Rust extension. Hashes are 32 raw bytes."""

from collections.abc import Iterable
from typing import Final, final

SCHEMES: Final[tuple[str, str]]
KEY_BYTES: Final[int]
HASH_BYTES: Final[int]

class FieldError(ValueError):
    """A field was refused. Neither the message nor the attributes hold the field's value."""

    field: str
    """`nas`, `code`, `law_id` or `vote`."""
    reason: str
    """What the field must be, in English, to be read after the field's name."""

@final
class BallotHasher:
    """The ballot hash under one scheme.

    `sha256` takes no key, `hmac-sha256` exactly 32 bytes; anything else is a ValueError.
    """

    def __new__(cls, scheme: str = "sha256", key: bytes | None = None) -> BallotHasher: ...
    @property
    def scheme(self) -> str: ...
    @property
    def key_fingerprint(self) -> str:
        """Empty for `sha256`, else the first 16 hex digits of a SHA-256 that names the key."""

    def hash(self, nas: str, code: str, law_id: str) -> bytes:
        """Normalise the fields and return the ballot hash. Raises FieldError."""

    def hash_many(self, rows: Iterable[tuple[str, str, str]]) -> list[bytes]:
        """Hash (nas, code, law_id) tuples. Raises the FieldError of the first bad one."""

def ballot_hash(nas: str, code: str, law_id: str) -> bytes:
    """SHA-256 of the normalised `nas|code|law_id`. Raises FieldError."""

def normalise_law_id(law_id: str) -> str:
    """Return the law id as it stands, 1 to 50 of `[A-Za-z0-9._-]`. Raises FieldError."""

def normalise_vote(vote: str) -> str:
    """Return `oui` or `non`, given in any case. Raises FieldError."""
