"""What a cast ballot leaves in the roll, as `lua/cast.lua` writes it."""

from collections.abc import Sequence
from typing import NamedTuple

REPEATS_MAX = 32
ONCE_BYTES = 17  # of a record without duplicate attempts; the count follows


class Repeat(NamedTuple):
    """The request of a duplicate attempt: 16-byte id and `oui` or `non`."""

    request_id: bytes
    vote: str


def encode_record(request_id: bytes, vote: str, attempts: int) -> bytes:
    """Return the record of an accepted ballot with so many duplicate attempts after it."""
    return vote[:1].encode() + request_id + (b"%d" % attempts if attempts else b"")


def encode_repeats(repeats: Sequence[Repeat]) -> bytes:
    """Return what is kept of an elector's duplicate attempts, given oldest first."""
    return b"".join(request_id + vote[:1].encode() for request_id, vote in repeats[-REPEATS_MAX:])
