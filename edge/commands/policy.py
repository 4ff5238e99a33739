"""Whether what was chosen may be shown: by the election file, to whoever holds the rights to it."""

from datetime import UTC, datetime

from edge.errors import SettingsError
from edge.results import may_see_results
from edge.settings import Settings
from shards.election import Election, load_election


def check_published(settings: Settings) -> Election:
    """Raise `SettingsError` unless every law's results may be seen, by the clock of this machine.

    Returns the election.

    This is against mistakes. What stands against whoever wants to know are the roles in ClickHouse.
    Raises `ElectionError` for a file that cannot be read.
    """
    election, now = load_election(settings.election_file()), datetime.now(UTC)
    closed = [law for law in election.laws if not may_see_results(election, law.id, now)]
    if closed:
        raise SettingsError(
            f"the election publishes results after closing, and {closed[0].id} closes at "
            f"{closed[0].closes_at.isoformat()}: until then nobody is shown what was chosen"
        )
    return election
