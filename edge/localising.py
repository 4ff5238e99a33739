"""Numbers, shares and times as people in Canada write them."""

import re
from datetime import datetime, tzinfo
from gettext import GNUTranslations
from typing import NamedTuple

from babel import Locale
from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    get_timezone,
    get_timezone_name,
)
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup

from edge.problems import Language

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
FIRST = re.compile(r"\b1\b")
CAPITAL = "America/Toronto"  # the time of Ottawa: the page cannot know where its reader is
# from east to west; those that keep one time all year go by another name than their zone's
ZONES = {
    "America/St_Johns": "",
    "America/Halifax": "",
    "America/Toronto": "",
    "America/Winnipeg": "",
    "America/Regina": "Saskatchewan",
    "America/Edmonton": "",
    "America/Whitehorse": "Yukon",
    "America/Vancouver": "",
}


class ZoneTimes(NamedTuple):
    """A window as a time zone's clocks show it."""

    zone: str
    opens: str
    closes: str


class Localiser:
    """Writes values in one language."""

    def __init__(self, language: Language, words: GNUTranslations) -> None:
        self._locale = Locale(language, "CA")
        self._moment = words.gettext("moment")
        self._capital = get_timezone(CAPITAL)
        self._zones = [(get_timezone(zone), name) for zone, name in ZONES.items()]

    def number(self, value: int) -> str:
        """Return a count, its digits in groups."""
        return format_decimal(value, locale=self._locale)

    def percent(self, share: float) -> str:
        """Return a share of 0 to 1 with one decimal."""
        pattern = f"#,##0.0{NO_BREAK_SPACE}%" if self._locale.language == "fr" else "#,##0.0%"
        return format_percent(share, pattern, locale=self._locale)

    def when(self, moment: datetime) -> Markup:
        """Return a `time` element: a moment in Ottawa's time, readable by programs as well.

        To the minute for them too: by its ms the time on a receipt would name one attempt.
        """
        day = moment.astimezone(self._capital)
        text = self._moment % {
            "date": self._date(format_date(day, "full", locale=self._locale)),
            "time": self._time(moment, self._capital),
            "zone": get_timezone_name(self._capital, locale=self._locale),
        }
        return Markup('<time datetime="{}">{}</time>').format(
            moment.isoformat(timespec="minutes"), text
        )

    def zones(self, opens_at: datetime, closes_at: datetime) -> list[ZoneTimes]:
        """Return a window in each of the country's time zones, from east to west."""
        return [
            ZoneTimes(
                name or get_timezone_name(zone, locale=self._locale),
                self._short(opens_at, zone),
                self._short(closes_at, zone),
            )
            for zone, name in self._zones
        ]

    def _short(self, moment: datetime, zone: tzinfo) -> str:
        date = format_skeleton("MMMd", moment, tzinfo=zone, locale=self._locale)
        return f"{self._date(date)}, {self._time(moment, zone)}"

    def _date(self, text: str) -> str:
        """Return a date as it is written: French counts the first of a month as the first."""
        return FIRST.sub("1er", text, 1) if self._locale.language == "fr" else text

    def _time(self, moment: datetime, zone: tzinfo) -> str:
        text = format_time(moment, "short", tzinfo=zone, locale=self._locale)
        return text.replace(" ", NO_BREAK_SPACE)
