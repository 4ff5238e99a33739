"""The catalogues have what the pages say, all of it and nothing else, in both languages."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from edge.problems import Language
from edge.words import LANGUAGES, load_words

ROOT = Path(__file__).parents[3]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def said_by_the_pages() -> set[str]:
    """Return the messages that templates and code name, with the project's own mapping."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    options = {mapping["pattern"]: mapping for mapping in mappings}
    return {
        str(message) for _, _, message, _, _ in extract_from_dir(ROOT / "edge", methods, options)
    }


def catalogue(language: str) -> Catalog:
    path = files("edge") / f"locale/{language}/LC_MESSAGES/messages.po"
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing_and_nothing_is_stale(language: str) -> None:
    words = catalogue(language)
    known = {str(message.id) for message in words if message.id}
    said = said_by_the_pages()
    assert len(said) > 100, "the mapping finds the templates"
    assert known == said, f"run make words: {sorted(known ^ said)}"
    assert not words.obsolete
    for message in words:
        if message.id:
            assert message.string, f"{message.id} is empty"
            assert not message.fuzzy, f"{message.id} is a guess"


def test_both_languages_have_the_same_gaps() -> None:
    french, english = catalogue("fr"), catalogue("en")
    for message in french:
        if message.id:
            there = english.get(str(message.id))
            assert there is not None
            gaps = [
                sorted(PLACEHOLDER.findall(str(text))) for text in (message.string, there.string)
            ]
            assert gaps[0] == gaps[1], message.id
            stray = PLACEHOLDER.sub("", f"{message.string}{there.string}").replace("%%", "")
            assert "%" not in stray, f"{message.id}: a % that is no gap is written %%"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_loaded_is_what_is_written(language: Language) -> None:
    words = load_words(language)
    for message in catalogue(language):
        if message.id:
            assert words.gettext(str(message.id)) == message.string
