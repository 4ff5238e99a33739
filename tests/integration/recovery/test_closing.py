"""Closing: decided once at the second, final only when all agrees, and certified."""

import asyncio
import json
import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from clickhouse.closing import reconcile
from clickhouse.errors import Unreconciled
from clickhouse.tally import read_tallies
from edge.records.closing import FORMAT
from edge.records.document import sign, write_document
from edge.records.signing_keys import make_signing_key, public_file_of, read_signing_key
from edge.results import law_results
from shards import keys
from shards.census import last_events, read_waiting
from shards.client import ShardClient
from shards.command import pack
from shards.election import Election
from shards.errors import ShardsError
from shards.functions import fcall
from shards.outbox import Outbox
from shards.results import ResultsSnapshot, read_results
from tests.integration.edge.conftest import LAW_TOML, TOML
from tests.integration.edge.test_commands import scrutin
from tests.integration.recovery.conftest import LAWS, VOTERS, Day
from tests.support.ballots import stranger, vote_of
from tests.support.edges import EdgeProcess, until
from tests.support.rolls import Roll, close_at, load, open_election

OTHER_LAW = LAWS[1]
STORM_MS = 2000
BEGUN = 50  # votes accepted before the hour of closing is set


class Office(NamedTuple):
    """Where closings are certified: the stores, the key, and a directory for records."""

    stores: dict[str, str]
    key: Path
    public_key: Path
    records: Path

    async def close(self, *arguments: str) -> tuple[int, str, str]:
        flags = ("--signing-key", str(self.key), "--directory", str(self.records))
        return await scrutin("close", *flags, *arguments, **self.stores)

    async def check(self, record: Path, *arguments: str) -> tuple[int, str, str]:
        return await scrutin("close", "--check", str(record), *arguments, **self.stores)

    @property
    def written(self) -> list[Path]:
        return sorted(self.records.iterdir())


@pytest.fixture
def office(stores: dict[str, str], tmp_path: Path) -> Office:
    key = tmp_path / "key.pem"
    make_signing_key(key)
    records = tmp_path / "records"
    records.mkdir()
    return Office(stores, key, public_file_of(key), records)


def closing_at(moment: datetime, *laws: str) -> Election:
    """Return the day's election with these laws closing then."""
    election = open_election(*LAWS)
    changed = [
        msgspec.structs.replace(law, closes_at=moment) if law.id in laws else law
        for law in election.laws
    ]
    return msgspec.structs.replace(election, laws=changed)


async def close_now(day: Day, *laws: str) -> Election:
    now = datetime.now(UTC)
    await close_at(day.redis, now, *(laws or LAWS))
    return closing_at(now, *(laws or LAWS))


def the_record(office: Office) -> dict[str, Any]:
    [path] = office.written
    record: dict[str, Any] = json.loads(path.read_text())["record"]
    return record


async def meta(day: Day, field: str) -> set[bytes | None]:
    return set(await day.redis.call_each(lambda shard: pack("HGET", keys.meta_key(shard), field)))


