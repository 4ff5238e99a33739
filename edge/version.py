"""The version of the installed package."""

from functools import cache
from importlib.metadata import version as installed_version


@cache
def version() -> str:
    """Return the version, such as "1.2.0"."""
    return installed_version("scrutin")
