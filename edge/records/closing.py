"""The certified record of a closing: what it says, how it is made, and what it is held against."""

import hashlib
from collections.abc import Collection
from pathlib import Path

import msgspec

from clickhouse.closing import LawCounts
from clickhouse.verify import Verification
from edge.errors import RecordError
from hashgen import VERSION
from hashgen.database import Manifest
from shards.beliefs import ElectionStatus, moment
from shards.election import ALL_LAWS
from shards.roll import RollInfo
from shards.roll_comparison import is_of

FORMAT = "scrutin-closing-record"


class RollPart(msgspec.Struct, frozen=True):
    """The roll as Redis has it. `manifest_sha256`: of the manifest it was checked against."""

    roll_id: str
    scheme: str
    key_fingerprint: str
    electors: int
    laws: dict[str, int]
    manifest_sha256: str | None


class LawPart(msgspec.Struct, frozen=True):
    """A law's hours and counts; times are UTC, ISO 8601."""

    opens_at: str
    closes_at: str
    counts: LawCounts


class NodePart(msgspec.Struct, frozen=True):
    """A primary's clock, when the laws were found to be closed by it."""

    node: str
    clock: str
    shards: int


class Reconciliation(msgspec.Struct, frozen=True):
    """Sums over the laws closed, equal but for duplicates and invalid, and what was compared.

    `electors_matched`: on the roll who were found in the hash database, 0 where it was not given.
    """

    accepted: int
    ballots: int
    published: int
    duplicates: int
    invalid: int
    electors_compared: int
    attempts_compared: int
    differences: int
    electors_matched: int = 0  # of records that do not say


class ClosingRecord(msgspec.Struct, frozen=True):
    """What is signed. `scope` is a law, or "election" for all of the roll's laws."""

    scope: str
    frozen_at: str
    software: str
    roll: RollPart
    laws: list[LawPart]
    nodes: list[NodePart]
    clock_skew_ms: int
    reconciliation: Reconciliation


def make_record(
    scope: str,
    status: ElectionStatus,
    frozen_ms: int,
    manifest_sha256: str | None,
    found: Verification,
    counts: list[LawCounts],
) -> ClosingRecord:
    """Write down a closing whose counts have been reconciled."""
    return ClosingRecord(
        scope=scope,
        frozen_at=moment(frozen_ms),
        software=f"scrutin {VERSION}",
        roll=RollPart(
            roll_id=status.info.roll_id,
            scheme=status.info.scheme,
            key_fingerprint=status.info.key_fingerprint,
            electors=status.info.electors,
            laws=status.info.laws,
            manifest_sha256=manifest_sha256,
        ),
        laws=[_law(status, law) for law in counts],
        nodes=[NodePart(node.node, moment(node.clock_ms), node.shards) for node in status.nodes],
        clock_skew_ms=status.skew_ms,
        reconciliation=Reconciliation(
            accepted=sum(law.accepted for law in counts),
            ballots=sum(law.ballots for law in counts),
            published=sum(law.oui + law.non for law in counts),
            duplicates=sum(law.duplicates for law in counts),
            invalid=sum(law.invalid for law in counts),
            electors_compared=found.electors,
            attempts_compared=found.audit_events,
            differences=found.differences_total,
            electors_matched=found.matched,
        ),
    )


def closes_ms_of(status: ElectionStatus, law_id: str) -> int:
    """Return when a law closes, of shards that agree."""
    closes_ms = status.laws(law_id)[0].closes_at_ms
    assert closes_ms is not None
    return closes_ms


def check_manifest(path: Path, info: RollInfo) -> str:
    """Check that a hash database's manifest is of the roll loaded; return its file's SHA-256.

    Raises `RecordError`.
    """
    try:
        content = path.read_bytes()
        manifest = msgspec.json.decode(content, type=Manifest)
    except OSError as error:
        raise RecordError(f"the manifest {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} is no manifest: {error}") from error
    if fault := manifest.fault():
        raise RecordError(f"{path} {fault}")
    if not is_of(manifest, info):
        raise RecordError(f"{path} is of another roll than the one loaded")
    return hashlib.sha256(content).hexdigest()


def laws_of(scope: str, info: RollInfo) -> list[str]:
    """Return the ids of the laws that a record of this scope is of, sorted; empty for no scope."""
    laws = sorted(info.laws)
    return laws if scope == ALL_LAWS else [law_id for law_id in laws if law_id == scope]


def compare(record: ClosingRecord, now: ClosingRecord) -> list[str]:
    """Say where stores, of which `now` was written down, do not say what a record does.

    What was so at the closing alone is left out: software, nodes and clocks; so is the hash
    database where one of both was not held against it. Attempts may have come since, refused.
    """
    ids = [law.counts.law_id for law in record.laws]
    ids_now = {law.counts.law_id for law in now.laws}
    faults = [f"law {law_id} is not in the record" for law_id in sorted(ids_now - set(ids))]
    faults += [f"law {law_id} is none of its scope" for law_id in sorted(set(ids) - ids_now)]
    if len(set(ids)) < len(ids):
        faults.append("a law is in the record twice")
    parts = {"roll", "laws", "reconciliation"}
    faults += _changes("", record, now, parts | {"software", "nodes", "clock_skew_ms"})
    unheld = {record.roll.manifest_sha256, now.roll.manifest_sha256} & {None}
    faults += _changes("roll: ", record.roll, now.roll, {"manifest_sha256"} if unheld else ())
    for then in record.laws:
        for law in now.laws:
            if law.counts.law_id == then.counts.law_id:
                where = f"law {law.counts.law_id}: "
                faults += _changes(where, then, law, {"counts"})
                faults += _changes(where, then.counts, law.counts)
    proof, proof_now = record.reconciliation, now.reconciliation
    besides = {"attempts_compared"}
    if not (proof.electors_matched and proof_now.electors_matched):
        besides.add("electors_matched")
    faults += _changes("sum: ", proof, proof_now, besides)
    if proof.attempts_compared > proof_now.attempts_compared:
        faults.append(
            f"{proof.attempts_compared} attempts were compared by the record,"
            f" there are {proof_now.attempts_compared}"
        )
    return faults


def _changes(
    where: str, then: msgspec.Struct, now: msgspec.Struct, besides: Collection[str] = ()
) -> list[str]:
    pairs = [
        (name, getattr(then, name), getattr(now, name))
        for name in then.__struct_fields__
        if name not in besides
    ]
    return [
        f"{where}{name} {was} in the record, {found} now"
        for name, was, found in pairs
        if was != found
    ]


def _law(status: ElectionStatus, counts: LawCounts) -> LawPart:
    belief = status.laws(counts.law_id)[0]
    return LawPart(moment(belief.opens_at_ms), moment(belief.closes_at_ms), counts)
