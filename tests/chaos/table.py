"""The tables in docs/reliability.md, written from the committed results."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.chaos import results
from tests.chaos.results import Catch, Results, ScenarioResult
from tests.chaos.scenarios import JOIN

ABOUT = Path(__file__).with_name("about.toml")
DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "reliability.md"
COMMITTED = DOCS / "chaos-results.json"
BEGIN, END = "<!-- {}: written by `python -m tests.chaos --table` -->\n", "<!-- end -->\n"


class About(msgspec.Struct, frozen=True):
    """A fault in words."""

    fault: str
    voter: str
    ops: str


def read_about() -> dict[str, About]:
    """Return the words for every fault, by name."""
    return msgspec.toml.decode(ABOUT.read_bytes(), type=dict[str, About])


def render(page: str, found: Results) -> str:
    """Return the page with its tables as of these results."""
    single = [result for result in found.scenarios if JOIN not in result.scenario]
    pairs = [result for result in found.scenarios if JOIN in result.scenario]
    for name, lines in (
        ("faults", _faults(single)),
        ("pairs", _pairs(pairs)),
        ("bugs", _bugs(found.bugs)),
        ("campaign", _campaign(found)),
    ):
        begin = BEGIN.format(name)
        before, _, rest = page.partition(begin)
        page = before + begin + "\n" + "".join(f"{x}\n" for x in lines) + "\n" + END
        page += rest.partition(END)[2]
    return page


def write() -> None:
    """Write the tables of the committed results into the page."""
    PAGE.write_text(render(PAGE.read_text(), results.read(COMMITTED)))


def _campaign(found: Results) -> Iterable[str]:
    played = found.scenarios
    yield (
        f"{found.date[:10]}, {found.machine}: {sum(s.runs for s in played):,} runs, "
        f"{sum(s.votes for s in played):,} votes, {sum(s.undecided for s in played):,} sendings "
        f"without a decision, {sum(s.violations for s in played)} violations."
    )


def _faults(scenarios: Iterable[ScenarioResult]) -> Iterable[str]:
    about = read_about()
    yield "| scenario | fault | what a voter sees | what ops see | runs | votes | violations |"
    yield "|---|---|---|---|---|---|---|"
    for played in scenarios:
        words = about[played.scenario]
        yield (
            f"| `{played.scenario}` | {words.fault} | {words.voter} | {words.ops} "
            f"| {played.runs} | {played.votes:,} | {played.violations} |"
        )


def _pairs(scenarios: Iterable[ScenarioResult]) -> Iterable[str]:
    yield "| pair | runs | votes | violations |"
    yield "|---|---|---|---|"
    for played in scenarios:
        first, second = played.scenario.split(JOIN)
        yield (
            f"| `{first}` and `{second}` | {played.runs} | {played.votes:,} | {played.violations} |"
        )


def _bugs(bugs: Iterable[Catch]) -> Iterable[str]:
    yield "| planted bug | what it does | caught by | in run |"
    yield "|---|---|---|---|"
    for bug in sorted(bugs, key=lambda bug: bug.bug):
        yield f"| `{bug.bug}` | {bug.about} | `{bug.scenario}` | {bug.runs} |"
