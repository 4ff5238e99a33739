"""`scrutin review claim`, `resolve` and `reopen`."""

import sys
from typing import Annotated, Any
from uuid import uuid4

from cyclopts import Parameter
from rich.console import Console

from edge.commands.review.cases import auditor_of, find_case, queue_of
from edge.commands.running import EXIT_FAILED, EXIT_OK, run, settings_of, with_settings
from edge.commands.stores import redis_of
from shards.review import CLAIM_MINUTES, Decision, Outcome, ReviewDesk

SAID = {
    "held": "{who} has this case",
    "decided": "{who} has decided this case already, and no attempt has come since",
    "open": "nobody has this case: claim it first",
    "undecided": "this case is not decided: there is nothing to open again",
}
SETTINGS = (
    "auditor", "redis_url", "redis_timeout_s", "durability", "min_replicas",
    "durability_timeout_ms",
)  # fmt: skip


@with_settings(*SETTINGS, "clickhouse_url")
def claim(
    case_id: str,
    /,
    *,
    minutes: Annotated[
        float, Parameter(help="For so long; others may take the case after.")
    ] = CLAIM_MINUTES,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Take a case, so that nobody else works on it. Exits 1 when somebody has it or decided it.

    A case that was resolved can be taken again once more attempts have come.

    Parameters
    ----------
    case_id
        A ballot hash, or a pattern's case as `list` names it.
    minutes
        For so long.
    **flags
        The settings given.

    """

    async def work() -> int:
        settings = settings_of(flags)
        auditor = auditor_of(settings)
        async with queue_of(settings) as queue:
            case = await find_case(queue, case_id)
            return _said(await queue.desk.claim(case, auditor, uuid4(), minutes=minutes))

    return run(work)


@with_settings(*SETTINGS)
def resolve(
    case_id: str,
    /,
    *,
    decision: Annotated[Decision, Parameter(help="What is decided.")],
    why: Annotated[str, Parameter(help="The reason, in a sentence or two.")],
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Decide a case that you have claimed: once. Exits 1 when it is not yours to decide.

    Parameters
    ----------
    case_id
        A ballot hash, or a pattern's case as `list` names it.
    decision
        harmless, suspect, or fault (a mistake of the system or of the roll).
    why
        The reason. No names of voters, and no NAS.
    **flags
        The settings given.

    """

    async def work() -> int:
        settings = settings_of(flags)
        auditor = auditor_of(settings)
        async with redis_of(settings) as redis:
            desk = ReviewDesk(redis)
            return _said(await desk.resolve(case_id, auditor, decision, why, uuid4()))

    return run(work)


@with_settings(*SETTINGS)
def reopen(
    case_id: str,
    /,
    *,
    why: Annotated[str, Parameter(help="The reason, in a sentence or two.")],
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Put a decided case back into the queue. What was decided stays in the trail.

    Parameters
    ----------
    case_id
        A ballot hash, or a pattern's case as `list` names it.
    why
        The reason. No names of voters, and no NAS.
    **flags
        The settings given.

    """

    async def work() -> int:
        settings = settings_of(flags)
        auditor = auditor_of(settings)
        async with redis_of(settings) as redis:
            return _said(await ReviewDesk(redis).reopen(case_id, auditor, why, uuid4()))

    return run(work)


def _said(outcome: Outcome) -> int:
    if outcome.done:
        Console(highlight=False, markup=False).print(f"{outcome.code} by {outcome.auditor}")
        return EXIT_OK
    sys.stderr.write(f"scrutin: {SAID[outcome.code].format(who=outcome.auditor)}\n")
    return EXIT_FAILED
