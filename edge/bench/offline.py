"""Benchmarks of what runs before the day: hashing, and the hash database."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from pathlib import Path

from edge.bench.outcome import Figure, Outcome, cores
from edge.bench.plain import plain_database, plain_hash
from edge.bench.size import Size
from edge.bench.tools import find, said_by
from edge.demo.electorate import SAMPLE_LAW
from edge.errors import StartError
from hashgen import BallotHasher
from hashgen.sample import write_sample

PLAIN_SAMPLE = 200_000
RUNS = 3
BATCH = 1000
ELECTOR = ("012-345-678", "abcd2345", SAMPLE_LAW)
ONE_BLOCK_BYTES = 32  # with SHA-256's padding a message of up to 55 bytes is one block
CONSTANT_BYTES = 200_000_000


async def hashing(_: Size) -> Outcome:
    """One hash against hashlib with the same normalisation, a batch against OpenSSL."""
    hasher = BallotHasher()
    assert hasher.hash(*ELECTOR) == plain_hash(*ELECTOR)
    plain_per_s = _calls_per_s(lambda: plain_hash(*ELECTOR))
    ours_per_s = _calls_per_s(lambda: hasher.hash(*ELECTOR))
    rows = [(f"{number:09}", "ABCD2345", SAMPLE_LAW) for number in range(BATCH)]
    batch_per_s = BATCH * _calls_per_s(lambda: hasher.hash_many(rows))
    openssl_per_s = _openssl_blocks_per_s()
    return Outcome(
        "hashing",
        "The ballot hash from Python, one by one and in batches.",
        f"batches of {BATCH:,}, one thread",
        [
            Figure("one hash", ours_per_s, "hashes/s"),
            Figure("one hash, against re and hashlib", ours_per_s / plain_per_s, "x", goal=1.5),
            Figure("batch", batch_per_s, "hashes/s"),
            Figure("batch, against openssl speed", batch_per_s / openssl_per_s, "x", goal=0.8),
        ],
    )


async def hashgen(size: Size) -> Outcome:
    """Electors' CSV to binary hash database, against plain Python on a sample."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        directory = Path(text)
        csv_file = directory / "electors.csv"
        write_sample(csv_file, size.electors, [SAMPLE_LAW])
        sample = directory / "sample.csv"
        sampled = min(size.electors, PLAIN_SAMPLE)
        with csv_file.open("rb") as whole, sample.open("wb") as part:
            part.writelines(whole.readline() for _ in range(sampled + 1))
        os.sync()  # or the database would wait for the disk to take the electors
        began_s = time.perf_counter()
        plain_database(sample, directory)
        plain_per_s = sampled / (time.perf_counter() - began_s)

        out = directory / "roll"
        argv = ["hashgen", "run", str(csv_file), "--out", str(out), "--format", "binary", "--force"]
        runs = [_run([sys.executable, "-P", "-m", "edge", *argv]) for _ in range(RUNS)]
        took_s = statistics.median(took_s for took_s, _ in runs)
        peak_bytes = max(peak_bytes for _, peak_bytes in runs)
        began_s = time.perf_counter()
        with csv_file.open("rb") as content:
            while content.read(1 << 20):
                pass
        read_s = time.perf_counter() - began_s
    alone_s = read_s + size.electors / _openssl_blocks_per_s() / cores()
    per_s = size.electors / took_s
    note = (
        f"Plain Python (csv, re, hashlib, json) makes {plain_per_s:,.0f} electors/s of a sample "
        f"of {sampled:,}. Hashing alone is what openssl speed gives for one-block messages, on "
        "every core."
    )
    return Outcome(
        "hashgen",
        f"Electors' CSV to binary hash database, as a command with its start: median of {RUNS}.",
        f"{size.electors:,} electors, {cores()} cores",
        [
            Figure("time", took_s, "s", "lower"),
            Figure("rate", per_s, "electors/s"),
            Figure("against plain Python", per_s / plain_per_s, "x", goal=20),
            Figure(
                "against reading and hashing alone", took_s / alone_s, "x", better="lower", goal=3
            ),
            Figure(
                "memory over a constant of 200 MB",
                max(0, peak_bytes - CONSTANT_BYTES) / size.electors,
                "bytes/elector",
                "lower",
                goal=48,
            ),
            Figure("peak memory", peak_bytes / 1e6, "MB", "lower"),
        ],
        notes=[note],
    )


def _calls_per_s(call: "timeit._Stmt") -> float:
    """Return how often it can be called in a second: the best of five goes."""
    timer = timeit.Timer(call)
    number, _ = timer.autorange()
    return number / min(timer.repeat(5, number))


def _openssl_blocks_per_s() -> float:
    """Return one-block SHA-256 messages a second on one core; raises `StartError`."""
    speed = [find("openssl"), "speed", "-mr", "-seconds", "1", "-bytes", str(ONE_BLOCK_BYTES)]
    said = said_by([*speed, "-evp", "sha256"])
    found = re.search(r"^\+F:\d+:SHA2?-?256:([\d.]+)$", said, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise StartError(f"openssl speed says nothing of sha256:\n{said}")
    return float(found[1]) / ONE_BLOCK_BYTES


def _run(command: list[str]) -> tuple[float, int]:
    """Run a command; return its time in seconds and its peak memory in bytes."""
    began_s = time.perf_counter()
    with tempfile.TemporaryFile("w+") as complaints:
        # No shell, and every argument is ours; wait4, as nothing else tells one child's memory.
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=complaints)  # noqa: S603
        _, status, usage = os.wait4(child.pid, 0)
        took_s = time.perf_counter() - began_s
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            complaints.seek(0)
            raise StartError(f"hashgen ended with {child.returncode}: {complaints.read()[-500:]}")
    return took_s, usage.ru_maxrss * 1024
