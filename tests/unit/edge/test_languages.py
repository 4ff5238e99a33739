"""The language of a client, and texts that exist in both."""

import re

import pytest

from edge.languages import preferred_language
from edge.problems import KINDS
from edge.rendering import load_texts


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


def test_both_languages_have_the_same_texts_with_the_same_gaps() -> None:
    french, english = load_texts("fr"), load_texts("en")
    assert french.keys() == english.keys()
    for name, text in french.items():
        assert text
        gaps = re.findall(r"{\w+}", text)
        assert sorted(gaps) == sorted(re.findall(r"{\w+}", english[name])), name


def test_problems_have_codes_and_titles_of_their_own() -> None:
    for names in zip(*[(kind.code, kind.title_en, kind.title_fr) for kind in KINDS], strict=True):
        assert len(set(names)) == len(KINDS)
    assert all(kind.retry_after_s > 0 for kind in KINDS if kind.status in {429, 503})
