"""One version, wherever it is written."""

from importlib.metadata import version

from hashgen import VERSION


def test_the_extension_has_the_packages_version() -> None:
    assert version("scrutin") == VERSION
