"""`scrutin review list` and `show`."""

import sys
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.table import Table

from clickhouse.review import Attempt, read_attempts, read_cases
from edge.commands.review.cases import described, find_case, queue_of, written
from edge.commands.running import run, settings_of, with_settings
from shards.review import Kind, ReviewCase, Standing, State, TrailEntry

HASH_CHARACTERS = 64
# More than are listed: ClickHouse has the trail seconds late, and knows nothing of claims.
LOOKED_AT = 10_000


class ListedCase(msgspec.Struct, frozen=True):
    """A case and how it stands, as `--json` prints them."""

    case: ReviewCase
    standing: Standing


class ShownCase(msgspec.Struct, frozen=True):
    """A case with its attempts, where it has a hash, and its entries in the trail."""

    case: ReviewCase
    standing: Standing
    attempts: list[Attempt]
    trail: list[TrailEntry]


@with_settings("clickhouse_url", "redis_url", "redis_timeout_s")
def list_cases(
    *,
    kind: Annotated[Kind | None, Parameter(help="Only cases of this kind.")] = None,
    state: Annotated[State | None, Parameter(help="Only cases that stand so.")] = None,
    law: Annotated[str, Parameter(help="Only cases of this law.")] = "",
    limit: Annotated[
        int, Parameter(help="Cases at most, those with the most attempts.", validator=Number(gte=1))
    ] = 50,
    json: bool = False,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """List the cases of the review queue, those with the most attempts first.

    Without --state all that are not resolved. A case is a ballot hash with its duplicate or invalid
    attempts, or a pattern of them; what was chosen is not part of it.

    Parameters
    ----------
    kind
        Only cases of this kind.
    state
        Only cases that stand so.
    law
        Only cases of this law.
    limit
        Cases at most.
    json
        Print JSON instead.
    **flags
        The settings given.

    """

    async def work() -> None:
        async with queue_of(settings_of(flags), reading=True) as queue:
            found = [
                await read_cases(
                    queue.clickhouse,
                    kind=kind or "",
                    law_id=law,
                    decided=decided,
                    limit=limit + LOOKED_AT,
                )
                for decided in ((True, False) if state == "resolved" else (False,))
            ]
            cases = [case for each in found for case in each]
            standings = await queue.desk.standings(cases)
        listed = [
            ListedCase(case, standings[case.case_id])
            for case in sorted(cases, key=lambda case: (-case.attempts, case.case_id))
            if _wanted(standings[case.case_id].state, state)
        ][:limit]
        if json:
            sys.stdout.write(msgspec.json.encode(listed).decode() + "\n")
        else:
            _print_list(listed)

    return run(work)


@with_settings("clickhouse_url", "redis_url", "redis_timeout_s")
def show(case_id: str, /, *, json: bool = False, **flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Show a case: how it stands, its attempts but for what was chosen, and its trail.

    Parameters
    ----------
    case_id
        A ballot hash, or a pattern's case as `list` names it.
    json
        Print JSON instead.
    **flags
        The settings given.

    """

    async def work() -> None:
        async with queue_of(settings_of(flags), reading=True) as queue:
            case = await find_case(queue, case_id)
            standings = await queue.desk.standings([case])
            has_hash = len(case_id) == HASH_CHARACTERS
            shown = ShownCase(
                case,
                standings[case.case_id],
                await read_attempts(queue.clickhouse, case_id) if has_hash else [],
                await queue.desk.history(case_id),
            )
        if json:
            sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")
        else:
            _print_case(shown)

    return run(work)


def _wanted(found: State, asked: State | None) -> bool:
    return found == asked if asked else found != "resolved"


def _print_list(listed: list[ListedCase]) -> None:
    table = Table("case", "kind", "law", "attempts", "first", "last", "state")
    for each in listed:
        case = each.case
        table.add_row(
            case.case_id,
            case.kind,
            case.law_id,
            f"{case.attempts:,}",
            written(case.first_ms),
            written(case.last_ms),
            described(each.standing),
        )
    Console(markup=False, width=None if sys.stdout.isatty() else 240).print(table)


def _print_case(shown: ShownCase) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    case = shown.case
    console.print(f"case      {case.case_id}")
    console.print(f"kind      {case.kind}")
    console.print(f"law       {case.law_id or '-'}")
    console.print(f"attempts  {case.attempts:,}, of {case.hashes:,} hashes")
    console.print(f"first     {written(case.first_ms)} UTC")
    console.print(f"last      {written(case.last_ms)} UTC")
    console.print(f"state     {described(shown.standing)}")
    for attempt in shown.attempts:
        number = f" {attempt.attempt}" if attempt.attempt else ""
        console.print(f"  {written(attempt.at_ms)}  {attempt.status}{number}  {attempt.law_id}")
    for entry in shown.trail:
        why = f"{entry.decision} {entry.why}".strip()
        console.print(
            f"  {written(entry.entry_ms)}  {entry.auditor}: {entry.action} {why}".rstrip()
        )
