"""The call that casts a ballot is packed in Rust; what it must be is said here in Python."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashgen import CastCall
from shards import keys
from shards.functions import fcall, qualified
from tests.support.casting import cast_keys

FUNCTION = qualified("cast")
ROLL_ID = "5e" * 32


@given(
    st.binary(min_size=32, max_size=32),
    st.from_regex(r"[A-Za-z0-9._-]{1,50}", fullmatch=True),
    st.sampled_from(["oui", "non"]),
    st.uuids(),
    st.integers(1, 2**32 - 1),
)
def test_is_what_python_packs(
    ballot_hash: bytes, law_id: str, choice: str, request_id: UUID, buckets: int
) -> None:
    field = keys.field_of(ballot_hash)
    arguments = (ROLL_ID, field, ballot_hash, law_id, choice, request_id.bytes)
    packed = CastCall(FUNCTION, ROLL_ID, buckets).pack(
        ballot_hash, law_id, choice, request_id.bytes
    )
    assert packed == fcall("cast", cast_keys(ballot_hash, buckets), *arguments)


@pytest.mark.parametrize(
    ("hash_bytes", "request_id_bytes"), [(31, 16), (33, 16), (32, 15), (32, 17)]
)
def test_refuses_other_sizes(hash_bytes: int, request_id_bytes: int) -> None:
    call = CastCall(FUNCTION, ROLL_ID, 600)
    with pytest.raises(ValueError, match="slice"):
        call.pack(bytes(hash_bytes), "L2025-001", "oui", bytes(request_id_bytes))
