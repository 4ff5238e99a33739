"""Who may do what in ClickHouse: five roles, written in `grants/*.sql`.

A server takes them as SQL, from a user who may manage roles. One whose users are in files takes
them from a file as well: the same grants as XML. Both are made of the same text.
"""

import re
from importlib import resources

from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseRejected
from clickhouse.replication import REPLICATED_DDL, is_replica, on_cluster
from clickhouse.retry import classified
from clickhouse.sql import split_statements

_GRANT = re.compile(r"GRANT\s(?P<rights>.+)\sTO (?P<role>\w+)(?: WITH REPLACE OPTION)?", re.DOTALL)
_RIGHT = re.compile(r"(\w[\w, ]*)(?:\( ?([\w, ]*\w) ?\))? ON (\w+\.\w+)")


def role_statements(*, with_results: bool) -> list[str]:
    """Return the statements that make the roles; choices are seen only `with_results`."""
    names = ["roles.sql", "results.sql"] if with_results else ["roles.sql"]
    texts = [(resources.files("clickhouse") / "grants" / name).read_text() for name in names]
    return [statement for text in texts for statement in split_statements(text)]


def read_grants(*, with_results: bool) -> list[tuple[str, str]]:
    """Return what is granted, a role and a right (`SELECT ON scrutin.x`) a row, by role.

    A right to some columns is written `SELECT(a, b) ON scrutin.x`.
    """
    granted: dict[str, list[str]] = {}
    for grant in map(_GRANT.fullmatch, role_statements(with_results=with_results)):
        if grant is not None:
            granted.setdefault(grant["role"], []).extend(
                f"{verb}({columns}) ON {what}" if columns else f"{verb} ON {what}"
                for verb, columns, what in _RIGHT.findall(" ".join(grant["rights"].split()))
            )
    return [(role, right) for role, rights in granted.items() for right in rights]


async def apply_roles(client: AsyncClient, *, with_results: bool) -> None:
    """Make the roles, on every replica, and take away what else they had.

    Raises ClickHouseRejected also where the server's users are in files or this one may not manage
    roles, ClickHouseUnavailable.
    """
    with classified():
        replicas = await is_replica(client)
    for statement in role_statements(with_results=with_results):
        try:
            with classified():
                if replicas:
                    await client.command(on_cluster(statement), settings=REPLICATED_DDL)
                else:
                    await client.command(statement)
        except ClickHouseRejected as error:
            raise ClickHouseRejected(
                "roles are made by a user with CREATE ROLE and, WITH GRANT OPTION, ALL ON "
                f"scrutin.*; where users are in files, add `scrutin roles --xml` to them: {error}"
            ) from error


def roles_xml(*, with_results: bool) -> str:
    """Write the roles as the element `<roles>` of ClickHouse's file of users."""
    rights: dict[str, list[str]] = {}
    for role, right in read_grants(with_results=with_results):
        rights.setdefault(role, []).append(right)
    lines = ["    <roles>"]
    for role, granted in rights.items():
        lines += [f"        <{role}>", "            <grants>"]
        lines += [f"                <query>GRANT {right}</query>" for right in granted]
        lines += ["            </grants>", f"        </{role}>"]
    return "\n".join([*lines, "    </roles>"]) + "\n"
