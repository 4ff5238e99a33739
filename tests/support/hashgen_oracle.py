"""A slow twin of the native hash and pipeline, in plain Python, written from the rules alone."""

import csv
import hashlib
import hmac
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

SEPARATORS = " \t\u00a0\u202f-\u2010\u2011"
LINE_BYTES_MAX = 1024


def strip_separators(text: str) -> str:
    return "".join(char for char in text if char not in SEPARATORS)


def normalise(nas: str, code: str, law_id: str) -> tuple[str, str, str]:
    """Return the normalised fields, or raise ValueError with the name of the first bad one."""
    nas, code = strip_separators(nas), strip_separators(code)
    if not re.fullmatch(r"[0-9]{9}", nas):
        raise ValueError("nas")
    if not re.fullmatch(r"[A-Za-z0-9]{6,32}", code):
        raise ValueError("code")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,50}", law_id):
        raise ValueError("law_id")
    return nas, code.upper(), law_id


def ballot_hash(nas: str, code: str, law_id: str, key: bytes | None = None) -> bytes:
    message = "|".join(normalise(nas, code, law_id)).encode()
    if key is None:
        return hashlib.sha256(message).digest()
    return hmac.new(key, message, "sha256").digest()


@dataclass
class Roll:
    """What a file should give. `bad` has lines, `duplicates` line -> line of the first."""

    hashes: list[bytes] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)
    duplicates: dict[int, int] = field(default_factory=dict)
    laws: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    several_codes: int = 0
    other_codes: dict[int, int] = field(default_factory=dict)


def read_row(line: bytes, columns: list[str]) -> tuple[str, str, str]:
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    if not text or len(text) > LINE_BYTES_MAX:
        raise ValueError("length")
    [fields] = csv.reader([text.decode()], strict=True)
    if len(fields) != len(columns):
        raise ValueError("columns")
    named = dict(zip(columns, fields, strict=True))
    return normalise(named["nas"], named["code"], named["law_id"])


def read_roll(content: bytes, columns: list[str], key: bytes | None = None) -> Roll:
    """Read a CSV whose header is known to name `columns`."""
    roll = Roll()
    first_lines: dict[bytes, int] = {}
    codes: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", content)[1:], start=2):
        roll.rows += 1
        try:
            nas, code, law_id = read_row(line, columns)
        except (ValueError, csv.Error):
            roll.bad.append(number)
            continue
        seen = codes[nas, law_id]
        if seen and code not in seen:
            roll.other_codes[number] = next(iter(seen.values()))
        seen.setdefault(code, number)
        vote_hash = ballot_hash(nas, code, law_id, key)
        if vote_hash in first_lines:
            roll.duplicates[number] = first_lines[vote_hash]
            continue
        first_lines[vote_hash] = number
        roll.laws[law_id] += 1
    roll.hashes = sorted(first_lines)
    roll.several_codes = sum(len(several) > 1 for several in codes.values())
    return roll
