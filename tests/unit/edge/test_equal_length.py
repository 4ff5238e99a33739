"""Pages padded to one length, in bytes, for any words."""

import pytest

from edge.equal_length import equally_long

WORDS = [
    {"oui": "Yes (oui)", "non": "No (non)"},
    {"oui": "Approuvé, « d’accord »", "non": "Non"},
    {"oui": "Oui", "non": "Non"},
]


@pytest.mark.parametrize("words", WORDS)
def test_pages_of_either_choice_are_equally_long(words: dict[str, str]) -> None:
    """And no longer than the longest has to be."""

    def render(vote: str) -> str:
        return f"<html>{words[vote]} {words[vote]}</html>\n"

    pages = {vote: equally_long(render, vote) for vote in words}
    assert {vote: page.rstrip() for vote, page in pages.items()} == {
        vote: render(vote).rstrip() for vote in words
    }
    longest = max(len(render(vote).encode()) for vote in words)
    assert {len(page.encode()) for page in pages.values()} == {longest}


@pytest.mark.parametrize("vote", ["", "maybe"])
def test_what_is_no_choice_is_shown_as_it_is(vote: str) -> None:
    assert equally_long(lambda shown: f"<html>{shown}", vote) == f"<html>{vote}"
