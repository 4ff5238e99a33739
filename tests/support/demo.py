"""`scrutin demo` as a process, read from its banner."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from shards.ports import free_ports


class Demo:
    """A running demo, read from its banner."""

    def __init__(self, process: subprocess.Popen[str], banner: str) -> None:
        self.process = process
        self.banner = banner
        self.url = self._find(r"Vote \(English\)\s+(http://\S+)/en/")
        self.drainer_metrics_url = self._find(r"Drainer's metrics\s+(http://\S+)")
        self.redis_url = self._find(r"Redis cluster\s+(redis://\S+)")
        self.clickhouse_url = self._find(r"ClickHouse\s+(http://\S+)")
        self.data = Path(self._find(r"Data and logs\s+(\S+)"))
        self.http = httpx.Client(base_url=self.url, timeout=10)

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, self.banner)
        assert found, self.banner
        return found[1]

    def cards(self) -> list[dict[str, str]]:
        found = re.findall(r"NAS (\S+)\s+code (\S+)\s+law (\S+)", self.banner)
        return [dict(zip(("nas", "code", "law_id"), card, strict=True)) for card in found]

    def ops_token(self) -> str:
        """Return the operators' token as the banner tells where it is."""
        return self._token(r"Operations\s+http://\S+/ops .*cat (\S+)\)")

    def review_token(self) -> str:
        """Return the deciding auditors' token as the banner tells where it is."""
        return self._token(r"Review queue\s+http://\S+/review .*cat (\S+)\)")

    def _token(self, line: str) -> str:
        file = Path(self._find(line))
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.read_text().strip() not in self.banner
        return file.read_text().strip()

    def vote(self, card: dict[str, str], vote: str = "oui") -> httpx.Response:
        return self.http.post("/api/v1/vote", json=card | {"vote": vote})

    def sql(self, statement: str) -> str:
        return httpx.post(self.clickhouse_url, content=statement).raise_for_status().text

    def results(self, law_id: str = "L2025-001") -> dict[str, int]:
        counts: dict[str, int] = self.http.get(f"/api/v1/results/{law_id}").json()
        return counts

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def ended(children: list[psutil.Process]) -> bool:
    """Say whether all are gone; a dead parent's are so once the system has collected them."""
    _, alive = psutil.wait_procs(children, timeout=30)
    return not alive


def eventually(holds: Callable[[], bool], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.05)


@contextmanager
def running(*arguments: str, log: Path) -> Iterator[Demo]:
    with log.open("w") as steps:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=steps,
            text=True,
        )
    assert process.stdout is not None
    banner = ""
    try:
        while "Ask ClickHouse" not in banner:
            line = process.stdout.readline()
            assert line, log.read_text()
            banner += line
        demo = Demo(process, banner)
        yield demo
        demo.http.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ports() -> list[str]:
    http, clickhouse = free_ports(2)
    return ["--port", str(http), "--clickhouse-port", str(clickhouse)]
