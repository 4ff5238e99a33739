"""Accuracy rehearsed: what is counted is the deck's, what differs is named, nothing stays."""

import asyncio
import json
import random
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.emptying import rows_by_table
from edge.accuracy.casting import cast
from edge.accuracy.comparing import compare
from edge.accuracy.deck import Answer, Deck, make_deck
from edge.accuracy.electors import read_cards
from edge.accuracy.rehearsal import Plan, rehearse
from edge.accuracy.report import AccuracyReport
from edge.accuracy.wiping import check_all_of_deck, check_at_rest
from edge.errors import AccuracyRefused
from edge.records.signing_keys import make_signing_key, public_file_of
from hashgen import BallotHasher
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.localcluster import LocalCluster
from shards.outbox import Outbox
from shards.results import read_results
from shards.roll import RollStore
from shards.wiping import take_again
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
    cluster: LocalCluster
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

    async def rehearse(self, *arguments: str) -> tuple[int, str, str]:
        return await scrutin(
            "rehearse-accuracy",
            *("--electors", str(self.electors), "--key", str(self.key), "--url", self.edge.url),
            *("--directory", str(self.directory), "--seed", str(SEED), *arguments),
            **self.stores,
        )

    async def rehearse_here(self, wipe: str | None = None, **changes: Any) -> AccuracyReport:
        """Do what the command does, without starting a program."""
        plan = Plan(self.electors, [self.edge.url], SEED, wipe, False, 30.0)
        plan = msgspec.structs.replace(plan, **changes)
        return await rehearse(
            self.redis, self.clickhouse, BallotHasher(), plan, lambda _phase, _done, _total: None
        )

    async def refuses(self, why: str, wipe: str | None = None, **changes: Any) -> None:
        with pytest.raises(AccuracyRefused, match=re.escape(why)):
            await self.rehearse_here(wipe, **changes)

    def deck(self) -> Deck:
        return make_deck(read_cards(self.electors, BallotHasher()), BallotHasher(), SEED)

    async def check(self) -> tuple[int, str, str]:
        key = str(public_file_of(self.key))
        return await scrutin("rehearse-accuracy", "--check", str(self.path()), "--public-key", key)

    def report(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.path().read_text())["record"]
        return record

    def path(self) -> Path:
        [path] = self.written
        return path

    @property
    def written(self) -> list[Path]:
        return list(self.directory.glob("accuracy-*.json"))

    async def vote(self, elector: Elector) -> str:
        fields = {**elector._asdict(), "vote": "oui", "request_id": str(uuid.uuid4())}
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{self.edge.url}/api/v1/vote", json=fields)
        return str(answer.json()["status"])  # a problem's is a number

    async def keys(self) -> list[str]:
        """Return every key of all primaries, but for an edge's pings."""
        found: list[bytes | str] = []
        for node in self.cluster.nodes:
            async with node.client() as redis:
                if (await redis.info("replication"))["role"] == "master":
                    found += await redis.keys("*")
        texts = [key if isinstance(key, str) else key.decode("latin-1") for key in found]
        return [key for key in texts if not key.endswith(":ping")]

    async def rows(self) -> int:
        return sum((await rows_by_table(self.clickhouse)).values())


def write_deck(path: Path, electors: list[Elector]) -> None:
    path.write_text("nas,code,law_id\n" + "".join(",".join(row) + "\n" for row in electors))


@pytest.fixture(scope="module")
async def edge(
    cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EdgeProcess]:
    """An edge that waits for a roll."""
    directory = tmp_path_factory.mktemp("edge")
    election = write_election(directory / "e.toml", "live", dict.fromkeys(LAWS, (-1, 1)))
    settings = {"redis_url": cluster.url, "election": election, "durability": "fsync"}
    edge = EdgeProcess(directory, **settings, exempt_loopback=True)
    edge.process.start()
    yield edge
    edge.process.stop()


@pytest.fixture
async def office(
    redis: ShardClient,
    clickhouse: AsyncClient,
    cluster: LocalCluster,
    stores: dict[str, str],
    roll: Roll,
    edge: EdgeProcess,
    tmp_path: Path,
) -> Office:
    await load(redis, roll, open_election(*LAWS))
    make_signing_key(tmp_path / "key.pem")
    write_deck(tmp_path / "deck.csv", roll.electors[:DECK])
    await edge.wait()
    return Office(redis, clickhouse, roll, cluster, edge, stores, tmp_path)


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
    assert (await office.keys(), await office.rows()) == ([], 0)
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


