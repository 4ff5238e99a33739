"""Plays runs on stacks, one after the other."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from tests.chaos.electorate import SLICES, Electorate
from tests.chaos.run import Player, Report
from tests.chaos.scenarios import scenario
from tests.chaos.secrecy import Secrets
from tests.chaos.stack import NODE_TIMEOUT_MS, ChaosStack, running

VIOLATIONS_SHOWN = 12


class Job(NamedTuple):
    """One run to play; the seeds of neighbours differ, by less than SLICES."""

    scenario: str
    seed: int
    votes: int


async def play_all(
    jobs: Sequence[Job],
    electorate: Electorate,
    directory: Path,
    *,
    until_failure: bool = False,
    node_timeout_ms: int = NODE_TIMEOUT_MS,
) -> list[Report]:
    """Play jobs; a stack on which a run failed is not used again, nor one whose roll is used up."""
    reports: list[Report] = []
    failed = False
    while len(reports) < len(jobs) and not (failed and until_failure):
        waiting = jobs[len(reports) :][:SLICES]
        where = directory / f"stack-{waiting[0].scenario}-{waiting[0].seed}"
        async with running(where, electorate, node_timeout_ms=node_timeout_ms) as stack:
            reports += await _play_on(stack, waiting)
        failed = bool(reports[-1].violations)
    return reports


async def _play_on(stack: ChaosStack, jobs: Sequence[Job]) -> list[Report]:
    """Play jobs until one fails; after the last, look for what the whole stack must not show."""
    player = Player(stack)
    reports: list[Report] = []
    for number, job in enumerate(jobs, start=1):
        report = await player.play(scenario(job.scenario), job.seed, job.votes)
        if number == len(jobs) and not report.violations:
            found = await player.disagreements() + await _leaks(stack)
            report = msgspec.structs.replace(report, violations=found)
        reports.append(report)
        _say(report)
        if report.violations:
            break
    return reports


async def _leaks(stack: ChaosStack) -> list[str]:
    """Look for NAS and codes in files and metrics."""
    secrets = Secrets(stack.electorate.electors)
    found = secrets.found_below(stack.directory)
    async with aiohttp.ClientSession() as http:
        for url in stack.edge_urls:
            async with http.get(f"{url}/metrics") as answer:
                if secrets.found_in(await answer.read()):
                    found.append(f"a NAS or a code is in the metrics of {url}")
    return found


def _say(report: Report) -> None:
    """Print a run's outcome, and how to replay one that failed."""
    verdict = f"{len(report.violations)} VIOLATIONS" if report.violations else "ok"
    lines = [
        (
            f"{report.scenario} seed {report.seed}: {verdict}; {report.answers} of {report.votes} "
            f"answered, {report.undecided} undecided, {report.unanswered} given up, "
            f"longest wait {report.longest_wait_s:.1f} s, {report.seconds:.1f} s"
        ),
        *(f"    {text}" for text in report.violations[:VIOLATIONS_SHOWN]),
    ]
    if report.violations:
        lines.append(f"    replay: make chaos SCENARIO={report.scenario} SEED={report.seed} RUNS=1")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
