"""`python -m tests.chaos`: play scenarios; exits 1 when any invariant was violated."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from tests.chaos import results, table
from tests.chaos.campaign import Job, play_all
from tests.chaos.electorate import prepare
from tests.chaos.planted import report_bugs
from tests.chaos.run import VOTES
from tests.chaos.scenarios import names, pair_names
from tests.chaos.stack import NODE_TIMEOUT_MS

PAIR_RUNS_PART = 5  # a pair is played this many times less often than a single fault


def main() -> None:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--scenario", action="append", help="a fault, or two joined by +")
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="of each scenario")
    parser.add_argument("--votes", type=int, default=VOTES, help="a run")
    parser.add_argument("--full", type=int, metavar="JOBS", help="all and pairs, so many at once")
    parser.add_argument("--node-timeout-ms", type=int, default=NODE_TIMEOUT_MS, help="of Redis")
    parser.add_argument("--until-failure", action="store_true", help="stop when a run fails")
    parser.add_argument("--bugs", nargs="*", help="plant these bugs, or all; each must be caught")
    parser.add_argument("--results", type=Path, help="write what came of it to this file")
    parser.add_argument("--table", action="store_true", help="write docs/reliability.md's tables")
    given = parser.parse_args()
    if given.table:
        table.write()
        sys.exit()
    if given.bugs is not None:
        sys.exit(report_bugs(given.bugs, given.results))
    if given.full:
        sys.exit(play_full(given.full, given.runs, given.seed, given.results))
    sys.exit(play(given))


def play(given: argparse.Namespace) -> bool:
    """Play each scenario on stacks of its own; say whether anything failed."""
    directory = Path(tempfile.mkdtemp(prefix="scrutin-chaos-"))
    failed = False
    try:
        electorate = prepare(directory / "electorate")
        for name in given.scenario or names():
            seeds = range(given.seed, given.seed + given.runs)
            jobs = [Job(name, seed, given.votes) for seed in seeds]
            reports = uvloop.run(
                play_all(
                    jobs,
                    electorate,
                    directory,
                    until_failure=given.until_failure,
                    node_timeout_ms=given.node_timeout_ms,
                )
            )
            failed |= any(report.violations for report in reports)
            if given.results is not None:
                results.write(given.results, [results.summarise(name, reports)])
    finally:
        if failed:
            sys.stdout.write(f"logs: {directory}\n")
        else:
            shutil.rmtree(directory)
    return failed


def play_full(jobs: int, runs: int, seed: int, file: Path) -> bool:
    """Play everything, `jobs` scenarios at once, each in a process of its own."""
    work = [(name, runs) for name in names()]
    work += [(name, max(1, runs // PAIR_RUNS_PART)) for name in pair_names()]
    with tempfile.TemporaryDirectory() as parts, ThreadPoolExecutor(jobs) as pool:

        def play_apart(name: str, times: int) -> int:
            part = Path(parts, f"{name}.json")
            command = [sys.executable, "-m", "tests.chaos", "--scenario", name]
            command += ["--runs", str(times), "--seed", str(seed), "--results", str(part)]
            code = subprocess.run(command, check=False).returncode
            if part.exists():
                results.write(file, results.read(part).scenarios)
            return code

        codes = [pool.submit(play_apart, *item) for item in work]
    return any(code.result() for code in codes)


if __name__ == "__main__":
    main()
