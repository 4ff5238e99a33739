"""Debian's Prometheus and node exporter as processes of a test."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from shards.ports import free_ports
from shards.process import LocalProcess

START_TIMEOUT_S = 30.0
SCRAPE_INTERVAL_S = 1


class Prometheus:
    """Scrapes the given targets with a configuration that is otherwise as shipped.

    `targets` maps each job of the configuration to its "host:port"s. Use as `with`.
    """

    def __init__(self, directory: Path, shipped: Path, targets: dict[str, list[str]]) -> None:
        config = yaml.safe_load(shipped.read_text())
        interval = f"{SCRAPE_INTERVAL_S}s"
        config["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
        config["rule_files"] = [str(shipped.parent / pattern) for pattern in config["rule_files"]]
        del config["alerting"]
        assert {job["job_name"] for job in config["scrape_configs"]} == set(targets)
        for job in config["scrape_configs"]:
            del job["dns_sd_configs"]
            job.pop("scheme", None)  # the test's edges have no certificate
            job.pop("tls_config", None)
            job["static_configs"] = [{"targets": targets[job["job_name"]]}]
        directory.mkdir()
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_ports(1)[0]
        self.directory = directory
        self.process = LocalProcess(
            "prometheus",
            [
                "prometheus",
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=debug",
            ],
            log=directory / "prometheus.log",
        )
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10)

    def get(self, path: str, **parameters: str) -> Any:
        """Return an answer's data; fail with Prometheus' own words."""
        answer = self._http.get(path, params=parameters).json()
        assert answer["status"] == "success", f"{parameters}: {answer.get('error')}"
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression at this moment."""
        data = self.get("/query", query=expression)
        if data["resultType"] == "scalar":
            return [{"value": data["result"]}]
        result: list[dict[str, Any]] = data["result"]
        return result

    def value(self, expression: str) -> float:
        """Return the value of an expression that has one series."""
        [series] = self.query(expression)
        return float(series["value"][1])

    def __enter__(self) -> Self:
        self.process.start()
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            assert self.process.alive, self.process.log_tail()
            assert time.monotonic() < deadline_s, self.process.log_tail()
            try:
                self.get("/status/runtimeinfo")
            except (httpx.TransportError, ValueError):  # it says in words that it is not ready
                time.sleep(0.1)
            else:
                return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()
        self.process.stop()


def node_exporter(directory: Path) -> tuple[LocalProcess, str]:
    """Return a node exporter and its "host:port"."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    argv = ["prometheus-node-exporter", f"--web.listen-address={address}"]
    argv += ["--collector.disable-defaults", "--collector.filesystem"]
    return LocalProcess("node-exporter", argv, log=directory / "node-exporter.log"), address
