"""`make binary`: one file that needs nothing of the machine, least of all Python."""

import asyncio
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

from clickhouse.local.process import LocalClickHouse
from shards.localcluster import LocalCluster
from shards.ports import free_ports
from shards.process import LocalProcess
from tests.support.campaign import differences, plan, read_stored, send
from tests.support.edges import until
from tests.support.rolls import LAW, empty, make_roll

ROOT = Path(__file__).parents[2]
SIZE_BYTES_MAX = 60_000_000
ELECTION = """\
title_fr = "Référendum d'essai"
title_en = "Trial referendum"
results = "live"
[[laws]]
id = "{law}"
title_fr = "Loi d'essai"
title_en = "Trial law"
opens_at = 2025-01-01T00:00:00Z
closes_at = 2100-01-01T00:00:00Z
"""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("binary")
    subprocess.run(["compose/package/binary.sh", directory], cwd=ROOT, check=True)
    return directory / "scrutin"


def run(binary: Path, *arguments: str | Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing on the PATH, away from the source."""
    return subprocess.run(
        [binary, *arguments],
        cwd=directory,
        env={"PATH": str(directory), "TMPDIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_one_file_of_bounded_size_that_hashes(binary: Path, tmp_path: Path) -> None:
    assert [path.name for path in binary.parent.iterdir()] == ["scrutin"]
    assert binary.stat().st_size < SIZE_BYTES_MAX
    for arguments in (
        ["hashgen", "sample", "--electors", "100", "--laws", LAW, "--out", "electors.csv"],
        ["hashgen", "run", "electors.csv", "--out", "roll"],
        ["hashgen", "verify", "roll"],
    ):
        done = run(binary, *arguments, directory=tmp_path)
        assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob("_MEI*")), "it left what it had unpacked"


def test_it_has_every_role_but_the_demo_and_the_benchmarks(binary: Path, tmp_path: Path) -> None:
    said = run(binary, "--help", directory=tmp_path).stdout
    for command in ("hashgen", "roll", "redis", "serve", "drain", "results", "verify", "replay"):
        assert command in said
        assert run(binary, command, "--help", directory=tmp_path).returncode == 0
    for command in ("election", "close", "signing-key"):
        assert command in said
        assert run(binary, command, "--help", directory=tmp_path).returncode == 0
    made = run(binary, "signing-key", "key.pem", directory=tmp_path)
    assert (made.returncode, "PUBLIC KEY" in made.stdout) == (0, True), made.stderr
    refused = run(binary, "demo", directory=tmp_path)
    assert refused.returncode != 0
    assert 'Unknown command "demo"' in refused.stdout + refused.stderr


async def test_it_serves_drains_and_stops_cleanly(
    binary: Path, cluster: LocalCluster, tmp_path: Path
) -> None:
    await empty(cluster)
    roll = make_roll(tmp_path, 500)
    (tmp_path / "election.toml").write_text(ELECTION.format(law=LAW))
    port, metrics_port = free_ports(2)
    with LocalClickHouse(tmp_path / "clickhouse") as clickhouse:
        env = {
            "PATH": str(tmp_path),
            "SCRUTIN_REDIS_URL": cluster.url,
            "SCRUTIN_CLICKHOUSE_URL": clickhouse.url,
            "SCRUTIN_ELECTION": str(tmp_path / "election.toml"),
            "SCRUTIN_EXEMPT_LOOPBACK": "true",
        }

        def process(name: str, *arguments: str) -> LocalProcess:
            argv = [str(binary), *arguments]
            return LocalProcess(name, argv, log=tmp_path / f"{name}.log", env=env)

        loader = process("loader", "roll", "load", str(tmp_path / "hash-database"))
        loader.start()
        await until(lambda: ended(loader), "the loader's end", 60)
        assert loader.exit_code == 0, loader.log_tail()
        services = [
            process("edge", "serve", "--port", str(port)),
            process("drainer", "drain", "--metrics-port", str(metrics_port)),
        ]
        try:
            for service in services:
                service.start()
            url = f"http://127.0.0.1:{port}"
            await until(lambda: answers(f"{url}/api/v1/ready"), "a ready edge", 60)
            await until(
                lambda: answers(f"http://127.0.0.1:{metrics_port}/metrics"), "the drainer", 60
            )
            assert "Référendum d" in await shown(f"{url}/fr/")
            log = await send(url, plan(roll.electors, attempts=400, seed=1), connections=20)

            async def all_is_counted() -> bool:
                return differences(log, await read_stored(clickhouse.url, url, LAW)) == []

            await until(all_is_counted, "every attempt in the tables", 60)
            unpacked = [pid for service in services for pid in children(service)]
            assert len(unpacked) == len(services)
            for service in services:
                assert await asyncio.to_thread(service.stop) == 0, service.log_tail()
            assert not any(psutil.pid_exists(pid) for pid in unpacked)
        finally:
            for service in services:
                service.kill()


async def test_nobody_is_left_behind_when_it_is_killed(binary: Path, tmp_path: Path) -> None:
    [port] = free_ports(1)  # nobody answers there: it waits
    argv = [str(binary), "drain", "--redis-url", f"redis://127.0.0.1:{port}"]
    drainer = LocalProcess("drainer", argv, log=tmp_path / "drainer.log")
    drainer.start()

    async def waits() -> bool:
        return "the drainer is waiting" in drainer.log_tail() and len(children(drainer)) == 1

    async def gone() -> bool:
        return not psutil.pid_exists(unpacked)

    try:
        await until(waits, "a drainer that waits for Redis", 60)
        [unpacked] = children(drainer)
    finally:
        drainer.kill()
    await until(gone, "the unpacked program's end")


async def ended(process: LocalProcess) -> bool:
    return not process.alive


async def answers(url: str) -> bool:
    """Say whether a page is there."""
    try:
        return bool(await shown(url))
    except (httpx.TransportError, httpx.HTTPStatusError):
        return False


async def shown(url: str) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(url)).raise_for_status().text


def children(process: LocalProcess) -> list[int]:
    """Return the processes that a process has started."""
    return [child.pid for child in psutil.Process(process.pid).children()]
