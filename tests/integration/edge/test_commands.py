"""The commands as an operator runs them."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from clickhouse.local.process import LocalClickHouse
from clickhouse.roles import roles_xml
from shards.localcluster import LocalCluster
from shards.ports import free_ports
from tests.integration.edge.conftest import WINDOWS, Elections, ballot, new_id
from tests.support.edges import SCRUTIN, EdgeProcess, drainer_process, until
from tests.support.rolls import Elector, Roll


async def scrutin(*arguments: str, **variables: object) -> tuple[int, str, str]:
    """Run a command to its end; return exit code, stdout and stderr."""
    environment = {f"SCRUTIN_{name.upper()}": str(value) for name, value in variables.items()}
    child = await asyncio.create_subprocess_exec(
        SCRUTIN,
        *arguments,
        env=os.environ | {"COLUMNS": "200"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, errors = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), errors.decode()


async def test_version_and_help() -> None:
    assert (await scrutin("--version"))[:2] == (0, "0.1.0\n")
    code, out, _ = await scrutin("--help")
    assert code == 0
    assert all(name in out for name in ("demo", "hashgen", "roll", "serve", "drain", "doctor"))


async def test_a_misspelt_flag_is_one_line_and_exit_code_2() -> None:
    code, _, errors = await scrutin("serve", "--prot", "1")
    assert code == 2
    assert errors.startswith("scrutin: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup", "."], "no name of its own"),
        (["drain", "--metrics-port", "0"], ">= 1"),
        (["drain", "--metrics-port", "99999"], "<= 65535"),
        (["review", "list", "--limit", "0"], ">= 1"),
        (["restore"], "--complete"),
        (["restore", "somewhere", "--complete"], "--complete"),
    ],
)
async def test_what_makes_no_sense_is_one_line(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    with LocalClickHouse(tmp_path) as clickhouse:
        code, out, errors = await scrutin(*arguments, clickhouse_url=clickhouse.url)
    assert code != 0
    assert said in errors, errors
    assert (out, len(errors.splitlines())) == ("", 1), errors


def test_offline_commands_load_no_online_library() -> None:
    script = (
        "import json, sys; from edge.cli import make_app\n"
        "try: make_app()(['hashgen', 'verify', '/nowhere'], exit_on_error=False)\n"
        "finally: print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "hashgen" in loaded
    assert not loaded & {"redis", "clickhouse_connect", "starlette", "granian", "chdb"}


async def test_roll_status(loaded: LocalCluster, roll: Roll) -> None:
    code, out, _ = await scrutin("roll", "status", redis_url=loaded.url)
    assert (code, roll.database.manifest.roll_id in out) == (0, True)
    code, out, _ = await scrutin("roll", "status", "--json", redis_url=loaded.url)
    status = json.loads(out)
    assert status["info"]["electors"] == roll.database.manifest.total
    assert status["electors_loaded"] == roll.database.manifest.total
    assert status["shards_ready"] == 256


async def test_roll_load_again_and_over_another(
    loaded: LocalCluster, roll: Roll, elections: Elections, tmp_path: Path
) -> None:
    settings = {"redis_url": loaded.url, "election": elections.live}
    code, _, errors = await scrutin("roll", "load", str(roll.database.directory), **settings)
    assert code == 0, errors
    csv = tmp_path / "other.csv"
    csv.write_text("nas,code,law_id\n000000001,OTHER1,L2025-001\n")
    assert (await scrutin("hashgen", "run", str(csv), "--out", str(tmp_path / "db")))[0] == 0
    code, _, errors = await scrutin("roll", "load", str(tmp_path / "db"), **settings)
    assert code == 2
    assert "roll" in errors.splitlines()[-1]


async def test_roll_load_refuses_a_damaged_database(
    loaded: LocalCluster, roll: Roll, elections: Elections, tmp_path: Path
) -> None:
    database = tmp_path / "db"
    shutil.copytree(roll.database.directory, database)
    shard = database / roll.database.manifest.shards[0].file
    shard.write_bytes(shard.read_bytes()[:-1] + b"!")
    code, _, errors = await scrutin(
        "roll", "load", str(database), redis_url=loaded.url, election=elections.live
    )
    assert code == 1
    assert shard.name in errors


async def test_nothing_there_is_exit_code_1(elections: Elections) -> None:
    nowhere = free_ports(2)
    redis, clickhouse = f"redis://127.0.0.1:{nowhere[0]}", f"http://127.0.0.1:{nowhere[1]}"
    for arguments in (("roll", "status"), ("results",)):
        code, _, errors = await scrutin(
            *arguments, redis_url=redis, clickhouse_url=clickhouse, election=elections.live
        )
        assert (code, len(errors.splitlines())) == (1, 1)
        assert errors.startswith("scrutin: ")
    code, out, _ = await scrutin("doctor", redis_url=redis, clickhouse_url=clickhouse)
    assert code == 1
    for advice in (
        "SCRUTIN_REDIS_URL",
        "put Redis right first",
        "SCRUTIN_CLICKHOUSE_URL",
        "--election",
    ):
        assert advice in out


ONLINE_COMMANDS = [
    "roll load /nowhere", "roll status", "serve", "drain", "results", "verify", "replay /nowhere",
    "backup /nowhere", "restore /nowhere", "doctor",
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "name"),
    [*((command, "redis_url") for command in ONLINE_COMMANDS), ("results", "clickhouse_url")],
)
async def test_a_wrong_url_is_one_line_and_exit_code_2(command: str, name: str) -> None:
    code, _, errors = await scrutin(*command.split(), **{name: "redis://user:hidden@host:port"})
    assert (code, len(errors.splitlines())) == (2, 1), errors
    assert errors.startswith(f"scrutin: SCRUTIN_{name.upper()}: ")
    assert "hidden" not in errors


@pytest.mark.parametrize("service", ["serve", "drain"])
async def test_a_service_names_a_misspelt_variable(service: str) -> None:
    """Once, and without its value, however it goes on: here no file is there."""
    tls = {"tls_cert_file": "/nowhere", "tls_key_file": "/nowhere"}
    code, _, errors = await scrutin(service, electon="not-to-be-said", **tls)
    assert code == 2
    assert errors.count("SCRUTIN_ELECTON is no setting: did you mean SCRUTIN_ELECTION?") == 1
    assert "not-to-be-said" not in errors


async def test_drain_results_and_a_healthy_doctor(
    loaded: LocalCluster, elections: Elections, elector: Elector, tmp_path: Path
) -> None:
    clickhouse = LocalClickHouse(tmp_path / "clickhouse")
    await clickhouse.astart()
    settings = {
        "redis_url": loaded.url,
        "clickhouse_url": clickhouse.url,
        "election": elections.live,
    }
    metrics_port = free_ports(1)[0]
    drainer = drainer_process(tmp_path, metrics_port, **settings)
    try:
        async with (
            EdgeProcess(tmp_path, **settings) as edge,
            httpx.AsyncClient(base_url=edge.url) as http,
        ):
            vote = ballot(elector, request_id=new_id())
            assert (await http.post("/api/v1/vote", json=vote)).status_code == 202
            drainer.start()

            async def drained() -> bool:
                assert drainer.alive, drainer.log_tail()
                try:
                    answer = await http.get(f"http://127.0.0.1:{metrics_port}/metrics")
                except httpx.TransportError:
                    return False
                return 'outbox_depth{shard_group="f"} 0.0' in answer.text

            await until(drained, "an empty outbox")
            closed = settings | {"election": elections.after_close}
            for arguments in (("results",), ("roles", "--with-results")):
                code, out, errors = await scrutin(*arguments, **closed)
                assert (code, out) == (2, "")
                assert "after closing" in errors
            code, out, errors = await scrutin("results", "--json", **settings)
            assert code == 0, errors
            tallies = {tally["law_id"]: tally for tally in json.loads(out)}
            assert tallies.keys() == WINDOWS.keys()  # also those that nobody has voted on
            counted = tallies[elector.law_id]["oui_count"]
            assert counted > 0
            code, out, _ = await scrutin("results", **settings)
            assert (code, elector.law_id in out, str(counted) in out) == (0, True, True)
            code, out, _ = await scrutin("doctor", **settings)
            assert (code, "wrong" in out) == (0, False), out
            assert "weak  settings" in out, "the roll of these tests has no key"
            assert "--scheme hmac-sha256" in out
            assert edge.log.count("hashed without a key") == 1
            taken = await scrutin("drain", "--metrics-port", str(metrics_port), **settings)
            assert taken[0] == 2
            assert "--metrics-port" in taken[2]
        assert drainer.stop() == 0, drainer.log_tail()
        assert elector.nas not in drainer.log.read_text()
    finally:
        drainer.stop()
        await asyncio.to_thread(clickhouse.stop)


async def test_roles_for_a_file_of_users(elections: Elections) -> None:
    code, out, _ = await scrutin("roles", "--xml")
    assert code == 0
    assert "vote_results" not in out.partition("<auditor>")[0]
    assert out == roles_xml(with_results=False)
    asked = ("roles", "--xml", "--with-results")
    assert (await scrutin(*asked, election=elections.live))[1] == roles_xml(with_results=True)
    code, out, errors = await scrutin(*asked, election=elections.after_close)
    assert (code, out) == (2, "")
    assert "until then nobody is shown" in errors


async def test_roles_and_export_on_a_local_engine(tmp_path: Path) -> None:
    with LocalClickHouse(tmp_path / "clickhouse") as server:
        code, _, errors = await scrutin("roles", clickhouse_url=server.url)
        assert code == 1
        assert "scrutin roles --xml" in errors
        day = tmp_path / "day"
        code, out, _ = await scrutin("export", str(day), clickhouse_url=server.url)
        assert code == 0
        assert "--with-results" in out
        assert (day / "turnout_by_minute.parquet").is_file()
        assert not (day / "vote_results.parquet").exists()
        code, _, errors = await scrutin("export", str(day), clickhouse_url=server.url)
        assert code == 1
        assert errors.splitlines() == [f"scrutin: {day} exists already: name a new directory"]
