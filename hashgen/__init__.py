"""Offline: electors to hash database, and the Python face of the native extension."""

from hashgen._native import (
    VERSION,
    BallotHasher,
    CastCall,
    ballot_hash,
    normalise_law_id,
    normalise_vote,
)
from hashgen.errors import FieldError

__all__ = [
    "VERSION",
    "BallotHasher",
    "CastCall",
    "FieldError",
    "ballot_hash",
    "normalise_law_id",
    "normalise_vote",
]
