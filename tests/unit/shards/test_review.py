"""What may be put down in the trail."""

import unicodedata
from itertools import combinations, groupby
from string import hexdigits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.errors import ReviewRefused
from shards.review import checked_auditor, checked_case_id, checked_why


@pytest.mark.parametrize("name", ["Aude", "  Aude  ", "Zoé L’Écuyer", "a.b@example.org", "x" * 64])
def test_names(name: str) -> None:
    assert checked_auditor(name) == name.strip()


@pytest.mark.parametrize("name", ["Zoë Côté", "अनीता", "กัญญา", "Nguyễn Thị", "x̂"])
def test_a_name_is_one_however_it_was_typed(name: str) -> None:
    spellings = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    assert {checked_auditor(f" {spelling} ") for spelling in spellings} == {
        unicodedata.normalize("NFC", name)
    }


def test_marks_count_with_their_letters() -> None:
    assert len(checked_auditor("e\u0301" * 64)) == 64


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "x" * 65,
        "a\nb",
        "=1+1",
        "-",
        "<b>",
        "a\x00",
        "\u202ea",
        "\u0301a",
        "a\u200b",
        "a\ufffd",
    ],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ReviewRefused):
        checked_auditor(name)


def test_a_reason_is_one_line() -> None:
    assert checked_why("  Same voter,\n two phones. ") == "Same voter, two phones."


@pytest.mark.parametrize("why", ["", " \n ", "x" * 501, "a\x07b", "\u202egnp"])
def test_what_is_no_reason(why: str) -> None:
    with pytest.raises(ReviewRefused):
        checked_why(why)


@pytest.mark.parametrize(
    "why",
    [
        "NAS 046454286",
        "046 454 286 called",
        "it was 046-454-286.",
        "0.4.6.4.5.4.2.8.6",
        "Appel de la carte046454286, code ABC",
        "NAS 046–454–286 rappelle",
        "046 / 454 / 286",
        "046_454_286",
        "046454286, 2 fois",
        "2 fois 046454286",
        f"{'0f' * 31}046454286",
        "network-0123456789abcdef-20261125T7Z 046454286",
    ],
)
def test_a_reason_holds_no_nas(why: str) -> None:
    with pytest.raises(ReviewRefused) as raised:
        checked_why(why)
    assert "046" not in str(raised.value)


@pytest.mark.parametrize(
    "why",
    [
        "called 514 555-0199",
        "see 2026-11-25 07:30",
        f"as {'1a' * 32}",
        f"as {'a046454286b' + '0' * 53}",
        "as unknown-20261125T07Z",
        "as network-a046454286b00000-20261125T07Z",
        "as network-0123456789abcde0-20261125T07Z",
    ],
)
def test_other_numbers_are_no_nas(why: str) -> None:
    assert checked_why(why) == why


CASE_IDS = ("unknown-20261125T07Z", "network-a046454286b00000-20261125T07Z")


def may_hold_a_nas(why: str) -> bool:
    """Say whether groups of digits that stand side by side have nine together, but in case ids."""
    for case_id in CASE_IDS:
        why = why.replace(case_id, "case")
    runs = ("".join(run) for _, run in groupby(why, hexdigits.__contains__))
    why = "".join("hash" if len(run) == 64 and run[0] in hexdigits else run for run in runs)
    letters = "".join({char for char in why if char.isalnum() and not char.isdecimal()})
    for stretch in why.translate(dict.fromkeys(map(ord, letters), "x")).split("x"):
        sizes = [len(list(run)) for digits, run in groupby(stretch, str.isdecimal) if digits]
        ends = combinations(range(len(sizes) + 1), 2)
        if any(sum(sizes[start:end]) == 9 for start, end in ends):
            return True
    return False


PIECES = st.one_of(
    st.text("0123456789", min_size=1, max_size=10),
    st.sampled_from(
        ["٣", "²", "–", "-", " ", ".", "/", "_", "é", "a", "F", "carte", "\u0301", "🙂"]
    ),
    st.text("0123456789abcdefABCDEF", min_size=63, max_size=65),
    st.sampled_from([f" {case_id} " for case_id in CASE_IDS]),
)


@given(st.lists(PIECES, min_size=1, max_size=7).map("".join).filter(str.strip))
def test_nine_digits_are_refused_wherever_they_are(text: str) -> None:
    why = " ".join(text.split())
    if may_hold_a_nas(why):
        with pytest.raises(ReviewRefused, match="nine digits"):
            checked_why(why)
    else:
        assert checked_why(why) == why


@pytest.mark.parametrize(
    "case_id", ["0f" * 32, "unknown-20261125T07Z", "network-0123456789abcdef-20261125T07Z"]
)
def test_case_ids(case_id: str) -> None:
    assert checked_case_id(case_id) == case_id


@pytest.mark.parametrize(
    "case_id", ["", "0F" * 32, "0f" * 31, "unknown-2026", "a" * 64 + "\n", "*"]
)
def test_what_is_no_case_id(case_id: str) -> None:
    with pytest.raises(ReviewRefused):
        checked_case_id(case_id)
