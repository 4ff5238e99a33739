from pathlib import Path

import pytest

from hashgen.sample import write_sample


@pytest.fixture(scope="session")
def electors_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 electors of two laws: 40,000 rows."""
    path = tmp_path_factory.mktemp("electors") / "electors.csv"
    write_sample(path, 20_000, ["L2025-001", "L2025-002"], seed=11)
    return path
