"""What a page shows of a law."""

from datetime import datetime
from typing import Literal

import msgspec

from edge.problems import Language
from shards.election import Law


class LawView(msgspec.Struct, frozen=True):
    """A law in one language. `state` is by this edge's clock; Redis decides when a vote comes."""

    id: str
    title: str
    text: str
    opens_at: datetime
    closes_at: datetime
    state: Literal["coming", "open", "closed"]


def law_view(law: Law, language: Language, now: datetime) -> LawView:
    """Return what a page shows of a law."""
    french = language == "fr"
    return LawView(
        law.id,
        law.title_fr if french else law.title_en,
        law.text_fr if french else law.text_en,
        law.opens_at,
        law.closes_at,
        "coming" if now < law.opens_at else "open" if now < law.closes_at else "closed",
    )
