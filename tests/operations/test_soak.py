"""A short soak, and what would make a long one fail."""

from pathlib import Path

import msgspec
import pytest

from tests.operations.deployment import Deployment
from tests.operations.electorate import prepare
from tests.operations.proof import differences
from tests.operations.reports import write_soak
from tests.operations.soak import Part, latency_growth, memory_growth, soak
from tests.operations.watch import Look

RATE_PER_S = 100.0
SECONDS = 12.0


@pytest.mark.timeout(240)
async def test_nothing_is_lost(tmp_path: Path) -> None:
    electorate = prepare(tmp_path / "roll", RATE_PER_S * SECONDS)
    deployment = Deployment(tmp_path / "deployment", electorate.election)
    try:
        await deployment.start(electorate.database)
        soaked = await soak(deployment, electorate, rate_per_s=RATE_PER_S, seconds=SECONDS, parts=4)
        # What a machine that is busy with other tests does to the latency in 12 s says nothing.
        assert soaked.lost == []
        assert sum(soaked.answers.values()) >= RATE_PER_S * SECONDS * 0.95
        flat = msgspec.structs.replace(soaked, growth=[])
        write_soak(flat, tmp_path / "soak.md")
        assert (
            "`scrutin verify --settled` finds no difference" in (tmp_path / "soak.md").read_text()
        )
        log = deployment.directory / "answers.tsv"
        assert differences(deployment.clickhouse.url, log, part_size_bytes=10_000) == []
        assert_lies_are_found(deployment.clickhouse.url, log)
    finally:
        deployment.stop()


def assert_lies_are_found(clickhouse_url: str, log: Path) -> None:
    """The proof is worth something: a log that says otherwise than the tables does not pass."""
    lines = log.read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if "\taccepted\t" in line)
    vote_hash, request_id, vote, status, attempt = lines[first].split("\t")
    other = "non" if vote == "oui" else "oui"
    for lie, difference in (
        ("", "sent by nobody"),
        ("\t".join((vote_hash, request_id, other, status, attempt)), "not the ballot"),
        ("\t".join((vote_hash, request_id, vote, "duplicate", "1\n")), "not in vote_audit"),
    ):
        log.write_text("".join([*lines[:first], lie, *lines[first + 1 :]]))
        found = differences(clickhouse_url, log)
        assert any(difference in line and request_id in line for line in found), found


def test_growth_is_seen() -> None:
    flat = [Look(float(s), {"edges, each": 90.0, "drainers, each": 60.0}, 0) for s in range(30)]
    leaking = [
        Look(look.at_s, look.memory_mib | {"edges, each": 90 + 5 * look.at_s}, 0) for look in flat
    ]
    assert memory_growth(flat, 30.0) == []
    assert memory_growth(leaking, 30.0) == ["memory of edges, each: 185 MiB, later 235 MiB"]
    parts = [Part(0, 0, 100, 5.0, 20.0, 90.0, 0, 0)] * 5
    slower = [Part(0, 0, 100, 5.0, 120.0, 200.0, 0, 0)] * 5
    assert latency_growth([*parts, *parts]) == []
    assert latency_growth([*parts, *slower]) == ["p99 latency: 20 ms, later 120 ms"]
