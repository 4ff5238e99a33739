"""What a campaign came to, as a file to commit."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.bench.outcome import machine
from tests.chaos.run import Report


class ScenarioResult(msgspec.Struct, frozen=True):
    """All runs of one scenario. `failed` names the seeds with violations."""

    scenario: str
    runs: int
    votes: int
    answers: int
    undecided: int
    given_up: int
    longest_wait_s: float
    seconds: float
    violations: int
    failed: list[int]


class Catch(msgspec.Struct, frozen=True):
    """A planted bug and the first run that showed it; no scenario when none did."""

    bug: str
    about: str
    scenario: str
    runs: int


class Results(msgspec.Struct, frozen=True):
    """A campaign: when, on what, what came of it."""

    date: str
    machine: str
    scenarios: list[ScenarioResult] = []
    bugs: list[Catch] = []


def summarise(name: str, reports: Iterable[Report]) -> ScenarioResult:
    """Add up the runs of a scenario."""
    runs = list(reports)
    return ScenarioResult(
        name,
        len(runs),
        sum(run.votes for run in runs),
        sum(run.answers for run in runs),
        sum(run.undecided for run in runs),
        sum(run.unanswered for run in runs),
        max((run.longest_wait_s for run in runs), default=0.0),
        round(sum(run.seconds for run in runs), 1),
        sum(len(run.violations) for run in runs),
        [run.seed for run in runs if run.violations],
    )


def write(path: Path, scenarios: Sequence[ScenarioResult] = (), bugs: Sequence[Catch] = ()) -> None:
    """Write results; those of other scenarios and bugs that are in the file stay."""
    held = read(path) if path.exists() else Results("", "")
    played = {result.scenario: result for result in (*held.scenarios, *scenarios)}
    caught = {catch.bug: catch for catch in (*held.bugs, *bugs)}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    new = Results(now, machine(), list(played.values()), list(caught.values()))
    path.write_bytes(msgspec.json.format(msgspec.json.encode(new), indent=2) + b"\n")


def read(path: Path) -> Results:
    """Read results back."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
