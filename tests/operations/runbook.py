"""The commands that a runbook has, as they stand there, and a shell that runs them."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.edges import SCRUTIN
from tests.support.tls import SERVER

RUNBOOKS = Path(__file__).parents[2] / "docs/runbooks"
TIMEOUT_S = 120.0
KINDS = {"sh", "sql", "text"}  # run by tests, parsed by tests, neither


class Block(NamedTuple):
    """A fenced block under a heading."""

    section: str
    kind: str
    text: str


def blocks(name: str) -> list[Block]:
    """Return the blocks of a runbook, in their order."""
    found = []
    for part in re.split(r"^## ", (RUNBOOKS / f"{name}.md").read_text(), flags=re.MULTILINE):
        section = part.partition("\n")[0]
        for kind, text in re.findall(r"^```(\w*)\n(.*?)^```$", part, re.DOTALL | re.MULTILINE):
            assert kind in KINDS, f"{name}.md, {section}: a block marked {kind!r}"
            found.append(Block(section, kind, text))
    return found


class Shell:
    """Runs blocks in a directory, `scrutin` and `valkey-cli` at hand; keeps all that they say."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        programs = f"{Path(SCRUTIN).parent}:{SERVER.parent}"
        path = f"{programs}:{os.environ['PATH']}"
        self.said = ""
        self._directory = directory
        self._env = os.environ | {"PATH": path, "COLUMNS": "120"} | dict(env)

    def run(self, text: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
        """Run commands to their end; fail, with what they said, if one of them fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=cwd or self._directory,
            env=self._env | dict(env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        self.said += done.stdout
        assert done.returncode == 0, f"{text}\nexit code {done.returncode}:\n{done.stdout}"
        return done.stdout
