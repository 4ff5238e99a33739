"""`python -m tests.simulation --seeds N` runs days; `--seed K` replays one, with its trace."""

import argparse
import itertools
import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import Day, run

CHUNK = 20  # seeds that a process takes at a time


def main() -> int:
    """Run, print what is broken, and return 1 if anything is."""
    parser = argparse.ArgumentParser(prog="simulate")
    parser.add_argument("--seeds", type=int, default=1000, help="how many days")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--seed", type=int, help="one day, with its trace")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--fault", action="append", default=[], help="only faults of this kind")
    options = parser.parse_args()
    if options.seed is not None:
        day = _quiet(options.seed, *options.fault)
        _print(day)
        return bool(day.violations)
    began_s, broken = time.monotonic(), 0
    answers, simulated_s = 0, 0.0
    for day in _days(options):
        answers, simulated_s = answers + day.answers, simulated_s + day.simulated_s
        if day.violations:
            broken += 1
            _print(day)
    took_s = time.monotonic() - began_s
    print(
        f"{options.seeds} seeds, {broken} with a broken promise; {answers} answers, "
        f"{simulated_s / 3600:.1f} h simulated in {took_s:.0f} s with {options.jobs} processes: "
        f"{60 * options.seeds / took_s:.0f} seeds a minute"
    )
    return bool(broken)


def _days(options: argparse.Namespace) -> Iterator[Day]:
    seeds = range(options.first, options.first + options.seeds)
    kinds = [itertools.repeat(kind) for kind in options.fault]
    with ProcessPoolExecutor(options.jobs) as processes:
        yield from processes.map(_quiet, seeds, *kinds, chunksize=CHUNK)


def _quiet(seed: int, *kinds: str) -> Day:
    logging.disable(logging.CRITICAL)
    return run(seed, *kinds)


def _print(day: Day) -> None:
    print(*day.trace, sep="\n")
    for violation in day.violations:
        print(f"seed {day.seed}: {violation}")
    print(f"seed {day.seed}: {len(day.violations)} broken; replay: make simulate SEED={day.seed}")


if __name__ == "__main__":
    sys.exit(main())
