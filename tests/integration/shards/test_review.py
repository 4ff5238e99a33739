"""Cases are taken by one auditor at a time and decided once, and the trail has all of it."""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from uuid import uuid4

import pytest

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.errors import ReviewRefused
from shards.localcluster import LocalCluster
from shards.networks import NETWORKS_MAX, NetworkCount, add_counts, day_secret, read_counts
from shards.options import Durability, RedisOptions
from shards.review import CasesSnapshot, Outcome, ReviewCase, ReviewDesk
from tests.support.edges import until

AUDITORS = 10
CASES = 60
AN_HOUR_AGO_MS = 1_790_035_199_800


def case_of(number: int, attempts: int = 1) -> ReviewCase:
    case_id = number.to_bytes(32).hex()
    return ReviewCase(case_id, "duplicate", "L1", attempts, 1, AN_HOUR_AGO_MS, AN_HOUR_AGO_MS)


@pytest.fixture
def desk(client: ShardClient) -> ReviewDesk:
    return ReviewDesk(client)


async def test_a_case_from_the_queue_to_its_decision(desk: ReviewDesk) -> None:
    case = case_of(1, attempts=3)
    assert (await desk.standings([case]))[case.case_id].state == "open"
    assert await desk.resolve(case.case_id, "Aude", "harmless", "why", uuid4()) == ("open", "")
    assert await desk.claim(case, "Aude", uuid4()) == ("claimed", "Aude")
    assert await desk.claim(case, "Béa", uuid4()) == ("held", "Aude")
    assert await desk.resolve(case.case_id, "Béa", "fault", "why", uuid4()) == ("held", "Aude")
    assert (await desk.standings([case]))[case.case_id].auditor == "Aude"
    assert (await desk.resolve(case.case_id, "Aude", "harmless", "Two phones.", uuid4())).done
    stands = (await desk.standings([case]))[case.case_id]
    assert (stands.state, stands.decision, stands.why) == ("resolved", "harmless", "Two phones.")
    for auditor in ("Aude", "Béa"):
        assert await desk.claim(case, auditor, uuid4()) == ("decided", "Aude")
        again = await desk.resolve(case.case_id, auditor, "suspect", "why", uuid4())
        assert again == ("decided", "Aude")
    actions = [(entry.action, entry.auditor) for entry in await desk.history(case.case_id)]
    assert actions == [("claim", "Aude"), ("resolve", "Aude")]


async def test_a_call_sent_again_is_one_entry(desk: ReviewDesk) -> None:
    case, acts = case_of(2), [uuid4() for _ in range(3)]
    for _ in range(3):
        assert (await desk.claim(case, "Aude", acts[0])).done
    for _ in range(3):
        assert (await desk.resolve(case.case_id, "Aude", "fault", "Ours.", acts[1])).done
    for _ in range(3):
        assert (await desk.reopen(case.case_id, "Béa", "Not so.", acts[2])).done
    entries = await desk.history(case.case_id)
    assert [(entry.action, entry.act_id) for entry in entries] == list(
        zip(("claim", "resolve", "reopen"), acts, strict=True)
    )
    assert await desk.trail((0, 0), 10) == entries
    assert await desk.latest(10) == entries[::-1]


async def test_opening_again_keeps_what_was_decided(desk: ReviewDesk) -> None:
    case = case_of(3)
    assert await desk.reopen(case.case_id, "Aude", "why", uuid4()) == ("undecided", "")
    await desk.claim(case, "Aude", uuid4())
    assert await desk.reopen(case.case_id, "Aude", "why", uuid4()) == ("undecided", "Aude")
    await desk.resolve(case.case_id, "Aude", "harmless", "why", uuid4())
    assert (await desk.reopen(case.case_id, "Béa", "More is known.", uuid4())).done
    assert (await desk.claim(case, "Béa", uuid4())).done
    assert (await desk.resolve(case.case_id, "Béa", "suspect", "It is a pattern.", uuid4())).done
    decided = [(e.auditor, e.decision) for e in await desk.history(case.case_id) if e.decision]
    assert decided == [("Aude", "harmless"), ("Béa", "suspect")]


async def test_a_case_that_grows_comes_back(desk: ReviewDesk) -> None:
    case, grown = case_of(4, attempts=2), case_of(4, attempts=7)
    await desk.claim(case, "Aude", uuid4())
    await desk.resolve(case.case_id, "Aude", "harmless", "why", uuid4())
    assert (await desk.standings([grown]))[case.case_id].state == "grown"
    assert (await desk.claim(grown, "Béa", uuid4())).done
    assert (await desk.resolve(case.case_id, "Béa", "suspect", "why", uuid4())).done
    assert [entry.attempts for entry in await desk.history(case.case_id)] == [2, 2, 7, 7]


async def test_a_claim_ends_and_another_auditor_may_take_over(desk: ReviewDesk) -> None:
    case = case_of(5)
    await desk.claim(case, "Aude", uuid4(), minutes=1 / 60)

    async def over() -> bool:
        return (await desk.standings([case]))[case.case_id].state == "open"

    await until(over, "the claim's end")
    assert await desk.claim(case, "Béa", uuid4()) == ("claimed", "Béa")
    late = await desk.resolve(case.case_id, "Aude", "harmless", "why", uuid4())
    assert late == ("held", "Béa"), "nobody decides what somebody else works on"


@pytest.mark.parametrize("wrong", ["", "=1", "a" * 65])
async def test_what_is_no_name_leaves_no_trace(desk: ReviewDesk, wrong: str) -> None:
    with pytest.raises(ReviewRefused):
        await desk.claim(case_of(6), wrong, uuid4())
    with pytest.raises(ReviewRefused):
        await desk.resolve(case_of(6).case_id, "Aude", "perhaps", "why", uuid4())
    assert await desk.latest(1) == []


