"""Which errors pass and which need somebody to act."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError

from clickhouse.errors import ClickHouseRejected, ClickHouseUnavailable
from clickhouse.retry import classified, classify


@pytest.mark.parametrize("code", [None, 159, 202, 209, 241, 243, 252, 319, 999, 123_456])
def test_passing(code: int | None) -> None:
    assert isinstance(classify(DatabaseError("why", code=code)), ClickHouseUnavailable)


@pytest.mark.parametrize(
    ("code", "advice"),
    [(60, "run the migrations"), (16, "run the migrations"), (516, "password"), (115, "version")],
)
def test_permanent_says_what_to_do(code: int, advice: str) -> None:
    error = classify(DatabaseError("why", code=code))
    assert isinstance(error, ClickHouseRejected)
    assert advice in str(error)
    assert "why" in str(error)


@pytest.mark.parametrize("error", [OperationalError("cut"), TimeoutError(), ConnectionError()])
def test_network_passes(error: Exception) -> None:
    with pytest.raises(ClickHouseUnavailable), classified():
        raise error


def test_rows_that_cannot_be_encoded_are_permanent() -> None:
    with pytest.raises(ClickHouseRejected), classified():
        raise DataError("too large")


def test_mistakes_of_ours_are_not_touched() -> None:
    with pytest.raises(ZeroDivisionError), classified():
        raise ZeroDivisionError
