"""The shell scripts of k8s/, checked by shellcheck."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.manifests import K8S

SCRIPTS = sorted(K8S.rglob("*.sh"))
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    found = subprocess.run(
        [SHELLCHECK, "--shell=sh", script], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


def test_there_are_scripts() -> None:
    assert {script.name for script in SCRIPTS} == {"probe.sh", "redis-backup.sh", "start.sh"}
