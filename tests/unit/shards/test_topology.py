"""What a Redis URL may ask for."""

from pathlib import Path

import pytest

from shards.errors import ConfigurationError
from shards.topology import endpoint_of


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    garbage = tmp_path / "ca.pem"
    garbage.write_text("no certificate")
    for file in (tmp_path / "nowhere.pem", garbage):
        with pytest.raises(ConfigurationError, match=f"ssl_ca_certs={file}"):
            endpoint_of(f"rediss://127.0.0.1:6379?ssl_ca_certs={file}")
