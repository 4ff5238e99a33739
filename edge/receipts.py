"""The number on a voter's receipt."""

import hashlib
from uuid import UUID

DIGITS = 16


def receipt_number(request_id: UUID) -> str:
    """Return the beginning of the SHA-256 of a request id's text, in hex, four digits a group.

    Not the id itself: sent again with the elector's NAS and code, its answer would tell what was
    chosen, and a receipt is shown to others.
    """
    digest = hashlib.sha256(str(request_id).encode()).hexdigest()
    return "-".join(digest[first : first + 4] for first in range(0, DIGITS, 4))