async def test_a_storm_across_the_second_of_closing_is_decided_once(
    redis: ShardClient, clickhouse: object, roll: Roll, office: Office, tmp_path: Path
) -> None:
    """Every vote is answered 202 or 403 closed; those answered 202 are the ballots, none after."""
    election = open_election(*LAWS)
    await load(redis, roll, election)
    laws = "".join(
        LAW_TOML.format(
            id=law.id, opens_at=law.opens_at.isoformat(), closes_at=law.closes_at.isoformat()
        )
        for law in election.laws
    )
    file = tmp_path / "election.toml"
    file.write_text(TOML.format(results="live") + laws)
    told: Counter[tuple[int, str]] = Counter()
    voters = iter(roll.electors)
    settings = {"redis_url": office.stores["redis_url"], "election": file, "durability": "fsync"}
    async with (
        EdgeProcess(tmp_path, **settings, exempt_loopback=True) as edge,
        httpx.AsyncClient(base_url=edge.url, timeout=30) as http,
    ):

        async def vote() -> None:
            closed = 0
            while closed < 5 and (elector := next(voters, None)) is not None:
                fields = {**elector._asdict(), "vote": "oui", "request_id": str(uuid.uuid4())}
                answer = await http.post("/api/v1/vote", json=fields)
                told[answer.status_code, answer.json()["status"]] += 1
                closed += answer.json()["status"] == "closed"
                await asyncio.sleep(0.02)  # so that voters are left when it closes

        async def close() -> int:
            """Have voting closed two seconds after it is under way; return when, in ms."""

            async def begun() -> bool:
                return told[202, "accepted"] >= BEGUN

            await until(begun, "a storm", 30)
            closes_at = datetime.now(UTC) + timedelta(milliseconds=STORM_MS)
            closing = closing_at(closes_at, *LAWS)
            await load(redis, roll, closing)
            return closing.laws[0].closes_at_ms

        closing = asyncio.create_task(close())
        await asyncio.gather(*(vote() for _ in range(8)))
        closes_ms = await closing
    assert set(told) == {(202, "accepted"), (403, "closed")}, told
    lasts = await last_events(redis, range(keys.SHARDS))
    events = [
        event
        for shard in range(keys.SHARDS)
        for event in await read_waiting(redis, shard, lasts[shard])
    ]
    assert max(event.stream_ms for event in events) < closes_ms
    assert max(event.stream_ms for event in events) >= closes_ms - STORM_MS
    code, _, errors = await office.close()
    assert code == 0, errors
    record = the_record(office)
    assert record["reconciliation"]["ballots"] == told[202, "accepted"]
    assert sum(law["counts"]["late"] for law in record["laws"]) == 0


async def test_what_is_open_is_not_closed(day: Day, office: Office) -> None:
    code, _, errors = await office.close()
    assert (code, "still open; it closes at" in errors) == (2, True), errors
    assert office.written == []
    assert await meta(day, f"frozen:{LAWS[0]}") == {None}


async def test_what_has_not_opened_is_not_closed(day: Day, roll: Roll, office: Office) -> None:
    """Nor is another law, which has closed and could never be opened again."""
    now = datetime.now(UTC)
    election = open_election(*LAWS)
    hours = {"opens_at": now + timedelta(hours=1), "closes_at": now + timedelta(hours=2)}
    laws = [election.laws[0], msgspec.structs.replace(election.laws[1], **hours)]
    await load(day.redis, roll, msgspec.structs.replace(election, laws=laws))
    await close_at(day.redis, now, LAWS[0])
    code, _, errors = await office.close()
    assert (code, f"law {LAWS[1]} has not opened; it closes at" in errors) == (2, True), errors
    assert office.written == []
    assert await meta(day, f"frozen:{LAWS[0]}") == {None}


async def test_nothing_is_frozen_where_no_record_can_be_written(
    day: Day, roll: Roll, office: Office, tmp_path: Path
) -> None:
    await close_now(day)
    code, _, errors = await office._replace(records=tmp_path / "missing").close()
    assert (code, "cannot write" in errors, "No such file" in errors) == (1, True, True), errors
    assert await meta(day, f"frozen:{LAWS[0]}") == {None}


async def test_one_shard_that_is_still_open_is_enough_to_refuse(
    day: Day, roll: Roll, office: Office
) -> None:
    election = await close_now(day)
    later = election.laws[0].closes_at_ms + 3_600_000
    await day.redis.call(7, pack("HSET", keys.meta_key(7), f"closes:{LAWS[0]}", later))
    code, _, errors = await office.close()
    assert (code, "still open" in errors) == (2, True), errors
    assert office.written == []


async def test_shards_that_closed_at_different_times_are_not_certified(
    day: Day, roll: Roll, office: Office
) -> None:
    election = await close_now(day)
    earlier = election.laws[0].closes_at_ms - 1000
    await day.redis.call(7, pack("HSET", keys.meta_key(7), f"closes:{LAWS[0]}", earlier))
    code, _, errors = await office.close()
    assert (code, "the nodes do not agree" in errors) == (1, True), errors
    assert await meta(day, f"frozen:{LAWS[0]}") == {None}
    assert office.written == []


