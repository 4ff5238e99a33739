"""That a structure decides every kind of ballot rightly, and what its votes send to a replica."""

from collections.abc import Iterator
from typing import NamedTuple

from edge.bench.structures.candidates import Structure
from edge.bench.structures.server import Server
from edge.bench.structures.trial import (
    ACCEPTED,
    CONFLICT,
    INVALID,
    Trial,
    Vote,
    random_roll,
    votes_of,
)
from edge.errors import StartError
from shards import keys

ELECTORS = 128 * keys.SHARDS  # one bucket a shard where buckets are large
VOTERS = ELECTORS // 16  # all of some shards


class Case(NamedTuple):
    """A vote, what it is, and the answer it must get."""

    what: str
    vote: Vote
    answer: int


async def check(structure: Structure, server: Server) -> float:
    """Try a structure on a primary with a replica; return the bytes that a vote sends to it.

    Empties the server first. Raises `StartError` at a wrong answer.
    """
    async with server.client() as redis:
        await redis.flushall()
    roll = random_roll(ELECTORS)
    trial = Trial(structure, roll, server)
    await trial.prepare()
    await trial.fill()
    cases = list(_cases(*roll[:3]))
    answers, _ = await trial.cast(case.vote for case in cases)
    for case, answer in zip(cases, answers, strict=True):
        if answer != case.answer:
            raise StartError(
                f"{structure.name}: {case.what} must be answered {case.answer} and was {answer}"
            )
    voters = roll[3:VOTERS]
    before = await trial.info("replication", "master_repl_offset")
    await trial.expect(votes_of(voters), ACCEPTED, "a first ballot")
    sent_bytes = await trial.info("replication", "master_repl_offset") - before
    await trial.expect(votes_of(voters), ACCEPTED, "the same ballot again")
    others = (vote._replace(request_id=vote.request_id[::-1]) for vote in votes_of(voters))
    await trial.expect(others, 1, "a second ballot")
    return sent_bytes / len(voters)


def _cases(first: bytes, second: bytes, third: bytes) -> Iterator[Case]:
    """Yield what three electors who are neighbours may try, in order."""
    stranger = first[:1] + bytes(range(31))
    half = keys.FIELD_SIZE_BYTES // 2
    across = _named(first, keys.field_of(first)[half:] + keys.field_of(second)[:half])
    beside = _named(first, keys.field_of(first)[1:] + b"\0")
    # Request ids are of the voter's choice: these hold a neighbour's name, and a stranger's.
    naming_second = keys.field_of(second).ljust(16, b".")
    naming_stranger = keys.field_of(stranger).ljust(16, b".")
    own, other, third_id = b"own request id..", b"other request id", b"third request id"
    yield Case("a ballot that is not on the roll", Vote(stranger, own), INVALID)
    yield Case("the end of one elector and the beginning of the next", Vote(across, own), INVALID)
    yield Case("an elector without the first byte", Vote(beside, own), INVALID)
    yield Case("a first ballot", Vote(first, naming_second), ACCEPTED)
    yield Case("the same again", Vote(first, naming_second), ACCEPTED)
    yield Case("the same with another choice", Vote(first, naming_second, "n"), CONFLICT)
    yield Case("a ballot whose name is a request id", Vote(second, own), ACCEPTED)
    yield Case("a second ballot", Vote(second, other), 1)
    yield Case("a third ballot", Vote(second, third_id), 2)
    yield Case("the second again", Vote(second, other), 1)
    yield Case("the first again", Vote(second, own), ACCEPTED)
    yield Case("the next one's ballot", Vote(third, naming_stranger), ACCEPTED)
    yield Case("a stranger whose name is a request id", Vote(stranger, own), INVALID)


def _named(like: bytes, field: bytes) -> bytes:
    """Return a ballot hash of the same shard with that field."""
    return like[:1] + field + bytes(keys.HASH_SIZE_BYTES - 1 - len(field))
