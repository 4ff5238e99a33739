"""`python -m tests.operations rolling-restart|soak`: long versions of the tests, with a report."""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.operations import reports
from tests.operations.deployment import Deployment
from tests.operations.electorate import prepare
from tests.operations.rolling import Restart, roll_through
from tests.operations.soak import soak

UNITS_S = {"s": 1, "m": 60, "h": 3600}
RESTART_S = 20.0  # what one restart takes at the most, to have electors enough


def _duration_s(text: str) -> float:
    found = re.fullmatch(r"(\d+)([smh])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no duration: say 90s, 3m or 1h")
    return int(found[1]) * UNITS_S[found[2]]


async def _rolling(given: argparse.Namespace, directory: Path) -> list[str]:
    deployment = Deployment(directory / "deployment", directory / "roll/election.toml")
    restarts = len(deployment.services) + len(deployment.cluster.nodes)
    votes = given.rate * given.rounds * (restarts + 1) * RESTART_S
    electorate = prepare(directory / "roll", votes, seed=given.seed)
    try:
        await deployment.start(electorate.database)
        rolled = await roll_through(
            deployment,
            electorate.electors(),
            rate_per_s=given.rate,
            seed=given.seed,
            rounds=given.rounds,
            report=_say,
        )
    finally:
        deployment.stop()
    reports.write_rolling(rolled, given.rate)
    return rolled.troubles


def _say(restart: Restart) -> None:
    what = f"{restart.name}, a primary" if restart.handed_over else restart.name
    taken_s = restart.ended_s - restart.began_s
    sys.stdout.write(f"{restart.began_s:7.1f} s  {what}: back and in step after {taken_s:.1f} s\n")
    sys.stdout.flush()


async def _soak(given: argparse.Namespace, directory: Path) -> list[str]:
    electorate = prepare(directory / "roll", given.rate * given.duration, seed=given.seed)
    deployment = Deployment(directory / "deployment", electorate.election)
    try:
        await deployment.start(electorate.database)
        soaked = await soak(
            deployment, electorate, rate_per_s=given.rate, seconds=given.duration, seed=given.seed
        )
    finally:
        deployment.stop()
    reports.write_soak(soaked)
    return soaked.troubles


def main() -> None:
    """Read the arguments and run; exit 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.operations", description=__doc__)
    parser.add_argument("what", choices=("rolling-restart", "soak"))
    parser.add_argument("--rate", type=float, default=1000.0, help="votes a second")
    parser.add_argument("--duration", type=_duration_s, default=3600.0, help="of the soak: 90s, 1h")
    parser.add_argument("--rounds", type=int, default=1, help="of the rolling restart")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    work = _soak if given.what == "soak" else _rolling
    sys.stdout.write(f"{given.what}, seed {given.seed}\n")
    with tempfile.TemporaryDirectory(prefix="scrutin-operations-") as directory:
        troubles = uvloop.run(work(given, Path(directory)))
    sys.stdout.write("".join(f"  {trouble}\n" for trouble in troubles))
    report = reports.SOAK if given.what == "soak" else reports.ROLLING
    sys.stdout.write(f"{'as it should be' if not troubles else 'NOT as it should be'}: {report}\n")
    sys.exit(1 if troubles else 0)


if __name__ == "__main__":
    main()