async def test_what_a_run_left_is_wiped_later_but_nobodys_vote(office: Office) -> None:
    report = await office.rehearse_here()
    assert (report.passed, report.wiped, report.not_wiped_because) == (True, False, "")
    await office.refuses("--wipe-only, with its --seed")
    only: dict[str, Any] = {"wipe": office.roll_id, "wipe_only": True}
    await office.refuses("another roll", wipe="0" * 64, wipe_only=True)
    await office.refuses("not of this deck", **only, seed=SEED + 1)

    # somebody's vote: only in Redis, then only in the tables
    deck = office.deck()
    await check_all_of_deck(office.redis, office.clickhouse, report.roll, deck)
    voter = office.roll.electors[DECK]
    store = await RollStore.open(office.redis, scheme="sha256", key_fingerprint="")
    vote = vote_of(voter, random.Random(1))
    assert (await store.cast(*vote)).status == "accepted"
    before = await office.rows()
    await office.refuses("1 votes or attempts are not of this deck", **only)
    assert await office.rows() == before
    with pytest.raises(AccuracyRefused, match="3 votes or attempts"):  # had it come meanwhile
        await check_at_rest(office.redis, office.clickhouse, deck)
    shard, field = vote.ballot[0], keys.field_of(vote.ballot)
    bucket = keys.bucket_key(shard, keys.bucket_of(vote.ballot, store.info.buckets_per_shard))
    await office.redis.call(shard, pack("HSET", bucket, field, "0"))
    await office.refuses("2 votes or attempts are not of this deck", **only)
    assert await office.vote(office.roll.electors[DECK + 1]) == "accepted"  # ballots are taken


async def test_a_drainer_keeps_it_from_being_wiped(office: Office) -> None:
    stop = asyncio.Event()
    outbox = Outbox(office.redis, owner="another")
    options = DrainOptions(publish_ms=0)
    drainer = Drainer(outbox, office.redis, office.clickhouse, options)
    running = asyncio.create_task(drainer.run(stop))
    report = await office.rehearse_here(office.roll_id)
    ready = await office.redis.call_each(lambda n: pack("HGET", keys.meta_key(n), "ready"))
    assert set(ready) == {office.roll_id.encode()}  # ballots are taken again
    # a shard that was not declared whole is not declared so by a wipe that is refused
    await office.redis.call(3, pack("HDEL", keys.meta_key(3), "ready"))
    await office.refuses("a drainer runs", office.roll_id, wipe_only=True)
    assert await office.redis.call(3, pack("HGET", keys.meta_key(3), "ready")) is None
    await take_again(office.redis, office.roll_id)
    stop.set()
    await running
    assert (report.passed, report.wiped) == (True, False), report.differences
    assert "a drainer runs" in report.not_wiped_because
    await office.edge.wait()  # it may have seen that no ballots were taken
    assert await office.vote(office.roll.electors[DECK]) == "accepted"


async def test_while_it_is_wiped_no_vote_is_taken_and_what_comes_back_goes(office: Office) -> None:
    await office.rehearse_here()
    # as a wipe leaves it that was cut short
    await office.redis.call(3, pack("HDEL", keys.meta_key(3), "ready"))
    await office.clickhouse.command("TRUNCATE TABLE scrutin.ballots")
    wiping = asyncio.create_task(office.rehearse_here(office.roll_id, wipe_only=True, settle_s=1.0))

    async def has(shard: int, field: str) -> bool:
        return await office.redis.call(shard, pack("HGET", keys.meta_key(shard), field)) is not None

    async def stopped() -> bool:
        return not await has(0, "ready")

    async def removed() -> bool:
        return not await has(keys.SHARDS - 1, "info")

    await until(stopped, "no shard that takes ballots")
    assert await office.rows() > 0  # it looks once more before it removes anything
    assert await office.vote(office.roll.electors[DECK]) == "503"
    await until(removed, "no roll")
    late = keys.networks_key("20261125T07")  # as an edge writes it
    await office.redis.call(0, pack("HSET", late, "tag:d", 1))
    report = await wiping
    assert (report.wiped, report.passed, report.answers) == (True, False, {})
    assert (await office.keys(), await office.rows()) == ([], 0)


