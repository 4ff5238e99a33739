"""Accuracy rehearsed: what is counted is the deck's, what differs is named, nothing stays."""

import json
import random
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.emptying import rows_by_table
from clickhouse.local.process import LocalClickHouse
from edge.accuracy.casting import cast
from edge.accuracy.deck import Answer, make_deck
from edge.accuracy.electors import read_cards
from edge.records.signing_keys import make_signing_key, public_file_of
from hashgen import BallotHasher
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.localcluster import LocalCluster
from shards.roll import RollStore
from shards.wiping import drainer_seen, keys_left
from tests.integration.edge.conftest import write_election
from tests.integration.edge.test_commands import scrutin
from tests.integration.recovery.conftest import LAWS
from tests.support.ballots import vote_of
from tests.support.draining import drain
from tests.support.edges import EdgeProcess, until
from tests.support.rolls import Elector, Roll, load, open_election

DECK = 60  # electors, of both laws
SEED = 5
# Adds a ballot for every attempt that is refused as invalid, as a counting gone wrong would.
MISCOUNT = """
CREATE MATERIALIZED VIEW scrutin.planted TO scrutin.ballots AS
SELECT law_id, vote_hash, vote, request_id, shard, stream_ms, stream_seq
FROM scrutin.vote_audit WHERE status = 'invalid'
"""


class Office(NamedTuple):
    """Stores with a roll and no vote, an edge that serves it, a deck and a key."""

    redis: ShardClient
    clickhouse: AsyncClient
    roll: Roll
    edge: EdgeProcess
    stores: dict[str, str]
    directory: Path

    @property
    def electors(self) -> Path:
        return self.directory / "deck.csv"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    @property
    def roll_id(self) -> str:
        return self.roll.database.manifest.roll_id

    async def rehearse(self, *arguments: str, seed: int = SEED) -> tuple[int, str, str]:
        return await scrutin(
            "rehearse-accuracy",
            *("--electors", str(self.electors), "--key", str(self.key), "--url", self.edge.url),
            *("--directory", str(self.directory), "--seed", str(seed), *arguments),
            **self.stores,
        )

    async def check(self, path: Path) -> tuple[int, str, str]:
        key = str(public_file_of(self.key))
        return await scrutin("rehearse-accuracy", "--check", str(path), "--public-key", key)

    def report(self, kind: str = "accuracy") -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.path(kind).read_text())["record"]
        return record

    def path(self, kind: str = "accuracy") -> Path:
        [path] = self.directory.glob(f"{kind}-2*.json")
        return path

    @property
    def written(self) -> list[Path]:
        return list(self.directory.glob("accuracy-*.json"))

    async def vote(self, elector: Elector) -> str:
        fields = {**elector._asdict(), "vote": "oui", "request_id": str(uuid.uuid4())}
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{self.edge.url}/api/v1/vote", json=fields)
        return str(answer.json()["status"])

    async def rows(self) -> int:
        return sum((await rows_by_table(self.clickhouse)).values())


def write_deck(path: Path, electors: list[Elector]) -> None:
    path.write_text("nas,code,law_id\n" + "".join(",".join(row) + "\n" for row in electors))


@pytest.fixture
async def office(
    redis: ShardClient,
    clickhouse: AsyncClient,
    cluster: LocalCluster,
    clickhouse_server: LocalClickHouse,
    roll: Roll,
    tmp_path: Path,
) -> AsyncIterator[Office]:
    await load(redis, roll, open_election(*LAWS))
    election = write_election(tmp_path / "e.toml", "live", dict.fromkeys(LAWS, (-1, 1)))
    make_signing_key(tmp_path / "key.pem")
    write_deck(tmp_path / "deck.csv", roll.electors[:DECK])
    stores = {
        "redis_url": cluster.url, "clickhouse_url": clickhouse_server.url, "durability": "fsync",
    }  # fmt: skip
    serving = {"redis_url": cluster.url, "election": election, "durability": "fsync"}
    async with EdgeProcess(tmp_path, **serving, exempt_loopback=True) as edge:
        yield Office(redis, clickhouse, roll, edge, stores, tmp_path)


