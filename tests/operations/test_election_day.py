"""docs/runbooks/election-day.md rehearsed: its commands as they stand, and nothing told of anybody.

A full run, from hashing to the certificate. All that it wrote is searched for every NAS and code:
standard output and error of every command, logs, metrics pages, what Redis and ClickHouse keep,
copies and certificate.
"""

import json
import re
import threading
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from shards.ports import free_ports
from tests.chaos.secrecy import Secrets
from tests.operations.runbook import Shell, blocks
from tests.support.rolls import Elector, read_electors

OUI, NON, AGAIN, WRONG = 60, 40, 10, 5
CARDS = 3  # that the banner shows, for whoever tries the demo
PAGES = ("/metrics", "/api/v1/health", "/api/v1/laws", "/openapi.json", "/en/results")
LOOK_EVERY_S = 0.3


class Rehearsal(NamedTuple):
    """What the runbook left in its directory, what it said, and the pages that were seen."""

    directory: Path
    said: str
    pages: str

    @property
    def electors(self) -> list[Elector]:
        return read_electors(self.directory / "electors.csv")

    def json(self, name: str) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.directory / "certificate" / name).read_text())
        return found


class Onlooker:
    """Reads the pages of the running demo again and again, and keeps the latest of each."""

    def __init__(self, directory: Path, port: int) -> None:
        self._seen: dict[str, str] = {}
        self._url = f"http://127.0.0.1:{port}"
        self._banner = directory / "demo.txt"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> str:
        self._stop.set()
        self._thread.join()
        assert len(self._seen) == len(PAGES) + 1, self._seen.keys()
        return "\n".join(self._seen.values())

    def _look(self) -> None:
        with httpx.Client(timeout=5) as http:
            while not self._stop.wait(LOOK_EVERY_S):
                banner = self._banner.read_text() if self._banner.exists() else ""
                drainer = re.search(r"Drainer's metrics\s+(\S+)", banner)
                urls = [self._url + page for page in PAGES] + ([drainer[1]] if drainer else [])
                for url in urls:
                    try:
                        answer = http.get(url)
                    except httpx.TransportError:
                        continue  # not up yet, or already down
                    if answer.status_code == 200:
                        self._seen[url] = answer.text


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    directory = tmp_path_factory.mktemp("rehearsal")
    port, clickhouse_port = free_ports(2)
    ports = {"PORT": str(port), "CLICKHOUSE_PORT": str(clickhouse_port)}
    script = "".join(block.text for block in blocks("election-day") if block.kind == "sh")
    onlooker = Onlooker(directory, port)
    shell = Shell(directory, {"SCRUTIN_LOG_LEVEL": "debug"} | ports)
    try:
        # The demo ends with the shell, whatever becomes of the commands.
        shell.run('trap "kill $(jobs -p) 2>/dev/null || true" EXIT\n' + script)
    finally:
        pages = onlooker.stop()
    return Rehearsal(directory, shell.said, pages)


@pytest.mark.timeout(240)
def test_it_ends_with_a_certified_result(rehearsal: Rehearsal) -> None:
    [law] = json.loads((rehearsal.directory / "certificate/results.json").read_text())
    published, proof = rehearsal.json("published.json"), rehearsal.json("verification.json")
    recount = (rehearsal.directory / "certificate/recount.txt").read_text().split()
    assert (law["oui_count"], law["non_count"]) == (OUI, NON)
    assert (published["oui_count"], published["non_count"]) == (OUI, NON)
    assert [int(count) for count in recount] == [OUI, NON]
    assert published["final"] is True
    assert (proof["voted"], proof["ballots"], proof["differences_total"]) == (100, 100, 0)
    assert proof["duplicates"] == AGAIN
    counts = re.findall(r"^ +(\d+) (\d{3})$", rehearsal.said, re.MULTILINE)
    answered = {code: int(count) for count, code in counts}
    assert answered == {"202": NON, "409": AGAIN, "403": WRONG}  # the latest of each
    assert "roll/manifest.json: OK" in rehearsal.said


def test_no_vote_was_there_when_voting_opened(rehearsal: Rehearsal) -> None:
    first = json.loads((rehearsal.directory / "copies/opening/manifest.json").read_text())
    assert first["rows"] == {"ballots": 0, "vote_audit": 0}


def test_it_left_no_process(rehearsal: Rehearsal) -> None:
    assert "stopping" in (rehearsal.directory / "demo.err").read_text()


def test_nothing_written_tells_who_an_elector_is(rehearsal: Rehearsal) -> None:
    secrets = Secrets(rehearsal.electors)
    assert not secrets.found_in(rehearsal.said.encode()), "standard output or error of a command"
    assert not secrets.found_in(rehearsal.pages.encode()), "metrics or another page"
    assert "votes_validated_total" in rehearsal.pages
    assert "clickhouse_insert_rows_total" in rehearsal.pages
    banner = (rehearsal.directory / "demo.txt").read_bytes()
    assert secrets.found_in(banner), "the cards to try are looked for and would be found"
    assert not Secrets(rehearsal.electors[CARDS:]).found_in(banner)
    looked_at = [*(rehearsal.directory / "day").rglob("*.log"), rehearsal.directory / "demo.err"]
    assert {"edge.log", "drainer.log", "server.log", "clickhouse.log"} <= {
        p.name for p in looked_at
    }
    found = [
        name for name in secrets.found_below(rehearsal.directory) if "electors.csv" not in name
    ]
    assert found == ["a NAS or a code is in demo.txt"]


@pytest.mark.parametrize("what", ["nas", "code"])
def test_a_leak_would_be_found(rehearsal: Rehearsal, tmp_path: Path, what: str) -> None:
    leak = getattr(rehearsal.electors[-1], what)
    (tmp_path / "edge.log").write_text(f'{{"event": "a vote of {leak}", "at": {time.time()}}}\n')
    assert Secrets(rehearsal.electors).found_below(tmp_path) == ["a NAS or a code is in edge.log"]
