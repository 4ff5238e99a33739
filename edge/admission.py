"""Who is let in: the rates of the instance and of each client, and who guesses."""

from edge.clients import ClientAddresses, is_loopback
from edge.networks import NetworkCounts, Refused
from edge.problems import RATE_LIMITED, TOO_MANY_FAILURES, ProblemKind
from edge.ratelimit import ClientBuckets, Clock, TokenBucket
from edge.settings import Settings
from edge.wire import Scope

BURST_S = 1.0  # a full bucket holds what one second gives
FAILURES_BURST_S = 60.0  # people fail in company: when a class votes, say


class Admission:
    """Decides before a request's body is read. Reads never use up the votes' share."""

    def __init__(
        self, settings: Settings, clock: Clock, networks: NetworkCounts | None = None
    ) -> None:
        rate = settings.rate_limit_per_s
        client_rate = settings.client_rate_limit_per_s
        self._addresses = ClientAddresses(settings.trusted_networks())
        self._networks = networks or NetworkCounts()
        self._exempt_loopback = settings.exempt_loopback
        self._votes = TokenBucket(rate, rate * BURST_S, clock)
        self._reads = TokenBucket(rate, rate * BURST_S, clock)
        self._clients = ClientBuckets(
            client_rate, client_rate * BURST_S, settings.client_table_max, clock
        )
        failure_rate = settings.client_failure_limit_per_min / 60
        self._failures = ClientBuckets(
            failure_rate, failure_rate * FAILURES_BURST_S, settings.client_table_max, clock
        )

    def refuse_vote(self, scope: Scope) -> ProblemKind | None:
        """Return why a vote is not let in, or None.

        Whoever has guessed too often is refused before the next guess is decided. Guesses that are
        on their way together all get in; they are owed, and paid off before the next gets in.
        """
        client = self._client(scope)
        return self._refuse_guess(client) or self._refuse(client, self._votes)

    def refuse_guess(self, scope: Scope) -> ProblemKind | None:
        """Return why nobody at this address may identify himself for now, or None."""
        return self._refuse_guess(self._client(scope))

    def vote_refused(self, scope: Scope, status: Refused) -> None:
        """Count a refused vote by its network, and one that was not on the roll as a guess."""
        client = self._client(scope)
        if client is None:
            return
        self._networks.count(client, status)
        if status == "invalid":
            self._failures.charge(client)

    def identification_failed(self, scope: Scope) -> None:
        """Count whoever showed a token that is none."""
        client = self._client(scope)
        if client is not None:
            self._failures.charge(client)

    def refuse_read(self, scope: Scope) -> ProblemKind | None:
        """Return why another request is not let in, or None."""
        return self._refuse(self._client(scope), self._reads)

    def refuse_scrape(self, scope: Scope) -> ProblemKind | None:
        """Return why metrics are not given, or None.

        A client's rate alone counts: a flood of reads must not blind those who watch it.
        """
        client = self._client(scope)
        return None if client is None or self._clients.take(client) else RATE_LIMITED

    def _client(self, scope: Scope) -> str | None:
        """Return the key to count a client by, None for one without limits."""
        client = self._addresses.of(scope["client"][0], scope["headers"])
        return None if self._exempt_loopback and is_loopback(client) else client

    def _refuse_guess(self, client: str | None) -> ProblemKind | None:
        may = client is None or self._failures.has_token(client)
        return None if may else TOO_MANY_FAILURES

    def _refuse(self, client: str | None, instance: TokenBucket) -> ProblemKind | None:
        # the client's own bucket first: whoever is over it must not use up the instance's
        if client is not None and not self._clients.take(client):
            return RATE_LIMITED
        return None if instance.take() else RATE_LIMITED
