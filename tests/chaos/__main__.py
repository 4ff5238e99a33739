"""`python -m tests.chaos`: play scenarios; exits 1 when any invariant was violated."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvloop

from tests.chaos.electorate import SLICES, Electorate, prepare
from tests.chaos.run import VOTES, Player, Report, Scenario
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stack import running

VIOLATIONS_SHOWN = 12


def main() -> None:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--votes", type=int, default=VOTES)
    parser.add_argument("--keep", action="store_true", help="keep logs even if all went well")
    given = parser.parse_args()
    scenarios = [SCENARIOS[name] for name in given.scenario or SCENARIOS]
    directory = Path(tempfile.mkdtemp(prefix="scrutin-chaos-"))
    reports: list[Report] = []
    try:
        electorate = prepare(directory / "electorate")
        for scenario in scenarios:
            seeds = range(given.seed, given.seed + given.runs)
            reports += uvloop.run(play_all(scenario, seeds, given.votes, electorate, directory))
    finally:
        if given.keep or any(report.violations for report in reports):
            sys.stdout.write(f"logs: {directory}\n")
        else:
            shutil.rmtree(directory)
    sys.exit(any(report.violations for report in reports))


async def play_all(
    scenario: Scenario, seeds: range, votes: int, electorate: Electorate, directory: Path
) -> list[Report]:
    """Play a scenario with every seed; a stack on which a run failed is not used again."""
    reports: list[Report] = []
    waiting = list(seeds)
    stacks = 0
    while waiting:
        stacks += 1
        where = directory / f"{scenario.name}-{stacks}"
        async with running(where, electorate) as stack:
            player = Player(stack, where)
            for seed in list(waiting[:SLICES]):
                report = await player.play(scenario, seed, votes)
                waiting.remove(seed)
                reports.append(report)
                sys.stdout.write("\n".join(_lines(report)) + "\n")
                sys.stdout.flush()
                if report.violations:
                    break
    return reports


def _lines(report: Report) -> Iterator[str]:
    verdict = f"{len(report.violations)} VIOLATIONS" if report.violations else "ok"
    yield (
        f"{report.scenario} seed {report.seed}: {verdict}; {report.answers} of {report.votes} "
        f"answered, {report.undecided} undecided, {report.unanswered} given up, "
        f"longest wait {report.longest_wait_s:.1f} s, {report.seconds:.1f} s"
    )
    yield from (f"    {text}" for text in report.violations[:VIOLATIONS_SHOWN])
    if report.violations:
        yield f"    replay: make chaos SCENARIO={report.scenario} SEED={report.seed} RUNS=1"


if __name__ == "__main__":
    main()
