"""Everything that each role can fetch from a running election, by where it came from."""

import asyncio
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import httpx

from tests.support.edges import SCRUTIN

# What differs between two runs of one election: every other word of these metrics is compared.
VARYING = re.compile(
    r"^(?:# .*|(?:process_|python_|redis_memory_|microbatch_size|votes_per_second|redis_up"
    r"|\w+_seconds_(?:bucket|sum|count|created)|\w+_created|\w*timestamp_seconds|redis_replicas"
    r"|redis_aof|clickhouse_insert_rows|outbox_oldest).*)$"
)
A_CHOICE = re.compile(r"\b(?:oui|non)\b", re.IGNORECASE)
VARYING_HEADERS = frozenset({"date", "etag", "content-length"})
WORDS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)?"), "TIME"),
    (re.compile(r"\b1[6-9]\d{11}\b|\b1[6-9]\d{8}\b"), "TIME"),
    (re.compile(r"\b1[56]\d{18}\b"), "EARLINESS"),
    (re.compile(r"store\\?/\w{3}"), "PATH"),
    (re.compile(r"\"\w*(?:bytes|size|marks)\w*\":\"?\d+"), "SIZE"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\"(?:age_s|votes_per_second|oldest_age_s)\":[\d.]+"), "AGE"),
    (re.compile(r"data-path=\"[\w.]*(?:age_s|votes_per_second)\">[^<]*"), "AGE"),
    (re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?\b|\b\d+\s+h\s+\d\d\b"), "TIME"),
    (re.compile(r"[\d,]+ bytes used"), "MEMORY"),
    (re.compile(r"/tmp/\S+"), "PATH"),
)
# Tables of the engine that tell of the machine and of the question itself, and those of parts and
# sizes, which differ by how many votes a batch had: a test of their own holds the choices' size.
OF_THE_ENGINE = re.compile(
    r"parts|numbers|zeros|primes|generate|stack_trace|jemalloc|background|process"
)
OURS = "database = 'scrutin'"


def settled(text: str) -> str:
    """Return a text without what varies from run to run."""
    for pattern, word in WORDS:
        text = pattern.sub(word, text)
    return text


def settled_metrics(text: str) -> str:
    """Return the metrics that count, without those that measure."""
    return settled("\n".join(line for line in text.splitlines() if not VARYING.match(line)))


def settled_log(path: Path) -> str:
    """Return the different lines of a log, in the order of the alphabet."""
    return "\n".join(sorted(set(settled(path.read_text()).splitlines())))


def naming_a_choice(path: Path) -> list[str]:
    """Return a log's lines that name a choice: how many there are would be a count of it."""
    return [line for line in path.read_text().splitlines() if A_CHOICE.search(line)]


async def pages(url: str, paths: Iterable[str], token: str) -> dict[str, str]:
    """Fetch every path, with headers but their dates; with a token that operators have."""
    seen = {}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        for path in paths:
            if path == "/ops/events":
                async with http.stream("GET", path) as stream:
                    line = await anext(line async for line in stream.aiter_lines() if line)
                    seen[path] = settled(line)
                continue
            answer = await http.get(path)
            kept = {k: v for k, v in answer.headers.items() if k not in VARYING_HEADERS}
            body = settled_metrics if path == "/metrics" else settled
            seen[path] = f"{answer.status_code} {settled(str(kept))}\n{body(answer.text)}"
    return seen


def tables(url: str, role: str) -> dict[str, str]:
    """Read all that a role may read: each column of ours alone, and what the engine says of it."""
    seen = {}
    with httpx.Client(base_url=url, timeout=30) as http:

        def ask(statement: str) -> str:
            """Ask in the role; return what is answered, also when it is refused."""
            answer = http.post("/", params={"user": role}, content=statement)
            return f"{answer.status_code} {settled(answer.text)}"

        ours = f"SELECT table, name FROM system.columns WHERE {OURS} FORMAT TSV"
        for line in http.post("/", content=ours).text.splitlines():
            table, column = line.split("\t")
            # hashes are the same in both elections, in another order where times decide
            seen[f"scrutin.{table}.{column}"] = ask(
                f"SELECT arraySort(groupArray(toString({column}))) FROM scrutin.{table}"
            )
        engines = (
            "SELECT table FROM system.columns WHERE database = 'system' AND name IN"
            " ('database', 'table') GROUP BY table HAVING count() = 2 FORMAT TSV"
        )
        for name in sorted(http.post("/", content=engines).text.split()):
            if not OF_THE_ENGINE.search(name):
                seen[f"system.{name}"] = ask(
                    f"SELECT * FROM system.{name} WHERE {OURS} ORDER BY ALL FORMAT JSONEachRow"
                )
    return seen


async def command(*arguments: str, **variables: object) -> str:
    """Run a command to its end; return its exit code and all that it said."""
    env = os.environ | {"COLUMNS": "200"}
    env |= {f"SCRUTIN_{name.upper()}": str(value) for name, value in variables.items()}
    child = await asyncio.create_subprocess_exec(
        SCRUTIN, *arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        said, _ = await child.communicate()
    return f"{child.returncode} {settled(said.decode())}"
