"""The native pipeline against the oracle, blocks cut everywhere."""

import csv
import io
import os
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashgen._native import BallotHasher, Electors, read_shard
from tests.support import hashgen_oracle as oracle

COLUMNS = ["nas", "code", "law_id"]
KEY = bytes(range(32))


def quoted(text: str, mode: int) -> str:
    return text if mode else f'"{text}"'


# Few values, so that duplicates and several codes for one elector come by themselves.
nas_values = st.sampled_from(
    ["012345678", "012 345 678", "012-345-679", "0", "", "0123456789", "٠١٢٣٤٥٦٧٨"]
)
code_values = st.sampled_from(["ABC123", "abc-123", "XYZ789", "a", "ABCDEß", "A" * 33])
law_values = st.sampled_from(["L1", "L2", "l.2_-", "", "L 1", "L" * 51])
good_rows = st.tuples(nas_values, code_values, law_values, st.tuples(*[st.integers(0, 2)] * 3))
raw_lines = st.one_of(
    st.sampled_from([b"", b",", b",,", b'"', b'"012345678', b"\xff,\xfe,", b"a" * 1025]),
    st.sampled_from([b'012345678,"ABC123"",L1', b'012345678,"AB"C123,L1', b"012345678,ABC123,L1,"]),
    st.sampled_from([b'012345678,ABC123,"L1"x', b'"012345678"x,ABC123,L1']),
    st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")),
)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    columns = draw(st.permutations(COLUMNS))
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    lines = [",".join(quoted(name, draw(st.integers(0, 1))) for name in columns).encode()]
    for row in draw(st.lists(good_rows | raw_lines, max_size=40)):
        if isinstance(row, bytes):
            lines.append(row)
            continue
        values = dict(zip(COLUMNS, row[:3], strict=True))
        fields = [quoted(values[name], row[3][i]) for i, name in enumerate(columns)]
        lines.append(",".join(fields).encode())
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return bom + end.join(lines) + draw(st.sampled_from([b"", end])), columns


def rejects_of(electors: Electors, directory: Path) -> list[tuple[int, str]]:
    path = directory / "rejects.csv"
    path.unlink(missing_ok=True)
    electors.write_rejects(path)
    header, *rows = csv.reader(io.StringIO(path.read_text()), strict=True)
    assert header == ["line", "reason"]
    return [(int(line), reason) for line, reason in rows]


def lines_after(reason: str, rejects: list[tuple[int, str]]) -> dict[int, int]:
    return {
        line: int(text.removeprefix(reason)) for line, text in rejects if text.startswith(reason)
    }


def hashes_of(electors: Electors, hasher: BallotHasher, directory: Path) -> list[bytes]:
    _, shards = electors.write_shards(directory, hasher, format="binary", shard_size=7, threads=2)
    raw = b"".join(
        read_shard(directory / file, "binary", number, count, sha256)
        for number, (file, count, sha256) in enumerate(shards)
    )
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]


@given(
    file=files(),
    block_bytes=st.integers(1, 200),
    threads=st.sampled_from([1, 4]),
    key=st.sampled_from([None, KEY]),
)
def test_like_the_oracle(
    file: tuple[bytes, list[str]], block_bytes: int, threads: int, key: bytes | None
) -> None:
    content, columns = file
    expected = oracle.read_roll(content, columns, key)
    hasher = BallotHasher() if key is None else BallotHasher("hmac-sha256", key)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = directory / "electors.csv"
        path.write_bytes(content)
        electors = Electors.read(path, hasher, threads=threads, block_bytes=block_bytes)
        rejects = rejects_of(electors, directory)
        hashes = hashes_of(electors, hasher, directory)
        assert electors.total == len(expected.hashes)
        electors.reject_other_codes(path, hasher, block_bytes=block_bytes)
        more_rejects = rejects_of(electors, directory)
    duplicates = lines_after("duplicate of line ", rejects)
    other_codes = lines_after("another code of the elector of line ", more_rejects)
    assert other_codes == expected.other_codes
    assert more_rejects == sorted(more_rejects)
    assert [row for row in more_rejects if row[0] not in other_codes] == rejects
    assert [line for line, _ in rejects] == sorted(expected.bad + list(expected.duplicates))
    assert duplicates == expected.duplicates
    assert hashes == expected.hashes
    assert {law: count for law, count in electors.laws.items() if count} == dict(expected.laws)
    assert (electors.rows, electors.rejected) == (expected.rows, len(more_rejects))
    assert electors.several_codes == expected.several_codes
    ended = content.endswith(b"\n") or expected.rows == 0
    assert electors.unended_line == (None if ended else expected.rows + 1)