async def test_closing_makes_results_final_for_good(
    day: Day, roll: Roll, office: Office, tmp_path: Path
) -> None:
    voters = {answer.vote.ballot for answer in day.log}
    idle = [vote for vote in map(_vote, roll.electors) if vote.ballot not in voters]
    assert (await day.store.cast(*idle[0])).status == "accepted"  # not drained when it closes
    election = await close_now(day)
    # as a closing that was killed leaves it
    one = fcall("roll_freeze", (keys.meta_key(3),), day.store.info.roll_id, LAWS[0])
    assert (await day.redis.call(3, one))[1] > 0
    manifest = roll.database.directory / "manifest.json"
    code, out, errors = await office.close("--manifest", str(manifest))
    assert (code, "record-election-" in out) == (0, True), errors
    record = the_record(office)
    told = Counter(answer.cast.status for answer in day.log)
    sums = record["reconciliation"]
    assert sums["accepted"] == sums["ballots"] == sums["published"] == VOTERS + 1
    assert (sums["duplicates"], sums["invalid"]) == (told["duplicate"], told["invalid"])
    assert sums["differences"] == 0
    assert record["roll"]["roll_id"] == day.store.info.roll_id
    assert len(record["roll"]["manifest_sha256"]) == 64
    assert sum(node["shards"] for node in record["nodes"]) == keys.SHARDS

    published = await read_results(day.redis)
    assert published is not None
    assert published.tallies == await read_tallies(day.clickhouse)
    for law_id in LAWS:
        assert law_results(published, election, law_id).final

    # hours that are changed later, in whichever way, let nobody vote
    with pytest.raises(ShardsError, match="FROZEN"):
        await load(day.redis, roll, open_election(*LAWS))
    await close_at(day.redis, election.laws[0].closes_at + timedelta(hours=1), *LAWS)
    assert (await day.store.cast(*idle[1])).status == "closed"
    await close_at(day.redis, election.laws[0].closes_at, *LAWS)
    # refused, and no part of the day any more
    late = await day.store.cast(*stranger(LAWS[0], random.Random(1)))
    assert late.status == "invalid"

    code, _, errors = await office.close()
    assert (code, "never overwritten" in errors) == (1, True)
    again = office._replace(records=tmp_path / "again")
    again.records.mkdir()
    code, _, errors = await again.close("--manifest", str(manifest))
    assert code == 0, errors
    second = the_record(again)
    assert second["reconciliation"].pop("attempts_compared") == sums.pop("attempts_compared") + 1
    for part in ("laws", "roll", "reconciliation", "scope", "frozen_at"):
        assert second[part] == record[part]


def _vote(elector: Any) -> Any:
    return vote_of(elector, random.Random(elector.code))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--signing-key", "k", "--public-key", "p"), "go with --check"),
        (("--signing-key", "k", "--against-stores"), "go with --check"),
        (("--signing-key", "k", "--roll", "r", "--manifest", "m"), "leave out --manifest"),
        (("--check", "r", "--signing-key", "k"), "leave out --signing-key"),
        (("--check", "r", "--roll", "r"), "with --against-stores"),
    ],
)
async def test_flags_that_do_not_go_together_are_refused(flags: tuple[str, ...], said: str) -> None:
    code, _, errors = await scrutin("close", *flags)
    assert (code, said in errors) == (2, True), errors


async def test_a_made_up_record_writes_no_lines_of_ours(
    day: Day, roll: Roll, office: Office, tmp_path: Path
) -> None:
    await close_now(day)
    assert (await office.close())[0] == 0
    made_up = the_record(office) | {"scope": "election\nsigned by    them\x1b[8m"}
    forged = tmp_path / "forged.json"
    write_document(forged, sign(made_up, FORMAT, read_signing_key(office.key)))
    code, out, _ = await office.check(forged)
    assert code == 0
    assert "scope        election\\nsigned by    them\\x1b[8m\n" in out


