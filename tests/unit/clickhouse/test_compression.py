"""Bodies' compression: there and back, damaged, and larger than it seems."""

import pytest

from clickhouse.local.compression import choose, compress, decompress
from clickhouse.local.faults import Fault

ENCODINGS = ("lz4", "zstd", "gzip", "deflate")
DATA = b"ballot " * 10_000


@pytest.mark.parametrize("encoding", ["", *ENCODINGS])
def test_round_trip(encoding: str) -> None:
    assert decompress(compress(DATA, encoding), encoding, len(DATA)) == DATA


@pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip"])
def test_several_frames_in_a_row(encoding: str) -> None:
    assert decompress(compress(DATA, encoding) * 2, encoding, 2 * len(DATA)) == DATA * 2


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_more_than_allowed_is_refused(encoding: str) -> None:
    with pytest.raises(Fault) as caught:
        decompress(compress(DATA, encoding), encoding, len(DATA) - 1)
    assert caught.value.status == 413


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damaged_body_is_refused(encoding: str, damage: str) -> None:
    body = compress(DATA, encoding)[:-5] if damage == "cut" else b"\xff\x00 no such data" * 9
    with pytest.raises(Fault) as caught:
        decompress(body, encoding, len(DATA))
    assert caught.value.name == "CANNOT_DECOMPRESS"


def test_unknown_encoding_is_not_implemented() -> None:
    with pytest.raises(Fault) as caught:
        decompress(b"", "rot13", 1)
    assert caught.value.status == 501


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [("", ""), ("identity", ""), ("gzip, zstd;q=1", "zstd"), ("GZIP", "gzip"), ("zstd,lz4", "lz4")],
)
def test_choice(accepted: str, chosen: str) -> None:
    assert choose(accepted) == chosen
