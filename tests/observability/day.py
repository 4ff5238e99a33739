"""A small election day: a demo with a second edge, scraped by Prometheus, and voters at both."""

import json
import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil

from shards.ports import free_ports
from shards.process import LocalProcess
from tests.observability.files import PROMETHEUS
from tests.support.demo import Demo, eventually, ports, running
from tests.support.edges import SCRUTIN
from tests.support.identities import Identities
from tests.support.prometheus import Prometheus, node_exporter
from tests.support.rolls import Elector, read_electors
from tests.support.walking import files_below

ELECTORS = 2000
CARDS = 3  # on the demo's banner, for whoever tries it
PAUSE_S = 0.05
START_TIMEOUT_S = 60.0
NOTICED_TIMEOUT_S = 30.0


class Voters:
    """Vote at both edges until stopped: once, some twice, some with a wrong code."""

    def __init__(self, urls: list[str], electors: list[Elector]) -> None:
        self.answers: Counter[int] = Counter()
        self._urls = urls
        self._electors = iter(electors)
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._work: Future[None] = self._pool.submit(self._vote_on)

    def stop(self) -> None:
        """Stop after the vote at hand, and fail if they failed."""
        self._stop.set()
        self._work.result()
        self._pool.shutdown()

    def _vote_on(self) -> None:
        with httpx.Client(timeout=10) as http:
            for number, elector in enumerate(self._electors):
                url = self._urls[number % len(self._urls)]
                self._vote(http, url, elector)
                if number % 5 == 0:
                    self._vote(http, url, elector)
                if number % 7 == 0:
                    self._vote(http, url, elector._replace(code="WRONG999"))
                if self._stop.wait(PAUSE_S):
                    return

    def _vote(self, http: httpx.Client, url: str, elector: Elector) -> None:
        """Send until there is an answer that is final, as a page does."""
        ballot = elector._asdict() | {"vote": "oui", "request_id": str(uuid.uuid4())}
        while True:
            status = http.post(f"{url}/api/v1/vote", json=ballot).status_code
            self.answers[status] += 1
            if status != 503:
                return
            time.sleep(PAUSE_S)


