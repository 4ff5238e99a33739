"""`scrutin doctor`: what keeps this installation from working, and what to do about it."""

import os
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

from rich.console import Console

from clickhouse.connection import connected
from clickhouse.errors import ClickHouseError, ClickHouseUnavailable
from clickhouse.readiness import unmigrated
from edge import settings as declared
from edge.cautions import roll_without_key
from edge.commands.running import EXIT_FAILED, EXIT_OK, run, settings_of, with_settings
from edge.commands.stores import redis_of
from edge.errors import EdgeError
from edge.settings import Settings
from shards.election import Election, load_election
from shards.errors import (
    ConfigurationError,
    ElectionError,
    RollMissing,
    SchemeMismatch,
    ShardsError,
    Unavailable,
)
from shards.roll import RollStore, check_laws

START_REDIS = "start the cluster and its replicas, or set SCRUTIN_REDIS_URL"
Advice: TypeAlias = dict[type[Exception], str]  # by the kind of error: the first that it is of
REDIS_ADVICE: Advice = {
    ConfigurationError: "change what is named here: of a server with CONFIG SET and in its"
    " configuration file, else in SCRUTIN_REDIS_URL or in the rights of its user",
    ShardsError: START_REDIS,
}
ROLL_ADVICE: Advice = {
    RollMissing: "load it with `scrutin roll load DIR --election FILE`",
    Unavailable: START_REDIS,
    SchemeMismatch: "set SCRUTIN_HASH_SCHEME and SCRUTIN_HASH_KEY_FILE as when the roll was made",
    ShardsError: "name the right file with --election, or use the cluster that has its roll",
}
CLICKHOUSE_ADVICE: Advice = {
    ClickHouseUnavailable: "start ClickHouse, or set SCRUTIN_CLICKHOUSE_URL",
    ClickHouseError: "as a user who may, `scrutin migrate` brings the schema up to date and"
    " `scrutin roles` gives drainers their grants; a table that was dropped comes from a copy"
    " (docs/runbooks/disaster-recovery.md)",
}


class Seen(NamedTuple):
    """What a check saw that found nothing wrong; `advice` is what to do about what is weak."""

    text: str
    advice: str = ""


class Finding(NamedTuple):
    """The outcome of one check; `advice` is what to do when it failed, or though it did not."""

    check: str
    ok: bool
    text: str
    advice: str = ""


NO_REDIS = Finding("roll", True, "not looked at", "put Redis right first, then ask again")


@with_settings(
    "redis_url", "redis_timeout_s", "clickhouse_url", "election", "durability", "min_replicas",
    "durability_timeout_ms", "hash_scheme", "hash_key_file",
)  # fmt: skip
def doctor(**flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Check the settings, Redis, the roll, the election file and ClickHouse.

    Says what to do about whatever is wrong or weak, and exits 1 if anything is wrong.
    """

    async def work() -> int:
        settings = settings_of(flags)
        redis = await _redis(settings)
        findings = [
            _environment(),
            _settings(settings),
            _election(settings),
            redis,
            await _roll(settings) if redis.ok else NO_REDIS,
            await _clickhouse(settings),
        ]
        console = Console(highlight=False)
        for finding in findings:
            mark = "[green]ok   [/]" if finding.ok else "[red]wrong[/]"
            if finding.ok and finding.advice:
                mark = "[yellow]weak [/]"
            console.print(f"{mark} {finding.check:<11}", end=" ")
            console.print(finding.text, markup=False)
            if finding.advice:
                console.print(f"      {finding.advice}", markup=False)
        return EXIT_OK if all(finding.ok for finding in findings) else EXIT_FAILED

    return run(work)


def _environment() -> Finding:
    unknown = declared.unknown_variables(os.environ)
    if not unknown:
        return Finding("environment", True, "every SCRUTIN_ variable is known")
    name, closest = next(iter(unknown.items()))
    advice = f"did you mean {closest}?" if closest else "unset it: it does nothing"
    return Finding("environment", False, f"{name} is no setting", advice)


def _settings(settings: Settings) -> Finding:
    found = _check("settings", lambda: f"hash scheme {settings.hasher().scheme}")
    return found._replace(advice=roll_without_key(settings) or "") if found.ok else found


def _election(settings: Settings) -> Finding:
    def look() -> str:
        election = load_election(settings.election_file())
        return f"{len(election.laws)} laws, results {election.results}"

    return _check("election", look, "correct the file, or name another with --election")


async def _redis(settings: Settings) -> Finding:
    async def look() -> Seen:
        async with redis_of(settings) as client:
            await client.check_servers()
            if troubles := await client.ping():
                raise Unavailable("; ".join(troubles))
            memory = await client.node_memory()
            unlimited = sum(node.max_bytes == 0 for node in memory.values())
            warning = f"; {unlimited} have no maxmemory: they never seem full" if unlimited else ""
            return Seen(f"{len(memory)} primaries, writable ({settings.durability}){warning}")

    return await _try("Redis", look, REDIS_ADVICE)


async def _roll(settings: Settings) -> Finding:
    """Hold the roll against the settings and the election file, as `serve` does."""

    async def look() -> Seen:
        hasher = settings.hasher()
        async with redis_of(settings) as client:
            roll = await RollStore.open(
                client, scheme=hasher.scheme, key_fingerprint=hasher.key_fingerprint
            )
        if election := _readable_election(settings):
            check_laws(roll.info, election)
        return Seen(f"{roll.info.electors:,} electors, {len(roll.info.laws)} laws")

    return await _try("roll", look, ROLL_ADVICE)


def _readable_election(settings: Settings) -> Election | None:
    """Return the election, None where the finding on the file says why there is none."""
    try:
        return load_election(settings.election_file())
    except (EdgeError, ElectionError):
        return None


async def _clickhouse(settings: Settings) -> Finding:
    async def look() -> Seen:
        async with connected(settings.clickhouse_url, timeout_s=5.0) as client:
            to_do = await unmigrated(client)
            version = f"version {client.server_version}"
        if to_do:
            return Seen(f"{version}; {to_do}", "run `scrutin migrate`, or start a drainer")
        return Seen(version)

    return await _try("ClickHouse", look, CLICKHOUSE_ADVICE)


def _check(name: str, look: Callable[[], str], advice: str = "") -> Finding:
    try:
        return Finding(name, True, look())
    except (EdgeError, ShardsError) as error:
        return Finding(name, False, str(error), advice)


async def _try(name: str, look: Callable[[], Awaitable[Seen]], advice: Advice) -> Finding:
    try:
        return Finding(name, True, *await look())
    except (EdgeError, ShardsError, ClickHouseError) as error:
        fitting = [text for kind, text in advice.items() if isinstance(error, kind)]
        return Finding(name, False, str(error), fitting[0] if fitting else "")
