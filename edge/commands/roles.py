"""`scrutin roles`: who may do what in ClickHouse."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from clickhouse.connection import connected
from clickhouse.migrations import migrate
from clickhouse.roles import apply_roles, read_grants, roles_xml
from edge.commands.policy import check_published
from edge.commands.running import run, settings_of, with_settings


@with_settings("clickhouse_url", "election")
def roles(
    *,
    with_results: Annotated[
        bool, Parameter(negative="", help="Let analysts and auditors see what was chosen.")
    ] = False,
    xml: Annotated[
        bool, Parameter(negative="", help="Change nothing; print them for a file of users.")
    ] = False,
    **flags: Any,  # noqa: ANN401 (one for each setting)
) -> int:
    """Bring ClickHouse's schema up to date and make its roles.

    Roles: analyst, auditor, drainer, backup, verifier. May be run again, and takes away what a role
    had besides. Needs a user with CREATE ROLE, and ALL
    ON scrutin.* WITH GRANT OPTION. Users are yours to make: CREATE USER … DEFAULT ROLE analyst.
    """

    async def work() -> None:
        settings = settings_of(flags)
        if with_results:
            check_published(settings)
        if xml:
            sys.stdout.write(roles_xml(with_results=with_results))
            return
        async with connected(settings.clickhouse_url) as clickhouse:
            for name in await migrate(clickhouse):
                Console().print(f"migration applied: {name}")
            await apply_roles(clickhouse, with_results=with_results)
        table = Table("role", "may")
        for role, right in read_grants(with_results=with_results):
            table.add_row(role, right)
        Console().print(table)
        if not with_results:
            Console().print(
                "Analysts and auditors see no choices: --with-results once those may be known."
            )

    return run(work)
