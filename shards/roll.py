"""The roll online: whether a hash may vote, and whether it has."""

from enum import IntEnum
from typing import Literal, NamedTuple

import msgspec

from hashgen import CastCall
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.election import Election
from shards.errors import (
    ConfigurationError,
    Overloaded,
    RollConflict,
    RollIncomplete,
    RollMissing,
    SchemeMismatch,
)
from shards.functions import qualified

CastStatus = Literal["accepted", "duplicate", "invalid", "closed", "conflict"]


class RollInfo(msgspec.Struct, frozen=True):
    """What is loaded: `electors` counts hashes, `laws` hashes by law id.

    The last two are its layout, by which an elector is found.
    """

    roll_id: str
    scheme: str
    key_fingerprint: str
    electors: int
    laws: dict[str, int]
    buckets_per_shard: int
    field_size_bytes: int = 14  # of rolls that do not say


class Cast(NamedTuple):
    """The decision on one ballot; `attempt_count` is the n of the n-th duplicate, else 0."""

    status: CastStatus
    attempt_count: int = 0


class CastCode(IntEnum):
    """The replies of `lua/cast.lua` that are not a number of attempts."""

    ACCEPTED = 0
    INVALID = -1
    CLOSED = -2
    CONFLICT = -3
    FULL = -4


_DECISIONS: dict[int, Cast] = {
    CastCode.ACCEPTED: Cast("accepted"),
    CastCode.INVALID: Cast("invalid"),
    CastCode.CLOSED: Cast("closed"),
    CastCode.CONFLICT: Cast("conflict"),
}


class RollStore:
    """Casts ballots against the loaded roll."""

    def __init__(self, client: ShardClient, info: RollInfo) -> None:
        self.info = info
        self._client = client
        layout = info.roll_id, info.buckets_per_shard
        self._cast = CastCall(qualified("cast"), *layout)
        self._recall = CastCall(qualified("recall"), *layout)

    @classmethod
    async def open(cls, client: ShardClient, *, scheme: str, key_fingerprint: str) -> "RollStore":
        """Check the loaded roll against the settings.

        Raises `SchemeMismatch` and what `read_roll_info` raises.
        """
        info = await read_roll_info(client)
        if (info.scheme, info.key_fingerprint) != (scheme, key_fingerprint):
            raise SchemeMismatch(
                f"the loaded roll was hashed with {info.scheme}, key {info.key_fingerprint or '-'};"
                f" these settings say {scheme}, key {key_fingerprint or '-'}"
            )
        return cls(client, info)

    async def cast(self, ballot_hash: bytes, law_id: str, vote: str, request_id: bytes) -> Cast:
        """Decide a ballot: 32-byte hash, `oui` or `non`, 16-byte request id.

        Safe to repeat with the same request id. A server that is nearly full answers what was
        decided before; for any other ballot, `Overloaded` is raised. Raises `Unavailable` and its
        kinds.
        """
        shard = keys.shard_of(ballot_hash)
        call = self._recall if self._client.is_full(shard) else self._cast
        command = call.pack(ballot_hash, law_id, vote, request_id)
        code: int = await self._client.call(shard, command)
        if code == CastCode.FULL:
            raise Overloaded("Redis is nearly full: no new ballots are taken")
        return Cast("duplicate", code) if code > 0 else _DECISIONS[code]


def check_laws(info: RollInfo, election: Election) -> None:
    """Make sure that the election file has every law of the loaded roll.

    Raises `ConfigurationError` that names the laws it lacks.
    """
    strange = sorted(law_id for law_id in info.laws if not election.law(law_id))
    if strange:
        raise ConfigurationError(
            f"the loaded roll has electors for {', '.join(strange)}, which the election file"
            " lacks: give the election file that the roll was loaded with"
        )


async def read_roll_info(client: ShardClient) -> RollInfo:
    """Read what is loaded, of the shards that answer.

    Raises `RollMissing` when they hold no roll, `RollIncomplete` unless each of them holds its
    part of the same one, `RollConflict` when another version of Scrutin loaded it, `Unavailable`
    when none answers.
    """
    answers = await client.call_reachable(
        (shard, pack("HMGET", keys.meta_key(shard), "ready", "info"))
        for shard in range(keys.SHARDS)
    )
    held = [(roll_id, info) for roll_id, info in answers.values() if roll_id is not None]
    if not held:
        raise RollMissing("no roll is loaded; run `scrutin roll load`")
    if len(held) < len(answers):
        missing = len(answers) - len(held)
        raise RollIncomplete(f"the roll is not complete: {missing} of {keys.SHARDS} shards missing")
    if len({roll_id for roll_id, _ in held}) > 1:
        raise RollIncomplete("the shards do not agree on the roll")
    info = msgspec.json.decode(held[0][1], type=RollInfo)
    if info.field_size_bytes != keys.FIELD_SIZE_BYTES:
        raise RollConflict(
            "the roll was loaded by another version of Scrutin, in another layout:"
            " vote with that version, or load an empty cluster with this one"
        )
    return info
