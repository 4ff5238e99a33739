"""The signed report of a rehearsal: what the deck was, what was found, and whether it was wiped."""

from pathlib import Path

import msgspec

from edge.accuracy.comparing import LawFound
from edge.accuracy.deck import LawDeck
from edge.errors import RecordError
from edge.records.document import SignedRecord
from shards.roll import RollInfo

FORMAT = "scrutin-accuracy-report"
SEED_MAX = 2**53 - 1  # as records have numbers
DIFFERENCES_MAX = 200


class AccuracyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed. Without `answers`, it only wiped what an earlier run had left.

    `answers` are by HTTP status; `differences` lists the first ones. `not_wiped_because` is empty
    if it was wiped, or was not to be.
    """

    at: str
    software: str
    roll: RollInfo
    seed: int
    deck: list[LawDeck]
    answers: dict[str, int] = {}
    found: list[LawFound] = []
    differences_total: int = 0
    differences: list[str] = []
    passed: bool = False
    wiped: bool
    not_wiped_because: str = ""


def read_report(path: Path, document: SignedRecord) -> AccuracyReport:
    """Return what a document says that has been checked; raises `RecordError`."""
    try:
        return msgspec.convert(document.record, AccuracyReport)
    except msgspec.ValidationError as error:
        raise RecordError(f"{path} is no report of a rehearsal: {error}") from error


def lines(report: AccuracyReport) -> list[str]:
    """Return a report as lines to read."""
    said = [f"roll         {report.roll.roll_id}", f"seed         {report.seed}"]
    for deck in report.deck:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in deck.attempts.items())
        said.append(f"{deck.law_id}  deck: oui {deck.oui:,}, non {deck.non:,}; {kinds}")
    said += [
        f"{law.law_id}  found: oui {law.oui:,}, non {law.non:,};"
        f" published oui {law.published_oui:,}, non {law.published_non:,}"
        for law in report.found
    ]
    if report.answers:
        counts = ", ".join(f"{status} {count:,} times" for status, count in report.answers.items())
        said.append(f"answers      {counts}")
        said += [f"differs      {fault}" for fault in report.differences]
        said.append(f"differences  {report.differences_total:,}")
        said.append(f"accuracy     {'passed' if report.passed else 'NOT PASSED'}")
    if report.wiped:
        said.append(
            "wiped        no key and no row is left: run `scrutin roll load` before opening"
        )
    else:
        said.append(f"not wiped    {report.not_wiped_because}".rstrip())
        said.append(
            "             the election must not open on this state: the deck is counted in it"
        )
    return said
