"""Where logs go: one line a record to stderr. Requests are not logged."""

import logging
import sys


def configure(level: str) -> None:
    """Log our own records from `level`, other libraries' from warnings on, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in ("edge", "clickhouse", "shards", "hashgen"):
        logging.getLogger(package).setLevel(level.upper())
