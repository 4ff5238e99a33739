"""The Docker engine of this machine, and one project of compose/ on it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose" / "compose.yaml"
DOCKER_COMPOSE = Path(sys.executable).parent / "docker-compose"
COMMAND_TIMEOUT_S = 600.0
ERROR_LINES = 25


class EngineError(Exception):
    """A command of the engine failed; says which, and its last words."""


def docker(*arguments: str | Path, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
    """Run a command of Docker's and return its output; raises `EngineError`."""
    return run(["docker", *arguments], timeout_s=timeout_s)


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> str:
    """Run a command at the root of the repository and return its output; raises `EngineError`."""
    words = " ".join(str(part) for part in argv)
    try:
        done = subprocess.run(
            [str(part) for part in argv],
            cwd=ROOT,
            env=os.environ | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise EngineError(f"{words}: there is no {argv[0]} on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{words}: not done within {timeout_s:.0f} s") from error
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-ERROR_LINES:])
        raise EngineError(f"{words}: exit code {done.returncode}\n{last}")
    return done.stdout


class Project:
    """The services of compose/, under a name and on ports of their own.

    `overlays` are files over compose.yaml.
    """

    def __init__(
        self,
        name: str,
        profiles: Sequence[str],
        env: Mapping[str, str],
        overlays: Sequence[Path] = (),
    ) -> None:
        self._argv: list[str | Path] = [DOCKER_COMPOSE, "--project-name", name]
        for profile in profiles:
            self._argv += ["--profile", profile]
        for path in (COMPOSE, *overlays):
            self._argv += ["--file", path]
        self._env = env

    def __call__(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """Run a command of Compose and return its output; raises `EngineError`."""
        return run([*self._argv, *arguments], env=self._env, timeout_s=timeout_s)

    def config(self) -> Any:
        """Return the services as Compose understands them."""
        return json.loads(self("config", "--format", "json"))

    def containers(self, service: str = "", *, stopped: bool = False) -> list[str]:
        """Return the ids of the containers, those of one service if it is named."""
        flags = ["--all"] if stopped else []
        return self("ps", "--quiet", *flags, *([service] if service else [])).split()

    def until_done(self, job: str, timeout_s: float) -> None:
        """Wait until a job has ended well; raises `EngineError`."""
        deadline_s = time.monotonic() + timeout_s
        state = ""
        while state != "exited 0":
            if time.monotonic() > deadline_s:
                raise EngineError(f"{job} is {state or 'not there'} after {timeout_s:.0f} s")
            time.sleep(0.5)
            [container] = self.containers(job, stopped=True)
            form = "{{.State.Status}} {{.State.ExitCode}}"
            state = docker("inspect", "--format", form, container).strip()

    def tool(self, *command: str) -> str:
        """Run a command of `scrutin` in the project's network; raises `EngineError`."""
        return self("run", "--rm", "-T", "--no-deps", "verify", *command)

    def read(self, path: str) -> str:
        """Return a file that the jobs see."""
        return self("run", "--rm", "-T", "--no-deps", "--entrypoint", "cat", "verify", path)
