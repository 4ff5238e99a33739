"""`python -m tests.compose`: brings compose/ up, votes through it while containers die, checks, and
takes it down. Exit code 1 when anything was not as it must be, or no Docker engine runs.
"""

import argparse
import asyncio
import json
import random
import ssl
import sys
import time
from pathlib import Path

from shards.ports import free_ports
from tests.compose.day import Day, shown
from tests.compose.engine import ROOT, EngineError, Project, docker
from tests.compose.images import OVERLAY, build, make_wheels, provide, remove_standins
from tests.support.rolls import Elector

PROJECT = "scrutin-test"
PROFILES = ("core", "obs")
ELECTORS = 20_000
SUBNET = "10.213.1.0/24"  # not that of a project that runs meanwhile
PORTS = ("voters", "auditors", "redis", "clickhouse", "prometheus", "alertmanager", "grafana")
UP_TIMEOUT_S = 400.0
WORK = ROOT / "target" / "compose"
SCRAPED_TIMEOUT_S = 60.0


def say(text: str) -> None:
    """Tell how far it is, with the time since the start."""
    print(f"{time.monotonic() - BEGAN_S:6.1f} s  {text}", flush=True)


BEGAN_S = time.monotonic()


def find_engine() -> None:
    """Raise `EngineError`, saying so, when no Docker engine answers."""
    try:
        version = docker("version", "--format", "{{.Server.Version}}", timeout_s=20).strip()
    except EngineError as error:
        last = str(error).splitlines()[-1]
        raise EngineError(f"no Docker engine runs here, compose/ was not tried: {last}") from error
    say(f"Docker engine {version}")


def electors(project: Project) -> list[Elector]:
    """Read the sample electors that the job made."""
    rows = project.read("/electorate/electors.csv").splitlines()
    assert rows[0] == "nas,code,law_id", rows[0]
    return [Elector(*row.split(",")) for row in rows[1:]]


def trust(project: Project) -> ssl.SSLContext:
    """Return what trusts the development authority, and nothing else."""
    return ssl.create_default_context(cadata=project.read("/etc/scrutin/tls/ca.crt"))


async def outside(ports: dict[str, str], tls: ssl.SSLContext, *, grafana: bool) -> list[str]:
    """Return what is wrong with what people see besides the voting."""
    voters = f"https://localhost:{ports['PORT_VOTERS']}"
    auditors, token = f"localhost:{ports['PORT_AUDITORS']}", "development-only-review"
    expected = {
        f"{voters}/fr/": 200,
        f"{voters}/api/v1/ready": 200,
        f"{voters}/metrics": 404,
        f"{voters}/ops": 404,
        f"{voters}/review": 404,
        f"https://{auditors}/review": 401,
        f"https://auditor:{token}@{auditors}/review": 200,
        f"http://localhost:{ports['PORT_ALERTMANAGER']}/-/ready": 200,
    }
    if grafana:
        expected[f"http://localhost:{ports['PORT_GRAFANA']}/api/health"] = 200
    found = []
    for url, status in expected.items():
        seen, _ = await shown(url, tls)
        if seen != status:
            found.append(f"{url} answers {seen}, not {status}")
    return found + await scraped(f"http://localhost:{ports['PORT_PROMETHEUS']}")


async def scraped(prometheus: str) -> list[str]:
    """Wait until Prometheus has two edges, a drainer and a machine; return what it lacks."""
    wanted = ["drainer", "edge", "edge", "node"]
    deadline_s = time.monotonic() + SCRAPED_TIMEOUT_S
    while True:
        _, body = await shown(f"{prometheus}/api/v1/targets?state=active", tls=True)
        targets = json.loads(body)["data"]["activeTargets"]
        jobs = sorted(t["labels"]["job"] for t in targets if t["health"] == "up")
        if jobs == wanted:
            say(f"Prometheus scrapes {', '.join(jobs)} by TLS")
            return []
        if time.monotonic() > deadline_s:
            errors = {t["lastError"] for t in targets}
            return [f"Prometheus scrapes {jobs}, not {wanted}: {errors}"]
        await asyncio.sleep(1)


def rehearse(project: Project, ports: dict[str, str], seed: int, *, true_images: bool) -> list[str]:
    """Bring the project up and play the day; return what is wrong."""
    say("docker compose up")
    project("up", "--detach", "--no-build", "--quiet-pull", timeout_s=UP_TIMEOUT_S)
    project.until_done("roll-loader", UP_TIMEOUT_S)
    say(f"{ELECTORS:,} electors are loaded; {len(project.containers())} containers run")
    tls = trust(project)
    url = f"https://localhost:{ports['PORT_VOTERS']}"
    password = "development-only-scrutin"
    clickhouse = f"https://scrutin:{password}@localhost:{ports['PORT_CLICKHOUSE']}/"
    say(f"voting at {url}, seed {seed}")
    day = Day(project, url, clickhouse, tls, say)
    log = WORK / "voters.jsonl"
    log.unlink(missing_ok=True)
    found = asyncio.run(day.run(electors(project), log, seed))
    return found + asyncio.run(outside(ports, tls, grafana=true_images))


def main() -> int:
    """Run it all and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--keep", action="store_true", help="leave the project up at the end")
    arguments = parser.parse_args()
    ports = {
        f"PORT_{name.upper()}": str(port)
        for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)
    }
    env = {"IMAGE_TAG": "test", "ELECTORS": str(ELECTORS), "VOTERS_SUBNET": SUBNET, **ports}
    try:
        find_engine()
        WORK.mkdir(parents=True, exist_ok=True)
        make_wheels()
        services = Project(PROJECT, PROFILES, env).config()["services"]
        images = sorted({s["image"] for s in services.values() if not s.get("build")})
        ours = [image for image in images if image.startswith("scrutin:")]
        true_images = provide([image for image in images if image not in ours], say)
        say("building our image")
        build("scrutin:test")
        project = Project(PROJECT, PROFILES, env, [] if true_images else [OVERLAY])
        return play(project, ports, arguments.seed, true_images=true_images, keep=arguments.keep)
    except EngineError as error:
        print(f"compose-test: {error}", file=sys.stderr)
        return 1


def play(
    project: Project, ports: dict[str, str], seed: int, *, true_images: bool, keep: bool
) -> int:
    """Play the day on a project that is not up yet, and take it down; return the exit code."""
    try:
        found = rehearse(project, ports, seed, true_images=true_images)
    except (EngineError, TimeoutError, ExceptionGroup):
        Path(WORK / "logs.txt").write_text(project("logs", "--no-color"))
        say(f"it failed; what the containers said is in {WORK / 'logs.txt'}")
        print(project("ps", "--all"))
        raise
    finally:
        if keep:
            say("left up; take it down with docker compose --project-name scrutin-test down -v")
        else:
            project("down", "--volumes", "--remove-orphans", "--timeout", "20")
            say("taken down")
            if not true_images:
                remove_standins()
    for text in found:
        print(text)
    say(f"{len(found)} differences" if found else "every vote is accounted for")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