async def test_a_good_system_passes_and_is_wiped(office: Office) -> None:
    code, out, errors = await office.rehearse("--wipe", office.roll_id)
    assert (code, "passed" in out, "no key and no row is left" in out) == (0, True, True), (
        out + errors
    )
    report = office.report()
    assert (report["passed"], report["wiped"], report["differences_total"]) == (True, True, 0)
    assert (report["seed"], report["roll"]["roll_id"]) == (SEED, office.roll_id)
    kinds = {"accepted", "duplicate", "retry", "conflict", "unknown", "malformed"}
    for law, found in zip(report["deck"], report["found"], strict=True):
        assert set(law["attempts"]) == kinds
        assert law["oui"] != law["non"]
        assert 0 < law["oui"] + law["non"] < law["electors"]  # some do not vote
        assert (found["oui"], found["non"]) == (law["oui"], law["non"])
        assert (found["published_oui"], found["published_non"]) == (law["oui"], law["non"])
        assert found["duplicate"] == law["attempts"]["duplicate"]
        assert found["invalid"] == law["attempts"]["unknown"]
    assert set(report["answers"]) == {"202", "409", "403", "422", "400"}
    for elector in office.roll.electors[:DECK]:
        assert elector.nas not in out + errors + office.path().read_text()

    # nothing is left, and the edge waits for a roll
    assert (await keys_left(office.redis), await office.rows()) == ([], 0)
    async with httpx.AsyncClient() as http:

        async def not_ready() -> bool:
            return (await http.get(f"{office.edge.url}/api/v1/ready")).status_code == 503

        await until(not_ready, "an edge without a roll")
    assert office.edge.process.alive
    await load(office.redis, office.roll, open_election(*LAWS))
    await office.edge.wait()
    assert await office.vote(office.roll.electors[0]) == "accepted"  # had voted in the rehearsal
    assert await drain_and_count(office) == 1


async def drain_and_count(office: Office) -> int:
    await drain(office.redis, office.clickhouse)
    return (await rows_by_table(office.clickhouse))["ballots"]


async def test_the_report_is_checked(office: Office) -> None:
    code, out, errors = await office.rehearse()
    assert (code, "not wiped" in out, "must not open" in out) == (0, True, True), errors
    assert office.report()["wiped"] is False
    path = office.path()
    code, out, errors = await office.check(path)
    assert (code, "passed" in out, "not proven" in out) == (0, True, False), errors
    path.write_text(path.read_text().replace('"wiped": false', '"wiped": true'))
    code, _, errors = await office.check(path)
    assert (code, "was changed" in errors) == (1, True)


async def test_what_a_run_left_is_wiped_later_but_nobodys_vote(office: Office) -> None:
    assert (await office.rehearse())[0] == 0
    code, _, errors = await office.rehearse("--directory", str(office.directory / "again"))
    assert (code, "--wipe-only" in errors) == (2, True), errors

    only = ("--wipe", office.roll_id, "--wipe-only")
    code, _, errors = await office.rehearse("--wipe", "0" * 64, "--wipe-only")
    assert (code, "another roll" in errors) == (2, True), errors
    code, _, errors = await office.rehearse(*only, seed=SEED + 1)
    assert (code, "not of this deck" in errors) == (2, True), errors

    # somebody's vote: only in Redis, then only in the tables
    voter = office.roll.electors[DECK]
    store = await RollStore.open(office.redis, scheme="sha256", key_fingerprint="")
    vote = vote_of(voter, random.Random(1))
    assert (await store.cast(*vote)).status == "accepted"
    before = await office.rows()
    code, _, errors = await office.rehearse(*only)
    assert (code, "2 votes or attempts are not of this deck" in errors) == (2, False), errors
    assert "not of this deck" in errors
    assert await office.rows() >= before
    await drain(office.redis, office.clickhouse)
    bucket = keys.bucket_key(
        vote.ballot[0], keys.bucket_of(vote.ballot, store.info.buckets_per_shard)
    )
    field = keys.field_of(vote.ballot)
    await office.redis.call(vote.ballot[0], pack("HSET", bucket, field, "0"))
    code, _, errors = await office.rehearse(*only)
    assert (code, "2 votes or attempts are not of this deck" in errors) == (2, True), errors
    assert await office.vote(office.roll.electors[DECK + 1]) == "accepted"  # ballots are taken


async def test_a_drainer_keeps_it_from_being_wiped(
    office: Office, cluster: LocalCluster, clickhouse_server: LocalClickHouse
) -> None:
    assert not await drainer_seen(office.redis)
    settings = office.stores | {"election": str(office.directory / "e.toml")}
    async with EdgeProcess(office.directory / "draining", "--drain", **settings):
        code, out, errors = await office.rehearse("--wipe", office.roll_id)
        assert (code, "a drainer runs" in out) == (2, True), out + errors
        report = office.report()
        assert (report["passed"], report["wiped"]) == (True, False)
        assert await office.vote(office.roll.electors[DECK]) == "accepted"
    code, _, errors = await office.rehearse("--wipe", office.roll_id, "--wipe-only")
    assert (code, "not of this deck" in errors) == (2, True), errors


