"""A record is held against all that stores say now, not only what it chooses to mention."""

from collections.abc import Callable

import msgspec
import pytest

from clickhouse.closing import LawCounts
from edge.records.closing import (
    ClosingRecord,
    LawPart,
    NodePart,
    Reconciliation,
    RollPart,
    compare,
    laws_of,
)
from shards.roll import RollInfo

LAWS = ("L1", "L2")


def _law(law_id: str) -> LawPart:
    counts = LawCounts(
        law_id, electors=9, accepted=5, duplicates=2, invalid=1, late=0, ballots=5, oui=3, non=2
    )
    return LawPart("2026-11-28T08:00:00.000+00:00", "2026-11-28T20:00:00.000+00:00", counts)


RECORD = ClosingRecord(
    scope="election",
    frozen_at="2026-11-28T20:00:01.000+00:00",
    software="scrutin 1",
    roll=RollPart("a" * 64, "sha256", "", 18, dict.fromkeys(LAWS, 9), "b" * 64),
    laws=[_law(law_id) for law_id in LAWS],
    nodes=[NodePart("10.0.0.1:6379", "2026-11-28T20:00:01.000+00:00", 256)],
    clock_skew_ms=3,
    reconciliation=Reconciliation(10, 10, 10, 4, 2, 18, 16, 0, 18),
)


def test_what_says_the_same_does() -> None:
    assert compare(RECORD, RECORD) == []


def _replace(part: str, **changes: object) -> Callable[[ClosingRecord], ClosingRecord]:
    """Change one part of the record, or of the first law or its counts."""

    def change(record: ClosingRecord) -> ClosingRecord:
        if part == "":
            return msgspec.structs.replace(record, **changes)
        if part in ("law", "counts"):
            first, *others = record.laws
            counts = msgspec.structs.replace(first.counts, **changes) if part == "counts" else None
            law = msgspec.structs.replace(first, **({"counts": counts} if counts else changes))
            return msgspec.structs.replace(record, laws=[law, *others])
        changed = msgspec.structs.replace(getattr(record, part), **changes)
        return msgspec.structs.replace(record, **{part: changed})

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_replace("", laws=[_law("L1")]), "law L2 is not in the record"),
        (_replace("", laws=[]), "law L1 is not in the record"),
        (_replace("", laws=[*RECORD.laws, _law("L1")]), "a law is in the record twice"),
        (_replace("", laws=[*RECORD.laws, _law("L3")]), "law L3 is none of its scope"),
        (_replace("", frozen_at="2026-11-28T20:09:00.000+00:00"), "frozen_at"),
        (_replace("roll", roll_id="c" * 64), "roll: roll_id"),
        (_replace("roll", scheme="hmac-sha256"), "roll: scheme"),
        (_replace("roll", key_fingerprint="c"), "roll: key_fingerprint"),
        (_replace("roll", electors=9999), "roll: electors"),
        (_replace("roll", manifest_sha256="0" * 64), "roll: manifest_sha256"),
        (_replace("roll", laws={"L1": 9}), "roll: laws"),
        (_replace("law", opens_at="2026-11-28T07:00:00.000+00:00"), "law L1: opens_at"),
        (_replace("law", closes_at="2026-11-28T21:00:00.000+00:00"), "law L1: closes_at"),
        (_replace("counts", oui=4), "law L1: oui 4 in the record, 3 now"),
        (_replace("counts", late=1), "law L1: late"),
        (_replace("reconciliation", accepted=0), "sum: accepted"),
        (_replace("reconciliation", electors_compared=0), "sum: electors_compared"),
        (_replace("reconciliation", electors_matched=17), "sum: electors_matched"),
        (_replace("reconciliation", differences=1), "sum: differences"),
        (_replace("reconciliation", attempts_compared=17), "17 attempts were compared"),
    ],
)
def test_each_part_of_a_record_is_compared(
    change: Callable[[ClosingRecord], ClosingRecord], fault: str
) -> None:
    [found] = [text for text in compare(change(RECORD), RECORD) if fault in text]
    assert found


@pytest.mark.parametrize(
    "change",
    [
        _replace("", software="scrutin 2", nodes=[], clock_skew_ms=9),
        _replace("roll", manifest_sha256=None),
        _replace("reconciliation", attempts_compared=15),  # refused since
        _replace("reconciliation", electors_matched=0),
    ],
)
def test_what_was_so_at_the_closing_alone_is_no_difference(
    change: Callable[[ClosingRecord], ClosingRecord],
) -> None:
    assert compare(change(RECORD), RECORD) == []


def test_a_scope_says_which_laws_it_covers() -> None:
    info = RollInfo("a" * 64, "sha256", "", 18, {"L2": 9, "L1": 9}, 1, 12)
    assert laws_of("election", info) == ["L1", "L2"]
    assert laws_of("L2", info) == ["L2"]
    assert laws_of("L3", info) == []
