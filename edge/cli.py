"""The program `scrutin`: every role of the system as a command.

Commands are named here and imported when called, so that the offline ones load neither Redis nor
ClickHouse.
"""

import sys
from collections.abc import Collection

import cyclopts

from hashgen import VERSION

COMMANDS = {
    "demo": ("edge.demo.command:demo", "The whole system on this machine, with sample voters."),
    "hashgen": ("hashgen.cli:app", "Make and check hash databases, offline."),
    "roll": ("edge.commands.roll:app", "Load the roll into Redis, and look at it."),
    "redis": ("edge.commands.redis:app", "Bring the servers of the Redis cluster together."),
    "serve": ("edge.commands.serving:serve", "Serve the API and the voters' pages."),
    "drain": ("edge.commands.serving:drain", "Move votes from the outbox to ClickHouse."),
    "results": ("edge.commands.results:results", "Show the count as ClickHouse has it."),
    "verify": ("edge.commands.verify:verify", "Prove that every store says the same."),
    "rehearse-accuracy": (
        "edge.commands.rehearse_accuracy:rehearse_accuracy",
        "Before opening: a known deck of votes, counted, compared, and wiped.",
    ),
    "election": ("edge.commands.election:app", "Look at opening and closing."),
    "close": ("edge.commands.close:close", "Make results final, with a signed record."),
    "signing-key": (
        "edge.commands.signing_key:signing_key",
        "Make the key that records are signed with.",
    ),
    "replay": ("edge.commands.replay:replay", "Rebuild Redis, empty, from the tables."),
    "backup": ("edge.commands.backup:backup", "Copy the tables to a directory."),
    "restore": ("edge.commands.backup:restore", "Fill empty tables from such a copy."),
    "migrate": ("edge.commands.migrate:migrate", "Bring ClickHouse's schema up to date."),
    "roles": (
        "edge.commands.roles:roles",
        "Make ClickHouse's roles: analyst, auditor, drainer, backup, verifier.",
    ),
    "review": ("edge.commands.review:app", "Work the queue of duplicate and invalid attempts."),
    "export": ("edge.commands.export:export", "Write turnout and counts as Parquet files."),
    "bench": ("edge.bench.command:app", "Measure speed and size on this machine."),
    "doctor": ("edge.commands.doctor:doctor", "Find what is wrong with an installation."),
}
EXIT_INTERRUPTED = 130


def make_app(left_out: Collection[str] = ()) -> cyclopts.App:
    """Return the whole command line, but for the commands that a build leaves out."""
    app = cyclopts.App(
        name="scrutin",
        help="Online voting for a referendum day: every accepted ballot counted exactly once.",
        version=VERSION,
        version_flags=["--version"],
        error_formatter=lambda error: f"scrutin: {error}",
        result_action="return_int_as_exit_code_else_zero",
    )
    for name, (path, help_text) in COMMANDS.items():
        if name not in left_out:
            app.command(path, name=name, help=help_text)
    return app


def main(left_out: Collection[str] = ()) -> None:
    """Run the command given and exit with its code."""
    try:
        sys.exit(make_app(left_out)())
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