async def test_the_command_opens_again_only_on_purpose(
    day: Day, roll: Roll, office: Office, tmp_path: Path
) -> None:
    await close_now(day)
    window = {"opens_at": "2026-01-01T00:00:00Z", "closes_at": "2126-01-01T00:00:00Z"}
    election = tmp_path / "election.toml"
    laws = [LAW_TOML.format(id=law_id, **window) for law_id in LAWS]
    election.write_text(TOML.format(results="after_close") + "".join(laws))
    settings = {"redis_url": office.stores["redis_url"], "election": election}
    load_roll = ("roll", "load", str(roll.database.directory))
    code, _, errors = await scrutin(*load_roll, **settings)
    assert (code, "--reopen" in errors) == (1, True), errors
    code, _, errors = await scrutin(*load_roll, "--reopen", **settings)
    assert code == 0, errors
    assert await meta(day, f"closes:{LAWS[0]}") == {b"4922899200000"}


async def test_one_law_is_closed_while_another_goes_on(
    day: Day, roll: Roll, office: Office
) -> None:
    await close_now(day, LAWS[0])
    code, _, errors = await office.close("--law", "L2025-999")
    assert (code, "--law" in errors) == (2, True)
    code, out, errors = await office.close("--law", LAWS[0])
    assert (code, f"record-{LAWS[0]}-" in out) == (0, True), errors
    assert [law["counts"]["law_id"] for law in the_record(office)["laws"]] == [LAWS[0]]
    assert await meta(day, f"frozen:{OTHER_LAW}") == {None}
    voters = {answer.vote.ballot for answer in day.log}
    idle = [vote for vote in map(_vote, roll.electors) if vote.ballot not in voters]
    cast = {vote.law_id: (await day.store.cast(*vote)).status for vote in idle[-200:]}
    assert cast == {LAWS[0]: "closed", OTHER_LAW: "accepted"}


async def test_a_ballot_lost_by_a_table_leaves_nothing_certified(
    day: Day, roll: Roll, office: Office
) -> None:
    await close_now(day)
    await day.clickhouse.command(
        "DELETE FROM scrutin.ballots WHERE vote_hash = {h:String}",
        parameters={"h": day.first_accepted().vote.ballot.hex()},
    )
    code, _, errors = await office.close()
    assert (code, "no-ballot: 1" in errors) == (1, True), errors
    assert office.written == []


async def test_what_another_drainer_holds_is_waited_for(
    day: Day, roll: Roll, office: Office
) -> None:
    """It read the vote, and died: its lease has to expire first."""
    voters = {answer.vote.ballot for answer in day.log}
    idle = next(vote for vote in map(_vote, roll.electors) if vote.ballot not in voters)
    assert (await day.store.cast(*idle)).status == "accepted"
    assert len((await Outbox(day.redis, owner="another").read(1000)).events) == 1
    await close_now(day)
    code, _, errors = await office.close()
    assert code == 0, errors
    assert the_record(office)["reconciliation"]["ballots"] == VOTERS + 1


async def test_an_outbox_that_does_not_drain_leaves_nothing_certified(
    day: Day, roll: Roll, office: Office
) -> None:
    voters = {answer.vote.ballot for answer in day.log}
    idle = next(vote for vote in map(_vote, roll.electors) if vote.ballot not in voters)
    await day.store.cast(*idle)
    await Outbox(day.redis, owner="another", lease_ms=60_000).read(1000)
    await close_now(day)
    code, _, errors = await office.close("--drain-timeout-s", "0")
    assert (code, "1 attempts wait" in errors) == (1, True), errors
    assert office.written == []


@pytest.mark.parametrize("status", ["accepted", "duplicate"])
async def test_a_vote_that_waits_is_not_certified_around(day: Day, roll: Roll, status: str) -> None:
    """Published results that claim to hold it do not make up for it."""
    voters = {answer.vote.ballot for answer in day.log if answer.cast.status == "accepted"}
    votes = map(_vote, roll.electors)
    vote = next(vote for vote in votes if (vote.ballot in voters) == (status == "duplicate"))
    assert (await day.store.cast(*vote)).status == status
    election = await close_now(day)
    closes_ms = {law.id: law.closes_at_ms for law in election.laws}
    with pytest.raises(Unreconciled, match=f"law {vote.law_id}: 1 votes wait in the outbox"):
        await reconcile(day.redis, day.clickhouse, dict(day.store.info.laws), closes_ms)


