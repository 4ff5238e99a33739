"""`scrutin close`: results made final, and a signed record of them; also its check."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from clickhouse.closing import drain_until, reconcile
from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.verify import readings
from edge.commands.running import EXIT_FAILED, EXIT_OK, run, settings_of, with_settings
from edge.commands.stores import open_checked, redis_of
from edge.errors import RecordError, SettingsError
from edge.records import closing
from edge.records.document import check as check_signature
from edge.records.document import check_place, read_document, sign, write_document
from edge.records.signing_keys import read_public_key, read_signing_key
from edge.settings import Settings
from hashgen.database import MANIFEST_FILE, HashDatabase
from hashgen.progress import accumulating, reporting
from shards.beliefs import SKEW_MS_MAX, ElectionStatus, read_beliefs
from shards.election import ALL_LAWS
from shards.freezing import check_closed, freeze, frozen_at_ms

DRAIN_TIMEOUT_S = 900.0
PHASES = {"draining": "attempts", "comparing": "shards"}


@with_settings(
    "redis_url", "redis_timeout_s", "clickhouse_url", "durability", "min_replicas",
    "durability_timeout_ms",
)  # fmt: skip
def close(
    *,
    law: Annotated[str | None, Parameter(help="Close this law only, not all of them.")] = None,
    signing_key: Annotated[
        Path | None, Parameter(help="The private key, of `scrutin signing-key`.")
    ] = None,
    manifest: Annotated[
        Path | None,
        Parameter(help="The hash database's manifest.json, to hold what the roll says against."),
    ] = None,
    roll: Annotated[
        Path | None,
        Parameter(help="The hash database, to look for every elector in; with its manifest."),
    ] = None,
    directory: Annotated[Path, Parameter(help="Where the record goes.")] = Path(),
    drain_timeout_s: Annotated[
        float, Parameter(help="How long the outbox may take to drain.")
    ] = DRAIN_TIMEOUT_S,
    check: Annotated[
        Path | None, Parameter(help="Check this record instead of closing anything.")
    ] = None,
    public_key: Annotated[
        Path | None, Parameter(help="With --check: the key that must have signed it.")
    ] = None,
    against_stores: Annotated[
        bool, Parameter(negative="", help="With --check: also that the stores still say the same.")
    ] = False,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Make results final: freeze, drain, verify, and write a signed record, record-….json.

    Refuses with exit code 2 while a law is open by the clock of any shard. What is frozen takes no
    ballot any more, and its hours cannot be changed: this cannot be undone. Exits 1, and writes
    nothing, when anything differs between the stores. May be run again.
    """

    async def work() -> int:
        settings = settings_of(flags)
        if check is not None:
            if signing_key is not None:
                raise SettingsError("--check only checks a record: leave out --signing-key")
            if roll is not None and not against_stores:
                raise SettingsError("--check takes --roll with --against-stores")
            return await _check(settings, check, public_key, against_stores, roll)
        if public_key is not None or against_stores:
            raise SettingsError("--public-key and --against-stores go with --check RECORD")
        if signing_key is None:
            raise SettingsError("--signing-key FILE: make one with `scrutin signing-key FILE`")
        if roll is not None and manifest is not None:
            raise SettingsError("--roll has a manifest of its own: leave out --manifest")
        key = read_signing_key(signing_key)
        path = directory / f"record-{law or ALL_LAWS}-{datetime.now(UTC):%Y-%m-%d}.json"
        check_place(path)
        database = open_checked(roll) if roll else None
        held_against = roll / MANIFEST_FILE if roll else manifest
        record = await _close(settings, law, held_against, database, drain_timeout_s)
        write_document(path, sign(record, closing.FORMAT, key))
        _show(record)
        sys.stdout.write(f"record       {path}\n")
        return EXIT_OK

    return run(work)


async def _close(
    settings: Settings,
    law: str | None,
    manifest: Path | None,
    database: HashDatabase | None,
    drain_timeout_s: float,
) -> closing.ClosingRecord:
    url = settings.clickhouse_url
    async with (
        redis_of(settings) as redis,
        connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
    ):
        status = await read_beliefs(redis)
        laws = _laws(status, law)
        check_closed(status, laws)
        _check_agreement(status)
        check_clocks(status, drain_timeout_s)
        manifest_sha256 = closing.check_manifest(manifest, status.info) if manifest else None
        frozen = await freeze(redis, status.info.roll_id, laws)
        with reporting(PHASES) as report:
            await drain_until(
                redis,
                clickhouse,
                frozen.decided_ms,
                timeout_s=drain_timeout_s,
                waiting=lambda done, total: report("draining", done, total),
            )
            compared = accumulating(report, "comparing", readings(database))
            closes_ms = {law_id: closing.closes_ms_of(status, law_id) for law_id in laws}
            found, counts = await reconcile(
                redis, clickhouse, status.info.laws, closes_ms, compared, database=database
            )
    return closing.make_record(
        law or ALL_LAWS, status, frozen.at_ms, manifest_sha256, found, counts
    )


