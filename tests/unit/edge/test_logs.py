"""What a log line looks like, what it never shows, and how often the same is said."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from edge import logs
from edge.logs import Sparingly
from edge.settings import LogFormat
from tests.unit.edge.test_ratelimit import Clock


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    for package in logs.OUR_PACKAGES:
        logging.getLogger(package).setLevel(logging.NOTSET)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(
    monkeypatch: pytest.MonkeyPatch, log_format: LogFormat, stderr: io.StringIO
) -> list[str]:
    """Log a few records of ours and of others, and return the lines."""
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure("info", log_format)
    ours = logging.getLogger("edge.test")
    ours.debug("too little to say")
    logging.getLogger("redis").info("others say too much")
    ours.info("%d of %s", 3, "four", extra={"request_id": "an id"})
    secret = "012345674"  # a local variable, such as handlers have
    try:
        assert 1 / 0
    except ZeroDivisionError:
        ours.exception("it failed")
    assert secret not in stderr.getvalue()
    return stderr.getvalue().splitlines()


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("log_format", ["json", "auto"])
def test_for_programs(monkeypatch: pytest.MonkeyPatch, log_format: LogFormat) -> None:
    said, failed = map(json.loads, written(monkeypatch, log_format, io.StringIO()))
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "event": "3 of four", "level": "info", "logger": "edge.test", "request_id": "an id",
    }  # fmt: skip
    assert (failed["event"], failed["level"]) == ("it failed", "error")
    assert failed["exception"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize(("log_format", "stderr"), [("console", io.StringIO), ("auto", Terminal)])
def test_for_people(
    monkeypatch: pytest.MonkeyPatch, log_format: LogFormat, stderr: type[io.StringIO]
) -> None:
    lines = written(monkeypatch, log_format, stderr())
    assert "3 of four" in lines[0]
    assert "request_id" in lines[0]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_once_a_kind_in_a_while() -> None:
    clock = Clock()
    sparingly = Sparingly(5.0, clock)
    assert [sparingly.may_say(ValueError) for _ in range(3)] == [True, False, False]
    assert sparingly.may_say(KeyError)
    clock.now_s += 4.9
    assert not sparingly.may_say(ValueError)
    clock.now_s += 0.2
    assert sparingly.may_say(ValueError)
    assert not sparingly.may_say(ValueError)
