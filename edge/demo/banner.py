"""What the demo prints when it is up."""

from pathlib import Path
from typing import NamedTuple

from edge.demo.electorate import Card


class Urls(NamedTuple):
    """Where things are."""

    edge: str
    drainer_metrics: str
    clickhouse: str
    redis: str


class TokenFiles(NamedTuple):
    """The files with the tokens of /ops, and of those who decide on /review."""

    ops: Path
    review: Path


def banner(urls: Urls, cards: list[Card], data: Path, tokens: TokenFiles) -> str:
    """Return the text: where things are, and how to try them."""
    url = urls.edge
    card = cards[0]
    sql = "SELECT * FROM scrutin.vote_results FORMAT PrettyCompact"
    ballot = f'{{"nas":"{card.nas}","code":"{card.code}","law_id":"{card.law_id}","vote":"oui"}}'
    laws = dict.fromkeys(card.law_id for card in cards)
    lines = [
        "",
        "Scrutin is up. Ctrl-C ends it.",
        "",
        f"  Vote (français)   {url}/fr/",
        f"  Vote (English)    {url}/en/",
        f"  Results           {url}/en/results",
        *(f"  Results (API)     {url}/api/v1/results/{law_id}" for law_id in laws),
        f"  API docs          {url}/docs",
        f"  Operations        {url}/ops  (any user name, password: cat {tokens.ops})",
        f"  Review queue      {url}/review  (user: your name, password: cat {tokens.review})",
        f"  Metrics           {url}/metrics",
        f"  Drainer's metrics {urls.drainer_metrics}",
        f"  ClickHouse        {urls.clickhouse}  (database scrutin)",
        f"  Redis cluster     {urls.redis}",
        f"  Data and logs     {data}",
        "",
        "Voters' cards to try:",
        *(f"  NAS {card.nas}   code {card.code}   law {card.law_id}" for card in cards),
        "",
        "Vote from the command line, twice to see a duplicate:",
        f"  curl -i {url}/api/v1/vote -H 'Content-Type: application/json' -d '{ballot}'",
        "",
        "Ask ClickHouse for the count:",
        f"  curl {urls.clickhouse} -d '{sql}'",
        "",
    ]
    return "\n".join(lines)
