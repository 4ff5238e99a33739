"""What may go wrong with ClickHouse.

ClickHouseError
├── ClickHouseUnavailable    passing: away, overloaded or silent; try again
├── ClickHouseRejected       permanent: somebody must change something first
├── BackupError              permanent: a copy is damaged, or the tables it goes to are in use
├── ExportError              permanent: what answered for an export is no file
├── Unreconciled             permanent: results cannot be final, the stores do not say the same
├── MigrationError           permanent: the recorded schema and ours disagree
└── LocalClickHouseError     the local engine's process did not come up
"""


class ClickHouseError(Exception):
    """Root of this package's errors."""


class ClickHouseUnavailable(ClickHouseError):
    """ClickHouse did not answer, or answered that it cannot for now. The outcome may be unknown."""


class ClickHouseRejected(ClickHouseError):
    """ClickHouse refused for a reason that waiting does not cure; the message says what to do."""


class BackupError(ClickHouseError):
    """A copy of the tables is damaged, or what it should go to is in use."""


class ExportError(ClickHouseError):
    """What answered for an export is no file, or was cut short."""


class Unreconciled(ClickHouseError):
    """The stores do not say the same, so that results cannot be final; the message says where."""


class MigrationError(ClickHouseError):
    """A migration recorded as applied is not the one in this release."""


class LocalClickHouseError(ClickHouseError):
    """The local engine's process ended, or was silent, before it was ready."""
