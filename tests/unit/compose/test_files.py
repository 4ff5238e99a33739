"""What Compose, hadolint and shellcheck say of the files, without an engine."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.compose import COMPOSE, PROFILES, ROOT, STANDINS, compose, services

BIN = Path(sys.executable).parent
SCRIPTS = sorted(
    path for folder in ("compose", "tests/compose") for path in (ROOT / folder).rglob("*.sh")
)


def check(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", PROFILES)
def test_compose_takes_the_file(profile: str) -> None:
    compose("--profile", profile, "config", "--quiet")


def test_the_file_is_what_the_specification_says() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    check(BIN / "check-jsonschema", *schema, COMPOSE / "compose.yaml")


def test_compose_takes_the_stand_ins_over_it() -> None:
    files = ["--file", "compose.yaml", "--file", str(STANDINS)]
    left = compose(*files, "--profile", "core", "--profile", "obs", "config", "--services").split()
    assert set(services()) - set(left) == {"keeper", "grafana", "verify", "review", "voters"}


def test_up_starts_everything_that_voting_and_watching_need() -> None:
    """By COMPOSE_PROFILES in compose/.env."""
    started = set(compose("config", "--services").split())
    assert set(services()) - started == {"verify", "review", "voters"}


def test_the_dockerfile_is_as_hadolint_wants_it() -> None:
    check(BIN / "hadolint", ROOT / "Dockerfile")
    check(BIN / "hadolint", STANDINS.parent / "clickhouse.Dockerfile")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_as_shellcheck_wants_them(path: Path) -> None:
    check(BIN / "shellcheck", "--external-sources", path)
