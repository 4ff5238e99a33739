"""What happened in a run, in order."""

from tests.simulation.loop import VirtualLoop


class Trace:
    """Lines with the simulated time; two runs of one seed have the same."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.lines: list[str] = []

    def note(self, who: str, what: str) -> None:
        """Add a line."""
        self.lines.append(f"{self._loop.time() * 1000:12.4f} ms  {who:<6} {what}")
