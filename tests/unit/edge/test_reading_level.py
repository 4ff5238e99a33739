"""Each page is written for people of 14 years, in both languages, and in their typography."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file

from edge.problems import KINDS, Language
from edge.words import LANGUAGES, load_words
from tests.support.readability import ease_fr, grade_en, syllables_fr

TEMPLATES = Path(__file__).parents[3] / "edge" / "templates"
# a page: the templates whose sentences its reader meets, and what the code adds to them
PAGES = {
    "welcome": ["welcome"],
    "choose": ["choose"],
    "review": ["review", "ballot", "errors"],
    "receipt": ["outcomes/accepted"],
    "already voted": ["outcomes/duplicate", "outcomes/conflict"],
    "not on the roll": ["invalid"],
    "closed or not yet open": ["outcomes/closed", "outcomes/coming"],
    "busy": ["busy", "problem"],
    "unsure": ["unsure"],
    "results": ["results"],
    "privacy": ["privacy"],
    "cases": ["auditors", "auditors_trail"],
}
BY_CODE = {
    "choose": ["law_missing", "vote_missing"],
    "review": ["nas_missing", "code_missing"],
}
OPERATORS = {"ops.html"}  # who runs the system reads other words
GRADE_MAX = 8.0  # of an English page: the grade of those aged 13 to 14
EASE_MIN = 60.0  # of a French page: "standard", at the same age
# one sentence is too short to be measured well: it may be a little harder than its page
GRADE_MAX_OF_ONE = 9.0
EASE_MIN_OF_ONE = 50.0
WORDS_MIN_OF_ONE = 4
GAP = re.compile(r"%\(\w+\)s")
MARKUP = re.compile(r"<[^>]+>")


def sentences(page: str, language: Language) -> str:
    """Return a page's whole sentences; labels and headings are no prose to measure."""
    words = load_words(language).gettext
    named = [*BY_CODE.get(page, [])]
    for template in PAGES[page]:
        file = TEMPLATES / f"{template}.html"
        named += [str(found[1]) for found in extract_from_file("jinja2", file)]
    # what is filled in is as short as a weekday
    texts = [MARKUP.sub("", GAP.sub("mardi", words(name))) for name in dict.fromkeys(named)]
    return "\n".join(text for text in texts if text.endswith((".", "?", ":")))


def measurable(text: str) -> list[str]:
    return [line for line in text.split("\n") if len(line.split()) >= WORDS_MIN_OF_ONE]


def test_every_template_is_a_page_of_the_list() -> None:
    listed = {f"{template}.html" for templates in PAGES.values() for template in templates}
    there = {
        str(file.relative_to(TEMPLATES))
        for file in TEMPLATES.rglob("*.html")
        if any(extract_from_file("jinja2", file))
    }
    assert there - listed - OPERATORS == {
        "auditors_words.html",
        "base.html",
        "outcome.html",
    }, "those have labels alone"


@pytest.mark.parametrize("page", PAGES)
def test_the_english_of_a_page(page: str) -> None:
    text = sentences(page, "en")
    assert grade_en(text) <= GRADE_MAX, f"grade {grade_en(text):.1f}: {text}"
    for line in measurable(text):
        assert grade_en(line) <= GRADE_MAX_OF_ONE, f"grade {grade_en(line):.1f}: {line}"


@pytest.mark.parametrize("page", PAGES)
def test_the_french_of_a_page(page: str) -> None:
    text = sentences(page, "fr")
    assert ease_fr(text) >= EASE_MIN, f"ease {ease_fr(text):.0f}: {text}"
    for line in measurable(text):
        assert ease_fr(line) >= EASE_MIN_OF_ONE, f"ease {ease_fr(line):.0f}: {line}"


def test_the_formulas_know_easy_from_hard() -> None:
    assert grade_en("The cat sat on the mat. It was glad to be home.") < 2
    assert (
        grade_en(
            "Authentication necessitates contemporaneous verification of identification particulars"
            " communicated by the electoral administration."
        )
        > 20
    )
    assert ease_fr("Le chat dort. Il rêve de lait.") > 100
    assert (
        ease_fr(
            "L’authentification nécessite la vérification simultanée des informations"
            " d’identification communiquées par l’administration électorale."
        )
        < 20
    )
    counted = {"vote": 1, "enregistré": 4, "électorale": 4, "essayez": 3, "chiffres": 1, "été": 2}
    assert {word: syllables_fr(word) for word in counted} == counted


def french() -> dict[str, str]:
    """Return everything that pages say in French."""
    words = load_words("fr")
    catalogue = {str(name): str(text) for name, text in words._catalog.items() if name}  # type: ignore[attr-defined]
    return catalogue | {kind.code: kind.title_fr for kind in KINDS}


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (r"(?<!\u00a0):", "a no-break space stands before a colon"),
        (r"\s[;!?]", "nothing stands before ; ! ? (as the OQLF has it)"),
        (r"«(?!\u00a0)|(?<!\u00a0)»|[\"“”]", "quotes are « and », with no-break spaces"),
        (r"\d [^\W\d_]", "a no-break space stands between a number and what it counts"),
        (r"'", "the apostrophe is ’"),
        (r"\.\.\.", "the ellipsis is one sign"),
        (r"  ", "one space is enough"),
    ],
)
def test_french_typography(wrong: str, rule: str) -> None:
    found = [text for text in french().values() if re.search(wrong, text)]
    assert not found, rule


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_apostrophe_is_curved(language: Language) -> None:
    words = load_words(language)
    straight = [text for text in words._catalog.values() if "'" in str(text)]  # type: ignore[attr-defined]
    assert not straight