async def _check(
    settings: Settings,
    path: Path,
    public_key: Path | None,
    against_stores: bool,
    roll: Path | None,
) -> int:
    trusted = read_public_key(public_key) if public_key else None
    document = read_document(path)
    check_signature(document, closing.FORMAT, trusted)
    try:
        record = msgspec.convert(document.record, closing.ClosingRecord)
    except msgspec.ValidationError as error:
        raise RecordError(f"{path} is no record of a closing: {error}") from error
    _show(record)
    sys.stdout.write(f"signed by    {document.fingerprint}\n")
    if trusted is None:
        sys.stdout.write(
            "not proven   who signed it: anybody can sign with a key of their own. Give"
            " --public-key FILE, with the key that you got before the election\n"
        )
    if against_stores:
        faults = await _differences(settings, record, roll)
        for fault in faults:
            sys.stdout.write(f"differs      {fault}\n")
        if faults:
            return EXIT_FAILED
        sys.stdout.write("stores       say the same\n")
    return EXIT_OK


async def _differences(
    settings: Settings, record: closing.ClosingRecord, roll: Path | None
) -> list[str]:
    url = settings.clickhouse_url
    database = open_checked(roll) if roll else None
    async with (
        redis_of(settings, reading=True) as redis,
        connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
    ):
        status = await read_beliefs(redis)
        laws = closing.laws_of(record.scope, status.info)
        if not laws:
            return ["another roll is loaded, without this law"]
        if faults := _disagreements(status):
            return faults
        frozen_ms = await frozen_at_ms(redis, laws)
        if frozen_ms is None:
            return ["not all shards are frozen: after a replay, close again"]
        closes_ms = {law_id: closing.closes_ms_of(status, law_id) for law_id in laws}
        manifest = closing.check_manifest(roll / MANIFEST_FILE, status.info) if roll else None
        found, counts = await reconcile(
            redis, clickhouse, status.info.laws, closes_ms, database=database
        )
    now = closing.make_record(record.scope, status, frozen_ms, manifest, found, counts)
    return closing.compare(record, now)


def _laws(status: ElectionStatus, law: str | None) -> Sequence[str]:
    if law is None:
        return sorted(status.info.laws)
    if law not in status.info.laws:
        raise SettingsError(f"--law {law}: the roll has {', '.join(sorted(status.info.laws))}")
    return [law]


def _check_agreement(status: ElectionStatus) -> None:
    if faults := _disagreements(status):
        raise RecordError(f"the nodes do not agree: {'; '.join(faults)}")


def check_clocks(status: ElectionStatus, drain_timeout_s: float) -> None:
    """Raise `RecordError` for clocks whose difference alone outlasts draining.

    What was decided by the clock furthest ahead has to be past for the one furthest behind.
    """
    if status.skew_ms > max(SKEW_MS_MAX, 1000 * drain_timeout_s):
        raise RecordError(
            f"the clocks differ by {status.skew_ms / 1000:,.0f} s, and closing would wait for"
            " the one furthest behind: set them right (`scrutin election status` shows each), or"
            " give a longer --drain-timeout-s. Nothing was frozen"
        )


def _disagreements(status: ElectionStatus) -> list[str]:
    """Leave out skewed clocks: past closing by all of them, they only make it wait."""
    return [fault for fault in status.faults if not fault.startswith("the clocks")]


def _show(record: closing.ClosingRecord) -> None:
    write = sys.stdout.write
    write(f"scope        {_plain(record.scope)}\nfrozen       {_plain(record.frozen_at)}\n")
    write(f"roll         {_plain(record.roll.roll_id)}\nelectors     {record.roll.electors:,}\n")
    if matched := record.reconciliation.electors_matched:
        write(f"database     {matched:,} of them are in the hash database\n")
    for law in record.laws:
        counts = law.counts
        write(
            f"{_plain(counts.law_id)}  oui {counts.oui:,}, non {counts.non:,}; {counts.accepted:,}"
            f" accepted, {counts.duplicates:,} duplicates, {counts.invalid:,} invalid\n"
        )
    write(f"differences  {record.reconciliation.differences:,}\n")


def _plain(text: str) -> str:
    """Escape what could move the cursor: whoever makes up a record must not write our lines."""
    return text.encode("unicode_escape").decode("ascii")
