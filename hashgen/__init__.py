"""Offline: electors to hash database, and the Python face of the native hash."""

from hashgen._native import BallotHasher, ballot_hash, normalise_law_id, normalise_vote
from hashgen.errors import FieldError

__all__ = ["BallotHasher", "FieldError", "ballot_hash", "normalise_law_id", "normalise_vote"]
