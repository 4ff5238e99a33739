"""`scrutin demo` as a user meets it: banner, votes, kills, Ctrl-C."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.demo import Demo, ended, eventually, ports, running

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
SEED_CARD = {"nas": "123456789", "code": "ABC123", "law_id": "L2025-001"}


def test_a_vote_its_duplicates_and_a_clean_end(tmp_path: Path) -> None:
    with running(*ports(), "--electors", "2000", "--no-simulate", log=tmp_path / "log") as demo:
        card = demo.cards()[0]
        assert demo.vote(card).status_code == 202
        for attempt in (1, 2):
            again = demo.vote(card, "non")
            assert (again.status_code, again.json()["attempt_count"]) == (409, attempt)
        assert demo.vote(card | {"code": "WRONGCODE"}).status_code == 403
        eventually(lambda: demo.results()["oui_count"] == 1, 10)
        assert demo.sql("SELECT oui_count, non_count FROM scrutin.vote_results") == "1\t0\n"
        assert demo.http.get("/fr/").status_code == 200
        assert demo.http.get("/ops").status_code == 401
        assert demo.http.get("/ops", auth=("me", demo.ops_token())).status_code == 200
        assert demo.http.get("/review").status_code == 401
        assert demo.http.get("/review", auth=("me", demo.review_token())).status_code == 200

        children = demo.children()
        assert len(children) == 9  # 6 Redis servers, ClickHouse, drainer, edge
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(STOP_TIMEOUT_S) == 0
        assert ended(children)
        assert not demo.data.exists()
        for url in (demo.url, demo.clickhouse_url):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", int(url.rsplit(":", 1)[1])))


def test_the_customers_own_elector(tmp_path: Path) -> None:
    csv_file = tmp_path / "electors.csv"
    csv_file.write_text("nas,code,law_id\n123456789,ABC123,L2025-001\n012345674,XYZ789,L2025-001\n")
    with running(*ports(), "--csv", str(csv_file), log=tmp_path / "log") as demo:
        answer = demo.vote(SEED_CARD)
        assert answer.status_code == 202
        eventually(lambda: demo.results()["oui_count"] == 1, 10)
        [row] = demo.sql(
            "SELECT vote_hash, law_id, vote, status, toString(request_id) AS request_id"
            " FROM scrutin.vote_audit FORMAT JSONEachRow"
        ).splitlines()
        assert json.loads(row) == {
            "vote_hash": hashlib.sha256(b"123456789|ABC123|L2025-001").hexdigest(),
            "law_id": "L2025-001",
            "vote": "oui",
            "status": "accepted",
            "request_id": answer.json()["request_id"],
        }


def test_what_is_killed_comes_back_with_its_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    arguments = [*ports(), "--electors", "2000", "--no-simulate", "--data", str(data)]
    with running(*arguments, log=tmp_path / "log") as demo:
        first, second, third = demo.cards()
        assert demo.vote(first).status_code == 202
        for child in demo.children():
            child.kill()
        eventually(lambda: accepted(demo, second), 30)
        eventually(lambda: demo.vote(first).status_code == 409, 30)  # its shard may be another
        eventually(lambda: demo.results()["oui_count"] == 2, 10)
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(STOP_TIMEOUT_S) == 0

    with running(*arguments, log=tmp_path / "log") as demo:
        assert demo.cards() == [first, second, third]
        assert demo.vote(second).status_code == 409
        assert demo.vote(third).status_code == 202
        eventually(lambda: demo.results()["oui_count"] == 3, 10)


def accepted(demo: Demo, card: dict[str, str]) -> bool:
    """Vote as a page would, with one request id."""
    try:
        answer = demo.http.post(
            "/api/v1/vote",
            json=card | {"vote": "oui", "request_id": "0b2f6a52-5d0c-4c3f-9d0e-3f6c2f1f7a11"},
        )
    except httpx.TransportError:
        return False
    return answer.status_code == 202


def test_the_simulation_moves_the_numbers(tmp_path: Path) -> None:
    with running(*ports(), "--electors", "2000", log=tmp_path / "log") as demo:
        eventually(lambda: demo.results()["oui_count"] > 5, 10)
        assert demo.vote(demo.cards()[0]).status_code == 202


@pytest.mark.parametrize("flag", ["--port", "--clickhouse-port"])
def test_a_taken_port_that_was_asked_for(flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [sys.executable, "-m", "edge", "demo", flag, port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert run.returncode == 2
    assert f"port {port} is taken; give {flag} another" in run.stderr


def test_a_bad_csv_ends_the_demo_with_its_reason(tmp_path: Path) -> None:
    csv_file = tmp_path / "electors.csv"
    csv_file.write_text("nas,code,law_id\n12345678,ABC123,L2025-001\n")
    run = subprocess.run(
        [sys.executable, "-m", "edge", "demo", *ports(), "--csv", str(csv_file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert "electors.csv" in run.stderr
    assert "12345678" not in run.stderr.replace(str(tmp_path), "")


@pytest.mark.parametrize("moment", ["scrutin-demo-*", "*/electors.csv", "*/clickhouse/data"])
def test_ctrl_c_while_starting(moment: str, tmp_path: Path) -> None:
    """Ends all, and leaves nothing, whatever was being made when it came."""
    log, temporary = tmp_path / "log", tmp_path / "temporary"
    temporary.mkdir()
    with log.open("w") as steps:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "demo", *ports(), "--electors", "300000"],
            stderr=steps,
            stdout=steps,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
    eventually(lambda: any(temporary.glob(moment)), START_TIMEOUT_S)
    eventually(lambda: "starting Redis" in log.read_text(), START_TIMEOUT_S)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_TIMEOUT_S) == 0, log.read_text()
    assert ended(children)
    assert list(temporary.iterdir()) == []


HELD_DEMO = """
import os
from pathlib import Path
from edge.cli import main
from edge.demo import electorate
digest = electorate._digest
def held(csv_file):
    Path(os.environ["HOLD"]).read_bytes()
    return digest(csv_file)
electorate._digest = held
main()
"""


def test_ctrl_c_waits_for_the_thread_that_prepares(tmp_path: Path) -> None:
    """Nothing is removed while a thread may still write to it."""
    log, temporary, pipe = tmp_path / "log", tmp_path / "temporary", tmp_path / "pipe"
    electors = tmp_path / "electors.csv"
    electors.write_text("nas,code,law_id\n")
    temporary.mkdir()
    os.mkfifo(pipe)
    with log.open("w") as steps:
        process = subprocess.Popen(
            [sys.executable, "-c", HELD_DEMO, "demo", *ports(), "--csv", str(electors)],
            stderr=steps,
            stdout=steps,
            env=os.environ | {"TMPDIR": str(temporary), "HOLD": str(pipe)},
        )
    with pipe.open("w"):  # returns once the thread reads
        [directory] = temporary.iterdir()
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert directory.exists()
    assert process.wait(STOP_TIMEOUT_S) == 0, log.read_text()
    assert list(temporary.iterdir()) == []
