"""Which request a log line or a failure is about."""

from uuid import UUID, uuid4

from edge.wire import Scope

_KEY = "scrutin.request_id"


def remember(scope: Scope, request_id: UUID) -> None:
    """Note the id of the request that is about to fail."""
    scope[_KEY] = request_id


def request_id_of(scope: Scope) -> str:
    """Return the id noted, or a new one that is the same from now on."""
    return str(scope.setdefault(_KEY, uuid4()))
