"""The local engine's HTTP interface, spoken to as curl would."""

import base64
import gzip
import json
import zlib
from urllib.parse import quote

import lz4.frame
import pytest
from backports import zstd

from clickhouse.local.process import LocalClickHouse
from tests.support.clickhouse import send

DECOMPRESS = {
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}
COMPRESS = {
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


@pytest.fixture
def url(clickhouse_server: LocalClickHouse) -> str:
    return clickhouse_server.url + "/"


@pytest.fixture
def table(url: str) -> str:
    for statement in (
        b"DROP TABLE IF EXISTS scrutin.raw SYNC",
        b"CREATE TABLE scrutin.raw (a UInt32, s String) ENGINE = MergeTree ORDER BY a",
    ):
        assert send(url, statement).status == 200
    return "scrutin.raw"


def rows(url: str, table: str) -> bytes:
    return send(url, f"SELECT * FROM {table} ORDER BY a".encode()).body


@pytest.mark.parametrize("path", ["", "ping", "replicas_status"])
def test_says_ok(url: str, path: str) -> None:
    answer = send(url + path)
    assert (answer.status, answer.body) == (200, b"Ok.\n")


def test_statement_in_url_body_or_both(url: str) -> None:
    assert send(url + "?query=SELECT%201").body == b"1\n"
    assert send(url, b"SELECT 1").body == b"1\n"
    assert send(url + "?query=SELECT", b"1").body == b"1\n"
    assert send(url + "?query=SELECT%201", b"").body == b"1\n"


def test_headers(url: str) -> None:
    headers = send(url + "?query_id=my-id", b"SELECT 1 FORMAT JSON").headers
    assert headers["X-ClickHouse-Query-Id"] == "my-id"
    assert headers["X-ClickHouse-Format"] == "JSON"
    assert headers["Content-Type"].startswith("application/json")
    assert headers["X-ClickHouse-Timezone"]
    assert json.loads(headers["X-ClickHouse-Summary"])["read_rows"] == "1"
    assert send(url, b"SELECT 1").headers["X-ClickHouse-Query-Id"]


def test_format_from_statement_url_or_header(url: str) -> None:
    assert send(url + "?default_format=CSV", b"SELECT 'a'").body == b'"a"\n'
    assert send(url, b"SELECT 'a'", {"X-ClickHouse-Format": "CSV"}).body == b'"a"\n'
    assert send(url + "?default_format=CSV", b"SELECT 'a' AS x FORMAT JSONEachRow").body == (
        b'{"x":"a"}\n'
    )


def test_settings_and_database_last_one_request(url: str) -> None:
    asked = b"SELECT getSetting('max_threads'), currentDatabase()"
    assert send(url + "?max_threads=7&database=system", asked).body == b"7\tsystem\n"
    assert not send(url, asked).body.startswith(b"7\tsystem")
    by_header = send(url, b"SELECT currentDatabase()", {"X-ClickHouse-Database": "system"})
    assert by_header.body == b"system\n"


def test_parameters(url: str) -> None:
    awkward = "it's \\`\"é {x} ;--"
    value = quote(awkward.replace("\\", "\\\\"))
    asked = b"SELECT {text:String} AS text, {n:UInt8} + 1 AS more FORMAT JSONEachRow"
    answer = send(f"{url}?param_text={value}&param_n=4", asked)
    assert json.loads(answer.body) == {"text": awkward, "more": 5}
    missing = send(url, b"SELECT {n:UInt8}")
    assert missing.headers["X-ClickHouse-Exception-Code"] == "456"


def test_get_is_read_only(url: str, table: str) -> None:
    insert = quote(f"INSERT INTO {table} VALUES (1, 'x')")
    answer = send(f"{url}?query={insert}")
    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
    assert send(f"{url}?query={quote('SET readonly = 0')}").status != 200
    assert rows(url, table) == b""


@pytest.mark.parametrize(
    ("statement", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT nothing", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT nofunction()", 404, 46, "UNKNOWN_FUNCTION"),
        ("INSERT INTO nowhere FORMAT CSV\n1", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT toUInt8('x')", 400, 6, "CANNOT_PARSE_TEXT"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT sleep(1) SETTINGS max_execution_time = 0.1", 408, 159, "TIMEOUT_EXCEEDED"),
    ],
)
def test_errors(url: str, statement: str, status: int, code: int, name: str) -> None:
    answer = send(url, statement.encode())
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert answer.body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert f"({name}) (version 26.".encode() in answer.body


@pytest.mark.parametrize("end", [";", " ; ;\n", "; -- no more\n", "; /* ; */ # ;"])
def test_a_semicolon_may_end_a_statement(url: str, end: str) -> None:
    assert send(url, f"SELECT ';SELECT 2'{end}".encode()).body == b";SELECT 2\n"


