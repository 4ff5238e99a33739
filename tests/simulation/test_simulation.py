"""Simulated days: no promise is broken, and every planted bug is found.

`make simulate SEEDS=n` runs more of them; `make simulate SEED=k` replays one, with its trace.
"""

from collections.abc import Callable

import pytest

from tests.simulation.bugs import BUGS, Plant
from tests.simulation.world import run

SEEDS = 200
SEEDS_TO_FIND = 400  # twice what the bug that hides best has needed


def test_every_day_keeps_its_promises() -> None:
    days = [run(seed) for seed in range(SEEDS)]
    broken = {day.seed: day.violations for day in days if day.violations}
    assert broken == {}
    # The faults must not keep voters from voting, or nothing would be shown.
    assert sum(day.answers for day in days) > 15 * SEEDS


@pytest.mark.parametrize("seed", [5, 70, 115])
def test_a_seed_replays_the_same_day(seed: int) -> None:
    first, again = run(seed), run(seed)
    assert first == again
    assert len(first.trace) > 20


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: Callable[[], Plant]) -> None:
    with bug():
        found = any(run(seed, *BUGS[bug]).violations for seed in range(SEEDS_TO_FIND))
    assert found, f"{bug.__name__} went unnoticed for {SEEDS_TO_FIND} seeds"
