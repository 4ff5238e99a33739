"""`scrutin rehearse-accuracy`: the logic and accuracy test before opening; also its check."""

import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from edge.accuracy.rehearsal import Plan, rehearse
from edge.accuracy.report import FORMAT, SEED_MAX, AccuracyReport, lines, read_report
from edge.commands.running import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_WRONG_SETTINGS,
    run,
    settings_of,
    with_settings,
)
from edge.commands.stores import redis_of
from edge.errors import SettingsError
from edge.records.document import check as check_signature
from edge.records.document import check_place, read_document, sign, write_document
from edge.records.signing_keys import read_public_key, read_signing_key
from edge.settings import Settings
from hashgen.progress import reporting

URL = "http://127.0.0.1:8000"
DRAIN_TIMEOUT_S = 300.0
PHASES = {"casting": "attempts", "draining": "attempts", "comparing": "shards"}


@with_settings(
    "redis_url", "redis_timeout_s", "clickhouse_url", "durability", "min_replicas",
    "durability_timeout_ms", "hash_scheme", "hash_key_file",
)  # fmt: skip
def rehearse_accuracy(
    *,
    electors: Annotated[
        Path | None, Parameter(help="The deck's electors, on the roll: CSV as hashgen takes it.")
    ] = None,
    url: Annotated[
        tuple[str, ...], Parameter(help="An edge; may be given again, votes are shared out.")
    ] = (URL,),
    key: Annotated[
        Path | None, Parameter(help="The private key, of `scrutin signing-key`.")
    ] = None,
    directory: Annotated[Path, Parameter(help="Where the report goes.")] = Path(),
    seed: Annotated[
        int | None,
        Parameter(help="Another seed, another deck.", validator=Number(gte=0, lte=SEED_MAX)),
    ] = None,
    wipe: Annotated[
        str | None, Parameter(help="Wipe at the end: the id of the roll that is loaded.")
    ] = None,
    wipe_only: Annotated[
        bool, Parameter(negative="", help="With --wipe and --seed: only wipe what a run left.")
    ] = False,
    drain_timeout_s: Annotated[
        float, Parameter(help="How long the outbox may take to drain.")
    ] = DRAIN_TIMEOUT_S,
    check: Annotated[
        Path | None, Parameter(help="Check this report instead of rehearsing anything.")
    ] = None,
    public_key: Annotated[
        Path | None, Parameter(help="With --check: the key that must have signed it.")
    ] = None,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Cast a known deck of votes before opening, compare all that is counted, sign a report.

    Refuses with exit code 2 unless nobody has voted and the tables are empty, and for a NAS that
    does not begin with 0. Exits 1 with each difference. The report, accuracy-….json, is written
    either way. Laws must be open: load the roll with hours of today for it.

    With --wipe it then removes every key of ours from Redis, the roll included, and every row that
    votes and auditors left in ClickHouse, and looks that nothing is left; the roll has to be loaded
    anew. That is refused when there is any vote or attempt that is not the deck's, when anything
    differs, and while a drainer runs: stop drainers (also edges with --drain). Running edges are
    not ready until a roll is loaded; start them anew, they may remember the deck's results. The
    user of ClickHouse must be allowed to truncate. A rehearsal with drainers running is wiped
    later, once they are stopped, with --wipe-only and the seed that was printed.
    """

    async def work() -> int:
        if check is not None:
            return _check(check, public_key)
        if electors is None or key is None:
            raise SettingsError("--electors CSV and --key FILE are needed")
        if wipe_only and (wipe is None or seed is None):
            raise SettingsError("--wipe-only goes with --wipe ROLL_ID and the run's --seed")
        private = read_signing_key(key)
        kind = "accuracy-wiped" if wipe_only else "accuracy"
        path = directory / f"{kind}-{datetime.now(UTC):%Y-%m-%d}.json"
        check_place(path)
        used = random.SystemRandom().randint(0, SEED_MAX) if seed is None else seed
        sys.stdout.write(f"seed         {used}\n")
        sys.stdout.flush()
        urls = [address.rstrip("/") for address in url]
        plan = Plan(electors, urls, used, wipe, wipe_only, drain_timeout_s)
        report = await _rehearse(settings_of(flags), plan)
        write_document(path, sign(report, FORMAT, private))
        _show(report)
        sys.stdout.write(f"report       {path}\n")
        if report.differences_total:
            return EXIT_FAILED
        return EXIT_WRONG_SETTINGS if report.not_wiped_because else EXIT_OK

    return run(work)


async def _rehearse(settings: Settings, plan: Plan) -> AccuracyReport:
    async with (
        redis_of(settings) as redis,
        connected(settings.clickhouse_url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
    ):
        with reporting(PHASES) as report:
            return await rehearse(redis, clickhouse, settings.hasher(), plan, report)


def _check(path: Path, public_key: Path | None) -> int:
    trusted = read_public_key(public_key) if public_key else None
    document = read_document(path)
    check_signature(document, FORMAT, trusted)
    report = read_report(path, document)
    _show(report)
    sys.stdout.write(f"signed by    {document.fingerprint}\n")
    if trusted is None:
        sys.stdout.write("not proven   who signed it: give --public-key FILE\n")
    return EXIT_FAILED if report.differences_total else EXIT_OK


def _show(report: AccuracyReport) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines(report)))
