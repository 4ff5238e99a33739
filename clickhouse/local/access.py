"""What statements and requests may reach: tables, and nothing else of the machine.

`access.xml` takes files, other servers and users away from the engine's own user. What the engine
does not put under its grants is found in the statement: functions that open files, files that a
client would write or read, which here is the engine's own process, and directories attached.

Copies of tables go to the disk `backups`, a directory beside the tables, and come from there.

Requests from web pages are refused: any page could otherwise send them, to a port on loopback too.
"""

import ipaddress
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from clickhouse.local.faults import Fault
from clickhouse.local.statement import tokens

_OUTSIDE = (b"file", b"python", b"disk")
BACKUPS_VARIABLE = "CLICKHOUSE_LOCAL_BACKUPS"  # read by access.xml
_COPY = rb"Disk\(\s*'backups'\s*,\s*'\w[\w.-]*'\s*\)"
_BACKUP = re.compile(
    rb"\s*(?:BACKUP|RESTORE)\s+(?:DATABASE|TABLE)\s+[\w.]+\s+(?:TO|FROM)\s+%(copy)s"
    rb"(?:\s+SETTINGS\s+(?:base_backup\s*=\s*%(copy)s|allow_non_empty_tables\s*=\s*true))?"
    rb"[\s;]*" % {b"copy": _COPY},
    re.IGNORECASE,
)
_HOST = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::\d*)?")


def engine_options(access_file: Path | None = None) -> str:
    """Give the part of chdb's connection string that takes the rights away.

    They are those of `access.xml` and of `access.d/` beside it, or of another such file.
    """
    path = str(access_file or resources.files("clickhouse") / "local" / "access.xml")
    assert not set("?&%#") & set(path), f"chdb cannot read a path like {path}"
    return f"?config-file={path}&users_config={path}"


def check_statement(text: bytes) -> None:
    """Raise Fault for a statement that reaches outside the data directory and the copies."""
    if _BACKUP.fullmatch(text):
        return
    before, last = b"", b""
    for token in tokens(text):
        if not last and token[0].upper() == b"ATTACH":
            raise _denied("ATTACH")
        if (before.upper(), last.upper()) in ((b"INTO", b"OUTFILE"), (b"FROM", b"INFILE")):
            raise _denied(last.decode().upper())
        if token["open"] and _opens_files(last):
            raise _denied("a function that reads files")
        before, last = last, token["name"] or token["word"] or token[0]


def _opens_files(name: bytes) -> bool:
    """Tell by the name before a parenthesis, which may be quoted and, quoted, may have escapes."""
    return b"\\" in name or name.strip(b'`"\xe2\x80\x9c\x9d').lower() in _OUTSIDE


def check_request(headers: Mapping[str, str]) -> None:
    """Raise Fault for a request that a web page sent, or that was not meant for this machine."""
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
        raise _denied("a request from a web page")
    if not _is_loopback(headers.get("Host", "")):
        raise _denied("a Host other than localhost, 127.0.0.1 or [::1]")


def _is_loopback(host: str) -> bool:
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found["six"] or found["name"]
    try:
        return name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _denied(what: str) -> Fault:
    return Fault(497, "ACCESS_DENIED", f"The local engine serves its own tables only, not {what}")
