"""Where logs go: one line a record to stderr. Requests are not logged."""

import logging
import sys

from edge.ratelimit import Clock


def configure(level: str) -> None:
    """Log our own records from `level`, other libraries' from warnings on, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in ("edge", "clickhouse", "shards", "hashgen"):
        logging.getLogger(package).setLevel(level.upper())


class Sparingly:
    """Says when something that may come with every request is worth another record."""

    def __init__(self, pause_s: float, clock: Clock) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._said_at_s: dict[type, float] = {}

    def may_say(self, kind: type) -> bool:
        """Take note of one more of that kind; True once in `pause_s`."""
        now_s = self._clock()
        if now_s - self._said_at_s.get(kind, -self._pause_s) < self._pause_s:
            return False
        self._said_at_s[kind] = now_s
        return True
