"""`scrutin bench rehearsal` on real engines, and its generator against a server that fails."""

import asyncio
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil

from edge.bench.outcome import read_results
from edge.bench.rehearsal.attempts import write_attempts
from edge.bench.rehearsal.casting import THREADS, Generator
from hashgen.sample import write_sample
from shards.results import LawTally
from tests.support.demo import ended
from tests.support.edges import SCRUTIN
from tests.support.rolls import LAW

ELECTORS = 3000


@contextmanager
def running(
    *arguments: str, temporary: Path, path: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    env = os.environ | {"TMPDIR": str(temporary)} | ({} if path is None else {"PATH": path})
    with subprocess.Popen(
        [SCRUTIN, "bench", "rehearsal", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_day_reconciles_and_is_reported(tmp_path: Path) -> None:
    out, temporary = tmp_path / "out", tmp_path / "data"
    temporary.mkdir()
    arguments = ["--electors", str(ELECTORS), "--connections", "16", "--out", str(out)]
    with running(*arguments, temporary=temporary) as ran:
        said, _ = ran.communicate(timeout=150)
    assert ran.returncode == 0, said
    assert "everything reconciles" in said
    assert list(temporary.iterdir()) == []

    told = (out / "rehearsal.md").read_text()
    assert "**Everything reconciles**" in told
    assert "differs" not in told
    assert f"| answered 202, accepted | {ELECTORS:,} | {ELECTORS:,} |" in told
    assert "| a vote after closing | 403 closed | 403 closed |" in told
    for picture in ("rehearsal-throughput.svg", "rehearsal-outbox.svg", "rehearsal-ages.svg"):
        assert picture in told
        assert (out / picture).read_text().startswith("<svg")
    outcome = read_results(out / "results.json").outcome("rehearsal")
    assert outcome is not None
    figures = {figure.name: figure for figure in outcome.figures}
    assert figures["ballots decided"].value > 0
    assert 0 < figures["age of the results, oldest"].value < 60
    assert figures["checks that do not hold"].met
    assert figures["Redis memory, an elector voted"].value > 0
    assert "rehearsal" in (out / "report.html").read_text()


def test_ctrl_c_ends_everything_and_leaves_nothing(tmp_path: Path) -> None:
    arguments = ["--electors", "60000", "--durability", "memory", "--out", str(tmp_path / "out")]
    temporary = tmp_path / "data"
    temporary.mkdir()
    with running(*arguments, temporary=temporary) as ran:
        us = psutil.Process(ran.pid)
        children: list[psutil.Process] = []
        while not any(child.name() == "wrk" for child in children):
            assert ran.poll() is None, ran.communicate()[0]
            time.sleep(0.05)
            children = us.children(recursive=True)
        ran.send_signal(signal.SIGINT)
        said, _ = ran.communicate(timeout=30)
    assert ran.returncode == 130, said
    assert ended(children)
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_what_does_not_fit_is_said_at_once(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with running("--out", out, temporary=tmp_path, path=str(tmp_path)) as ran:
        said, _ = ran.communicate(timeout=30)
    assert ran.returncode == 2
    assert "wrk is not installed: apt-get install wrk" in said
    assert list(tmp_path.iterdir()) == []


class Unreliable:
    """A server that decides ballots in the same way as an edge, when it answers at all."""

    def __init__(self) -> None:
        self.rng = random.Random(1)
        self.decided: dict[str, int] = {}
        self.answered: Counter[int] = Counter()
        self.first: dict[str, str] = {}
        self.underway: Counter[str] = Counter()
        self.overlaps = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET"):
                    status, body = 200, b"{}"
                else:
                    [length] = [
                        int(line.split(b":")[1])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length")
                    ]
                    answer = await self._vote(json.loads(await reader.readexactly(length)))
                    if answer is None:
                        break
                    status, body = answer
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # wrk went away
        finally:
            writer.close()

    async def _vote(self, ballot: dict[str, str]) -> tuple[int, bytes] | None:
        """Decide, then perhaps fail to say so; a lost connection looks like that."""
        nas, request_id = ballot["nas"], ballot["request_id"]
        self.underway[nas] += 1
        self.overlaps += self.underway[nas] > 1
        await asyncio.sleep(self.rng.random() / 1000)
        self.underway[nas] -= 1
        if self.rng.random() < 0.05:
            self.answered[503] += 1
            return 503, b'{"request_id":"%b"}' % request_id.encode()
        if request_id not in self.decided:
            if ballot["code"] == "WRONGCODE":
                self.decided[request_id] = 403
            else:
                self.decided[request_id] = 409 if nas in self.first else 202
                self.first.setdefault(nas, ballot["vote"])
        if self.rng.random() < 0.02:
            return None
        status = self.decided[request_id]
        self.answered[status] += 1
        return status, b'{"request_id":"%b"}' % request_id.encode()


async def test_each_ballot_is_sent_until_it_is_decided(tmp_path: Path) -> None:
    csv_file, prefix = tmp_path / "electors.csv", tmp_path / "ballots."
    write_sample(csv_file, ELECTORS, [LAW])
    expected = write_attempts(
        csv_file, prefix, parts=THREADS, electors=ELECTORS, seed=1, report=lambda *_: None
    )
    server = Unreliable()
    async with server.serving() as url:
        cast = await Generator(tmp_path, 8).cast(
            url, prefix, expected.attempts, (), lambda *_: None
        )
    assert cast.decisions == {202: ELECTORS, 403: expected.invalid, 409: expected.duplicates}
    assert cast.statuses == dict(sorted(server.answered.items()))
    assert cast.statuses[503] > 0
    assert cast.broken > 0
    assert cast.again >= cast.statuses[503] + cast.broken
    counted = Counter(server.first.values())
    assert expected.tallies == [LawTally(LAW, counted["oui"], counted["non"])]
    assert server.overlaps == 0
