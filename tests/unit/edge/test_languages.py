"""The language of a client, and problems that have a title in both."""

import pytest

from edge.languages import preferred_language
from edge.problems import KINDS


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en-CA,en;q=0.9,fr;q=0.8", "en"),
        ("en;q=0.3, fr;q=0.7", "fr"),
        ("de, fr;q=0.1", "fr"),
        ("fr;q=0", "en"),
        ("fr, en", "fr"),
        ("en, fr", "en"),
        ("fr;q=abc, en;q=0.1", "en"),
        ("*", "en"),
        ("FR-ca ; q=1", "fr"),
        (",;=,", "en"),
        ("fr;q=9, en", "fr"),
    ],
)
def test_preferred_language(header: str, language: str) -> None:
    assert preferred_language(header) == language


def test_problems_have_codes_and_titles_of_their_own() -> None:
    for names in zip(*[(kind.code, kind.title_en, kind.title_fr) for kind in KINDS], strict=True):
        assert len(set(names)) == len(KINDS)
    assert all(kind.retry_after_s > 0 for kind in KINDS if kind.status in {429, 503})
