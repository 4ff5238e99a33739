"""Holds everything that was answered, kept, counted and published to what was sent."""

import msgspec

from clickhouse.verify import Verification
from edge.bench.rehearsal.attempts import Expected
from edge.bench.rehearsal.casting import Cast
from edge.results import LawResults
from shards.results import LawTally

LATE = "403 closed"


class Check(msgspec.Struct, frozen=True):
    """One comparison."""

    name: str
    expected: str
    found: str
    holds: bool


class Ended(msgspec.Struct, frozen=True):
    """The state of everything after the last vote.

    `late`: status and decision of the vote that came too late; `tallies`: as the tables count;
    `published`: as the edge answers.
    """

    late: str
    tallies: list[LawTally]
    published: list[LawResults]
    verification: Verification


def reconcile(expected: Expected, cast: Cast, ended: Ended) -> list[Check]:
    """Compare; one check that does not hold is a failed rehearsal."""
    proof = ended.verification
    decided = sum(cast.decisions.values())
    checks = [
        _equal("ballots decided", expected.attempts, decided),
        _equal("answered 202, accepted", expected.electors, cast.decisions.get(202, 0)),
        _equal("answered 409, duplicate", expected.duplicates, cast.decisions.get(409, 0)),
        _equal("answered 403, not on the roll", expected.invalid, cast.decisions.get(403, 0)),
        _equal("electors on the roll", expected.electors, proof.electors),
        _equal("electors on the roll and in the hash database", expected.electors, proof.matched),
        _equal("electors who voted, by the roll", expected.electors, proof.voted),
        _equal("ballots kept", expected.electors, proof.ballots),
        _equal("duplicates kept", expected.duplicates, proof.duplicates),
        _equal("hashes refused", expected.invalid, proof.refused),
        _attempts(expected, cast, proof),
        _equal("differences found by the verification", 0, proof.differences_total),
        Check("a vote after closing", LATE, ended.late, ended.late == LATE),
    ]
    counted = {tally.law_id: tally for tally in ended.tallies}
    published = {law.law_id: law for law in ended.published}
    for tally in expected.tallies:
        table, page = counted.pop(tally.law_id, None), published.get(tally.law_id)
        checks.append(_same(f"{tally.law_id} counted", _text(tally), _text(table)))
        checks.append(_same(f"{tally.law_id} published", f"{_text(tally)}, final", _final(page)))
    checks += [
        Check(f"{law_id} counted", "nothing", _text(counted[law_id]), False) for law_id in counted
    ]
    return checks


def _attempts(expected: Expected, cast: Cast, proof: Verification) -> Check:
    # An attempt with a wrong code has no memory in Redis: sent again, it is kept again.
    wanted = f"{expected.attempts:,}"
    if cast.again:
        wanted += f" to {expected.attempts + cast.again:,}"
    fits = expected.attempts <= proof.audit_events <= expected.attempts + cast.again
    return Check("attempts kept", wanted, f"{proof.audit_events:,}", fits)


def _equal(name: str, expected: int, found: int) -> Check:
    return Check(name, f"{expected:,}", f"{found:,}", expected == found)


def _same(name: str, expected: str, found: str) -> Check:
    return Check(name, expected, found, expected == found)


def _text(tally: LawTally | LawResults | None) -> str:
    if tally is None:
        return "nothing"
    return f"{tally.oui_count:,} oui, {tally.non_count:,} non"


def _final(law: LawResults | None) -> str:
    return _text(law) + (", final" if law is not None and law.final else "")
