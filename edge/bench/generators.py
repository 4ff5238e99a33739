"""Load from maintained tools: wrk keeps connections busy, oha keeps to a rate."""

import contextlib
import json
import re
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.bench.tools import find, said_by
from edge.errors import StartError

SCRIPT = Path(__file__).with_name("vote.lua")
PERCENTILES = ("p50", "p95", "p99", "p99.9")
SAMPLES = """
    SELECT due, end - due FROM (
        SELECT coalesce(start_latency_correction, start) AS due, end FROM oha
    ) ORDER BY due
"""
NONE_LEFT = "no ballots left"  # as vote.lua says
SLOWER_S = 2  # than a run no answer to it can be: wrk leaves those out that outlast its timeout
UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class Load(msgspec.Struct, frozen=True):
    """What a generator saw.

    `failed`: answers that are none of those wanted, and connections that broke. `latency_s` by
    percentile; `samples` are (start, latency) in seconds where the tool keeps them.
    """

    requests_per_s: float
    latency_s: dict[str, float]
    failed: int
    samples: list[tuple[float, float]] = []


def wrk(url: str, ballots: Path | None, *, connections: int, seconds: int) -> Load:
    """Send a ballot as soon as the last is answered (closed loop); without ballots, GET `url`.

    Raises `StartError` when wrk is missing, or sends the last ballot before its time is over: it
    waits for the end then, and its rate would be too low.
    """
    command = [find("wrk"), "-t1", f"-c{connections}", f"-d{seconds}"]
    command += ["--latency", f"--timeout={seconds + SLOWER_S}"]
    command += [url] if ballots is None else ["-s", str(SCRIPT), url, "--", str(ballots)]
    said = said_by(command)
    if NONE_LEFT in said:
        raise StartError(
            f"all ballots were sent before {seconds} s were over: this machine takes more a second "
            "than ELECTORS_A_SECOND in edge/bench/online.py foresees"
        )
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: (.+)", said)
    return Load(
        float(_find(r"Requests/sec:\s+([\d.]+)", said)),
        {f"p{name}": _duration_s(_find(rf"^\s+{name}%\s+(\S+)", said)) for name in (50, 99)},
        (int(failed[1]) if failed else 0)
        + sum(map(int, re.findall(r"\d+", broken[1]) if broken else [])),
    )


def oha(url: str, ballots: Path, *, rate_per_s: int, connections: int, seconds: int) -> Load:
    """Send at a rate whatever the answers take (open loop), each timed from when it was due.

    Raises `StartError` when oha is missing.
    """
    ballot = ["-m", "POST", "-T", "application/json", "-Z", str(ballots), url]
    decisions = frozenset({"202", "409"})
    return _oha(ballot, decisions, rate_per_s=rate_per_s, connections=connections, seconds=seconds)


def oha_pages(urls: Sequence[str], *, rate_per_s: int, connections: int, seconds: int) -> Load:
    """Ask for pages in any order at a rate (open loop), each timed from when it was due.

    Raises `StartError` when oha is missing.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "urls.txt")
        file.write_text("".join(f"{url}\n" for url in urls))
        return _oha(
            ["--urls-from-file", str(file)],
            frozenset({"200"}),
            rate_per_s=rate_per_s,
            connections=connections,
            seconds=seconds,
        )


def _oha(
    requests: list[str],
    expected: frozenset[str],
    *,
    rate_per_s: int,
    connections: int,
    seconds: int,
) -> Load:
    program = find("oha")
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory, "requests.sqlite")
        command = [program, "--no-tui", "--output-format", "json", "--latency-correction", "-w"]
        command += ["-q", str(rate_per_s), "-c", str(connections), "-z", f"{seconds}s"]
        command += ["--db-url", str(database), *requests]
        said = json.loads(said_by(command))
        with contextlib.closing(sqlite3.connect(database)) as kept:
            samples = kept.execute(SAMPLES).fetchall()
    answers: dict[str, int] = said["statusCodeDistribution"]
    errors: dict[str, int] = said["errorDistribution"]
    good = sum(count for status, count in answers.items() if status in expected)
    return Load(
        said["summary"]["requestsPerSec"],
        {name: said["latencyPercentiles"][name] for name in PERCENTILES},
        sum(answers.values()) - good + sum(errors.values()),
        samples,
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise StartError(f"the load generator's report has no {pattern}:\n{text}")
    return found[1]


def _duration_s(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if found is None:
        raise StartError(f"the load generator gives a duration of {text!r}")
    return float(found[1]) * UNITS_S[found[2]]