async def test_an_interrupted_wipe_is_finished(office: Office) -> None:
    assert (await office.rehearse())[0] == 0
    await office.redis.call(3, pack("HDEL", keys.meta_key(3), "ready"))
    await office.clickhouse.command("TRUNCATE TABLE scrutin.ballots")
    code, out, errors = await office.rehearse("--wipe", office.roll_id, "--wipe-only")
    assert code == 0, out + errors
    assert (await keys_left(office.redis), await office.rows()) == ([], 0)
    report = office.report("accuracy-wiped")
    assert (report["wiped"], report["passed"], report["answers"]) == (True, False, {})


async def test_a_miscount_is_found_and_left(office: Office) -> None:
    await office.clickhouse.command(MISCOUNT)
    code, out, errors = await office.rehearse("--wipe", office.roll_id)
    assert (code, "NOT PASSED" in out) == (1, True), out + errors
    report = office.report()
    assert (report["passed"], report["wiped"]) == (False, False)
    unknown = sum(law["attempts"]["unknown"] for law in report["deck"])
    said = report["differences"]
    assert sum(line.startswith("ballots: request") for line in said) == unknown
    assert any("counted oui" in line for line in said)
    assert any(line.startswith("verify: ballot-without-event") for line in said), said
    assert await office.rows() > 0
    code, out, _ = await office.check(office.path())
    assert (code, "NOT PASSED" in out) == (1, True)


async def test_an_answer_that_is_not_the_decks_is_found(office: Office) -> None:
    deck = make_deck(read_cards(office.electors, BallotHasher()), BallotHasher(), SEED)
    place = next(n for n, attempt in enumerate(deck.later) if attempt.kind == "duplicate")
    right = deck.later[place].answer
    deck.later[place] = deck.later[place]._replace(answer=Answer(409, "duplicate", 32))
    answers, faults = await cast([office.edge.url], deck, lambda _done, _total: None)
    assert answers.total() == len(deck.attempts)
    [fault] = faults
    assert f"409 duplicate {right.attempt_count} was answered" in fault


async def refused(office: Office, what: str, *arguments: str) -> None:
    code, out, errors = await office.rehearse(*arguments)
    assert (code, what in errors) == (2, True), out + errors
    assert office.written == []


async def test_it_is_refused_where_it_must_not_be(office: Office) -> None:
    electors = office.roll.electors
    await refused(office, "another roll", "--wipe", "0" * 64)
    await refused(office, "not ready", "--url", "http://127.0.0.1:9")
    strange = Elector("012345678", "NOBODY99", LAWS[0])
    write_deck(office.electors, [*electors[:DECK], strange])
    await refused(office, "1 of the deck's 61 electors are not on the roll")
    write_deck(office.electors, [row for row in electors[:DECK] if row.law_id == LAWS[0]])
    await refused(office, f"no electors for law {LAWS[1]}")
    real = Elector("1" + electors[0].nas[1:], electors[0].code, LAWS[0])
    write_deck(office.electors, [*electors[:DECK], real])
    code, out, errors = await office.rehearse()
    assert (code, "line 62" in errors, "begin with 0" in errors) == (2, True, True), errors
    assert real.nas not in out + errors

    write_deck(office.electors, electors[:DECK])
    law = f"closes:{LAWS[0]}"
    [closes] = set(await office.redis.call_each(lambda n: pack("HGET", keys.meta_key(n), law)))
    await office.redis.call_each(lambda n: pack("HSET", keys.meta_key(n), law, 1000))
    await refused(office, "is not open")
    await office.redis.call_each(lambda n: pack("HSET", keys.meta_key(n), law, closes))

    # an attempt of anybody: waiting in the outbox, then in the tables alone
    assert await office.vote(strange) == "invalid"
    await refused(office, "Redis holds 1 attempts to vote")
    await drain(office.redis, office.clickhouse)
    await refused(office, "vote_audit has 1 rows")
    await office.clickhouse.command("TRUNCATE TABLE scrutin.vote_audit")
    assert await office.vote(electors[DECK]) == "accepted"
    await drain(office.redis, office.clickhouse)
    for table in ("vote_audit", "ballots"):
        await office.clickhouse.command(f"TRUNCATE TABLE scrutin.{table}")
    await refused(office, "Redis holds 1 attempts to vote")