class Day:
    """What runs, and where everything is written."""

    def __init__(self, demo: Demo, edge: LocalProcess, url: str, prometheus: Prometheus) -> None:
        electors = read_electors(demo.data / "electors.csv")[CARDS:]
        self.demo = demo
        self.edge_urls = [demo.url, url]
        self.prometheus = prometheus
        self.identities = Identities(electors)
        self.odd, *others = electors
        self.voters = Voters(self.edge_urls, others)
        self._edge = edge

    def vote_oddly(self) -> None:
        """Put a NAS and a code everywhere where a vote may be wrong."""
        nas, code, law_id = self.odd
        spaced = f"{nas[:3]} {nas[3:6]} {nas[6:]}"
        good = self.odd._asdict() | {"vote": "oui"}
        text = json.dumps(good)
        for base in self.edge_urls:
            with httpx.Client(base_url=base, timeout=10) as http:
                for ballot in (
                    good | {"nas": spaced, "code": code.lower()},
                    good | {"vote": nas},
                    good | {"law_id": code},
                    good | {nas: code},
                    good | {"request_id": nas},
                ):
                    http.post("/api/v1/vote", json=ballot)
                for content, media_type in (
                    (text[:-1], "application/json"),
                    (text, f"text/{code}"),
                    (text + " " * 5000, "application/json"),
                    (f"nas={nas}&code={code}", "application/x-www-form-urlencoded"),
                ):
                    headers = {"Content-Type": media_type}
                    http.post("/api/v1/vote", content=content, headers=headers)
                http.post("/api/v1/vote", json=good, headers={"Idempotency-Key": nas})
                http.put("/api/v1/vote", params={"nas": nas, "code": code})
                http.get(f"/api/v1/results/{nas}", params={"code": code})
                http.get(f"/fr/{nas}/{code}", headers={"Referer": f"http://there/?{nas}+{code}"})
                for page in ("/fr/vote", "/en/vote", "/fr/review"):
                    fields = {"nas": nas, "code": code, "law_id": law_id, "vote": code}
                    http.post(page, data=fields)
                    http.post(page, data=fields | {"vote": "non", "request_id": str(uuid.uuid4())})

    def kill_a_server(self) -> None:
        """Kill a Redis server that votes are decided on until edges say so.

        The demo starts it again, perhaps before any edge has looked.
        """
        logs = [self.demo.data / "edge.log", self._edge.log]

        def noticed() -> bool:
            if any("Redis is partly" in log.read_text(errors="replace") for log in logs):
                return True
            self._kill_a_server()
            return False

        eventually(noticed, NOTICED_TIMEOUT_S)

    def _kill_a_server(self) -> None:
        port = self.demo.redis_url.rpartition(":")[2]
        for child in self.demo.children():
            try:
                if f":{port}" in " ".join(child.cmdline()) or port in child.cmdline():
                    child.send_signal(signal.SIGKILL)
                    return
            except psutil.NoSuchProcess:
                continue

    def metrics_urls(self) -> list[str]:
        """Return where metrics are."""
        return [*(f"{url}/metrics" for url in self.edge_urls), self.demo.drainer_metrics_url]

    def written(self) -> dict[str, str]:
        """Return all that was printed, logged, published or stored about the day, by its source.

        Not the electors' own CSV, and not the cards on the banner.
        """
        texts = {"banner": self.demo.banner}
        # The demo's and its services', what it said on standard error, and the second edge's.
        logs = [path for path in files_below(self.demo.data) if path.suffix == ".log"]
        logs += self.demo.data.parent.glob("*.log")
        logs += files_below(self.prometheus.directory)
        for path in logs:
            texts[str(path)] = path.read_bytes().decode(errors="replace")
        for url in self.metrics_urls() + [f"{url}/api/v1/health" for url in self.edge_urls]:
            texts[url] = httpx.get(url, timeout=10).raise_for_status().text
        series = self.prometheus.get("/series", **{"match[]": '{__name__=~".+"}'})
        texts["Prometheus' series"] = json.dumps(series)
        return texts


@contextmanager
def election_day(directory: Path) -> Iterator[Day]:
    """Run one, with everything logged that can be; the odd votes and the kill are over at once."""
    data, log = directory / "data", directory / "demo.log"
    arguments = [*ports(), "--electors", str(ELECTORS), "--no-simulate", "--data", str(data)]
    os.environ["SCRUTIN_LOG_LEVEL"] = "debug"
    with ExitStack() as stack:
        stack.callback(os.environ.pop, "SCRUTIN_LOG_LEVEL")
        demo = stack.enter_context(running(*arguments, log=log))
        port = free_ports(1)[0]
        url = f"http://127.0.0.1:{port}"
        edge = LocalProcess(
            "second edge",
            [SCRUTIN, "serve", "--port", str(port)],
            log=directory / "second-edge.log",
            env={
                "SCRUTIN_REDIS_URL": demo.redis_url,
                "SCRUTIN_ELECTION": str(data / "election.toml"),
                "SCRUTIN_EXEMPT_LOOPBACK": "true",
            },
        )
        stack.callback(edge.stop)
        edge.start()
        eventually(lambda: _ready(url), START_TIMEOUT_S)
        exporter, exporter_address = node_exporter(directory)
        stack.callback(exporter.stop)
        exporter.start()
        targets = {
            "edge": [demo.url.partition("//")[2], f"127.0.0.1:{port}"],
            "drainer": [httpx.URL(demo.drainer_metrics_url).netloc.decode()],
            "node": [exporter_address],
        }
        prometheus = stack.enter_context(
            Prometheus(directory / "prometheus", PROMETHEUS / "prometheus.yml", targets)
        )
        day = Day(demo, edge, url, prometheus)
        stack.callback(day.voters.stop)
        day.vote_oddly()
        day.kill_a_server()
        yield day


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/ready", timeout=10).status_code == 200
    except httpx.TransportError:
        return False