@pytest.mark.parametrize("second", ["SELECT 2", "/* ; */ DROP TABLE scrutin.raw", "x"])
def test_a_second_statement_is_refused_with_the_first(url: str, table: str, second: str) -> None:
    answer = send(url, f"INSERT INTO {table} SELECT 1, 'x'; {second}".encode())
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (400, "62")
    assert b"Multi-statements are not allowed" in answer.body
    assert rows(url, table) == b""


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ("nosuchsetting=1", 404, 115),
        ("x%27%3B=1", 404, 115),
        ("database=nowhere", 404, 81),
        ("database=a%60b%5C", 404, 81),
        ("default_format=Nothing", 404, 73),
        ("compress=1", 501, 48),
        ("session_check=1&session_id=x", 500, 372),
    ],
)
def test_errors_of_parameters(url: str, parameters: str, status: int, code: int) -> None:
    answer = send(f"{url}?{parameters}", b"SELECT 1")
    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))


def test_statement_that_needs_a_session_is_refused_not_forgotten(url: str) -> None:
    assert send(url + "?session_id=x", b"SET max_threads = 3").status == 501
    assert send(url + "?session_id=x", b"CREATE TEMPORARY TABLE t (a Int8)").status == 501
    assert send(url + "?session_id=x", b"SELECT 1").body == b"1\n"


def test_methods(url: str) -> None:
    assert send(url, method="OPTIONS").status == 204
    assert send(url, b"SELECT 1", method="PUT").status == 405
    head = send(url + "?query=SELECT%201", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert send(url + "nowhere").status == 404


@pytest.mark.parametrize("where", ["body", "url"])
@pytest.mark.parametrize(
    ("fmt", "data"),
    [
        ("Values", b"(1, 'x'), (2, 'y')"),
        ("CSV", b'1,"x"\n2,"y"\n'),
        ("JSONEachRow", b'{"a":1,"s":"x"}\n{"a":2,"s":"y"}\n'),
        ("RowBinary", b"\x01\0\0\0\x01x\x02\0\0\0\x01y"),
        (
            "Native",
            b"\x02\x02\x01a\x06UInt32\x01\0\0\0\x02\0\0\0\x01s\x06String\x01x\x01y",
        ),
    ],
)
def test_insert(url: str, table: str, where: str, fmt: str, data: bytes) -> None:
    statement = f"INSERT INTO {table} FORMAT {fmt}"
    if where == "url":
        answer = send(f"{url}?query={quote(statement)}", data)
    else:
        answer = send(url, statement.encode() + b"\n" + data)
    assert answer.status == 200, answer.body
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert rows(url, table) == b"1\tx\n2\ty\n"


def test_insert_of_bytes_that_are_no_text(url: str, table: str) -> None:
    answer = send(url, f"INSERT INTO {table} VALUES (1, '".encode() + b"\xff\xfe')")
    assert answer.status == 200, answer.body
    assert rows(url, table) == b"1\t\xff\xfe\n"


def test_failed_insert_leaves_nothing(url: str, table: str) -> None:
    answer = send(url, f"INSERT INTO {table} FORMAT CSV\n1,a\nx,b\n".encode())
    assert answer.status == 400
    assert rows(url, table) == b""


def test_insert_select(url: str, table: str) -> None:
    select = f"INSERT INTO {table} SELECT number, 'x' FROM numbers(3)"
    assert send(url, select.encode()).status == 200
    assert rows(url, table) == b"0\tx\n1\tx\n2\tx\n"


@pytest.mark.parametrize("encoding", COMPRESS)
def test_compressed_request_and_answer(url: str, table: str, encoding: str) -> None:
    body = COMPRESS[encoding](f"INSERT INTO {table} FORMAT CSV\n1,x\n".encode())
    assert send(url, body, {"Content-Encoding": encoding}).status == 200
    asked = f"SELECT * FROM {table}".encode()
    plain = send(url, asked, {"Accept-Encoding": encoding})
    assert "Content-Encoding" not in plain.headers
    assert plain.body == b"1\tx\n"
    packed = send(url + "?enable_http_compression=1", asked, {"Accept-Encoding": encoding})
    assert packed.headers["Content-Encoding"] == encoding
    assert DECOMPRESS[encoding](packed.body) == b"1\tx\n"


def test_any_user_without_a_password_asked(url: str) -> None:
    basic = base64.b64encode(b"somebody:secret").decode()
    for headers in (
        {"Authorization": f"Basic {basic}"},
        {"X-ClickHouse-User": "a", "X-ClickHouse-Key": "b"},
    ):
        assert send(url, b"SELECT 1", headers).body == b"1\n"
    assert send(url + "?user=a&password=b", b"SELECT 1").body == b"1\n"


def test_long_statement_in_url(url: str) -> None:
    text = "x" * 100_000
    assert send(f"{url}?query=SELECT%20length('{text}')").body == b"100000\n"