async def test_a_miscount_is_found_and_left(office: Office) -> None:
    await office.clickhouse.command(MISCOUNT)
    code, out, errors = await office.rehearse("--wipe", office.roll_id)
    assert (code, "NOT PASSED" in out, "must not open" in out) == (1, True, True), out + errors
    report = office.report()
    assert (report["passed"], report["wiped"]) == (False, False)
    unknown = sum(law["attempts"]["unknown"] for law in report["deck"])
    said = report["differences"]
    assert sum(line.startswith("ballots: request") for line in said) == unknown
    assert any("counted oui" in line for line in said)
    assert any(line.startswith("verify: ") for line in said)
    assert await office.rows() > 0
    code, out, errors = await office.check()
    assert (code, "NOT PASSED" in out, "not proven" in out) == (1, True, False), errors
    path = office.path()
    path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    code, _, errors = await office.check()
    assert (code, "was changed" in errors) == (1, True)


async def test_what_is_published_and_what_was_attempted_is_compared(office: Office) -> None:
    deck = office.deck()
    await cast([office.edge.url], deck, lambda _done, _total: None)
    await drain(office.redis, office.clickhouse)
    _, faults = await compare(office.redis, office.clickhouse, deck)
    assert faults == []
    snapshot = await read_results(office.redis)
    assert snapshot is not None
    changed = [
        msgspec.structs.replace(law, oui_count=law.oui_count - 1) for law in snapshot.tallies
    ]
    behind = msgspec.json.encode(msgspec.structs.replace(snapshot, tallies=changed))
    await office.redis.call(0, pack("SET", keys.results_key(), behind))
    _, faults = await compare(office.redis, office.clickhouse, deck)
    assert sum("published oui" in fault for fault in faults) == len(LAWS)
    await office.clickhouse.command(
        "ALTER TABLE scrutin.vote_audit UPDATE vote = if(vote = 'oui', 'non', 'oui')"
        " WHERE status = 'duplicate' SETTINGS mutations_sync = 2"
    )
    _, faults = await compare(office.redis, office.clickhouse, deck)
    duplicates = sum(attempt.kind == "duplicate" for attempt in deck.later)
    assert sum(fault.startswith("vote_audit: request") for fault in faults) == 2 * duplicates


async def test_an_answer_that_is_not_the_decks_is_found(office: Office) -> None:
    deck = office.deck()
    place = next(n for n, attempt in enumerate(deck.later) if attempt.kind == "duplicate")
    right = deck.later[place].answer
    deck.later[place] = deck.later[place]._replace(answer=Answer(409, "duplicate", 32))
    answers, faults = await cast([office.edge.url], deck, lambda _done, _total: None)
    assert answers.total() == len(deck.attempts)
    [fault] = faults
    assert f"409 duplicate {right.attempt_count} was answered" in fault


async def test_it_is_refused_where_it_must_not_be(office: Office) -> None:
    electors = office.roll.electors
    await office.refuses("another roll", wipe="0" * 64)
    await office.refuses("not ready", urls=["http://127.0.0.1:9"])
    strange = Elector("012345678", "NOBODY99", LAWS[0])
    write_deck(office.electors, [*electors[:DECK], strange])
    await office.refuses("1 of the deck's 61 electors are not on the roll")
    write_deck(office.electors, [row for row in electors[:DECK] if row.law_id == LAWS[0]])
    await office.refuses(f"no electors for law {LAWS[1]}")
    real = Elector("1" + electors[0].nas[1:], electors[0].code, LAWS[0])
    write_deck(office.electors, [*electors[:DECK], real])
    code, out, errors = await office.rehearse()
    assert (code, "line 62" in errors, "begin with 0" in errors) == (2, True, True), errors
    assert real.nas not in out + errors
    assert office.written == []

    write_deck(office.electors, electors[:DECK])
    law = f"closes:{LAWS[0]}"
    [closes] = set(await office.redis.call_each(lambda n: pack("HGET", keys.meta_key(n), law)))
    await office.redis.call_each(lambda n: pack("HSET", keys.meta_key(n), law, 1000))
    await office.refuses("is not open")
    await office.redis.call_each(lambda n: pack("HSET", keys.meta_key(n), law, closes))

    # an attempt of anybody: waiting in the outbox, then in the tables alone
    assert await office.vote(strange) == "invalid"
    await office.refuses("Redis holds 1 attempts to vote")
    await drain(office.redis, office.clickhouse)
    await office.refuses("vote_audit has 1 rows")
    await office.clickhouse.command("TRUNCATE TABLE scrutin.vote_audit")
    assert await office.vote(electors[DECK]) == "accepted"
    await drain(office.redis, office.clickhouse)
    for table in ("vote_audit", "ballots"):
        await office.clickhouse.command(f"TRUNCATE TABLE scrutin.{table}")
    await office.refuses("Redis holds 1 attempts to vote")
