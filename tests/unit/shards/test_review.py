"""What may be put down in the trail."""

import pytest

from shards.errors import ReviewRefused
from shards.review import checked_auditor, checked_case_id, checked_why


@pytest.mark.parametrize("name", ["Aude", "  Aude  ", "Zoé L’Écuyer", "a.b@example.org", "x" * 64])
def test_names(name: str) -> None:
    assert checked_auditor(name) == name.strip()


@pytest.mark.parametrize(
    "name", ["", " ", "x" * 65, "a\nb", "=1+1", "-", "<b>", "a\x00", "\u202ea"]
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
    "why", ["NAS 046454286", "046 454 286 called", "it was 046-454-286.", "0.4.6.4.5.4.2.8.6"]
)
def test_a_reason_holds_no_nas(why: str) -> None:
    with pytest.raises(ReviewRefused) as raised:
        checked_why(why)
    assert "046" not in str(raised.value)


@pytest.mark.parametrize("why", ["called 514 555-0199", "see 2026-11-25 07:30", f"as {'1a' * 32}"])
def test_other_numbers_are_no_nas(why: str) -> None:
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
