"""Which errors pass and which need somebody to act."""

import traceback

import pytest
from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    DataError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StreamFailureError,
)

from clickhouse.errors import ClickHouseError, ClickHouseRejected, ClickHouseUnavailable
from clickhouse.retry import classified, classify

ROW = "9f86d081884c7d65 L2025-001 oui"


@pytest.mark.parametrize("code", [None, 159, 202, 209, 241, 243, 252, 319, 999, 123_456])
def test_passing(code: int | None) -> None:
    assert isinstance(classify(DatabaseError("why", code=code)), ClickHouseUnavailable)


@pytest.mark.parametrize(
    ("code", "advice"),
    [(60, "scrutin restore"), (16, "run the migrations"), (516, "password"), (115, "version")],
)
def test_permanent_says_what_to_do(code: int, advice: str) -> None:
    error = classify(DatabaseError("why", code=code, name="SOME_NAME"))
    assert isinstance(error, ClickHouseRejected)
    assert advice in str(error)
    assert f"DatabaseError, code {code}, SOME_NAME" in str(error)


@pytest.mark.parametrize("error", [OperationalError("cut"), TimeoutError(), ConnectionError()])
def test_network_passes(error: Exception) -> None:
    with pytest.raises(ClickHouseUnavailable), classified():
        raise error


def test_rows_that_cannot_be_encoded_are_permanent() -> None:
    with pytest.raises(ClickHouseRejected), classified():
        raise DataError("too large")


@pytest.mark.parametrize(
    "error",
    [
        DataError(f"Unable to create native array: {ROW}"),
        NotSupportedError(ROW),
        DatabaseError(f"Cannot parse input: {ROW}", code=27),
        DatabaseError(f"Received ClickHouse exception: {ROW}", code=16),
        DatabaseError(f"HTTP driver received HTTP status 500, server response: {ROW}"),
        StreamFailureError(ROW),
        ProgrammingError(ROW),
    ],
)
def test_rows_are_in_no_text(error: Exception) -> None:
    with pytest.raises(ClickHouseError) as caught, classified():
        raise error
    assert ROW not in "".join(traceback.format_exception(caught.value))
    assert type(error).__name__ in str(caught.value) or "HTTP status 500" in str(caught.value)


def test_what_the_network_did_is_said() -> None:
    text = "Network Error: Cannot connect to host 127.0.0.1:8123"
    assert str(classify(OperationalError(text))) == f"ClickHouse: {text}"
    assert "TimeoutError" in str(classify(TimeoutError()))


@pytest.mark.parametrize("url", ["http://u:s3cret@ch:8123/?param_vote=s3cret", "https://ch/s3cret"])
def test_of_a_url_only_the_server_is_told(url: str) -> None:
    text = f"Network Error: 400, message='Bad', url='{url}' s3cret"
    error = str(classify(OperationalError(text)))
    assert error.startswith("ClickHouse: Network Error: 400, message='Bad', url='http")
    assert "//ch" in error
    assert "s3cret" not in error


def test_mistakes_of_ours_are_not_touched() -> None:
    with pytest.raises(ZeroDivisionError), classified():
        raise ZeroDivisionError