def test_reasons_say_what_is_wrong(tmp_path: Path) -> None:
    cases = [
        (b"012345678,ABC123,L1", None),
        (b"", "blank line"),
        (b"012345678,ABC123", "not exactly three columns"),
        (b"012345678,ABC123,L1,", "not exactly three columns"),
        (b"01234567,ABC123,L1", "nas must have exactly 9 digits"),
        (b"01234567O,ABC123,L1", "nas has a character other than digits, spaces and hyphens"),
        (b"012345678,ABC12,L1", "code must have 6 to 32 letters and digits"),
        (
            b"012345678,ABC!23,L1",
            "code has a character other than A-Z, 0-9, spaces and hyphens",
        ),
        (b"012345678,ABC123,", "law_id must have 1 to 50 characters"),
        (
            b"012345678,ABC123,L#",
            "law_id has a character outside A-Z, a-z, 0-9, '.', '_' and '-'",
        ),
        (b"012345678,ABC\xff23,L1", "not UTF-8"),
        (b"x" * 1025, "line longer than 1024 bytes"),
        (b'"012345678,ABC123,L1', "quotation marks do not enclose a whole field of one line"),
        (b"012-345-678,abc123,L1", "duplicate of line 2"),
        (b"012345678,ABC123,L1", "duplicate of line 2"),
    ]
    path = tmp_path / "electors.csv"
    path.write_bytes(b"\n".join([b"nas,code,law_id", *(line for line, _ in cases)]))
    electors = Electors.read(path, BallotHasher(), threads=2, block_bytes=64)
    expected = [(n, reason) for n, (_, reason) in enumerate(cases, start=2) if reason]
    assert rejects_of(electors, tmp_path) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"nas;code;law_id\n", "semicolons"),
        ("nas,code,law_id\n".encode("utf-16"), "UTF-16"),
        (b"012345678,ABC123,L1\n", "the first line must name"),
        (b"nas,code\n", "the first line must name"),
        (b"nas,code,law_id,name\n", "the first line must name"),
        (b"nas,nas,code\n", "the first line must name"),
        (b"\nnas,code,law_id\n", "the first line must name"),
        (b"x" * 100_000, "the first line must name"),
    ],
)
def test_a_file_without_the_header_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "electors.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as refused:
        Electors.read(path, BallotHasher(), threads=1, block_bytes=1000)
    assert "012345678" not in str(refused.value)


def test_too_many_laws_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "electors.csv"
    rows = "".join(f"012345678,ABC123,L{n}\n" for n in range(4097))
    path.write_text("nas,code,law_id\n" + rows)
    with pytest.raises(ValueError, match="more than 4096 law ids"):
        Electors.read(path, BallotHasher(), threads=2)
    path.write_text("nas,code,law_id\n" + rows[: rows.rindex("0123")])
    assert len(Electors.read(path, BallotHasher(), threads=2).laws) == 4096


def test_what_progress_raises_ends_the_work(tmp_path: Path) -> None:
    path = tmp_path / "electors.csv"
    path.write_text("nas,code,law_id\n012345678,ABC123,L1\n")

    def stop(phase: str, done: int, total: int) -> None:
        raise LookupError(phase, done, total)

    with pytest.raises(LookupError) as stopped:
        Electors.read(path, BallotHasher(), threads=2, progress=stop)
    assert stopped.value.args[0] == "read"


def test_ctrl_c_ends_the_work_without_a_progress_report(tmp_path: Path) -> None:
    pipe = tmp_path / "electors.csv"
    os.mkfifo(pipe)
    left_early = threading.Event()

    def interrupt() -> None:
        try:
            with pipe.open("wb") as file:  # opens when the reader opens it
                file.write(b"nas,code,law_id\n")
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(100):
                    file.write(b"012345678,ABC123,L2025-001\n" * 40_000)
        except BrokenPipeError:
            left_early.set()

    thread = threading.Thread(target=interrupt)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            Electors.read(pipe, BallotHasher(), threads=1)
    finally:
        signal.signal(signal.SIGINT, handler)
        thread.join()
    assert left_early.is_set()
