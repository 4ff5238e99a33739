"""compose/compose.yaml as Compose itself understands it."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"
DOCKER_COMPOSE = Path(sys.executable).with_name("docker-compose")
STANDINS = ROOT / "tests/compose/standins/compose.yaml"
PROFILES = ("core", "obs", "load", "tools")

Service = dict[str, Any]


def compose(*arguments: str | Path, env: dict[str, str] | None = None) -> str:
    """Run Compose in compose/, as its users do; fail with its own words."""
    done = subprocess.run(
        [DOCKER_COMPOSE, *arguments],
        cwd=COMPOSE,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is not set" not in done.stderr, done.stderr
    return done.stdout


@cache
def project() -> dict[str, Any]:
    """Return all of compose.yaml, every profile of it."""
    flags = [flag for profile in PROFILES for flag in ("--profile", profile)]
    described: dict[str, Any] = json.loads(compose(*flags, "config", "--format", "json"))
    return described


def services() -> dict[str, Service]:
    """Return every service by name."""
    described: dict[str, Service] = project()["services"]
    return described


def is_job(service: Service) -> bool:
    """Say whether a service ends by itself."""
    return bool(service.get("restart") != "unless-stopped")
