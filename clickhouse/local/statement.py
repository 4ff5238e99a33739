"""What must be known of a statement before the engine sees it: no parser, five questions.

An insert's data follows its statement in one run of bytes and is handed over separately; an
answer's header names its format; statements that need a session are refused, and so is a second
statement behind the first.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    rb"""(?P<skipped>\s+ | (?:--|//|\#[ !])[^\n]* | /\*.*?\*/)
    | (?P<text>'(?:[^'\\]|\\.)*' | (?P<tag>\$\w*\$).*?(?P=tag) | \xe2\x80\x98.*?\xe2\x80\x99)
    | (?P<name>`(?:[^`\\]|\\.)*` | "(?:[^"\\]|\\.)*" | \xe2\x80\x9c.*?\xe2\x80\x9d)
    | (?P<word>[A-Za-z_]\w*) | (?P<open>\() | (?P<close>\)) | .""",
    re.DOTALL | re.VERBOSE,
)
_FORMAT_NAME = re.compile(rb"\s+(\w+)[^\S\n]*\n?")
_SKIPPED = r"(?:[\s(]|--[^\n]*\n|/\*.*?\*/)*"
_FIRST_WORDS = re.compile(rf"{_SKIPPED}(\w+)(?:\s+(\w+))?", re.DOTALL)
_OUTPUT_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\s[^;]*)?[;\s]*$", re.IGNORECASE)
_ROWS = "SELECT WITH SHOW DESCRIBE DESC EXPLAIN EXISTS CHECK KILL FROM VALUES BACKUP RESTORE"


class Insert(NamedTuple):
    """An insert with its data cut off: `head` has neither FORMAT nor data."""

    head: str
    format: str
    data: bytes


def split_insert(text: bytes) -> Insert | None:
    """Cut an insert into statement and data; None if `text` is no insert that carries data.

    After `FORMAT name` the data begins on the next line if there is one, else after the blanks;
    after `VALUES` at once.
    """
    depth, started = 0, False
    for token in _TOKEN.finditer(text):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
        elif token["word"] and depth == 0:
            word = token["word"].upper()
            if not started and word != b"INSERT":
                return None
            started = True
            if word in (b"SELECT", b"WITH"):
                return None
            if word == b"VALUES":
                return Insert(text[: token.start()].decode(), "Values", text[token.end() :])
            if word == b"FORMAT" and (name := _FORMAT_NAME.match(text, token.end())):
                head = text[: token.start()].decode()
                return Insert(head, name[1].decode(), text[name.end() :])
    return None


def second_statement(text: bytes) -> int | None:
    """Say where a second statement begins, if there is one."""
    ended = False
    for token in _TOKEN.finditer(text):
        if token[0] == b";":
            ended = True
        elif ended and not token["skipped"]:
            return token.start()
    return None


def tokens(text: bytes) -> Iterator[re.Match[bytes]]:
    """Go through all but spaces and comments; groups `text`, `name` and `word` tell what it is."""
    return (token for token in _TOKEN.finditer(text) if not token["skipped"])


def first_words(statement: str) -> tuple[str, str]:
    """Find the first two words, in upper case; "" for one that is missing."""
    found = _FIRST_WORDS.match(statement)
    return (found[1].upper(), (found[2] or "").upper()) if found else ("", "")


def returns_rows(statement: str) -> bool:
    """Say whether the statement answers with rows, be it none."""
    return first_words(statement)[0] in _ROWS.split()


def needs_session(statement: str) -> bool:
    """Say whether the statement is of use only to later ones of the same session."""
    first, second = first_words(statement)
    return first in ("SET", "USE") or (first, second) == ("CREATE", "TEMPORARY")


def output_format(statement: str, default: str) -> str:
    """Name the format in which the statement's rows are written."""
    found = _OUTPUT_FORMAT.search(statement)
    return found[1] if found else default
