"""The words of the pages: a gettext catalogue for each language, compiled when it is loaded.

Messages are named, not English: neither language is the translation of the other. Compiling takes
milliseconds at start, and leaves no compiled file that could be missing or old.
"""

import io
from gettext import GNUTranslations
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from edge.problems import Language

LANGUAGES: tuple[Language, Language] = ("fr", "en")


def load_words(language: Language) -> GNUTranslations:
    """Return a language's catalogue."""
    source = files("edge").joinpath(f"locale/{language}/LC_MESSAGES/messages.po")
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def other(language: Language) -> Language:
    """Return the other of the two languages."""
    return "en" if language == "fr" else "fr"
