"""The engine's errors in the shape of ClickHouse's HTTP interface."""

import pytest

from clickhouse.local.faults import Fault, fault_from_engine, not_implemented


@pytest.mark.parametrize(
    "text",
    [
        "Code: 60. DB::Exception: Table a (b) does not exist. (UNKNOWN_TABLE)",
        "Code: 60. DB::Exception: Table a (b) does not exist. (UNKNOWN_TABLE) (version 26.9.2.1)",
        "At last: Code: 60. DB::Exception: Table a (b) does not exist. (UNKNOWN_TABLE)\n",
    ],
)
def test_reads_code_name_and_text(text: str) -> None:
    fault = fault_from_engine(RuntimeError(text))
    assert (fault.code, fault.name, fault.status) == (60, "UNKNOWN_TABLE", 404)
    assert fault.body("26.9.2.1") == (
        "Code: 60. DB::Exception: Table a (b) does not exist. (UNKNOWN_TABLE) (version 26.9.2.1)\n"
    )


def test_what_has_no_code_is_an_unknown_exception() -> None:
    fault = fault_from_engine(RuntimeError("it broke"))
    assert (fault.code, fault.name, fault.status) == (1002, "UNKNOWN_EXCEPTION", 500)
    assert "it broke" in fault.text


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("SYNTAX_ERROR", 400),
        ("REQUIRED_PASSWORD", 401),
        ("AUTHENTICATION_FAILED", 403),
        ("UNKNOWN_SETTING", 404),
        ("TIMEOUT_EXCEEDED", 408),
        ("QUERY_IS_TOO_LARGE", 413),
        ("TOO_MANY_PARTS", 500),
        ("READONLY", 500),
        ("CANNOT_SCHEDULE_TASK", 503),
    ],
)
def test_status(name: str, status: int) -> None:
    assert Fault(1, name, "").status == status


def test_not_implemented_is_501() -> None:
    assert not_implemented("").status == 501
