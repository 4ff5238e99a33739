"""What processes have used."""

from collections.abc import Iterable

import psutil

from shards.process import LocalProcess


def cpu_seconds(processes: Iterable[LocalProcess]) -> dict[str, float]:
    """Return user and system time by process name, descendants included, ended ones too."""
    used: dict[str, float] = {}
    for process in processes:
        assert process.pid is not None, f"the {process.name} {process.how_it_ended}"
        used[process.name] = _tree(psutil.Process(process.pid))
    return used


def _tree(root: psutil.Process) -> float:
    # Children first: one that ends meanwhile is in the times of its parent, read after it.
    total_s = 0.0
    for process in (*reversed(root.children(recursive=True)), root):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system + times.children_user + times.children_system
    return total_s
