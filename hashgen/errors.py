"""What can go wrong offline.

ValueError
  FieldError          a NAS, code, law id or vote that is refused (field, reason)
HashgenError
  InputError          the electors' file, the key file or an output cannot be used
  DatabaseError       a hash database that is missing, damaged or not what it says
"""

from hashgen._native import FieldError

__all__ = ["DatabaseError", "FieldError", "HashgenError", "InputError"]


class HashgenError(Exception):
    """The root of this package's errors; the message says what to do next."""


class InputError(HashgenError):
    """The electors' file, the key file or an output place cannot be used."""


class DatabaseError(HashgenError):
    """A hash database is missing, damaged or not what its manifest says."""
