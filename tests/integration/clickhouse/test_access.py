"""What the local engine's port is not: a way for web pages to it, or through it to the machine."""

from pathlib import Path
from urllib.parse import quote

import pytest

from clickhouse.local.process import LocalClickHouse
from tests.support.clickhouse import send

SECRET = b"not for everybody"


@pytest.fixture
def url(clickhouse_server: LocalClickHouse) -> str:
    url = clickhouse_server.url + "/"
    for statement in (
        b"CREATE DATABASE IF NOT EXISTS scrutin",
        b"DROP TABLE IF EXISTS scrutin.lines SYNC",
        b"CREATE TABLE scrutin.lines (line String) ENGINE = MergeTree ORDER BY line",
        b"DROP TABLE IF EXISTS scrutin.taken SYNC",
    ):
        assert send(url, statement).status == 200
    return url


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    return path


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "example.org"},
        {"Host": "example.org:8123"},
        {"Host": "127.0.0.1.example.org"},
        {"Host": "192.168.0.1"},
        {"Host": "0.0.0.0"},
        {"Host": "[::2]:8123"},
        {"Host": ""},
    ],
)
@pytest.mark.parametrize("path", ["", "?query=SELECT%201", "ping"])
def test_web_pages_are_refused(url: str, path: str, headers: dict[str, str]) -> None:
    answer = send(url + path, None if path else b"SELECT 1", headers)
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "497")
    assert b"serves its own tables only" in answer.body


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:5", "[::1]:8"]
)
def test_this_machine_is_served(url: str, host: str) -> None:
    headers = {"Host": host, "Sec-Fetch-Site": "none"}
    assert send(url, b"SELECT 1", headers).body == b"1\n"


READS = [
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM `file`('{secret}', 'LineAsString')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM default.`{secret}`",
    "SELECT file('{secret}')",
    "SELECT file /* why */ ('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT `fil\\x65`('{secret}')",
    "SELECT \"fil\\x65\"('{secret}')",
    "SELECT “file”('{secret}')",
    "SELECT $$'$$, file('{secret}'), $x$'$x$",
    "SELECT ‘'’, file('{secret}'), ‘'’",
    "SELECT 1 # '\n, file('{secret}') # '",
    "SELECT 1 // '\n, file('{secret}') // '",
    "SELECT 1 -- '\n, file('{secret}') -- '",
    "WITH file('{secret}') AS a SELECT a",
    "SELECT * FROM view(SELECT file('{secret}'))",
    (
        "SELECT * FROM eval('SELECT file(''{secret}'')') "
        "SETTINGS allow_experimental_eval_table_function = 1"
    ),
    "SELECT 1 FROM system.one SETTINGS additional_result_filter = 'file(''{secret}'') = '''''",
    "SELECT 1 AS a FORMAT Template SETTINGS format_template_resultset = '{secret}'",
    "SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '{secret}'",
    "SELECT * FROM fileCluster('default', '{secret}', 'LineAsString')",
    "SELECT * FROM filesystem('{secret}')",
    "SELECT * FROM sqlite('{secret}', 't')",
    "INSERT INTO scrutin.lines VALUES (file('{secret}'))",
    "INSERT INTO scrutin.lines FORMAT Values (file('{secret}'))",
    "INSERT INTO scrutin.lines FROM INFILE '{secret}' FORMAT LineAsString",
    "INSERT INTO scrutin.lines SELECT file('{secret}')",
    "CREATE TABLE scrutin.taken (a String) ENGINE = File(TSV, '{secret}')",
    "CREATE TABLE scrutin.taken ENGINE = MergeTree ORDER BY a AS SELECT file('{secret}') AS a",
    "CREATE VIEW scrutin.taken AS SELECT file('{secret}')",
    "CREATE DATABASE outside ENGINE = Filesystem('/')",
    (
        "CREATE DICTIONARY scrutin.taken (a String) PRIMARY KEY a "
        "SOURCE(FILE(path '{secret}' format 'LineAsString')) LAYOUT(FLAT()) LIFETIME(0)"
    ),
]


@pytest.mark.parametrize("statement", READS)
def test_no_file_is_read(url: str, secret: Path, statement: str) -> None:
    answer = send(url, statement.format(secret=secret).encode())
    assert answer.status >= 400, answer.body
    assert SECRET not in answer.body
    assert send(url, b"SELECT * FROM scrutin.lines").body == b""


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 INTO OUTFILE '{out}'",
        "SELECT 1 INTO /* '*/ OUTFILE '{out}' TRUNCATE FORMAT CSV",
        "INSERT INTO FUNCTION file('{out}', 'CSV', 'a UInt8') VALUES (1)",
        "INSERT INTO FUNCTION file('{out}', 'CSV', 'a UInt8') SELECT 1",
        "CREATE TABLE scrutin.taken ENGINE = File(CSV, '{out}') AS SELECT 1",
        "BACKUP TABLE scrutin.lines TO File('{out}')",
        "BACKUP TABLE scrutin.lines TO Disk('default', '{out}')",
        "BACKUP TABLE scrutin.lines TO Disk('backups', '{out}')",
        "BACKUP TABLE scrutin.lines TO Disk('backups', '../../../../../../..{out}')",
    ],
)
def test_no_file_is_written(url: str, tmp_path: Path, statement: str) -> None:
    out = tmp_path / "out"
    assert send(url, statement.format(out=out).encode()).status >= 400
    assert not out.exists()


def test_no_directory_is_taken(url: str, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    statement = f"ATTACH TABLE scrutin.taken FROM '{theirs}' (a String) ENGINE = Log"
    assert send(url, statement.encode()).status == 403
    assert theirs.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
        "SELECT * FROM s3('http://127.0.0.1:9/bucket/key.csv', 'CSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1:9', system.one)",
        "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
        "CREATE TABLE scrutin.taken (a String) ENGINE = URL('http://127.0.0.1:9/', 'CSV')",
        (
            "CREATE TABLE scrutin.taken (a String) ENGINE = MergeTree ORDER BY a "
            "SETTINGS disk = disk(type = web, endpoint = 'http://127.0.0.1:9/')"
        ),
        "CREATE USER somebody",
        "GRANT FILE ON *.* TO default",
        "SYSTEM SHUTDOWN",
    ],
)
def test_no_other_server_and_no_other_user(url: str, statement: str) -> None:
    answer = send(url, statement.encode())
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "497")


@pytest.mark.parametrize("name", ["additional_result_filter", "format_schema"])
def test_settings_that_reach_outside_stay(url: str, name: str) -> None:
    answer = send(f"{url}?{name}={quote('1')}", b"SELECT 1")
    assert answer.headers["X-ClickHouse-Exception-Code"] == "452"


def test_what_only_looks_like_it_is_served(url: str) -> None:
    text = "SELECT 'file(1)', $$ file(2) $$ AS `file`, 1 AS outfile -- file(3)\n/* INTO OUTFILE */"
    assert send(url, text.encode()).body == b"file(1)\t file(2) \t1\n"
    assert send(url, b"INSERT INTO scrutin.lines (line) FORMAT CSV\nfile('a')\n").status == 200
    assert send(url, b"INSERT INTO scrutin.lines VALUES ('INTO OUTFILE x file(y)')").status == 200
    assert send(url, b"SELECT count() FROM scrutin.lines").body == b"2\n"