async def test_counts_that_do_not_fit_are_named(day: Day, roll: Roll) -> None:
    election = await close_now(day)
    closes_ms = {law.id: law.closes_at_ms for law in election.laws}
    electors = dict(day.store.info.laws)
    await reconcile(day.redis, day.clickhouse, electors, closes_ms)
    with pytest.raises(Unreconciled, match="1 electors"):
        await reconcile(day.redis, day.clickhouse, electors | {LAWS[0]: 1}, closes_ms)
    # verify alone lets the published results lag behind
    behind = msgspec.json.encode(ResultsSnapshot([], 1, 1))
    await day.redis.call(0, pack("SET", keys.results_key(), behind))
    with pytest.raises(Unreconciled, match="published are not the tally"):
        await reconcile(day.redis, day.clickhouse, electors, closes_ms)


async def test_another_manifest_leaves_nothing_certified(
    day: Day, roll: Roll, office: Office, tmp_path: Path
) -> None:
    await close_now(day)
    other = tmp_path / "manifest.json"
    made = msgspec.structs.replace(roll.database.manifest, roll_id="0" * 64).sealed()
    other.write_bytes(msgspec.json.encode(made))
    code, _, errors = await office.close("--manifest", str(other))
    assert (code, "another roll" in errors) == (1, True), errors
    assert (office.written, await meta(day, f"frozen:{LAWS[0]}")) == ([], {None})


async def test_a_record_is_checked(day: Day, roll: Roll, office: Office, tmp_path: Path) -> None:
    await close_now(day)
    assert (await office.close())[0] == 0
    [path] = office.written
    code, out, _ = await office.check(path)
    assert (code, "not proven" in out) == (0, True)
    trusting = ("--public-key", str(office.public_key))
    code, out, errors = await office.check(path, *trusting, "--against-stores")
    assert (code, "not proven" in out, "say the same" in out) == (0, False, True), out + errors

    directory = str(roll.database.directory)
    held = (*trusting, "--against-stores", "--roll", directory)
    code, out, errors = await office.check(path, *held)
    assert (code, "say the same" in out) == (0, True), out + errors
    for change, fault in (
        ({"laws": []}, f"law {LAWS[0]} is not in the record"),
        ({"frozen_at": "2026-01-01T00:00:00.000+00:00"}, "frozen_at"),
        ({"scope": "L9"}, "without this law"),
    ):
        forged = tmp_path / f"{fault[:3]}.json"
        signed = sign(the_record(office) | change, FORMAT, read_signing_key(office.key))
        write_document(forged, signed)
        code, out, errors = await office.check(forged, *trusting, "--against-stores")
        assert (code, fault in out) == (1, True), out + errors

    make_signing_key(tmp_path / "other.pem")
    code, _, errors = await office.check(path, "--public-key", str(tmp_path / "other.pem.pub"))
    assert (code, "another key" in errors) == (1, True)
    tampered = tmp_path / "tampered.json"
    tampered.write_text(path.read_text().replace('"differences": 0', '"differences": 1'))
    code, _, errors = await office.check(tampered)
    assert (code, "was changed" in errors) == (1, True)

    await day.redis.call(9, pack("HDEL", keys.meta_key(9), f"closes:{LAWS[0]}"))
    code, out, _ = await office.check(path, *trusting, "--against-stores")
    assert (code, "1 shards have no window" in out) == (1, True), out
    restored = datetime.fromisoformat(the_record(office)["laws"][0]["closes_at"])
    closes_ms = round(restored.timestamp() * 1000)
    await day.redis.call(9, pack("HSET", keys.meta_key(9), f"closes:{LAWS[0]}", closes_ms))
    await day.clickhouse.command(
        "ALTER TABLE scrutin.vote_audit DELETE WHERE status = 'invalid' SETTINGS mutations_sync = 2"
    )
    code, out, _ = await office.check(path, *trusting, "--against-stores")
    assert (code, "differs" in out, "invalid" in out) == (1, True, True)
