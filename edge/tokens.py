"""Tokens that open pages: read from files, and shown by requests."""

import base64
from pathlib import Path
from typing import NamedTuple

from edge.errors import SettingsError

CHARACTERS_MIN = 16


class ReviewTokens(NamedTuple):
    """What opens /review: one token to look, another to decide as well, None where nobody may."""

    reading: str
    writing: str | None


def read_token(variable: str, file: Path | None) -> str | None:
    """Return the token in the file that a variable names, None without one.

    Raises `SettingsError`.
    """
    if file is None:
        return None
    try:
        token = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}: {error}") from error
    if len(token) < CHARACTERS_MIN:
        raise SettingsError(f"{variable}: the token has fewer than {CHARACTERS_MIN} characters")
    return token


def read_review_tokens(
    reading: tuple[str, Path | None], writing: tuple[str, Path | None]
) -> ReviewTokens | None:
    """Return the tokens in the files of two variables, None without the first.

    Raises `SettingsError`, also for one that writes and is not a token of its own.
    """
    tokens = read_token(*reading), read_token(*writing)
    if tokens[0] is None:
        if tokens[1] is not None:
            raise SettingsError(f"{writing[0]}: needs {reading[0]} as well")
        return None
    if tokens[0] == tokens[1]:
        raise SettingsError(f"{writing[0]}: must hold another token than {reading[0]}")
    return ReviewTokens(tokens[0], tokens[1])


class Shown(NamedTuple):
    """Credentials as they were shown; both empty for none."""

    name: str
    token: bytes


def shown_credentials(authorization: str) -> Shown:
    """Return the token out of a Bearer header, or name and password of a Basic one."""
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return Shown("", value.strip().encode())
        case "basic":
            try:
                name, _, token = base64.b64decode(value, validate=True).partition(b":")
            except ValueError:  # binascii.Error is one, and what is not ASCII raises another
                return Shown("", b"")
            return Shown(name.decode(errors="replace"), token)
    return Shown("", b"")
