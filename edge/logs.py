"""Where logs go: one record a line to stderr, as JSON or for people. Requests are not logged."""

import logging
import sys

import structlog

from edge.ratelimit import Clock
from edge.settings import LogFormat

OUR_PACKAGES = ("edge", "clickhouse", "shards", "hashgen")


def configure(level: str, log_format: LogFormat) -> None:
    """Log our own records from `level`, other libraries' from warnings on, to stderr.

    `auto` is for people on a terminal and JSON elsewhere.
    """
    for_people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_people() if for_people else _programs()),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(level.upper())


# structlog's own choices for exceptions, here and with rich, show the values of local variables:
# NAS and codes among them. Both are set to what Python itself prints.
def _programs() -> list[structlog.typing.Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _people() -> list[structlog.typing.Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]


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
