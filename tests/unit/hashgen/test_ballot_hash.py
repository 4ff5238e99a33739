import hashlib
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashgen import (
    BallotHasher,
    FieldError,
    ballot_hash,
    normalise_law_id,
    normalise_vote,
)
from tests.support import hashgen_oracle as oracle

REASONS = {
    "nas": {
        "is not valid Unicode",
        "has a character other than digits, spaces and hyphens",
        "must have exactly 9 digits",
    },
    "code": {
        "is not valid Unicode",
        "has a character other than A-Z, 0-9, spaces and hyphens",
        "must have 6 to 32 letters and digits",
    },
    "law_id": {
        "is not valid Unicode",
        "has a character outside A-Z, a-z, 0-9, '.', '_' and '-'",
        "must have 1 to 50 characters",
    },
    "vote": {"must be 'oui' or 'non'"},
}

keys = st.binary(min_size=32, max_size=32)
separators = st.text(st.sampled_from(oracle.SEPARATORS), max_size=2)


def spaced(chars: str, min_size: int, max_size: int) -> st.SearchStrategy[str]:
    """Text of `chars` with separators strewn in, now and then of a wrong length or character."""
    char = st.one_of(*[st.sampled_from(chars)] * 30, st.sampled_from("Oé٣Iß|\n"))
    pairs = st.lists(st.tuples(separators, char), min_size=min_size, max_size=max_size)
    return st.builds(lambda items, end: "".join(a + b for a, b in items) + end, pairs, separators)


alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
nas_texts = st.one_of(spaced("0123456789", 9, 9), spaced("0123456789", 8, 10))
code_texts = spaced(alphanumerics, 5, 33)
law_texts = st.text(st.sampled_from(alphanumerics + "._-"), min_size=0, max_size=51)
any_text = st.text(st.characters(), max_size=40)  # surrogates too


def test_the_fixed_vector() -> None:
    expected = hashlib.sha256(b"123456789|ABC123|L2025-001").digest()
    assert ballot_hash("123456789", "ABC123", "L2025-001") == expected
    assert ballot_hash(" 123-456 789", "abc 123", "L2025-001") == expected
    assert BallotHasher().hash("123456789", "ABC123", "L2025-001") == expected


def hashed_or_refused(hasher: BallotHasher, *fields: str) -> bytes | FieldError:
    nas, code, law_id = fields
    try:
        return hasher.hash(nas, code, law_id)
    except FieldError as error:
        return error


@given(nas=nas_texts, code=code_texts, law_id=law_texts, key=st.none() | keys)
def test_like_the_oracle(nas: str, code: str, law_id: str, key: bytes | None) -> None:
    hasher = BallotHasher() if key is None else BallotHasher("hmac-sha256", key)
    outcome = hashed_or_refused(hasher, nas, code, law_id)
    try:
        expected = oracle.ballot_hash(nas, code, law_id, key)
    except ValueError as error:
        field = str(error)
    else:
        assert outcome == expected
        assert hasher.hash_many([(nas, code, law_id)] * 2) == [expected] * 2
        return
    assert isinstance(outcome, FieldError)
    assert outcome.field == field


@given(
    nas=st.from_regex(r"\A[0-9]{9}\Z"),
    code=st.from_regex(r"\A[A-Z0-9]{6,32}\Z"),
    law_id=st.from_regex(r"\A[A-Za-z0-9._-]{1,50}\Z"),
    key=keys,
)
def test_hmac_and_plain_hash_of_good_fields(nas: str, code: str, law_id: str, key: bytes) -> None:
    message = f"{nas}|{code}|{law_id}".encode()
    assert ballot_hash(nas, code, law_id) == hashlib.sha256(message).digest()
    keyed = BallotHasher("hmac-sha256", key)
    assert keyed.hash(nas, code, law_id) == oracle.ballot_hash(nas, code, law_id, key)


@given(nas=any_text | nas_texts, code=any_text | code_texts, law_id=any_text | law_texts)
def test_an_error_never_holds_the_value(nas: str, code: str, law_id: str) -> None:
    error = hashed_or_refused(BallotHasher(), nas, code, law_id)
    if isinstance(error, bytes):
        return
    assert error.reason in REASONS[error.field]
    assert error.args == (f"{error.field} {error.reason}",)
    assert vars(error) == {"field": error.field, "reason": error.reason}
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("nas", "code", "law_id"), [("9" * 8, "SECRET77", "L1"), ("012345678", "SEC\ud800RET7", "L1")]
)
def test_a_traceback_never_holds_the_value(nas: str, code: str, law_id: str) -> None:
    with pytest.raises(FieldError) as refused:
        BallotHasher().hash_many([(nas, code, law_id)])
    text = "".join(traceback.format_exception(refused.value))
    assert nas not in text
    assert code not in text


def test_errors_survive_pickling() -> None:
    with pytest.raises(FieldError) as refused:
        ballot_hash("", "ABC123", "L1")
    again = pickle.loads(pickle.dumps(refused.value))
    assert (again.field, again.reason) == ("nas", "must have exactly 9 digits")


def test_a_row_of_a_batch_that_is_no_tuple_of_text() -> None:
    for row in (("012345678", "ABC123"), ("012345678", "ABC123", 7), ["a", "b", "c"]):
        with pytest.raises((TypeError, ValueError)) as refused:
            BallotHasher().hash_many([row])  # type: ignore[list-item]
        assert "012345678" not in str(refused.value)


@given(key=keys)
def test_the_fingerprint_names_the_key(key: bytes) -> None:
    hasher = BallotHasher("hmac-sha256", key)
    assert hasher.scheme == "hmac-sha256"
    expected = hashlib.sha256(b"scrutin-key-fingerprint" + key).hexdigest()[:16]
    assert hasher.key_fingerprint == expected


def test_the_plain_scheme_has_no_fingerprint() -> None:
    assert (BallotHasher().scheme, BallotHasher().key_fingerprint) == ("sha256", "")


@pytest.mark.parametrize(
    ("scheme", "key"),
    [
        ("md5", None),
        ("sha256", bytes(32)),
        ("hmac-sha256", None),
        ("hmac-sha256", bytes(31)),
        ("hmac-sha256", bytes(33)),
        ("hmac-sha256", b""),
    ],
)
def test_scheme_and_key_must_agree(scheme: str, key: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"scheme|key"):
        BallotHasher(scheme, key)


def test_votes_and_law_ids() -> None:
    assert [normalise_vote(vote) for vote in ("oui", "OUI", "Non")] == ["oui", "oui", "non"]
    assert normalise_law_id("L2025-001") == "L2025-001"
    for text in ("", "yes", "oui ", "o\ud800"):
        with pytest.raises(FieldError) as refused:
            normalise_vote(text)
        assert refused.value.field == "vote"
    for text in ("", "L 1", "é", "L" * 51, "L\ud800"):
        with pytest.raises(FieldError) as refused:
            normalise_law_id(text)
        assert refused.value.field == "law_id"
