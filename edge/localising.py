"""Numbers, shares and times as people in Canada write them."""

from datetime import datetime, tzinfo
from gettext import GNUTranslations
from typing import NamedTuple

from babel import Locale
from babel.dates import format_date, format_time, get_timezone, get_timezone_name
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup

from edge.problems import Language

CAPITAL = "America/Toronto"  # the time of Ottawa: the page cannot know where its reader is
ZONES = (
    "America/St_Johns",
    "America/Halifax",
    "America/Toronto",
    "America/Winnipeg",
    "America/Edmonton",
    "America/Vancouver",
)


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

    def number(self, value: int) -> str:
        """Return a count, its digits in groups."""
        return format_decimal(value, locale=self._locale)

    def percent(self, share: float) -> str:
        """Return a share of 0 to 1 with one decimal."""
        pattern = "#,##0.0\N{NO-BREAK SPACE}%" if self._locale.language == "fr" else "#,##0.0%"
        return format_percent(share, pattern, locale=self._locale)

    def when(self, moment: datetime) -> Markup:
        """Return a `time` element: a moment in Ottawa's time, readable by programs as well."""
        text = self._moment % {
            "date": self._date(moment, self._capital),
            "time": format_time(moment, "short", tzinfo=self._capital, locale=self._locale),
            "zone": get_timezone_name(self._capital, locale=self._locale),
        }
        return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), text)

    def zones(self, opens_at: datetime, closes_at: datetime) -> list[ZoneTimes]:
        """Return a window in each of the country's time zones, from east to west."""
        return [
            ZoneTimes(
                get_timezone_name(zone, locale=self._locale),
                self._short(opens_at, zone),
                self._short(closes_at, zone),
            )
            for zone in map(get_timezone, ZONES)
        ]

    def _short(self, moment: datetime, zone: tzinfo) -> str:
        date = format_date(moment.astimezone(zone), "d MMM", locale=self._locale)
        return f"{date}, {format_time(moment, 'short', tzinfo=zone, locale=self._locale)}"

    def _date(self, moment: datetime, zone: tzinfo) -> str:
        return format_date(moment.astimezone(zone), "full", locale=self._locale)
