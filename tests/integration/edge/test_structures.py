"""The benchmark of structures stops at a script that decides wrongly."""

from pathlib import Path

import pytest

from edge.bench.structures.candidates import Hashes, Packed, PackedApart, Sets, Structure
from edge.bench.structures.checking import check
from edge.bench.structures.server import serving
from edge.errors import StartError

ALIGNMENT = b"while first and (first - 1) % width ~= 0 do"
ANY_OFFSET = b"while false do"


@pytest.mark.parametrize(
    ("structure", "good", "bad", "said"),
    [
        (Packed("packed", 128), ALIGNMENT, ANY_OFFSET, "an elector without the first byte"),
        (PackedApart("apart", 128), ALIGNMENT, ANY_OFFSET, "ERR value is not an integer"),
        (
            PackedApart("apart", 128),
            b"at = offset / FIELD_BYTES * RECORD_BYTES",
            b"at = 0",
            "a ballot whose name is a request id must be answered 0",
        ),
        (
            Hashes("hashes", 32),
            b"if string.sub(record, 2) ~= args[3] then",
            b"if true then",
            "the same again must be answered 0 and was 1",
        ),
        (
            Sets("sets"),
            b"redis.call('SADD', keys[3], args[1])",
            b"",
            "the same with another choice must be answered -3 and was 0",
        ),
    ],
)
async def test_a_wrong_script_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    structure: Structure,
    good: bytes,
    bad: bytes,
    said: str,
) -> None:
    source = structure.source
    assert good in source
    monkeypatch.setattr(type(structure), "source", source.replace(good, bad))
    async with serving(tmp_path) as server:
        with pytest.raises(StartError, match=said):
            await check(structure, server)
