"""Who is let in: the rates of the instance and of each client."""

from edge.clients import ClientAddresses, is_loopback
from edge.problems import RATE_LIMITED, ProblemKind
from edge.ratelimit import ClientBuckets, Clock, TokenBucket
from edge.settings import Settings
from edge.wire import Scope

BURST_S = 1.0  # a full bucket holds what one second gives


class Admission:
    """Decides before a request's body is read. Reads never use up the votes' share."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        rate = settings.rate_limit_per_s
        client_rate = settings.client_rate_limit_per_s
        self._addresses = ClientAddresses(settings.trusted_networks())
        self._exempt_loopback = settings.exempt_loopback
        self._votes = TokenBucket(rate, rate * BURST_S, clock)
        self._reads = TokenBucket(rate, rate * BURST_S, clock)
        self._clients = ClientBuckets(
            client_rate, client_rate * BURST_S, settings.client_table_max, clock
        )

    def refuse_vote(self, scope: Scope) -> ProblemKind | None:
        """Return why a vote is not let in, or None."""
        return self._refuse(scope, self._votes)

    def refuse_read(self, scope: Scope) -> ProblemKind | None:
        """Return why another request is not let in, or None."""
        return self._refuse(scope, self._reads)

    def _refuse(self, scope: Scope, instance: TokenBucket) -> ProblemKind | None:
        # the client's own bucket first: whoever is over it must not use up the instance's
        client = self._addresses.of(scope["client"][0], scope["headers"])
        exempt = self._exempt_loopback and is_loopback(client)
        if not exempt and not self._clients.take(client):
            return RATE_LIMITED
        return None if instance.take() else RATE_LIMITED
