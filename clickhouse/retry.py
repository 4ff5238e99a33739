"""Which of ClickHouse's errors pass by themselves, and which need somebody to act.

Rows are never at risk either way: they stay in the outbox until an insert is confirmed. The
question is only whether trying again can help. What is in neither table is taken as passing,
because stopping for an error that would have passed keeps votes uncounted, while repeating one
that does not is loud in the logs and metrics and harms nothing.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError as DriverError
from clickhouse_connect.driver.exceptions import (
    DataError,
    Error,
    NotSupportedError,
    OperationalError,
)

from clickhouse.errors import ClickHouseError, ClickHouseRejected, ClickHouseUnavailable

_MIGRATE = "the schema is not this release's: run the migrations, or restore what was changed"
_TABLE = (
    "a table is missing: run the migrations; `scrutin restore` brings back one that was dropped"
)
_GRANT = "check the user, the password and the grants in the ClickHouse URL"
_OURS = "it does not take what this release sends: run a version that it supports"

# Each is the same however often it is tried.
_PERMANENT = {
    16: _MIGRATE,  # NO_SUCH_COLUMN_IN_TABLE
    36: _OURS,  # BAD_ARGUMENTS
    44: _MIGRATE,  # ILLEGAL_COLUMN
    47: _MIGRATE,  # UNKNOWN_IDENTIFIER
    48: _OURS,  # NOT_IMPLEMENTED
    50: _OURS,  # UNKNOWN_TYPE
    53: _MIGRATE,  # TYPE_MISMATCH
    60: _TABLE,  # UNKNOWN_TABLE
    62: _OURS,  # SYNTAX_ERROR
    81: _MIGRATE,  # UNKNOWN_DATABASE
    115: _OURS,  # UNKNOWN_SETTING
    164: _GRANT,  # READONLY: the user's profile
    192: _GRANT,  # UNKNOWN_USER
    193: _GRANT,  # WRONG_PASSWORD
    194: _GRANT,  # REQUIRED_PASSWORD
    452: _GRANT,  # SETTING_CONSTRAINT_VIOLATION
    497: _GRANT,  # ACCESS_DENIED
    516: _GRANT,  # AUTHENTICATION_FAILED
}

# Those that look permanent, or are most often met, and why they are not. Anything else passes too.
_PASSING = {
    159: "TIMEOUT_EXCEEDED: the server was too slow this time",
    201: "QUOTA_EXCEEDED: quotas are by interval",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES: load",
    209: "SOCKET_TIMEOUT: network",
    210: "NETWORK_ERROR: network",
    236: "ABORTED: the server is stopping",
    241: "MEMORY_LIMIT_EXCEEDED: other queries hold the memory",
    242: "TABLE_IS_READ_ONLY: Keeper is away, or the replica is starting",
    243: "NOT_ENOUGH_SPACE: merges or an operator free the disk, and nothing must restart then",
    252: "TOO_MANY_PARTS: merges catch up",
    319: "UNKNOWN_STATUS_OF_INSERT: sent again with the same token",
    394: "QUERY_WAS_CANCELLED: by an operator or a stopping server",
    999: "KEEPER_EXCEPTION: Keeper elects a leader",
}
NO_ANSWER = "what answers is not ClickHouse, or its answer was cut short"
# The driver's texts that are its own, up to the answer that it quotes.
_SAFE_BEGINNINGS = ("Network Error", "HTTP driver received HTTP status ")
_ANSWER = ", server response"
# Of a URL only the server is told: before it may be a password, after it a row's values.
_URL = re.compile(r"(https?://)(?:[^/\s]*@)?([\w.:\[\]-]*).*", re.DOTALL)

assert not _PERMANENT.keys() & _PASSING.keys()


def classify(error: Exception) -> ClickHouseError:
    """Give the error of ours that says whether trying again can help."""
    if isinstance(error, DataError | NotSupportedError):
        return ClickHouseRejected(
            f"ClickHouse: the driver cannot encode or decode rows ({_described(error)})"
        )
    code = error.code if isinstance(error, Error) else None
    if code in _PERMANENT:
        return ClickHouseRejected(f"ClickHouse: {_PERMANENT[code]} ({_described(error)})")
    # Without a code it was not ClickHouse that answered: network, proxy, timeout.
    reason = _PASSING.get(code) if code else None
    return ClickHouseUnavailable(f"ClickHouse: {reason or _described(error)}")


def _described(error: Exception) -> str:
    """Say what happened without what was sent or answered: a row is a ballot's hash and choice."""
    kind = type(error).__name__
    if isinstance(error, Error) and error.code:
        return f"{kind}, code {error.code}, {error.name}"
    # Those that never got an answer have none in their text, but of a proxy's page its status.
    if isinstance(error, Error) and not str(error).startswith(_SAFE_BEGINNINGS):
        return f"{NO_ANSWER} ({kind})" if isinstance(error, OperationalError) else kind
    return _URL.sub(r"\1\2", str(error).partition(_ANSWER)[0]) or kind


@contextmanager
def classified() -> Iterator[None]:
    """Turn the driver's errors in the block into ours, and hide theirs from tracebacks."""
    try:
        yield
    except (DriverError, TimeoutError, OSError) as error:
        raise classify(error) from None
