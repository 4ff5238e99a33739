"""Dates, times and numbers as people in Canada write them."""

import re
from datetime import UTC, datetime

import pytest

from edge.localising import Localiser
from edge.problems import Language
from edge.words import load_words

WINTER, SUMMER = datetime(2026, 12, 1, 17, 5, tzinfo=UTC), datetime(2026, 7, 1, 16, 5, tzinfo=UTC)


def localiser(language: Language) -> Localiser:
    return Localiser(language, load_words(language))


@pytest.mark.parametrize(
    ("language", "moment", "said"),
    [
        ("fr", WINTER, ">mardi 1er décembre 2026 à 12\xa0h\xa005 (heure de l’Est)<"),
        ("fr", SUMMER, ">mercredi 1er juillet 2026 à 12\xa0h\xa005 (heure de l’Est)<"),
        ("fr", WINTER.replace(day=11), ">vendredi 11 décembre 2026 à 12\xa0h\xa005"),
        ("en", WINTER, ">Tuesday, December 1, 2026 at 12:05\u202fp.m. (Eastern Time)<"),
    ],
)
def test_moments(language: Language, moment: datetime, said: str) -> None:
    text = localiser(language).when(moment)
    assert said in text
    assert f'datetime="{moment.isoformat(timespec="minutes")}"' in text


def test_no_moment_is_told_to_the_second() -> None:
    """A receipt's would name its attempt."""
    text = localiser("en").when(WINTER.replace(second=42, microsecond=123_456))
    assert not re.search(r"42|123", text)


def test_every_zone_has_its_own_time() -> None:
    """Saskatchewan keeps one time all year: that of Winnipeg in winter, of Edmonton in summer."""
    zones = {
        season: {zone: opens for zone, opens, _ in localiser("en").zones(moment, moment)}
        for season, moment in (("winter", WINTER), ("summer", SUMMER))
    }
    for season, same in (("winter", "Central Time"), ("summer", "Mountain Time")):
        assert zones[season]["Saskatchewan"] == zones[season][same]
    assert zones["summer"]["Newfoundland Time"] == "Jul 1, 1:35\u202fp.m."
    assert len(zones["summer"]) == 8


def test_numbers() -> None:
    assert localiser("fr").number(1_234_567) == "1\xa0234\xa0567"
    assert localiser("en").number(1_234_567) == "1,234,567"
    assert localiser("fr").percent(0.6834) == "68,3\xa0%"
    assert localiser("en").percent(0.6834) == "68.3%"
