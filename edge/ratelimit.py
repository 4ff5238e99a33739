"""How many requests are let in: token buckets for the instance and for each client address."""

from collections import OrderedDict
from collections.abc import Callable

Clock = Callable[[], float]  # seconds, never going back


class TokenBucket:
    """Lets `rate_per_s` requests a second through, and after a pause `burst` at once."""

    __slots__ = ("_burst", "_clock", "_filled_at_s", "_rate_per_s", "_tokens")

    def __init__(self, rate_per_s: float, burst: float, clock: Clock) -> None:
        assert rate_per_s > 0
        assert burst >= 1
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_at_s = clock()

    def has_token(self) -> bool:
        """Say whether there is a token, and leave it."""
        taken = self.take()
        if taken:
            self._tokens += 1
        return taken

    def take(self) -> bool:
        """Take one token; False when there is none."""
        now_s = self._clock()
        tokens = self._tokens + (now_s - self._filled_at_s) * self._rate_per_s
        self._filled_at_s = now_s
        if tokens > self._burst:
            tokens = self._burst
        if tokens < 1:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1
        return True

    def charge(self) -> None:
        """Take one token, and owe it where there is none."""
        if not self.take():
            self._tokens -= 1


class ClientBuckets:
    """One bucket for each client, for the `clients_max` seen last.

    A client that falls out of the table starts anew with a full bucket: memory is bounded, and
    whoever has that many addresses is not held by a limit for each address anyway.
    """

    def __init__(self, rate_per_s: float, burst: float, clients_max: int, clock: Clock) -> None:
        assert clients_max >= 1
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clients_max = clients_max
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def has_token(self, client: str) -> bool:
        """Say whether this client's bucket has a token, and leave it."""
        bucket = self._buckets.get(client)
        return bucket is None or bucket.has_token()

    def take(self, client: str) -> bool:
        """Take a token of this client's bucket; False when there is none."""
        return self._bucket(client).take()

    def charge(self, client: str) -> None:
        """Take a token of this client's bucket, and owe it where there is none."""
        self._bucket(client).charge()

    def _bucket(self, client: str) -> TokenBucket:
        """Return a client's bucket, as the one seen last."""
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = TokenBucket(self._rate_per_s, self._burst, self._clock)
            if len(self._buckets) > self._clients_max:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(client)
        return bucket
