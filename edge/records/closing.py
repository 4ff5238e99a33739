"""The certified record of a closing: what it says, how it is made, and what it is held against."""

import hashlib
from pathlib import Path

import msgspec

from clickhouse.closing import LawCounts
from clickhouse.verify import Verification
from edge.errors import RecordError
from hashgen import VERSION
from hashgen.database import Manifest
from shards.beliefs import ElectionStatus, moment
from shards.roll import RollInfo

FORMAT = "scrutin-closing-record"
ALL_LAWS = "election"


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
    """Sums over the laws closed, equal but for duplicates and invalid, and what was compared."""

    accepted: int
    ballots: int
    published: int
    duplicates: int
    invalid: int
    electors_compared: int
    attempts_compared: int
    differences: int


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
    said = manifest.roll_id, manifest.scheme, manifest.key_fingerprint, manifest.total
    if said != (info.roll_id, info.scheme, info.key_fingerprint, info.electors) or (
        manifest.laws != info.laws
    ):
        raise RecordError(f"{path} is of another roll than the one loaded")
    return hashlib.sha256(content).hexdigest()


def compare(record: ClosingRecord, status: ElectionStatus, counts: list[LawCounts]) -> list[str]:
    """Say where stores do not say any more what a record does."""
    faults = []
    info = status.info
    if record.roll.roll_id != info.roll_id:
        faults.append("another roll is loaded")
    for then, now in zip(record.laws, counts, strict=True):
        for name in LawCounts.__struct_fields__:
            was, found = getattr(then.counts, name), getattr(now, name)
            if was != found:
                faults.append(f"law {now.law_id}: {name} {was} in the record, {found} now")
        hours = _law(status, now)
        if (then.opens_at, then.closes_at) != (hours.opens_at, hours.closes_at):
            faults.append(f"law {now.law_id}: the hours are other ones")
    return faults


def _law(status: ElectionStatus, counts: LawCounts) -> LawPart:
    belief = status.laws(counts.law_id)[0]
    return LawPart(moment(belief.opens_at_ms), moment(belief.closes_at_ms), counts)