async def work_the_queue(url: str, auditor: str, seed: int) -> Counter[str]:
    """Take and decide whatever there is in an order of one's own; return the codes of all calls."""
    rng = random.Random(seed)
    client = await ShardClient.connect(RedisOptions(url, Durability("replicated")))
    codes: Counter[str] = Counter()
    try:
        desk, numbers = ReviewDesk(client), list(range(CASES))
        rng.shuffle(numbers)
        for number in numbers:
            case = case_of(number)
            taken: list[Outcome] = await asyncio.gather(
                *(desk.claim(case, auditor, uuid4()) for _ in range(2))
            )
            decided = await asyncio.gather(
                *(
                    desk.resolve(case.case_id, auditor, decision, f"by {auditor}", uuid4())
                    for decision in ("harmless", "suspect")
                )
            )
            codes.update(outcome.code for outcome in (*taken, *decided))
    finally:
        await client.aclose()
    return codes


AUDITOR_PROCESS = """
import asyncio, json, sys
from tests.integration.shards.test_review import work_the_queue
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(asyncio.run(work_the_queue(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
"""


async def test_ten_auditors_lose_and_double_no_decision(
    desk: ReviewDesk, cluster: LocalCluster
) -> None:
    """Ten processes race for the same cases, each deciding twice at once what it could take."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    running = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", AUDITOR_PROCESS),
            *(cluster.url, f"auditor {number}", str(seed + number)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(AUDITORS)
    ]
    async with asyncio.timeout(100):
        for each in running:  # nobody begins before the last is there
            assert each.stdout is not None
            assert await each.stdout.readline() == b"ready\n"
        done = await asyncio.gather(*(each.communicate(b"go\n") for each in running))
    assert [each.returncode for each in running] == [0] * AUDITORS, done
    codes: Counter[str] = Counter()
    for out, _ in done:
        codes.update(json.loads(out))
    assert codes["resolved"] == CASES, "each was told to one auditor, once"
    entries = await desk.trail((0, 0), 10_000)
    decided = Counter(entry.case_id for entry in entries if entry.action == "resolve")
    assert decided == {case_of(number).case_id: 1 for number in range(CASES)}
    taken = Counter(entry.case_id for entry in entries if entry.action == "claim")
    assert taken == decided, "nobody took what another had"
    assert len({entry.auditor for entry in entries}) > 1, "they did race"
    for number in range(CASES):
        case = case_of(number)
        claim, resolve = await desk.history(case.case_id)
        assert claim.auditor == resolve.auditor
        assert resolve.why == f"by {resolve.auditor}"
        stands = (await desk.standings([case]))[case.case_id]
        assert (stands.auditor, stands.decision) == (resolve.auditor, resolve.decision)


async def test_what_is_published_is_read(desk: ReviewDesk) -> None:
    assert await desk.published() is None
    snapshot = CasesSnapshot([case_of(1), case_of(2, attempts=9)], AN_HOUR_AGO_MS)
    await desk.publish(snapshot)
    assert await desk.published() == snapshot


@pytest.mark.parametrize(
    "minutes", [0, -5, 1e-5, 0.99 / 60, 24 * 60 + 1, 1e12, float("nan"), float("inf")]
)
async def test_a_case_is_claimed_for_a_second_to_a_day(desk: ReviewDesk, minutes: float) -> None:
    with pytest.raises(ReviewRefused, match="up to 1,440 minutes"):
        await desk.claim(case_of(1), "Aude", uuid4(), minutes=minutes)
    assert (await desk.standings([case_of(1)]))[case_of(1).case_id].state == "open"


async def test_drainers_take_turns(desk: ReviewDesk) -> None:
    assert await desk.take_turn("one", 60_000)
    assert not await desk.take_turn("other", 60_000)


async def test_a_turn_from_before_the_clock_was_set_back_is_void(desk: ReviewDesk) -> None:
    assert await desk.take_turn("one", 3_600_000)
    assert await desk.take_turn("other", 60_000)


async def test_edges_share_the_secret_of_a_day_and_it_ends(client: ShardClient) -> None:
    secrets = {await day_secret(client, "20261125") for _ in range(3)}
    assert len(secrets) == 1
    assert await day_secret(client, "20261126") not in secrets
    ends_s = await client.call(0, pack("TTL", keys.network_secret_key("20261125")))
    assert 0 < ends_s <= 25 * 3600


async def test_counts_of_edges_add_up(client: ShardClient) -> None:
    await add_counts(client, "20261125T07", [NetworkCount("a1", 1, 2), NetworkCount("b2", 0, 5)])
    await add_counts(client, "20261125T07", [NetworkCount("a1", 10, 20)])
    await add_counts(client, "20261125T08", [NetworkCount("a1", 1, 1)])
    counts = await read_counts(client, "20261125T07")
    assert counts == [NetworkCount("a1", 11, 22), NetworkCount("b2", 0, 5)]
    ends_s = await client.call(0, pack("TTL", keys.networks_key("20261125T07")))
    assert 0 < ends_s <= 48 * 3600


async def test_an_hour_holds_so_many_networks(client: ShardClient) -> None:
    many = [NetworkCount(f"{number:x}", 0, 1) for number in range(NETWORKS_MAX)]
    for first in range(0, NETWORKS_MAX, 1000):
        assert await add_counts(client, "20261125T09", many[first : first + 1000]) == 0
    one_more = [NetworkCount("late", 0, 1), many[0]]
    assert await add_counts(client, "20261125T09", one_more) == 1
    counts = await read_counts(client, "20261125T09")
    assert len(counts) == NETWORKS_MAX
    assert NetworkCount("0", 0, 2) in counts
