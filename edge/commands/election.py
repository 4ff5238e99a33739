"""`scrutin election status`: what each node believes of the election."""

import sys
from typing import Annotated, Any

import cyclopts
import msgspec
from cyclopts import Parameter
from rich.console import Console

from edge.commands.running import EXIT_FAILED, EXIT_OK, run, settings_of, with_settings
from edge.commands.stores import redis_of
from shards.beliefs import SKEW_MS_MAX, ElectionStatus, moment, read_beliefs

app = cyclopts.App(name="election", help="Look at opening and closing.")


@app.command
@with_settings("redis_url", "redis_timeout_s")
def status(
    *,
    json: Annotated[bool, Parameter(negative="", help="Print JSON instead.")] = False,
    skew_ms_max: Annotated[int, Parameter(help="By how many ms clocks may differ.")] = SKEW_MS_MAX,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Show each Redis primary's clock, roll, and whether each law is waiting, open or closed there.

    Exits 1 when they do not agree, when shards lack a window or do not answer, or when clocks
    differ by more than --skew-ms-max.
    """

    async def work() -> int:
        async with redis_of(settings_of(flags), reading=True) as redis:
            found = await read_beliefs(redis, skew_ms_max)
        if json:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        else:
            _show(found)
        return EXIT_FAILED if found.faults else EXIT_OK

    return run(work)


def _show(status: ElectionStatus) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for node in status.nodes:
        console.print(f"{node.node}  {moment(node.clock_ms)}  {node.ahead_ms:+} ms from here")
        for roll, shards in sorted(node.rolls.items()):
            console.print(f"  roll {roll}  {shards} shards")
        for law in node.laws:
            hours = f"{moment(law.opens_at_ms)} to {moment(law.closes_at_ms)}"
            console.print(f"  {law.law_id}  {law.state}  {hours}  {law.shards} shards")
    console.print(f"clocks differ by {status.skew_ms} ms at most")
    for fault in status.faults:
        console.print(f"wrong: {fault}")
