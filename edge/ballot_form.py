"""The voter's form: what its steps carry, and what is wrong with it.

A draft goes from step to step in hidden fields. NAS and code are fields of the last step alone,
the one that casts: nothing has to carry them, so no page, token or store ever holds them.
"""

from typing import TypeVar
from uuid import UUID, uuid4

import msgspec
from stdnum import luhn

from edge.errors import BadRequest
from edge.problems import BAD_FORM, Problem
from hashgen import FieldError, ballot_hash

CHOICES = frozenset({"oui", "non"})
NAS_DIGITS = 9
T = TypeVar("T")


class Draft(msgspec.Struct, frozen=True):
    """A ballot being filled in; `request_id` is made when the form is first shown."""

    request_id: UUID
    law_id: str = ""
    vote: str = ""


class Identity(msgspec.Struct, frozen=True):
    """Who votes, as it was typed."""

    nas: str
    code: str

    def __repr__(self) -> str:
        return "Identity(…)"  # NAS and code must not reach a log by way of a traceback

    def faults(self) -> list[str]:
        """Return which of the fields are malformed, by the one normalisation that there is."""
        return [
            *([] if _is_formed(self.nas, code="AAAAAA") else ["nas"]),
            *([] if _is_formed(nas="0" * NAS_DIGITS, code=self.code) else ["code"]),
        ]

    @property
    def unusual_nas(self) -> bool:
        """Whether the NAS fails its checksum: a hint to the voter, never a ground for refusal."""
        digits = "".join(filter(str.isdecimal, self.nas))
        return len(digits) == NAS_DIGITS and not luhn.is_valid(digits)


def new_draft() -> Draft:
    """Return an empty ballot with a request id of its own."""
    return Draft(uuid4())


def draft_of(fields: dict[str, str]) -> Draft:
    """Return the ballot so far; raises `BadRequest` for a request id that is none."""
    return _convert({"request_id": str(uuid4())} | fields, Draft)


def identity_of(fields: dict[str, str]) -> Identity:
    """Return who votes; raises `BadRequest` when a field is not there at all."""
    return _convert(fields, Identity)


def _is_formed(nas: str, code: str) -> bool:
    try:
        ballot_hash(nas, code, law_id="L")
    except FieldError:
        return False
    return True


def _convert(fields: dict[str, str], kind: type[T]) -> T:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError:
        raise BadRequest(Problem(BAD_FORM)) from None
