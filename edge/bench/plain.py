"""The plain Python way to hash electors: what Scrutin's extension is measured against."""

import csv
import hashlib
import json
import re
from pathlib import Path

SEPARATORS = str.maketrans("", "", " \t\u00a0\u202f-\u2010\u2011")
NAS = re.compile(r"[0-9]{9}")
CODE = re.compile(r"[A-Z0-9]{6,32}")
LAW_ID = re.compile(r"[A-Za-z0-9._-]{1,50}")


def plain_hash(nas: str, code: str, law_id: str) -> bytes:
    """Normalise and hash with `re` and `hashlib`; raises ValueError."""
    nas, code = nas.translate(SEPARATORS), code.translate(SEPARATORS).upper()
    if not (NAS.fullmatch(nas) and CODE.fullmatch(code) and LAW_ID.fullmatch(law_id)):
        raise ValueError("a field is malformed")
    return hashlib.sha256(f"{nas}|{code}|{law_id}".encode()).digest()


def plain_database(csv_file: Path, directory: Path) -> int:
    """Make one JSON file of sorted hashes from a CSV; return how many."""
    with csv_file.open(encoding="utf-8", newline="") as lines:
        hashes = sorted(
            {plain_hash(row["nas"], row["code"], row["law_id"]) for row in csv.DictReader(lines)}
        )
    with (directory / "hashes.json").open("w") as file:
        json.dump([digest.hex() for digest in hashes], file)
    return len(hashes)
