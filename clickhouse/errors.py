"""What may go wrong with ClickHouse.

ClickHouseError
├── ClickHouseUnavailable    passing: away, overloaded or silent; try again
├── ClickHouseRejected       permanent: somebody must change something first
├── MigrationError           permanent: the recorded schema and ours disagree
└── LocalClickHouseError     the local engine's process did not come up
"""


class ClickHouseError(Exception):
    """Root of this package's errors."""


class ClickHouseUnavailable(ClickHouseError):
    """ClickHouse did not answer, or answered that it cannot for now. The outcome may be unknown."""


class ClickHouseRejected(ClickHouseError):
    """ClickHouse refused for a reason that waiting does not cure; the message says what to do."""


class MigrationError(ClickHouseError):
    """A migration recorded as applied is not the one in this release."""


class LocalClickHouseError(ClickHouseError):
    """The local engine's process ended, or was silent, before it was ready."""
